"""Longer work that home starts: retries and exports of one batch, a run, or all that is marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.paths import expanded
from batchtui.store import files
from batchtui.tui import describe, figures, spans
from batchtui.tui.screens.modals import Ask, Choose

if TYPE_CHECKING:
    from batchtui.store.view import View
    from batchtui.tui.screens.home_view import HomeView

NOT_CREATED = "not created"


def names(records: Sequence[BatchRecord], most: int = 4) -> str:
    """What some batches are called, the first few by name."""
    shown = []
    for record in records[:most]:
        part = describe.part_name(record)
        shown.append(f"{describe.name(record)} {part}".strip())
    more = f" and {len(records) - most} more" if len(records) > most else ""
    return ", ".join(shown) + more


async def settle(home: HomeView, record: BatchRecord) -> None:
    """Put the question of an unconfirmed batch to the person.  Raises BatchtuiError."""
    sent = spans.at(record.intent_at)
    lines = [f"{describe.name(record)}: {record.requests:,} requests were sent at {sent}, and no answer came."]
    choices = [("wait", "keep checking (nothing is sent again meanwhile)")]
    for each in record.candidates:
        when = f"created {each.created_at.astimezone():%H:%M:%S}"
        choices.append((each.id, f"it is {safetext.line(each.id, 60)}: {each.requests:,} requests, {when}"))
    if record.asked_at is not None:
        lines.append(safetext.line(f"Checked {figures.plural(record.unproven, 'time')}; it {record.error}.", 300))
    if record.candidates:
        lines.append("These batches at the API may be this one. Which is it?")
    elif record.asked_at is None:
        lines.append(f"{figures.plural(record.looks, 'check')} found no batch that may be this one.")
    choices.append((NOT_CREATED, "mark it as not created (if it was created, sending it again pays twice)"))
    answer = await home.app.push_screen_wait(Choose("Was this batch created?", choices, lines=lines))
    if answer in (None, "wait"):
        return
    if answer == NOT_CREATED:
        await home.ask(home.service.give_up(record.local_id))
        home.say("marked as not created; r sends it again", level="warn")
    else:
        await home.ask(home.service.adopt_candidate(record.local_id, str(answer)))
        home.say(f"taken for {safetext.line(str(answer), 60)}; its ids are checked with its results", level="good")


async def unknown(home: HomeView, record: BatchRecord) -> None:
    """Ask what is to become of a batch that the API does not know any more.  Raises BatchtuiError."""
    since = spans.at(record.unknown_since)
    lines = [
        f"{describe.name(record)}: the API does not know {safetext.line(record.id or '', 60)} "
        f"({figures.plural(record.unknown_looks, 'check')} since {since}).",
        "It may have been deleted in the Console, or the key is for another workspace.",
    ]
    choices = [
        ("wait", "Keep checking"),
        (
            "gone",
            "Mark as gone: no more checks; its requests can be retried as a new batch (undone if the API knows it again)",
        ),
    ]
    answer = await home.app.push_screen_wait(Choose("Batch not known by the API", choices, lines=lines))
    if answer == "gone":
        await home.ask(home.service.mark_gone(record.local_id))
        home.say("marked as gone", advice="press r to send its requests as a new batch", level="warn")


async def retry_of(home: HomeView, records: Sequence[BatchRecord]) -> None:
    """Ask what of these batches (of one run) goes out again, then plan, price and send it.  Raises BatchtuiError."""
    from batchtui.tui.screens.results_retry import RetryScreen, failed_or_short

    # Of the run merged: what another of its batches answered by now is not to be paid again.
    view = await home.in_thread(home.service.open_results, records[0].local_id, run=True)
    rows = await failed_or_short(home.app, *await home.in_thread(_not_usable, view, {r.local_id for r in records}))
    if rows is None:
        return
    if not rows:
        home.say("every request has a usable answer by now", level="good")
        return
    await home.app.push_screen_wait(RetryScreen(records[0], view, rows))


def _not_usable(view: View, batches: set[str]) -> tuple[list[int], list[int]]:
    """Rows of these batches' requests without an answer, and those cut short."""
    from batchtui.tui.screens.results_retry import not_usable

    names: set[str] = set()
    for member in view.members:
        if member.folder.name in batches:
            names.update(member.ids())
    return not_usable(view, [row for row, name in enumerate(view.ids()) if name in names])


def stem(record: BatchRecord) -> str:
    """A file name for a batch's results, without its ending."""
    part = describe.part_name(record).replace("/", "of")
    return safetext.filename(re.sub(r"\.[a-z]+$", "", describe.name(record)) + (f"-{part}" if part else ""))


async def export_one(home: HomeView, record: BatchRecord, *, run: bool) -> None:
    """Write one batch's results, or its whole run's, merged.  Raises BatchtuiError."""
    from batchtui.tui.screens.results_export import ExportScreen

    view = await home.in_thread(home.service.open_results, record.local_id, run=run)
    said = await home.app.push_screen_wait(ExportScreen(view, range(len(view)), stem(record), whole=True))
    if said:
        home.say(said, level="good")


async def export_many(home: HomeView, records: Sequence[BatchRecord]) -> None:
    """Write each batch's results into a folder, as received; what is there already is left alone.  Raises BatchtuiError."""
    few = figures.plural(len(records), "batch", "batches")
    hint = f"One file a batch, as received (JSONL): {names(records)}."
    answer = await home.app.push_screen_wait(
        Ask(f"Write the results of {few} into which folder?", value="results/", hint=hint)
    )
    if not answer:
        return
    folder = expanded(answer)
    await home.in_thread(files.make_private_dir, folder)
    written = 0
    for number, record in enumerate(records, 1):
        dest = folder / f"{stem(record)}.jsonl"
        if await home.in_thread(dest.exists):
            dest = folder / f"{stem(record)}-{record.local_id}.jsonl"
        home.say(f"writing {number} of {len(records)}: {dest}")
        view = await home.in_thread(home.service.open_results, record.local_id)
        written += await home.in_thread(home.service.export, view, None, "jsonl", dest)
    home.say(f"wrote {figures.plural(written, 'result')} of {few} into {folder}", level="good")
