"""One batch, or the batches of one run, in the words and signs of the home screen.  Pure: records in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import PurePath

import msgspec
from rich.text import Text

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.work import Progress
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS

SOON = timedelta(days=3)
"""Results that are not stored and go within this time want the person."""
FRESH = timedelta(days=3)
"""Failures that nobody retried want the person for this long after the end."""


class State(msgspec.Struct, frozen=True):
    """How a batch stands: a sign, a word and a palette name, each enough by itself; rank 0 wants the person first."""

    sign: str
    word: str
    style: str
    rank: int


def name(record: BatchRecord) -> str:
    """What a batch is called: its title, or where it came from, or its id; safe to show."""
    source = PurePath(record.source.split(",")[0]).name if record.source else ""
    return safetext.line(record.title or source or record.id or record.local_id, 200)


def part_name(record: BatchRecord) -> str:
    """What tells a batch from the others of its run: ``1/2``, ``retry 1``, ``1/2 · retry 1``; "" when nothing does."""
    parts = f"{record.part}/{record.parts}" if record.parts > 1 else ""
    retry = f"retry {record.attempt}" if record.attempt else ""
    return f" {GLYPHS.dot} ".join(filter(None, (parts, retry)))


def results_going(record: BatchRecord, now: datetime) -> timedelta | None:
    """How long results that are not stored can still be had, when that is soon; None otherwise."""
    if record.results_due and record.gone_at is not None and record.gone_at - now <= SOON:
        return record.gone_at - now
    return None


def state(record: BatchRecord, now: datetime, *, retried: bool = False) -> State:
    """How a batch stands.  ``retried``: its failures went out again, so they don't want the person any more."""
    g = GLYPHS
    if record.unknown:
        return State(g.unconfirmed, "not known", "warn", 0)
    if record.status == "unconfirmed":
        return State(g.unconfirmed, "unconfirmed", "warn", 0)
    if record.status == "refused":
        fresh = now - record.made_at < FRESH and not (retried or record.given_up)
        return State(g.refused, "refused", "bad", 0 if fresh else 5)
    if record.waiting:
        return State(g.dot, "waiting", "muted", 2)
    if record.status == "submitting":
        return State(g.sending, "sending", "accent", 2)
    if record.status == "in_progress":
        return State(g.running, "running", "accent", 2)
    if record.status == "canceling":
        return State(g.canceling, "canceling", "warn", 2)
    return _ended(record, now, retried)


def _ended(record: BatchRecord, now: datetime, retried: bool) -> State:
    g = GLYPHS
    if results_going(record, now) is not None:
        return State(g.warning, "ended", "bad", 0)
    if record.results == "gone":
        return State(g.gone, "marked as gone" if record.marked_gone else "results gone", "muted", 5)
    if record.results_due:
        return State(g.ready, "ended", "accent", 3)
    if record.needs_retry == 0:
        return State(g.good, "ended", "good", 5)
    fresh = not (retried or record.foreign) and record.ended_at is not None and now - record.ended_at < FRESH
    return State(g.partial, "ended", "warn" if not retried else "muted", 1 if fresh else 5)


def runs(record: BatchRecord) -> bool:
    """True for a batch at the API that has not ended, or is being sent: what waits and what is in doubt does not run."""
    sending = record.status == "submitting" and not record.waiting
    return sending or (record.status in ("in_progress", "canceling") and not record.unknown)


def wants(record: BatchRecord, now: datetime, *, retried: bool = False, left: int | None = None) -> str:
    """What needs attention about a batch, in a few words; "" when nothing.  ``left``: failed requests not retried yet."""
    if record.unknown:
        return "not known by the API: press Enter"
    if record.status == "unconfirmed":
        if record.asked_at is not None:
            return "can't be confirmed: press Enter"
        return "it may exist: press enter" if record.candidates else "looking whether it arrived"
    going = results_going(record, now)
    if going is not None:
        return f"results gone in {numbers.words(going)}, not stored: enter"
    if state(record, now, retried=retried).rank == 1:
        open_ones = record.needs_retry if left is None else left
        return f"{numbers.plural(open_ones, 'request')} to retry"
    return "refused" if record.status == "refused" else ""


def outcome_counts(record: BatchRecord) -> list[tuple[str, int, str]]:
    """What is known of the outcomes: (short word, how many, palette name), those that are none left out."""
    tally = record.tally
    if tally is None:
        c = record.counts
        found = [("ok", c.succeeded, "good"), ("err", c.errored, "bad"), ("exp", c.expired, "warn")]
        found.append(("can", c.canceled, "muted"))
    else:
        found = [("ok", tally.good, "good"), ("short", tally.cut_short, "warn"), ("err", tally.errored, "bad")]
        found += [("exp", tally.expired, "warn"), ("can", tally.canceled, "muted")]
        found += [("missing", tally.missing, "bad"), ("odd", tally.unknown + tally.unreadable, "bad")]
    return [each for each in found if each[1]]


def counts_text(counts: Sequence[tuple[str, int, str]], room: int = 30) -> Text:
    """``4,981 ok 12 err 7 exp``; where that is too long the failures become one figure."""
    if sum(len(f"{n:,} {word}") + 1 for word, n, _ in counts) - 1 > room and len(counts) > 2:
        good = [each for each in counts if each[0] == "ok"]
        counts = [*good, ("not good", sum(n for word, n, _ in counts if word != "ok"), "bad")]
    text = Text()
    for word, n, style in counts:
        text.append(" " if text else "")
        text.append(f"{n:,} ", "" if word == "ok" else style)
        text.append(word, "muted" if word == "ok" else style)
    return text


def bar(done: int, total: int, width: int = 10) -> str:
    """A bar that is read by its shape; neither empty nor full before it is."""
    filled = done * width // total if total else 0
    if 0 < done < total:
        filled = min(max(1, filled), width - 1)
    return GLYPHS.full * filled + GLYPHS.empty * (width - filled)


def progress_text(progress: Progress) -> Text:
    """An upload or a download on its way: a bar and a percentage, or how much has come."""
    word = progress.stage or "working"
    if progress.total:
        text = Text(bar(progress.done, progress.total, 6), "accent")
        return text.append(f" {progress.done * 100 // progress.total}% {safetext.line(word, 40)}")
    amount = numbers.size(progress.done) if progress.unit == "bytes" else numbers.count(progress.done)
    return Text(f"{safetext.line(word, 40)} {amount}")


def waiting_text(record: BatchRecord, now: datetime, usual: tuple[int, int] | None) -> Text:
    """Honest progress of a batch whose counts don't move: how long such batches took, and when that is over."""
    if usual is None:
        return Text("up to 24 h", "muted")
    low, high = usual
    start = record.created_at or record.intent_at or now
    if (now - start).total_seconds() > high * 60:
        return Text(f"late: usual {_minutes(high)}", "warn")
    span = f"{low}{GLYPHS.dash}{high} min" if high < 100 else f"{_minutes(low)}{GLYPHS.dash}{_minutes(high)}"
    return Text(f"usually {span}", "muted")


def _minutes(minutes: int) -> str:
    return f"{minutes}m" if minutes < 100 else f"{round(minutes / 60)}h"


def progress_of(record: BatchRecord, now: datetime, usual: tuple[int, int] | None, transfer: Progress | None) -> Text:
    """The Done cell of a batch that is not at its end."""
    if transfer is not None:
        return progress_text(transfer)
    if record.waiting:
        return Text("room in the queue", "muted")
    if record.status == "submitting":
        return Text(numbers.size(record.bytes), "muted")
    counts = record.counts
    if counts.done and counts.total:
        text = Text(bar(counts.done, counts.total, 10 if counts.done < 10_000 else 8), "accent")
        text.append(f" {counts.done:,}")
        if counts.failed:
            text.append(f" {GLYPHS.partial}", "warn")
        return text
    if record.status == "canceling":
        return Text(GLYPHS.ellipsis, "muted")
    return waiting_text(record, now, usual)


def as_of(at: datetime | None, now: datetime) -> str:
    """How old what is known of a batch is that can't be checked."""
    return f"seen {numbers.short(now - at)} ago" if at is not None else "not checked"


def age(record: BatchRecord, now: datetime) -> str:
    """Time since it was made (or was to be made)."""
    start = record.created_at or record.intent_at or (record.made_at if record.status == "refused" else None)
    return numbers.short(now - start) if start else ""


def left(record: BatchRecord, now: datetime) -> str:
    """Until it expires; after its end, until its results are thrown away at the service; "" when nothing runs out."""
    until = record.gone_at if record.status == "ended" else record.expires_at
    if until is None or record.results == "gone":
        return ""
    return numbers.left(until - now)


def cost(record: BatchRecord) -> str:
    """Real cost, or the estimate's middle with a tilde."""
    if record.cost_usd is not None:
        return numbers.at_least(cents(record.cost_usd), at_least(record))
    if record.status == "refused":
        return ""
    if record.tally is not None and record.tally.unpriced:
        return "no price"
    estimated = estimate_of(record)
    return f"~{cents(estimated)}" if estimated is not None else ""


def at_least(record: BatchRecord) -> bool:
    """Whether its real cost is not known whole."""
    return record.tally is not None and bool(record.tally.cost_missing)


def cents(value: Decimal) -> str:
    """Dollars to the cent in few cells; what is under a cent says only that."""
    return "<$0.01" if 0 < value < numbers.CENT else numbers.usd(value)


def estimate_of(record: BatchRecord) -> Decimal | None:
    """Its likely cost by earlier runs, else the middle of its estimate; None without an estimate or a price."""
    if record.estimate is None or record.estimate.unpriced:
        return None
    low, high = record.estimate.batch_usd
    likely = record.estimate.likely_usd
    return likely if likely is not None else (low + high) / 2
