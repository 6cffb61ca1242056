"""One batch, or the batches of one run, in words and signs for both faces.  Pure: records in, text out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.text import Text

from batchtui import safetext
from batchtui.domain.batch import BatchRecord, Counts
from batchtui.domain.outcome import STANDINGS, USABLE
from batchtui.domain.work import Progress
from batchtui.present import numbers
from batchtui.present.cells import name_of
from batchtui.present.fitting import fitting
from batchtui.present.symbols import GLYPHS

if TYPE_CHECKING:
    from batchtui.results.view import Unchecked

SOON = timedelta(days=3)
"""Results that are not downloaded and expire within this time need attention."""
FRESH = timedelta(days=3)
"""Failures that were not retried need attention for this long after the end."""


class State(msgspec.Struct, frozen=True, gc=False):
    """How a batch stands: a sign, a word and a palette name, each enough by itself; rank 0 needs attention first."""

    sign: str
    word: str
    style: str
    rank: int


def name(record: BatchRecord) -> str:
    """What a batch is called: its title, or where it came from, or its id; safe to show."""
    return safetext.line(record.title or _source_name(record) or record.id or record.local_id, 200)


def _source_name(record: BatchRecord) -> str:
    return PurePath(record.source.split(",")[0]).name if record.source else ""


def part_name(record: BatchRecord) -> str:
    """What tells a batch from the others of its run: ``1/2``, ``retry 1``, ``1/2 · retry 1``; "" when nothing does."""
    parts = f"{record.part}/{record.parts}" if record.parts > 1 else ""
    retry = f"retry {record.attempt}" if record.attempt else ""
    return f" {GLYPHS.dot} ".join(filter(None, (parts, retry)))


def file_stem(record: BatchRecord, *, part: bool = False) -> str:
    """A file name for a batch's results, without its ending; with ``part`` it tells the batches of a run apart."""
    which = part_name(record).replace("/", "of") if part else ""
    return safetext.filename(re.sub(r"\.[a-z]+$", "", name(record)) + (f"-{which}" if which else ""))


def results_going(record: BatchRecord, now: datetime) -> timedelta | None:
    """How long results that are not downloaded can still be had, when that is soon; None otherwise."""
    if record.results_due and record.gone_at is not None and record.gone_at - now <= SOON:
        return record.gone_at - now
    return None


def word(record: BatchRecord) -> str:
    """The status of a batch in one word or two, the same on both faces."""
    if record.marked_gone is not None:
        return "marked as gone"
    if record.unknown:
        return "not known"
    if record.waiting:
        return "waiting"
    if record.status == "ended":
        if record.results == "gone":
            return "results gone"
        return "canceled" if record.cancel_initiated_at is not None and record.counts.canceled else "ended"
    return {"submitting": "sending", "in_progress": "running"}.get(record.status, record.status)


def state(record: BatchRecord, now: datetime, *, retried: bool = False) -> State:
    """How a batch stands.  ``retried``: its failures went out again, so they need no more attention."""
    g, said = GLYPHS, word(record)
    if record.unknown or record.status == "unconfirmed":
        return State(g.unconfirmed, said, "warn", 0)
    if record.status == "refused":
        fresh = now - record.made_at < FRESH and not (retried or record.given_up)
        return State(g.refused, said, "bad", 0 if fresh else 5)
    if record.waiting:
        return State(g.dot, said, "muted", 2)
    if record.status == "submitting":
        return State(g.sending, said, "accent", 2)
    if record.status == "in_progress":
        return State(g.running, said, "accent", 2)
    if record.status == "canceling":
        return State(g.canceling, said, "warn", 2)
    return _ended(record, said, now, retried)


def _ended(record: BatchRecord, said: str, now: datetime, retried: bool) -> State:
    g = GLYPHS
    if results_going(record, now) is not None:
        return State(g.warning, said, "bad", 0)
    if record.results == "gone":
        return State(g.gone, said, "muted", 5)
    if record.results_due:
        return State(g.ready, said, "accent", 3)
    if record.needs_retry == 0:
        return State(g.good, said, "good", 5)
    fresh = not (retried or record.foreign) and record.ended_at is not None and now - record.ended_at < FRESH
    return State(g.partial, said, "warn" if not retried else "muted", 1 if fresh else 5)


def full_name(record: BatchRecord) -> str:
    """A batch's name with its part and attempt: ``labels 1/2 · retry 1``."""
    return " ".join(filter(None, (name_of(name(record), 60), part_name(record))))


_NAMED = 4
"""Runs that are named where several are meant."""


def titles(records: Sequence[BatchRecord], *, requests: bool = False) -> str:
    """What some batches are called, several of a run by its title: ``labels (3 batches), reviews and 2 more``; with how many
    requests each has, where ``requests`` are wanted.
    """
    runs: dict[str, list[BatchRecord]] = {}
    for each in records:
        runs.setdefault(each.run, []).append(each)
    shown = []
    for run in list(runs.values())[:_NAMED]:
        counts = [f"{len(run)} batches"] if len(run) > 1 else []
        counts += [numbers.plural(sum(r.requests for r in run), "request")] if requests else []
        title = name_of(name(run[0]), 60) if len(run) > 1 else full_name(run[0])
        shown.append(f"{title} ({', '.join(counts)})" if counts else title)
    return ", ".join(shown) + (f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else "")


def deleted_with(records: Sequence[BatchRecord], verdicts: int, *, here: bool, there: bool) -> list[str]:
    """What goes when batches are deleted, beside themselves, a sentence each; ``verdicts`` are those of reviews."""
    stored = sum(r.results == "stored" for r in records)
    partial = [r for r in records if r.partly_here]
    due = [r for r in records if r.results_due]
    missing, short = sum(not r.partly_here for r in due), [r for r in due if r.partly_here]
    paid = sum((r.cost_usd for r in records if r.cost_usd is not None), Decimal(0))
    lines = []
    if here and stored:
        lines.append(
            f"Deleting here also deletes the downloaded results of {numbers.plural(stored, 'batch', 'batches')}."
        )
    if here and partial:
        lines.append(f"Deleting here also deletes the partially downloaded results of {_how_much(partial)}.")
    if here and verdicts:
        lines.append(f"Deleting here also deletes {numbers.plural(verdicts, 'verdict')} of your review.")
    if there and missing:
        few = numbers.plural(missing, "batch", "batches")
        lines.append(f"The results of {few} are not downloaded: once deleted at the API, they are lost.")
    if there and short:
        lines.append(
            f"The results of {_how_much(short)} are partially downloaded: once deleted at the API, the others are lost."
        )
    if here and paid:
        lines.append(f"Once deleted here, {numbers.usd(paid)} no longer counts as spending.")
    if here and any(not r.foreign for r in records):
        adopted = "; a batch that is adopted again has none" if any(map(at_api, records)) else ""
        lines.append(f"Requests deleted here can't be restored or retried{adopted}.")
    if there and not here:
        lines.append(stays_here(records) + ".")
    return lines


def at_api(record: BatchRecord) -> bool:
    """Whether there is a batch at the API to delete, or to adopt again."""
    return record.id is not None and record.archived_at is None and record.results != "gone"


def stays_here(records: Sequence[BatchRecord]) -> str:
    """What batches that are deleted at the API only still have."""
    stored = any(r.results == "stored" or r.partly_here for r in records)
    return (
        "The record, the requests and downloaded results stay here"
        if stored
        else "Only the record and the requests stay here"
    )


def canceled_with(running: Sequence[BatchRecord], *, retry: str) -> list[str]:
    """What a cancellation of batches that run or wait means, a sentence each; ``retry`` names the key or the command."""
    sent = [r for r in running if not r.waiting]
    few = numbers.plural(len(running) - len(sent), "batch", "batches")
    open_requests = sum(r.counts.processing or r.requests - r.counts.done for r in running)
    lines = [f"Up to {numbers.plural(open_requests, 'request')} will have no answer."]
    if len(sent) < len(running):
        lines.append(f"{few} still waiting to be sent: dropped, not charged.")
    if sent:
        lines.append("Requests that are already processed keep their results and are charged.")
    return [*lines, f"This can't be undone. Requests without an answer can be retried with {retry}."]


def _how_much(records: Sequence[BatchRecord]) -> str:
    """Some batches, and how many of their results are here where that is known of each: ``1 batch (40 of 50)``."""
    have, expected = sum(r.have for r in records), sum(r.sent_or_counted for r in records)
    few = numbers.plural(len(records), "batch", "batches")
    return f"{few} ({have:,} of {expected:,})" if all(r.have for r in records) else few


def status(record: BatchRecord) -> str:
    """How a batch stands and what came of it, in words that never call a partial failure a success."""
    if record.asks:
        return "unconfirmed, needs attention"
    if record.unknown:
        return "not known by the API"
    if record.status != "ended" or record.marked_gone is not None:
        return word(record)
    parts = [f"{n:,} {what}" for what, n, _ in outcome_counts(record)] or ["0 succeeded"]
    if record.results != "stored":
        partial = f"{record.have:,} of {record.sent_or_counted:,} results downloaded"
        parts.append({"gone": "results gone", "partial": partial}.get(record.results, "results not downloaded"))
    return "ended: " + ", ".join(parts)


def waiting_words(records: Sequence[BatchRecord], *, demo: bool = False) -> str:
    """How batches that wait to be sent are sent in the end, and how to keep them from it."""
    are, them = ("are", "them") if len(records) > 1 else ("is", "it")
    ids = [r.local_id for r in records]
    return (
        f"{', '.join(ids)} {are} waiting to be sent: batchtui sends {them} when the screen opens, or with the next command "
        f"that submits or checks batches (submit, again, retry, sync, watch …); batchtui cancel {' '.join(ids)}"
        f"{' --demo' if demo else ''} drops {them} unsent"
    )


def due_to_send(record: BatchRecord, now: datetime) -> bool:
    """Whether it waits, and for no later moment: it is sent with the next that is sent or checked."""
    return record.waiting and (record.next_try_at is None or record.next_try_at <= now)


def sent_too(records: Sequence[BatchRecord]) -> str:
    """What goes out with a submit, as it waits from before; "" for none."""
    return f"left waiting earlier and sent too: {with_cost(records)}" if records else ""


def with_cost(records: Sequence[BatchRecord]) -> str:
    """Which batches, of how many requests, and what they cost as far as that is known."""
    return ", ".join(filter(None, (titles(records, requests=True), cost_text(cost_of_run(records)))))


def line(record: BatchRecord) -> str:
    """A batch as one line of a log: ids, requests, status, cost, and what went wrong."""
    error = f"; {safetext.line(record.error, 300)}" if record.error else ""
    parts = (
        record.local_id,
        full_name(record),
        numbers.plural(record.requests, "request"),
        status(record),
        cost(record),
    )
    return "  ".join(filter(None, parts)) + error


def not_included(records: Sequence[BatchRecord], *, run: bool) -> list[BatchRecord]:
    """The batches whose results are not in figures of ``records``: they are in progress, or not downloaded; of a run also
    those that were refused, unless they were sent again.
    """
    sent_again = {local_id for r in records for local_id in r.retry_of}
    lacking = (r for r in records if r.active or r.results_due or (run and r.status == "refused"))
    return [r for r in lacking if r.local_id not in sent_again]


def not_included_words(records: Sequence[BatchRecord], *, run: bool) -> str:
    """What is not in figures of ``records``, shortly: ``not included: retry 1 (running)``; "" when all is."""
    found = not_included(records, run=run)
    if not found:
        return ""
    first = f"{name_of(part_name(found[0]) or name(found[0]))} ({word(found[0])})"
    return f"not included: {first}" + (f" and {len(found) - 1} more" if found[1:] else "")


def unchecked(found: Unchecked) -> str:
    """``3 answers not checked: their schema can't be compiled (…)``; "" when all that have a schema are checked."""
    if not found.count:
        return ""
    return f"{numbers.plural(found.count, 'answer')} not checked: the schema can't be compiled ({found.why})"


def skipped(count: int) -> str:
    """``3 requests with errors``: those that a submit skipped."""
    return f"{numbers.plural(count, 'request')} with errors"


def runs(record: BatchRecord) -> bool:
    """True for a batch at the API that has not ended, or is being sent: what waits and what is in doubt does not run."""
    sending = record.status == "submitting" and not record.waiting
    return sending or (record.status in ("in_progress", "canceling") and not record.unknown)


def takes_sentence(record: BatchRecord, now: datetime) -> bool:
    """Whether its status takes a sentence, in the place of progress and counts."""
    in_doubt = record.unknown or record.status in ("unconfirmed", "refused")
    return in_doubt or results_going(record, now) is not None


def attention(
    record: BatchRecord, now: datetime, *, retried: bool = False, left: int | None = None, opens: str = "Enter"
) -> str:
    """What needs attention about a batch, in a few words; "" when nothing.

    ``left``: failed requests not retried yet; ``opens``: the key that opens the batch.
    """
    if record.unknown:
        return f"not known by the API: press {opens}"
    if record.status == "unconfirmed":
        if record.asked_at is not None:
            return f"can't be confirmed: press {opens}"
        return f"may have been created: press {opens}" if record.candidates else "checking whether it was created"
    going = results_going(record, now)
    if going is not None:
        return f"results expire in {numbers.words(going)}, not downloaded: {opens}"
    if state(record, now, retried=retried).rank == 1:
        open_ones = record.needs_retry if left is None else left
        return f"{numbers.plural(open_ones, 'request')} to retry"
    return "refused" if record.status == "refused" else ""


def outcome_counts(record: BatchRecord) -> list[tuple[str, int, str]]:
    """What is known of the outcomes: (word, how many, palette name), those that are none left out."""
    c, t = record.counts, record.tally
    # What was downloaded is counted line by line; what the API counts may lag behind.
    told = t or c
    found = (
        [("usable", t.good, "good"), ("cut short", t.cut_short, "warn"), ("invalid", t.invalid, "warn")]
        if t
        else [("succeeded", c.succeeded, "good")]
    )
    found += [("errored", told.errored, "bad"), ("canceled", told.canceled, "muted"), ("expired", told.expired, "warn")]
    if t is not None:
        found += [("missing", t.missing, "bad"), ("other", t.unknown + t.unreadable, "bad")]
    return [each for each in found if each[1]]


def by_standing(counts: Mapping[str, int]) -> str:
    """``282 usable, 12 invalid, 6 errored``, of rows counted by standing; "" where all are usable."""
    kinds: dict[str, int] = {}
    for each in STANDINGS:
        kinds[each.title.lower()] = kinds.get(each.title.lower(), 0) + counts.get(each.name, 0)
    told = [f"{count:,} {word}" for word, count in kinds.items() if count]
    return ", ".join(told) if any(counts.get(each.name) for each in STANDINGS if each is not USABLE) else ""


def counts_text(counts: Sequence[tuple[str, int, str]], room: int = 60) -> Text:
    """``4,981 usable · 12 errored``; where that is too long the failures become one figure."""
    if sum(len(f"{n:,} {what}") + 3 for what, n, _ in counts) - 3 > room and len(counts) > 2:
        good = [each for each in counts if each[2] == "good"]
        counts = [*good, ("failed", sum(n for _, n, style in counts if style != "good"), "bad")]
    text = Text()
    for what, n, style in counts:
        text.append(f" {GLYPHS.dot} " if text else "", "muted")
        text.append(f"{n:,} ", "" if style == "good" else style)
        text.append(what, "muted" if style == "good" else style)
    return text


def usable(record: BatchRecord) -> int | None:
    """Requests with a usable answer; the succeeded ones until results are downloaded; None until it ended."""
    if record.tally is not None:
        return record.tally.good
    return record.counts.succeeded if record.status == "ended" else None


def failed(record: BatchRecord) -> int | None:
    """Requests without a usable answer, of those that were sent; None until it ended."""
    good = usable(record)
    return None if good is None else max(0, (record.requests or record.counts.total) - good)


def answered(record: BatchRecord) -> int:
    """Requests that the API processed: neither canceled nor expired before."""
    told = record.tally or record.counts
    return told.succeeded + told.errored


def results(record: BatchRecord) -> str:
    """Whether its results are on disk."""
    partial = f"{record.have:,} of {record.sent_or_counted:,} downloaded" if record.have else "partially downloaded"
    words = {"stored": "downloaded", "partial": partial, "none": "not downloaded", "gone": "gone"}
    return words[record.results]


def progress_text(progress: Progress) -> Text:
    """An upload or a download in progress: a bar and a percentage, or how much has come."""
    word = progress.stage or "working"
    if progress.total:
        text = Text(numbers.bar(progress.done, progress.total, 6), "accent")
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
        return Text(f"late, usually {_minutes(high)}", "warn")
    span = f"{low}{GLYPHS.dash}{high} min" if high < 100 else f"{_minutes(low)}{GLYPHS.dash}{_minutes(high)}"
    return Text(f"usually {span}", "muted")


def _minutes(minutes: int) -> str:
    return f"{minutes}m" if minutes < 100 else f"{round(minutes / 60)}h"


def needing(count: int) -> str:
    """How many need attention: ``3 need attention``."""
    return f"{count} need{'s' if count == 1 else ''} attention"


def progress_of(record: BatchRecord, now: datetime, usual: tuple[int, int] | None) -> Text:
    """How far a batch is that has not ended."""
    if record.waiting:
        if record.next_try_at is not None and record.next_try_at > now:
            return Text(f"for a check in {numbers.words(record.next_try_at - now)}", "muted")
        return Text("for room in the queue", "muted")
    if record.status == "submitting":
        return Text(numbers.size(record.bytes), "muted")
    counts = record.counts
    if counts.done and counts.total:
        return _counted(counts)
    if record.status == "canceling":
        return Text(GLYPHS.ellipsis, "muted")
    return waiting_text(record, now, usual)


def _counted(counts: Counts) -> Text:
    """A bar, how many of how many, and a sign where some failed; where there is less room the bar or the total goes."""
    said = numbers.of(counts.done, counts.total)
    percent = said.rpartition("(")[2].removesuffix(")")
    drawn = numbers.bar(counts.done, counts.total, 8)
    texts = [(drawn, f" {said}")] if len(said) <= 24 else []
    texts += [("", said), (drawn, f" {percent}")]
    sign = (f" {GLYPHS.partial}", "warn") if counts.failed else ""
    return fitting([Text.assemble((line, "accent"), words, sign) for line, words in texts])


def as_of(at: datetime | None, now: datetime) -> str:
    """How old what is known of a batch is that can't be checked."""
    return f"checked {numbers.short(now - at)} ago" if at is not None else "not checked"


def age(record: BatchRecord, now: datetime) -> str:
    """Time since it was made (or was to be made)."""
    start = record.created_at or record.intent_at or (record.made_at if record.status == "refused" else None)
    return numbers.short(now - start) if start else ""


def left(record: BatchRecord, now: datetime) -> str:
    """Until it expires; after its end, until the API deletes its results; "" when nothing runs out."""
    until = record.gone_at if record.status == "ended" else record.expires_at
    if until is None or record.results == "gone":
        return ""
    return numbers.left(until - now)


class Cost(NamedTuple):
    """What batches cost or will, in dollars at batch price."""

    usd: Decimal | None
    """None where nothing of it is known."""
    guessed: bool
    """Whether an estimate is in it."""
    least: bool
    """Whether there is more to it that has no price or is not told."""


def cost_of(record: BatchRecord) -> Cost:
    """Real cost, or as estimated: the likely one by earlier runs, else the middle; of the low end what has a price."""
    if record.cost_usd is not None or (record.tally is not None and record.tally.unpriced):
        return Cost(record.cost_usd, False, at_least(record))
    estimate = record.estimate
    if estimate is None or record.status == "refused":
        return Cost(None, False, False)
    low, high = estimate.batch_usd
    if estimate.unpriced:
        return Cost(low or None, low > 0, True)
    return Cost(estimate.likely_usd if estimate.likely_usd is not None else (low + high) / 2, True, False)


def cost_of_run(records: Iterable[BatchRecord]) -> Cost:
    """What the batches of a run cost together; what ended without results to download is not estimated."""
    found = [cost_of(r) for r in records if r.tally is not None or r.cost_usd is not None or r.active or r.results_due]
    known = [each.usd for each in found if each.usd is not None]
    total = sum(known, Decimal(0)) if known else None
    return Cost(total, any(each.guessed for each in found), any(each.least for each in found))


def cost_text(cost: Cost, exact: Callable[[Decimal], str] = numbers.usd_cell) -> str:
    """``$4.12``, an estimate ``~$4.10``, what is known of more ``≥ $4.10``; "" where there is none."""
    if cost.usd is None:
        return numbers.NO_PRICE if cost.least else ""
    if cost.guessed and not cost.least:
        return numbers.about(cost.usd)
    return numbers.at_least((numbers.usd_short if cost.guessed else exact)(cost.usd), cost.least)


def cost(record: BatchRecord) -> str:
    """Real cost, or the estimate with a tilde."""
    return cost_text(cost_of(record))


def at_least(record: BatchRecord) -> bool:
    """Whether its real cost is not known whole."""
    return record.tally is not None and bool(record.tally.cost_missing or record.tally.unpriced)
