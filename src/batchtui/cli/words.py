"""What the verbs print: tables and lines of batches, plans, their JSON, and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from batchtui import safetext
from batchtui.cli.output import say
from batchtui.domain.batch import BatchRecord, Tally
from batchtui.domain.errors import ServiceError, Unconfirmed
from batchtui.domain.outcome import STANDINGS
from batchtui.domain.plan import Plan
from batchtui.present import batch, numbers
from batchtui.present import plan as plan_words
from batchtui.present.cells import cut_middle, fit
from batchtui.service import Service
from batchtui.service.events import Looked, RecordChanged

SETTLE_PATIENCE = 15.0
"""Seconds that submit without --wait looks for a batch whose reply was lost."""


def ids(records: Iterable[BatchRecord]) -> str:
    """Local ids in a row."""
    return ", ".join(r.local_id for r in records)


def say_not_included(records: Sequence[BatchRecord], *, run: bool) -> None:
    """Which batches are not in what is told of ``records``, on standard error."""
    for each in batch.not_included(records, run=run):
        say(f"not included: {batch.line(each)}")


def say_of_figures(notes: Iterable[str], repeats: int) -> None:
    """What figures leave out, or count twice, on standard error."""
    for note in notes:
        say(note)
    if repeats:
        received = "1 result was" if repeats == 1 else f"{repeats:,} results were"
        say(f"{received} received twice and counted twice; --filter -is:duplicate leaves out the second one")


def say_skipped(service: Service, record: BatchRecord, more: str = "") -> None:
    """Where the requests are that a record's run skipped, if it did, on standard error."""
    if record.skipped:
        say(f"{batch.skipped(record.skipped)} skipped, kept in {service.skipped_path(record)}{more}")


def say_plan(plan: Plan) -> None:
    """A plan's problems and what it would send, on standard error."""
    for line in [*plan_words.problem_lines(plan), *plan_words.plan_lines(plan)]:
        say(line)


def plan_json(plan: Plan) -> dict[str, Any]:
    """The JSON of check, with a count beside each kind of problem."""
    e = plan.estimate
    return {
        "requests": plan.requests,
        "bytes": plan.bytes,
        "batches": len(plan.parts),
        "format": plan.format,
        "skipped": plan.skipped,
        "errors": plan.errors,
        "warnings": plan.warnings,
        "problems": [
            {"where": p.where, "custom_id": p.custom_id, "level": p.level, "message": p.message, "code": p.code}
            for g in plan.problems
            for p in g.first
        ],
        "problem_groups": [
            {"code": g.code, "level": g.level, "message": g.message, "count": g.count} for g in plan.problems
        ],
        "estimate": {
            "input_tokens": e.input_tokens,
            "output_tokens": e.output_tokens,
            "batch_usd": e.batch_usd,
            "standard_usd": e.standard_usd,
            "likely_usd": e.likely_usd,
            "unpriced": e.unpriced,
            "calibrated": e.calibrated,
        },
    }


_NARROWEST = {"BATCH": 12, "STATUS": 21}
"""Cells that columns keep where the line is short."""


def table(records: Iterable[BatchRecord], now: datetime | None = None, width: int = 0) -> list[str]:
    """Records as aligned columns; with a ``width`` in cells the longest texts are cut, and columns go where they must."""
    from rich.cells import cell_len

    now = now or datetime.now(UTC)
    rows: list[tuple[str, ...]] = [("ID", "BATCH", "REQUESTS", "STATUS", "AGE", "PROFILE", "COST")]
    for r in records:
        age = numbers.short(now - r.made_at)
        why = f": {safetext.line(r.error, 60)}" if r.status == "refused" and r.error else ""
        name, status = batch.full_name(r), batch.status(r) + why
        rows.append((r.local_id, name, f"{r.requests:,}", status, age, r.profile, batch.cost(r)))
    widths = [max(cell_len(row[i]) for row in rows) for i in range(7)]
    gone = ["PROFILE"] if len({r[5] for r in rows[1:]}) == 1 else []
    for name in (*gone, "REQUESTS", "AGE", "COST") if width else ():
        narrow = [min(_NARROWEST.get(head, w), w) for head, w in zip(rows[0], widths, strict=True)]
        if (_line(widths) if name == "PROFILE" else _line(narrow)) <= width:
            continue
        at = rows[0].index(name)
        rows = [row[:at] + row[at + 1 :] for row in rows]
        del widths[at]
    for name, least in _NARROWEST.items() if width else ():
        column = rows[0].index(name)
        widths[column] = max(min(least, widths[column]), widths[column] - max(0, _line(widths) - width))
    at = rows[0].index("BATCH")
    rows = [(*row[:at], cut_middle(row[at], widths[at]), *row[at + 1 :]) for row in rows]
    right = {rows[0].index(name) for name in ("REQUESTS", "AGE", "COST") if name in rows[0]}
    return ["  ".join(fit(cell, widths[i], right=i in right) for i, cell in enumerate(row)).rstrip() for row in rows]


def _line(widths: list[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def exit_code(records: Iterable[BatchRecord], *, waited: bool = True, strict: bool = False) -> int:
    """0 all succeeded, 1 some did not, 3 refused, 4 unknown; the worst counts.

    With ``strict`` answers that are cut short or invalid count as 1 too.
    """
    code = 0
    for r in records:
        if r.status == "unconfirmed":
            return Unconfirmed.exit_code
        if r.status == "refused" or r.results == "gone":
            code = ServiceError.exit_code
        elif code == 0 and (r.unknown or (r.status == "ended" and waited and _failed(r, strict))):
            code = 1
    return code


def _failed(record: BatchRecord, strict: bool) -> int:
    """Requests whose standing makes the exit code 1, as far as is known."""
    t = record.tally
    if t is None:
        return record.counts.failed + (record.results == "partial")
    return tally_failed(t, strict=strict)


def tally_failed(tally: Tally, *, strict: bool) -> int:
    """Requests of a tally whose standing makes the exit code 1."""
    bad = (each for each in STANDINGS if each.tab and (each.strict if strict else each.exit_code))
    return sum(int(getattr(tally, each.name)) for each in bad)


class Narrator:
    """Tells what changes of the batches being followed, one line each, on standard error or as ``tell`` does."""

    def __init__(
        self, local_ids: set[str] | None, terminal: bool, say_line: Callable[[str], object] | None = None
    ) -> None:
        self._ids = local_ids
        self._terminal = terminal
        self._say = say_line or say
        self._said: dict[str, str] = {}

    def __call__(self, event: object) -> None:
        """Hear an event of the service."""
        if not isinstance(event, RecordChanged) or (self._ids is not None and event.record.local_id not in self._ids):
            return
        self.tell(event.record)

    def tell(self, record: BatchRecord) -> None:
        """Say how a batch stands, unless that was said last."""
        text = batch.line(record)
        if self._said.get(record.local_id) != text:
            self._said[record.local_id] = text
            if self._terminal:
                sys.stderr.write("\r\x1b[K")
            self._say(text)


class BlindSayer:
    """Says on standard error when the API can't be reached and when it can again, once each."""

    def __init__(self) -> None:
        self._blind = False

    def __call__(self, event: object) -> None:
        """Hear an event of the service."""
        if not isinstance(event, Looked) or event.state.looking:
            return
        state = event.state
        if state.blind_since is not None and not self._blind:
            say(f"offline since {state.blind_since:%H:%M:%S} UTC: {state.error}", state.advice)
        elif state.blind_since is None and self._blind:
            say("online again")
        self._blind = state.blind_since is not None
