"""The details of one batch or run, for the details pane and for reading.  Pure: records in, content out."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from textual.content import Content

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.present import batch, numbers
from batchtui.present import plan as plan_words
from batchtui.present.symbols import GLYPHS, spark
from batchtui.service.history_stats import spending
from batchtui.tui.bindings import key_of
from batchtui.tui.home.model import Group, Line, Usual
from batchtui.tui.widgets.cells import COLORS

Piece = Content | str | tuple[str, str]
LABEL = 11
DAYS = 28
"""Days that the sparklines show."""


def of_line(line: Line, now: datetime, usual: Usual, *, width: int, made: Sequence[tuple[str, str]] = ()) -> Content:
    """The details of a row of the home screen, in lines of ``width`` cells; ``made`` is what its run was made from."""
    if line.record is None:
        found = of_run(line.group, width=width)
    else:
        found = of_batch(line.record, now, usual(line.record), width=width, group=line.group)
    safe = [(name, safetext.line(value, 400)) for name, value in made]
    return Content.assemble(found, "\n", *_facts(safe, width)) if safe else found


def of_batch(
    record: BatchRecord, now: datetime, usual: tuple[int, int] | None, *, width: int, group: Group | None = None
) -> Content:
    """Everything that is known of one batch; of its run, what it lacks by now."""
    left = group.left(record) if group is not None else None
    retried = group is not None and group.retried(record)
    state = batch.state(record, now, retried=retried)
    color = COLORS.get(state.style, "$foreground 60%")
    part = batch.part_name(record)
    parts: list[Piece] = [(batch.name(record), "bold"), (f"  {part}\n" if part else "\n", "$foreground 60%")]
    parts += [(f"{state.sign} {state.word}", color)]
    wanted = batch.attention(record, now, retried=retried, left=left, opens=key_of("open"))
    parts += [f"  {wanted}\n" if wanted and wanted != state.word else "\n", *_outcomes([record], width)]
    if group is not None and len(group.whole) > 1 and group.good is not None:
        parts += ["\n", f"Whole run  {numbers.of(group.good, group.requests)} usable\n"]
    if record.error:
        parts += ["\n", (safetext.line(record.error, 600), "$text-error"), "\n"]
    parts += [
        "\n",
        *_facts(_what(record), width),
        "\n",
        *_facts(_when(record, now, usual), width),
        "\n",
        *_facts(_money(record), width),
    ]
    if record.note:
        parts += ["\n", safetext.block(record.note, 2_000), "\n"]
    return Content.assemble(*parts)


def of_run(group: Group, *, width: int) -> Content:
    """A run: its batches together."""
    first = group.whole[0]
    good = group.good
    parts: list[Piece] = [(batch.name(first), "bold"), ("  whole run\n", "$foreground 60%")]
    if good is not None:
        parts += [f"{numbers.of(good, group.requests)} usable\n"]
        parts += [(f"{numbers.bar(good, group.requests, 24)}", "$text-success"), "\n"]
    parts.append("\n")
    for record, state in zip(group.records, group.states, strict=True):
        label = batch.part_name(record) or "first"
        parts += [(f"{state.sign} ", COLORS.get(state.style, "$foreground 60%")), f"{label:<13} "]
        said = batch.counts_text(batch.outcome_counts(record), width - 16).plain or state.word
        parts += ["\n".ljust(17).join(textwrap.wrap(said, max(10, width - 16))), "\n"]
    cost = batch.cost_text(group.cost, numbers.usd)
    facts = [("Requests", f"{group.requests:,}"), ("Batches", str(len(group.whole))), ("Cost", cost)]
    facts += [("Skipped", _skipped(group.whole))]
    facts += [("Source", safetext.line(first.source, 300)), ("Run", safetext.line(group.run, 80))]
    parts += ["\n", *_facts(facts, width)]
    return Content.assemble(*parts)


def last_weeks(records: Sequence[BatchRecord], now: datetime) -> Content:
    """Batches and spending a day over the last weeks, the newest day at the right, with their sums."""
    days = [f"{now - timedelta(days=day):%Y-%m-%d}" for day in range(DAYS - 1, -1, -1)]
    made = Counter(f"{record.made_at.astimezone(UTC):%Y-%m-%d}" for record in records)
    spent = spending(records, now).by_day
    batches, costs = [made[day] for day in days], [spent.get(day, Decimal(0)) for day in days]
    lines = [
        ("Batches", spark(batches), numbers.count(sum(batches))),
        ("Spending", spark([float(cost) for cost in costs]), numbers.usd(sum(costs, Decimal(0)))),
    ]
    parts: list[Piece] = [(f"A day, last {DAYS} days\n", "$foreground 60%")]
    for label, line, total in lines:
        parts += [(f"{label:<{LABEL}}", "$foreground 60%"), (line, "$text-primary"), f" {total}\n"]
    return Content.assemble(*parts)


def _outcomes(records: Iterable[BatchRecord], width: int) -> list[Piece]:
    """A line with a bar for each outcome, read by word and length."""
    parts: list[Piece] = []
    for record in records:
        counts = batch.outcome_counts(record)
        total = max(1, record.requests, sum(n for _, n, _ in counts))
        waiting = record.counts.processing if record.tally is None else 0
        for word, n, style in [*counts, *([("processing", waiting, "")] if waiting else [])]:
            parts += [
                f"{word:<{LABEL}}",
                (numbers.bar(n, total, max(4, min(14, width - LABEL - 10))), COLORS.get(style, "$foreground 60%")),
            ]
            parts += [f" {n:>9,}\n"]
    return parts


def _facts(facts: Iterable[tuple[str, str]], width: int) -> list[Piece]:
    """Labels and values, those without a value left out; long values go on below themselves."""
    parts: list[Piece] = []
    for label, value in facts:
        for number, text in enumerate(textwrap.wrap(value, max(10, width - LABEL), break_on_hyphens=False)):
            parts += [(f"{'' if number else label:<{LABEL}}", "$foreground 60%"), f"{text}\n"]
    return parts


def _what(record: BatchRecord) -> list[tuple[str, str]]:
    size = f", {numbers.size(record.bytes)}" if record.bytes else ""
    models = ", ".join(f"{model} ×{n:,}" if len(record.models) > 1 else model for model, n in record.models.items())
    return [
        ("Requests", f"{record.requests:,}{size}"),
        ("Model", safetext.line(models, 300)),
        ("Betas", safetext.line(", ".join(record.betas), 300)),
        ("Skipped", _skipped([record])),
        ("Source", safetext.line(record.source, 400) or ("submitted elsewhere" if record.foreign else "")),
        ("Profile", safetext.line(record.profile, 80)),
        ("API", safetext.line(record.base_url, 200)),
        ("ID", safetext.line(record.id or "none yet", 100)),
        ("Local ID", safetext.line(record.local_id, 100)),
    ]


def _skipped(records: Iterable[BatchRecord]) -> str:
    """How many requests with errors were skipped, and where in the data folder they are."""
    return "; ".join(
        f"{batch.skipped(r.skipped)}, not sent, kept in batches/{safetext.line(r.local_id, 100)}/skipped.jsonl"
        for r in records
        if r.skipped
    )


def _when(record: BatchRecord, now: datetime, usual: tuple[int, int] | None) -> list[tuple[str, str]]:
    took = numbers.words(record.ended_at - record.created_at) if record.created_at and record.ended_at else ""
    gone = record.gone_at
    running = record.status in ("in_progress", "canceling")
    return [
        ("Created", numbers.at(record.created_at or record.intent_at)),
        ("Usually", f"{usual[0]}{GLYPHS.dash}{usual[1]} min" if usual and running else ""),
        ("Expires", numbers.at(record.expires_at) if running else ""),
        ("Ended", numbers.at(record.ended_at)),
        ("Took", took),
        ("Results", batch.results(record) if record.status == "ended" else ""),
        ("Kept until", f"{gone.astimezone():%Y-%m-%d} by the API" if gone and gone > now and not running else ""),
    ]


def _money(record: BatchRecord) -> list[tuple[str, str]]:
    tally, estimate = record.tally, record.estimate
    unpriced = tally.unpriced if tally else estimate.unpriced if estimate else ()
    missing = tally.cost_missing if tally else ()
    cost = numbers.usd(record.cost_usd) if record.cost_usd is not None else ""
    facts = [("Cost", numbers.at_least(cost, bool(missing))), ("Not in cost", safetext.line("; ".join(missing), 300))]
    if tally is not None:
        facts += [
            ("Standard", numbers.usd(tally.standard_usd) if tally.standard_usd is not None else ""),
            ("Tokens", f"{numbers.tokens(tally.input_tokens)} in, {numbers.tokens(tally.output_tokens)} out"),
        ]
        if tally.cache_read_tokens or tally.cache_write_tokens:
            cache = (
                f"{numbers.tokens(tally.cache_read_tokens)} read, {numbers.tokens(tally.cache_write_tokens)} written"
            )
            facts.append(("Cache", cache))
    if estimate is not None:
        said = (plan_words.estimated(estimate), plan_words.likely(estimate))
        facts.append(("Estimate", ", ".join(filter(None, said))))
    facts.append(("No price", safetext.line(", ".join(unpriced), 200)))
    return facts
