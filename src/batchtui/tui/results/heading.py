"""The lines above the results: which batch, what it cost, and why there may be nothing to see yet."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.cells import cell_len
from textual.content import Content

from batchtui import safetext
from batchtui.domain.batch import BatchRecord, Tally
from batchtui.domain.errors import BatchtuiError
from batchtui.present import batch, numbers
from batchtui.present.cells import as_many, dot
from batchtui.present.fitting import MiddleCut
from batchtui.present.symbols import GLYPHS
from batchtui.results.view import Unchecked, View
from batchtui.tui.bindings import key_of


def title_line(record: BatchRecord, view: View | None, *, run: bool, unchecked: Unchecked, room: int) -> Content:
    """Which batch or run it is and how it stands; a long name leaves half of ``room`` cells to that."""
    part = f" {batch.part_name(record)}" if not run and batch.part_name(record) else ""
    parts: list[str | tuple[str, str]] = [
        (MiddleCut(batch.name(record)).within(max(16, room // 2)).plain, "bold"),
        part,
    ]
    if run and view is not None:
        tries = 1 + max((view.attempt_of(member) for member in range(len(view.members))), default=0)
        parts.append(
            f"  whole run: {numbers.plural(len(view.members), 'batch', 'batches')}, {numbers.plural(tries, 'attempt')}"
        )
    else:
        parts.append(f"  {batch.word(record)}")
        parts.append(f"  {numbers.at(record.ended_at or record.created_at)}")
    if view is not None:
        good = view.counts()["good"]
        parts.append((f"  {good:,} of {len(view):,} usable", "$text-success" if good == len(view) else "$text-warning"))
        after = view.good_after()
        if len(after) > 1:
            steps = ", ".join(f"{total:,} after attempt {attempt + 1}" for attempt, total in after)
            parts.append((f" ({steps})", "dim"))
        blind = f"{unchecked.count:,} not checked" if unchecked.count else ""
        parts += [(f"  {GLYPHS.warning} {blind}", "$text-warning")] if blind else []
        odd = odd_ids(view.tally)
        parts += [(f"  {GLYPHS.warning} {odd}", "$text-warning")] if odd else []
    if record.id:
        parts.append((f"  {record.id}", "dim"))
    return Content.assemble(*parts)


def two_ended(left: str, right: str, room: int) -> Content:
    """A title, and at the right end of ``room`` cells what is said beside it, where there is room."""
    gap = room - cell_len(left) - cell_len(right)
    return Content.assemble((left, "bold"), (" " * gap + right if gap > 1 else "", "dim"))


def odd_ids(tally: Tally) -> str:
    """Results with an id that was not sent, or that came twice, as far as there are any."""
    words = [f"{tally.unexpected:,} not sent (is:unexpected)"] if tally.unexpected else []
    words += [f"{tally.duplicates:,} received twice (is:duplicate)"] if tally.duplicates else []
    return ", ".join(words)


def costs_line(records: Sequence[BatchRecord], view: View | None, room: int, lacking: str = "") -> Content:
    """Real cost of a batch or a run's batches beside estimate and standard price, and the tokens, as ``room`` cells hold;
    ``lacking`` says which batches of the run are not included.
    """
    tally = view.tally if view is not None else records[0].tally
    ranges = [each.estimate.batch_usd for each in records if each.estimate is not None]
    low, high = sum((each[0] for each in ranges), Decimal(0)), sum((each[1] for each in ranges), Decimal(0))
    unpriced = any(each.estimate is not None and each.estimate.unpriced for each in records)
    told = numbers.estimated((low, high), unpriced)
    estimate = [f"estimate {told}" if told == numbers.UNKNOWN else f"estimated {told}"] if ranges else []
    if tally is None or (view is not None and not tally.lines):
        return Content(dot("cost not known yet", lacking, *estimate))
    parts = [f"cost {numbers.at_least(numbers.usd(tally.cost_usd), bool(tally.cost_missing))}"]
    parts += [lacking] if lacking else []
    if tally.cost_missing:
        parts.append(f"{GLYPHS.warning} not known: {safetext.line('; '.join(tally.cost_missing), 120)}")
    if tally.unpriced:
        parts.append(f"{GLYPHS.warning} no price for {safetext.line(', '.join(tally.unpriced), 60)}")
    parts += [f"{numbers.usd(tally.standard_usd)} at standard price"] if tally.standard_usd is not None else []
    parts += [*estimate, f"{numbers.tokens(tally.input_tokens)} in {numbers.tokens(tally.output_tokens)} out"]
    if tally.cache_read_tokens or tally.cache_write_tokens:
        parts.append(
            f"cache {numbers.tokens(tally.cache_read_tokens)} read {numbers.tokens(tally.cache_write_tokens)} written"
        )
    return Content(as_many(parts, " · ", room))


def nothing_yet(record: BatchRecord, usual: tuple[int, int] | None, error: BatchtuiError) -> str:
    """Why there are no results to show, and what to do or expect."""
    fetch = key_of("results.fetch")
    if record.status in ("in_progress", "submitting"):
        took = f" Similar batches took {usual[0]}–{usual[1]} minutes." if usual else ""
        until = f" It expires at {numbers.at(record.expires_at)}." if record.expires_at else ""
        return f"{GLYPHS.running} Running.{took}{until}\n\nResults are downloaded automatically when it has ended."
    if record.status == "canceling":
        return f"{GLYPHS.canceling} Being canceled. The results so far are downloaded when it has ended."
    if record.status == "unconfirmed":
        return (
            f"{GLYPHS.unconfirmed} Sent, but no reply came. batchtui checks whether the batch was created, "
            "and sends nothing again until that is known."
        )
    if record.status == "refused":
        return f"{GLYPHS.refused} Refused: {record.error}"
    if record.marked_gone:
        return f"{GLYPHS.gone} Marked as gone: the API does not know this batch any more. {fetch} checks again."
    if record.results == "gone":
        return (
            f"{GLYPHS.gone} The results are gone: the API keeps them for 29 days, and they were not downloaded."
            f"\n\n{fetch} downloads them again."
        )
    if record.results_due:
        left = f" The API keeps them until {numbers.at(record.gone_at)}." if record.gone_at else ""
        why = f"\n\n{record.error}" if record.error else ""
        return f"{GLYPHS.ready} Ended; results are not downloaded yet.{left}\n\n{fetch} downloads them now.{why}"
    return f"{error}" + (f"\n\n{error.advice}" if error.advice else "")
