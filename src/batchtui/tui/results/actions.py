"""What the keys of the results screen do: errors, retry, export, copy, pager and editor, compare, download."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from typing import TYPE_CHECKING

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.outcome import ErrorGroup
from batchtui.present import batch, numbers
from batchtui.present import scores as present
from batchtui.present.cells import name_of
from batchtui.store import files
from batchtui.tui.bindings import key_of
from batchtui.tui.dialogs import Choose
from batchtui.tui.results.detail import ShownResult, read, text_of, whole_text
from batchtui.tui.terminal import edit_text, editor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchtui.domain.batch import BatchRecord
    from batchtui.results.view import View
    from batchtui.tui.results.screen import ResultsScreen

OSC52_LIMIT = 70_000
"""Terminals and tmux cut longer clipboard writes, in bytes of base64."""


async def make_again(screen: ResultsScreen) -> None:
    """Open the new screen filled with the run's recipe."""
    from batchtui.tui.new.again import open_again

    if screen.record is not None:
        await open_again(screen, screen.record)


async def from_rows(screen: ResultsScreen) -> None:
    """Open the new screen with the marked rows, or with those shown, as its source.

    Of all rows, or of those a filter shows of them, the usable ones are taken; those of a tab and marked ones as they are.
    """
    from batchtui.tui.new.prefill import from_run, usable_among
    from batchtui.tui.new.screen import NewScreen

    record, view = screen.record, screen.view
    if record is None or view is None:
        return
    rows = screen.chosen_rows()
    if not rows:
        screen.say("No results are shown.", level="warn")
        return
    whole = not screen.marked and screen.tab == "all" and not screen.filtered
    ids = [] if whole and screen.run else await screen.in_thread(lambda: [view.id(row) for row in rows])
    if screen.marked:
        prefilled = from_run(screen.service, record, ids, f"{numbers.plural(len(rows), 'marked row')}")
    elif screen.tab != "all":
        prefilled = from_run(screen.service, record, ids, f"the {numbers.plural(len(rows), 'row')} shown")
    elif ids:
        prefilled = usable_among(
            screen.service, record, ids, f"usable answers among the {numbers.plural(len(rows), 'row')} shown"
        )
    else:
        prefilled = from_run(screen.service, record)
    await screen.app.push_screen(NewScreen(prefilled=prefilled))


async def show_groups(screen: ResultsScreen) -> None:
    """Show the errors of the rows that are shown, grouped; then one group's rows, or send them again."""
    from batchtui.tui.results.error_groups import GroupsScreen

    view, among = screen.view, screen.rows
    assert view is not None
    groups = await screen.in_thread(view.groups, among)
    if not groups:
        shown = "Every request shown" if len(among) < len(view) else "Every request"
        if among:
            screen.say(f"{shown} has a usable answer.", level="good")
        else:
            screen.say("No results are shown.", level="warn")
        return
    column = view.column("group")
    answered = Counter(column[row] for row in await screen.in_thread(_answered_since, screen, view, among))
    chosen: tuple[ErrorGroup, bool] | None = await screen.app.push_screen_wait(GroupsScreen(groups, answered))
    if chosen is None:
        return
    group, again = chosen
    if again and screen.view is not view:
        screen.say(
            f"The results have changed since. Press {key_of('results.errors')} to group them anew.", level="warn"
        )
        return
    screen.show_group(group)
    if again:
        await retry(screen, sorted(row for row in among if column[row] == group.number))


def _answered_since(screen: ResultsScreen, view: View, rows: Sequence[int]) -> list[int]:
    """Those of the rows without a usable answer whose requests a retry answered since; for a thread.  Raises StoreError."""
    from batchtui.tui.results.retry import not_usable

    assert screen.record is not None
    attempt = screen.record.attempt
    if screen.run or all(record.attempt <= attempt for record in screen.run_records()):
        return []
    with contextlib.closing(screen.service.open_results(screen.local_id, run=True)) as whole:
        left = {whole.id(row) for row in not_usable(whole, range(len(whole))).rows}
    return [row for row in not_usable(view, rows).rows if view.id(row) not in left]


async def retry(screen: ResultsScreen, group: list[int] | None = None) -> None:
    """Send again what is marked or shown, or the rows of a ``group``."""
    from batchtui.tui.results.retry import RetryScreen, not_usable, stands, which_again

    assert screen.view is not None and screen.record is not None
    shown = view = screen.view
    marked, asked = screen.marked, screen.chosen_rows() if group is None else group
    rows = asked
    before = stands(screen.run_records())
    if len(before) != 1:
        # What another batch of the run answered by now is not to be paid again.
        view = await screen.in_thread(screen.service.open_results, screen.local_id, run=True)
        names = {shown.id(row) for row in asked}
        rows = [row for row, name in enumerate(view.ids()) if name in names]
    if group is not None or not marked:
        chosen = await which_again(screen.app, not_usable(view, rows))
        if chosen is None:
            return
        rows = chosen
    if stands(screen.run_records()) != before:
        screen.say(f"The results have changed since. Press {key_of('retry')} again.", level="warn")
        return
    if not rows:
        lacking = len(not_usable(shown, asked).rows)
        why = (
            f"A retry has answered {numbers.plural(lacking, 'request')} since"
            if lacking
            else "No request shown needs a retry"
        )
        screen.say(f"{why}; mark rows with {key_of('mark')} to retry usable ones.")
        return
    await screen.app.push_screen_wait(RetryScreen(screen.record, view, rows))


async def export(screen: ResultsScreen) -> None:
    """Write what is marked, or shown, to a file."""
    from batchtui.tui.results.export import export_rows

    assert screen.view is not None and screen.record is not None
    rows = screen.chosen_rows() if screen.marked else list(screen.rows)
    await export_rows(screen, screen.view, rows, screen.record, batch.file_stem(screen.record))


async def copy(screen: ResultsScreen, shown: ShownResult | None, *, raw: bool) -> None:
    """Copy an answer, and keep it in a file for terminals that refuse; ``raw`` copies it as received.

    Raises BatchtuiError.
    """
    if shown is None:
        screen.say("Nothing to copy.")
        return
    mode = screen.detail.mode
    received = text_of(await screen.in_thread(read, shown), mode)
    clean = received if raw else safetext.copied(received)
    text = clean.encode("utf-8", "replace")
    path = screen.service.data / "copied.txt"
    await screen.in_thread(files.write_atomic, path, text)
    other = "" if raw or safetext.copied_whole(received) else _how_raw()
    if len(text) * 4 // 3 <= OSC52_LIMIT:
        screen.tui.copy_to_clipboard(text.decode("utf-8"), raw=raw)
        said = f"Copied {numbers.plural(len(clean), 'character')}{' as received' if raw else ''}"
        screen.say(f"{said}. {other}Also saved to {path}", level="good")
    else:
        screen.say(f"Too long for the terminal's clipboard. {other}Saved to {path}", level="warn")


def _how_raw() -> str:
    """What cleaning changed, and the key that copies the answer as received."""
    return f"Control characters are copied as symbols; {key_of('copy.raw')} copies the answer as received. "


async def open_in_pager(screen: ResultsScreen, shown: ShownResult | None) -> None:
    """Request and answer in $PAGER.  Raises BatchtuiError."""
    await _open_in(screen, shown, os.environ.get("PAGER") or "less")


async def open_in_editor(screen: ResultsScreen, shown: ShownResult | None) -> None:
    """Request and answer in $EDITOR.  Raises BatchtuiError."""
    await _open_in(screen, shown, editor())


async def _open_in(screen: ResultsScreen, shown: ShownResult | None, command: str) -> None:
    if shown is None:
        screen.say("Nothing to open.")
        return
    mode = screen.detail.mode
    whole = whole_text(await screen.in_thread(read, shown), mode, hidden=screen.reviewing.hides(shown.row))
    _, trouble = edit_text(screen.app, safetext.block(whole, 100_000_000, 10_000_000), command, ".md")
    if trouble:
        screen.say(trouble, advice="set PAGER or EDITOR", level="bad")


async def fetch(screen: ResultsScreen) -> None:
    """Download the results again."""
    if screen.view is None:
        screen.show_message("Downloading the results…")
    else:
        screen.say("Downloading the results again…")
    before = screen.record.results if screen.record is not None else ""
    try:
        after = await screen.ask(screen.service.fetch(screen.local_id, again=True))
    except BatchtuiError as error:
        screen.open()
        screen.fail(error)
        return
    if before == "stored":
        screen.say("Downloaded again; the results on disk are complete.", level="good")
    screen.record = after
    screen.open()


async def compare(screen: ResultsScreen) -> None:
    """Choose another batch or run, and compare."""
    from batchtui.tui.results.compare import CompareScreen

    assert screen.view is not None and screen.record is not None
    records = screen.service.records()
    own = screen.record.run
    # A batch without retries or other parts is its whole run, so it is compared with whole runs.
    runs = screen.run or sum(r.run == own for r in records) == 1
    others = [
        r for r in records if r.results == "stored" and r.local_id != screen.local_id and (r.run != own or not runs)
    ]
    if runs:
        # A run's first batch stands for it.
        others = list({r.run: r for r in others}.values())
    if not others:
        screen.say("No other batch has results to compare with.")
        return
    said = [_other(r, [each for each in records if each.run == r.run] if runs else [r]) for r in others[:200]]
    choices = [
        (r.local_id, f"{words}  {numbers.at(r.made_at)}" if said.count(words) > 1 else words)
        for r, words in zip(others[:200], said, strict=True)
    ]
    chosen = await screen.app.push_screen_wait(Choose("Compare with", choices))
    if chosen is None:
        return
    other = next(r for r in others if r.local_id == chosen)
    review = await screen.in_thread(screen.service.review, other)
    if hidden := review.hidden():
        screen.say(present.hidden(len(hidden)), advice="finish that batch's review first", level="warn")
        return
    # The older run is *before*: local ids begin with their time.
    before, after = sorted((screen.record, other), key=lambda each: (each.run, each.local_id))
    await screen.app.push_screen(CompareScreen(before.local_id, after.local_id, runs=runs))


def _other(record: BatchRecord, taken: Sequence[BatchRecord]) -> str:
    """One of the choices to compare with: a batch, or all batches of a run."""
    model = f"  {_model(record)}" if record.models else ""
    if len(taken) == 1:
        return f"{batch.full_name(record)}  {numbers.plural(record.requests, 'request')}  {batch.cost(record)}{model}"
    first = sum(r.requests for r in taken if not r.attempt)
    return f"{batch.name(record)}  {numbers.plural(first, 'request')}  whole run: {len(taken)} batches{model}"


def _model(record: BatchRecord) -> str:
    """The model that a batch was made for, and how many others."""
    first, *others = sorted(record.models, key=lambda name: -record.models[name])
    return name_of(first.removeprefix("claude-"), 24) + (f" +{len(others)}" if others else "")
