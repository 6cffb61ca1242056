"""The walk through every screen: named stops, each with the way to it from home.

What holds of all screens is checked at each of them by ``test_walk``: who adds a screen adds a stop.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from batchtui import tui
from batchtui.domain.batch import Counts, RemoteBatch
from batchtui.domain.errors import ServiceError
from batchtui.intake.drafts import UnreadableDraft
from batchtui.service import Service
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.base import BaseModal, BaseScreen
from batchtui.tui.dialogs import Ask, Choose, Confirm, EditModal, Reading
from batchtui.tui.help import HelpScreen
from batchtui.tui.home.details_dialog import DetailsDialog
from batchtui.tui.home.screen import HomeScreen
from batchtui.tui.new.drafts import DraftKeeper, DraftList
from batchtui.tui.new.file_picker import FilePicker
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.table_options import TableDialog
from batchtui.tui.new.try_request import TryScreen
from batchtui.tui.new.upload import UploadScreen
from batchtui.tui.remote_batches import RemoteBatchesScreen
from batchtui.tui.results.column_choice import ColumnsScreen
from batchtui.tui.results.compare import CompareScreen
from batchtui.tui.results.compare_field import FieldCompareScreen
from batchtui.tui.results.counts import CountsScreen
from batchtui.tui.results.error_groups import GroupsScreen
from batchtui.tui.results.export import ExportScreen
from batchtui.tui.results.retry import RetryScreen
from batchtui.tui.results.score import ScoreScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.settings import SettingsScreen
from batchtui.tui.spending import SpendingModal
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui import labelled
from tests.tui.home_data import ago, furnish
from tests.tui.labelled import FIRST, SECOND
from tests.tui.waiting import settled, until
from tests.tui.work import add_batch, answered, failed, mixed

Way = Callable[[Pilot[Any]], Awaitable[None]]


class Stop(NamedTuple):
    """A screen as it is looked at."""

    way: Way
    """From home, where nothing is chosen or filtered."""
    screen: type[Screen[Any]]
    """What is on top then."""


class Part(NamedTuple):
    """Stops that one app goes to, one after the other, from home each."""

    furnish: Callable[[Service], None]
    stops: dict[str, Stop]


def pressed(*keys: str) -> Way:
    """Keys."""

    async def way(pilot: Pilot[Any]) -> None:
        await pilot.press(*keys)

    return way


def one_by_one(before: Way, *keys: str) -> Way:
    """Another stop, then keys, each with its whole work."""

    async def way(pilot: Pilot[Any]) -> None:
        await before(pilot)
        for key in keys:
            await settled(pilot)
            await pilot.press(key)

    return way


def pushed(make: Callable[[], Screen[Any]]) -> Way:
    """A screen that is opened by itself."""

    async def way(pilot: Pilot[Any]) -> None:
        await pilot.app.push_screen(make())

    return way


def results(*keys: str, cursor: str = "row-005") -> Way:
    """The results screen with the cursor on a request, then keys."""

    async def way(pilot: Pilot[Any]) -> None:
        screen = ResultsScreen(FIRST)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.view is not None and len(screen.query_one(RowList).source))
        assert screen.view is not None
        screen.query_one(RowList).move_to(screen.view.ids().index(cursor))
        await pilot.press(*keys)
        top = pilot.app.screen
        if "r" in keys:
            await until(pilot, lambda: isinstance(pilot.app.screen, RetryScreen))
            top = pilot.app.screen
            await until(pilot, lambda: top._plan is not None)  # type: ignore[attr-defined]

    return way


async def table(pilot: Pilot[Any]) -> None:
    """The results of a table."""
    screen = ResultsScreen(FIRST)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.table.names is not None and len(screen.query_one(RowList).source))
    await settled(pilot)


async def compared(pilot: Pilot[Any]) -> None:
    """Two batches side by side."""
    screen = CompareScreen(FIRST, SECOND)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: len(screen.query_one(RowList).source))


async def by_field(pilot: Pilot[Any]) -> None:
    """A field of two batches."""
    await one_by_one(compared, "F", "enter")(pilot)
    await until(pilot, lambda: isinstance(pilot.app.screen, FieldCompareScreen))
    shown = pilot.app.screen
    assert isinstance(shown, FieldCompareScreen)
    await until(pilot, lambda: shown.found is not None)


def new(path: str = "", template: str = "", pane: str = "", keys: tuple[str, ...] = ()) -> Way:
    """The new screen over a source that was checked."""

    async def way(pilot: Pilot[Any]) -> None:
        screen = NewScreen()
        await pilot.app.push_screen(screen)
        await pilot.pause()
        if path:
            screen.query_one("#source-template").value = template  # type: ignore[attr-defined]
            screen.take_paths([path])
            await until(pilot, lambda: screen.plan is not None)
        if pane == "write":
            screen.query_one("#new-mode", TabLine).choose("write")
        elif pane:
            screen.query_one("#new-panes", TabLine).choose(pane)
        await settled(pilot)
        await pilot.press(*keys)

    return way


async def files(pilot: Pilot[Any]) -> None:
    """The folder's files, without its place and their times."""
    await new(keys=("ctrl+o",))(pilot)
    await until(pilot, lambda: len(pilot.app.screen.query_one(RowList).source) > 4)
    pilot.app.screen.query_one("#files-where").display = False
    pilot.app.screen.query_one(RowList).set_columns(pilot.app.screen.query_one(RowList)._columns[:2])


async def configured(pilot: Pilot[Any]) -> None:
    """The settings, without the place of their file."""
    screen = SettingsScreen()
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: all(worker.is_finished for worker in pilot.app.workers))
    screen.query_one("#settings-title", Static).update("Settings  config.toml")


def drafts() -> DraftList:
    """Drafts; what is said of one that can be read goes by the day."""
    return DraftList([UnreadableDraft("evaluation", "line 3: expected a value")], DraftKeeper(Path))


async def scored(pilot: Pilot[Any]) -> None:
    """A field against a column of the source: tone, gold_tone."""
    await one_by_one(table, "A", "enter", "enter")(pilot)


async def reviewed(pilot: Pilot[Any]) -> None:
    """A few verdicts on the first rows."""
    await one_by_one(table, "plus", "enter", "minus", "enter", "plus")(pilot)


def batches(service: Service) -> None:
    """Batches in every state and two with results."""
    furnish(service)
    requests, lines = mixed()
    add_batch(service, requests, lines)
    later = list(lines)
    later[5] = answered("row-000", [{"type": "text", "text": "Document 0 is about\na cat, a dog and a fox."}])
    later[6] = failed("row-001", "api_error", "Internal server error")
    add_batch(service, requests, later, local_id=SECOND, title="reviews, new prompt")
    service.untracked = remote_page  # type: ignore[method-assign,assignment]
    service.submit = refused  # type: ignore[method-assign]


async def remote_page(after: str | None = None) -> tuple[list[RemoteBatch], str | None]:
    """What was made elsewhere."""
    ended = Counts(succeeded=900, errored=12)
    made = [("msgbatch_01elsewhere", "ended", ended), ("msgbatch_01another", "in_progress", Counts(processing=40))]
    return [RemoteBatch(id=i, processing_status=s, request_counts=c, created_at=ago(hours=3)) for i, s, c in made], None


async def refused(*_: Any, **__: Any) -> Any:
    """Nothing is sent from here."""
    raise ServiceError("not here", advice="this is a test")


def sources() -> None:
    """Files to make batches of, in the current folder."""
    Path("good.jsonl").write_bytes(b"".join(mixed()[0]))
    bad = b'{"custom_id":"a","params":{"model":"claude-haiku-5-5","max_token":5,"messages":[]}}\n{no json\n'
    Path("bad.jsonl").write_bytes(b"".join(mixed(4)[0]) + bad * 5)
    Path("rows.csv").write_text('id,text,label\na1,"Great, really",pos\na2,"Awful\nthing",neg\n')
    Path("rows.toml").write_text(
        'model = "claude-haiku-5-5"\nmax_tokens = 50\ncustom_id = "{{ id }}"\nprompt = "Label: {{ text }}"\n'
    )


def kettles(service: Service) -> None:
    """One run of a table."""
    labelled.labels(service)


HOME = {
    "home": Stop(pressed("j", "space", "j"), HomeScreen),
    "filter": Stop(pressed("slash", *"status:run"), HomeScreen),
    "help": Stop(pressed("question_mark"), HelpScreen),
    "cancel": Stop(pressed("slash", *"summaries", "enter", "c"), Confirm),
    "delete": Stop(pressed("slash", *"poems", "enter", "d"), Choose),
    "edit": Stop(pressed("slash", *"poems", "enter", "e"), EditModal),
    "details": Stop(pressed("slash", *"poems", "enter", "v"), DetailsDialog),
    "unconfirmed": Stop(pressed("enter"), Choose),
    "spending": Stop(pressed("dollar_sign"), SpendingModal),
    "profiles": Stop(pressed("p"), Choose),
    "elsewhere": Stop(pressed("o"), RemoteBatchesScreen),
    "reading": Stop(pushed(lambda: Reading("Last error", "one line\nand another")), Reading),
    "palette": Stop(pressed("ctrl+p"), CommandPalette),
    "settings": Stop(configured, SettingsScreen),
}
RESULTS = {
    "results": Stop(results(), ResultsScreen),
    "answer": Stop(results("enter", cursor="markdown"), ResultsScreen),
    "groups": Stop(results("E"), GroupsScreen),
    "export": Stop(results("x"), ExportScreen),
    "retry": Stop(results("5", "r"), RetryScreen),
    "compare": Stop(compared, CompareScreen),
}
NEW = {
    "new": Stop(new(), NewScreen),
    "plan": Stop(new("good.jsonl"), NewScreen),
    "problems": Stop(new("bad.jsonl"), NewScreen),
    "template": Stop(new("rows.csv", "rows.toml", "template"), NewScreen),
    "compose": Stop(new(pane="write"), NewScreen),
}
NEW_DIALOGS = {
    "confirm": Stop(new("good.jsonl", keys=("ctrl+s",)), Confirm),
    "try": Stop(new("good.jsonl", keys=("ctrl+t",)), TryScreen),
    "files": Stop(files, FilePicker),
    "read-as": Stop(new("rows.csv", "rows.toml", keys=("ctrl+f",)), TableDialog),
    "drafts": Stop(pushed(drafts), DraftList),
    "upload": Stop(one_by_one(new("good.jsonl", keys=("ctrl+s",)), "y"), UploadScreen),
}
TABLE = {
    "table": Stop(table, ResultsScreen),
    "columns": Stop(one_by_one(table, "C"), ColumnsScreen),
    "counts-words": Stop(one_by_one(table, "number_sign"), CountsScreen),
    "counts-numbers": Stop(one_by_one(table, "number_sign", "right"), CountsScreen),
    "counts-crossed": Stop(one_by_one(table, "number_sign", "tab"), CountsScreen),
    "counts-lengths": Stop(one_by_one(table, "number_sign", "right", "right"), CountsScreen),
}
LABELS = {
    "score": Stop(scored, ScoreScreen),
    "compare-field": Stop(by_field, FieldCompareScreen),
    "sample": Stop(one_by_one(table, "V", "enter"), Ask),
    "review": Stop(reviewed, ResultsScreen),
}
WALK = {
    "home": Part(batches, HOME),
    "results": Part(batches, RESULTS),
    "new": Part(batches, NEW),
    "new-dialogs": Part(batches, NEW_DIALOGS),
    "table": Part(kettles, TABLE),
    "labels": Part(labelled.two_runs, LABELS),
}
"""In parts, for several workers."""


async def back(app: BatchtuiApp) -> None:
    """Home, as it was at the beginning."""
    while len(app.screen_stack) > 1:
        await app.screen.dismiss()
    home = app.home
    home.drop_filter()
    home.batches.set_marks(())
    home.rearrange()
    home.batches.focus()
    home.batches.move_to(0)
    home.query_one("#status").dismiss()  # type: ignore[attr-defined]


def every_screen() -> set[type]:
    """The screens there are: those that nothing derives from, and what others derive from but is shown itself."""
    for module in pkgutil.walk_packages(tui.__path__, f"{tui.__name__}."):
        importlib.import_module(module.name)
    found, left = {Reading}, [BaseScreen, BaseModal]
    while left:
        each: Any = left.pop()
        found |= set() if each.__subclasses__() else {each}
        left += each.__subclasses__()
    return {each for each in found if each.__module__.startswith("batchtui.")}
