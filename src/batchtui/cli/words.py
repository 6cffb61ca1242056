"""Records, plans and costs as lines for a terminal or a pipe, and as the JSON of ``--json``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from batchtui import safetext
from batchtui.cli.output import say
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import ServiceError, Unconfirmed
from batchtui.domain.plan import Plan
from batchtui.present import batch, numbers
from batchtui.service import Service
from batchtui.service.events import Looked, RecordChanged

SETTLE_PATIENCE = 15.0
"""Seconds that submit without --wait looks for a batch whose answer was lost."""


def money(value: Decimal | None) -> str:
    """Dollars to the cent; less than a cent is said as such."""
    if value is None:
        return "unpriced"
    if 0 < value < Decimal("0.01"):
        return "<$0.01"
    return f"${value:,.2f}"


def span(value: timedelta) -> str:
    """A duration in at most two units: 45s, 14m, 3h05, 12d."""
    seconds = max(0, int(value.total_seconds()))
    if seconds < 100:
        return f"{seconds}s"
    if seconds < 100 * 60:
        return f"{seconds // 60}m"
    if seconds < 48 * 3600:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02}"
    return f"{seconds // 86400}d"


def size(value: int) -> str:
    """Bytes as people write them."""
    return f"{value / 1e6:,.1f} MB" if value >= 100_000 else f"{value / 1e3:,.1f} kB"


def batches(plan: Plan) -> str:
    """How many requests in how many batches."""
    many = "es" if len(plan.parts) != 1 else ""
    return f"{plan.requests:,} request{'s' if plan.requests != 1 else ''} in {len(plan.parts)} batch{many}"


def ids(records: Iterable[BatchRecord]) -> str:
    """Local ids in a row."""
    return ", ".join(r.local_id for r in records)


def cost_range(plan: Plan) -> str:
    """The estimated cost at batch price, as a range."""
    low, high = plan.estimate.batch_usd
    known = f"{money(low)}–{money(high)}"
    return f"{known} and unpriced models" if plan.estimate.unpriced else known


def results(count: int) -> str:
    """So many results."""
    return f"{count:,} result{'' if count == 1 else 's'}"


def title_of(sources: Iterable[str]) -> str:
    """A title for a run from what it was read from."""
    names = [Path(s).stem if s != "-" else "standard input" for s in sources]
    return safetext.line(names[0] + (f" +{len(names) - 1}" if len(names) > 1 else ""), 60)


def problem_lines(plan: Plan) -> list[str]:
    """The problems, equal ones as one with a count and the first places."""
    lines = []
    for group in plan.problems:
        head = group.first[0]
        who = f" {safetext.line(head.custom_id, 64)}" if head.custom_id else ""
        text = safetext.line(group.message, 500)
        if group.count == 1:
            lines.append(f"{group.level}: {safetext.line(head.where, 200)}{who}: {safetext.line(head.message, 500)}")
            continue
        lines.append(f"{group.level} ×{group.count:,}: {text}")
        for problem in group.first[:5]:
            parts = (problem.where, problem.custom_id, group.own(problem))
            lines.append("    " + "  ".join(safetext.line(part, 200) for part in parts if part))
        if group.count > 5:
            lines.append(f"    … and {group.count - 5:,} more")
    return lines


def plan_lines(plan: Plan) -> list[str]:
    """What would be sent, and its cost."""
    e = plan.estimate
    lines = [f"{batches(plan)}, {size(plan.bytes)}" + (f", read as {plan.format}" if plan.format else "")]
    if plan.skipped:
        lines.append(
            f"{skipped(plan.skipped)} skipped"
            + (f" (written to {plan.skipped_path})" if plan.skipped_path else "")
            + ("; they are kept with the batch" if plan.skipped_kept and plan.ok else "")
        )
    lines.append(
        f"tokens in {e.input_tokens[0]:,}–{e.input_tokens[1]:,}, out {e.output_tokens[0]:,}–{e.output_tokens[1]:,}"
        + (" (calibrated)" if e.calibrated else "")
    )
    likely = f" ({numbers.likely(e.likely_usd)} by earlier runs)" if e.likely_usd is not None else ""
    lines.append(
        f"cost {cost_range(plan)} as a batch{likely}, {money(e.standard_usd[0])}–{money(e.standard_usd[1])} at standard price"
    )
    if e.unpriced:
        lines.append("no price is known for: " + ", ".join(safetext.line(m, 60) for m in e.unpriced))
    if plan.errors and not plan.requests:
        lines = [lines[0], f"{plan.errors:,} error{'s' if plan.errors != 1 else ''}: there is nothing to send"]
    elif plan.errors:
        lines.append(
            f"{plan.errors:,} error{'s' if plan.errors != 1 else ''}: nothing can be sent; "
            "fix them, or skip them with --skip-bad"
        )
    elif not plan.requests:
        lines.append("there is nothing to send")
    return lines


def skipped(count: int) -> str:
    """How many requests were skipped, in words."""
    return f"{count:,} request{'s' if count != 1 else ''} with errors"


def say_skipped(service: Service, record: BatchRecord, more: str = "") -> None:
    """Where the requests are that a record's run skipped, if it did, on standard error."""
    if record.skipped:
        say(f"{skipped(record.skipped)} skipped, kept in {service.skipped_path(record)}{more}")


def say_plan(plan: Plan) -> None:
    """A plan's problems and what it would send, on standard error."""
    for line in [*problem_lines(plan), *plan_lines(plan)]:
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


def outcome(record: BatchRecord) -> str:
    """How a batch stands, in words that never call a partial failure done."""
    c, t = record.counts, record.tally
    if record.marked_gone is not None:
        return "marked as gone"
    if record.unknown:
        return "not known by the API"
    if record.status != "ended":
        waits = record.status == "submitting" and record.intent_at is None
        if record.asks:
            return "unconfirmed, needs attention"
        return "waiting to be sent" if waits else record.status.replace("_", " ")
    cut = t.cut_short if t else 0
    # What came is counted line by line; what the API counts may lag behind.
    told = t or c
    parts = [f"{told.succeeded - cut:,} ok"]
    named = [
        (cut, "cut short"),
        (told.errored, "errored"),
        (told.canceled, "canceled"),
        (told.expired, "expired"),
        (t.missing if t else 0, "missing"),
    ]
    parts += [f"{n:,} {word}" for n, word in named if n]
    if record.results != "stored":
        partial = f"{record.have:,} of {record.sent_or_counted:,} results downloaded"
        parts.append({"gone": "results gone", "partial": partial}.get(record.results, "results not fetched yet"))
    return "ended: " + ", ".join(parts)


def name_of(record: BatchRecord) -> str:
    """The title with part and attempt."""
    part = f" {record.part}/{record.parts}" if record.parts > 1 else ""
    retry = f" · retry {record.attempt}" if record.attempt else ""
    return safetext.line(record.title or "untitled", 40) + part + retry


def cost_of(record: BatchRecord) -> str:
    """The real cost, or the middle of the estimate marked with ~."""
    if record.cost_usd is not None:
        missing = record.tally.cost_missing if record.tally is not None else ()
        return numbers.at_least(money(record.cost_usd), bool(missing))
    if record.tally is not None and record.tally.unpriced:
        return "unpriced"
    if record.estimate is None or record.status == "refused":
        return ""
    if record.estimate.unpriced:
        return "unpriced"
    middle = money(batch.estimate_of(record))
    return middle if middle.startswith("<") else f"~{middle}"


def record_line(record: BatchRecord) -> str:
    """A record as one line."""
    error = f"; {safetext.line(record.error, 300)}" if record.error else ""
    many = "s" if record.requests != 1 else ""
    cost = cost_of(record)
    return (
        f"{record.local_id}  {name_of(record)}  {record.requests:,} request{many}  "
        f"{outcome(record)}{f'  {cost}' if cost else ''}{error}"
    )


_NARROWEST = {"BATCH": 12, "STATUS": 21}
"""Cells that columns keep where the line is short."""


def table(records: Iterable[BatchRecord], now: datetime | None = None, width: int = 0) -> list[str]:
    """Records as aligned columns; with a ``width`` in cells the longest texts are cut, and columns go where they must."""
    from rich.cells import cell_len

    now = now or datetime.now(UTC)
    rows: list[tuple[str, ...]] = [("ID", "BATCH", "REQUESTS", "STATUS", "AGE", "PROFILE", "COST")]
    for r in records:
        age = span(now - r.made_at)
        why = f": {safetext.line(r.error, 60)}" if r.status == "refused" and r.error else ""
        rows.append((r.local_id, name_of(r), f"{r.requests:,}", outcome(r) + why, age, r.profile, cost_of(r)))
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
    right = {rows[0].index(name) for name in ("REQUESTS", "AGE", "COST") if name in rows[0]}
    return ["  ".join(_fit(cell, widths[i], i in right) for i, cell in enumerate(row)).rstrip() for row in rows]


def _line(widths: list[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _fit(cell: str, width: int, right: bool) -> str:
    from rich.cells import cell_len, set_cell_size

    if cell_len(cell) > width:
        cell = set_cell_size(cell, width - 1) + "…"
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space


def exit_code(records: Iterable[BatchRecord], *, waited: bool = True) -> int:
    """0 all succeeded, 1 some did not, 3 refused, 4 unknown; the worst counts."""
    code = 0
    for r in records:
        if r.status == "unconfirmed":
            return Unconfirmed.exit_code
        if r.status == "refused" or r.results == "gone":
            code = ServiceError.exit_code
        elif code == 0 and (r.unknown or (r.status == "ended" and waited and _failed(r))):
            code = 1
    return code


def _failed(record: BatchRecord) -> int:
    """Requests that did not succeed, as far as is known."""
    t = record.tally
    if t is None:
        return record.counts.failed + (record.results == "partial")
    return t.errored + t.canceled + t.expired + t.missing + t.unreadable + t.unknown


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
        text = record_line(record)
        if self._said.get(record.local_id) != text:
            self._said[record.local_id] = text
            if self._terminal:
                sys.stderr.write("\r\x1b[K")
            self._say(text)


class BlindSayer:
    """Says on standard error when looking fails and when it works again, once each."""

    def __init__(self) -> None:
        self._blind = False

    def __call__(self, event: object) -> None:
        """Hear an event of the service."""
        if not isinstance(event, Looked) or event.state.looking:
            return
        state = event.state
        if state.blind_since is not None and not self._blind:
            say(
                f"could not look since {state.blind_since:%H:%M:%S} UTC: {state.error}"
                + (f"\n  → {state.advice}" if state.advice else "")
            )
        elif state.blind_since is None and self._blind:
            say("looking again")
        self._blind = state.blind_since is not None
