"""A program: the real app on the terminal it was started in, which tells over a socket what its keys did.

``python -m tests.tui.typed_home DATA FOLDER FD PAUSE``: a line of JSON comes in for each question and goes out for each
answer; PAUSE are the seconds after which a key no longer belongs to one that did nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath
from typing import Any, ClassVar

from textual import events
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static, TextArea

from batchtui import tui
from batchtui.config.load import Config, Profile
from batchtui.domain.batch import RemoteBatch
from batchtui.domain.errors import ServiceError
from batchtui.intake.drafts import Draft
from batchtui.intake.options import TableOptions
from batchtui.results.field_scores import score_field
from batchtui.results.gold import gold_column
from batchtui.results.names import names_of
from batchtui.results.table import column_names
from batchtui.service import Service
from batchtui.tui import typed_ahead
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.commands import Palette
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
from tests.tui.home_data import furnish
from tests.tui.walk import every_screen
from tests.tui.work import MODEL, NOW, QuietEngine, add_batch, make_service, mixed, request

STORED, OTHER = "20261122T110000Z-aaaaaa", "20261122T100000Z-bbbbbb"
KEY = "run.outcome"
"""What is counted and scored."""
ACTS = ("cancel", "delete", "submit", "edit", "adopt", "fetch", "refresh", "try_one", "give_up", "adopt_candidate")
MOVES = frozenset({"cursor_left", "cursor_right", "home", "end", "delete_left", "delete_right"})
"""Actions by which text is typed into a line."""


class Watched(BatchtuiApp):
    """Notes every action, what came of it, and when each screen was on the terminal."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [Path(tui.__file__).parent / each for each in BatchtuiApp.CSS_PATH]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.arrived = 0
        self.acting = -1
        """The number of the key that was handed on last."""
        self.acted_on: float | None = None
        """When the screen that it went to was drawn."""
        self.notes: list[dict[str, Any]] = []
        self.drawn_at: dict[int, float] = {}

    def note(self, what: str, **facts: Any) -> None:
        """Something happened, by the key that was handed on last."""
        self.notes.append({"what": what, "key": self.acting, "drawn": self.acted_on, **facts})

    async def on_event(self, event: events.Event) -> None:
        if self.typed._passing and self.typed._passing[0] is event:
            self.acting = self.numbers.pop(id(event), -1)
            self.acted_on = self.drawn_at.get(id(self.screen))
        await super().on_event(event)

    async def _dispatch_action(self, namespace: Any, action_name: str, params: Any) -> bool:
        # Enter ends a line of a screen; in a dialog it would answer.
        ends_line = (
            isinstance(namespace, Input) and action_name == "submit" and not isinstance(self.screen, ModalScreen)
        )
        if not ends_line and not (isinstance(namespace, Input | TextArea) and action_name in MOVES):
            self.note("action", action=action_name, at=type(namespace).__name__)
        return await super()._dispatch_action(namespace, action_name, params)

    def exit(self, *args: Any, **named: Any) -> None:
        self.note("exit")

    async def switch_profile(self, name: str) -> None:
        self.note("service", name="switch_profile")
        raise ServiceError("not here")  # These batches would be another profile's from now on.

    def copy_to_clipboard(self, text: str, *, raw: bool = False) -> None:
        self.note("copy")

    def suspended(self, _: object) -> None:
        self.note("suspend")

    def watch_input(self) -> None:
        """Number what arrives, and remember when each screen was first written."""
        self.numbers: dict[int, int] = {}
        self.app_suspend_signal.subscribe(self, self.suspended, immediate=True)
        self.screen_change_signal.subscribe(self, lambda now: self.drawn_at.pop(id(now), None), immediate=True)
        arrive = self.typed.arrive

        def counted(event: events.Event, seen: int | None = None) -> None:
            if isinstance(event, events.Key | events.Paste):
                self.numbers[id(event)] = self.arrived
                self.arrived += 1
            arrive(event, seen)

        self.typed.arrive = counted  # type: ignore[method-assign]

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, renderable)
        if self.screen_stack and screen is self.screen and renderable is not None and not self._batch_count:
            self.drawn_at.setdefault(id(screen), time.monotonic())


def fakes(app: Watched, service: Service) -> None:
    """No network, and nothing that changes a thing: it is noted."""

    def refusing(name: str) -> Callable[..., Any]:
        async def refuse(*_: Any, **__: Any) -> Any:
            app.note("service", name=name)
            raise ServiceError("not here", advice="this is a test")

        return refuse

    async def elsewhere(after: str | None = None) -> Any:
        return [RemoteBatch(id=f"msgbatch_{n}", processing_status="ended", created_at=NOW) for n in range(9)], None

    async def models() -> list[Any]:
        return []

    def export(*_: Any, **__: Any) -> int:
        app.note("service", name="export")
        raise ServiceError("not here")

    for name in ACTS:
        setattr(service, name, refusing(name))
    service.untracked = elsewhere  # type: ignore[method-assign]
    service.models = models  # type: ignore[method-assign]
    service.export = export  # type: ignore[method-assign]


class Places:
    """How each screen is come to."""

    def __init__(self, app: Watched, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self.config = app.service.config

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for a condition."""
        end = time.monotonic() + 100
        while time.monotonic() < end:
            if true():
                return
            await asyncio.sleep(0.001)
        screen = self.app.screen
        texts = [str(each.render())[:80] for each in screen.query(Static)]
        raise AssertionError(f"it never came true on {screen}: {texts}, {vars(self.app.typed)}, {vars(screen)}")

    async def push(self, screen: Screen[Any]) -> Screen[Any]:
        """Show a screen."""
        self.app.push_screen(screen)
        await self.until(lambda: screen.is_mounted and self.app.typed.idle)
        return screen

    async def home(self) -> None:
        """Back to the bottom, with nothing left there."""
        await self.until(lambda: self.app.typed.idle)
        while len(self.app.screen_stack) > 1:
            await self.app.pop_screen()
            await self.until(lambda: self.app.typed.idle)
        if self.app.service.config is not self.config:
            self.app.use_config(self.config)
        home = self.app.home
        home.drop_filter()
        home.batches.set_marks(())
        home.model.sort, home.model.reverse = "attention", False
        home.query_one("#status").dismiss()  # type: ignore[attr-defined]
        home.reload()
        for group in home.model.groups:
            home.model.fold(group.run, False)
        home.rearrange()
        home.batches.focus()

    def row(self, title: str) -> None:
        """The cursor on a batch."""
        self.app.home.go_to(next(r for r in self.app.service.records() if r.title == title))

    async def results(self) -> ResultsScreen:
        screen = ResultsScreen(STORED)
        await self.push(screen)
        await self.until(lambda: screen.view is not None and screen.query_one(RowList).cursor_key is not None)
        return screen

    async def new(self, path: str = "", template: str = "") -> NewScreen:
        screen = NewScreen()
        await self.push(screen)
        if path:
            screen.query_one("#source-template", Input).value = template
            screen.take_paths([path])
            await self.until(lambda: screen.plan is not None)
        return screen

    async def go(self, place: str) -> None:
        """To a place, from wherever it is."""
        await self.home()
        kind, _, which = place.partition(":")
        if kind == "home":
            self.row({"running": "news-summaries", "stored": "reviews", "lost": "translate-faq"}[which])
        elif kind in ("results", "groups", "export", "columns", "counts", "score", "retry"):
            await self._results(kind)
        elif kind == "new":
            await self._new(which)
        else:
            await self._other(kind)
        await self.until(lambda: self.app.typed.idle)
        self.app.notes.clear()
        self.app.typed._lost.clear()  # What was typed elsewhere is long ago.

    async def _results(self, kind: str) -> None:
        screen = await self.results()
        assert screen.view is not None and screen.record is not None
        rows = list(range(len(screen.view)))
        if kind == "groups":
            await self.push(GroupsScreen(screen.view.groups(rows), {}))
        elif kind == "export":
            await self.push(ExportScreen(screen.view, rows, "reviews", whole=True))
        elif kind == "columns":
            await self.push(ColumnsScreen(column_names(screen.view), []))
        elif kind == "counts":
            names = names_of(screen.view)
            await self.push(CountsScreen(screen.view, names, names.resolve(KEY), screen.rows, whole=True))
        elif kind == "score":
            names = names_of(screen.view)
            gold = gold_column(names, names.resolve(KEY))
            await self.push(ScoreScreen(score_field(screen.view, names, names.resolve(KEY), gold)))
        elif kind == "retry":
            retry = RetryScreen(screen.record, screen.view, rows[:4])
            await self.push(retry)
            await self.until(lambda: retry._plan is not None)

    async def _new(self, which: str) -> None:
        if which == "rows":
            screen = await self.new(str(self.folder / "rows.csv"), str(self.folder / "rows.toml"))
            screen.query_one("#new-panes").focus()
            # Once the fields are left, the template's text is shown, and what is shown is planned again.
            await self.until(lambda: screen.checked.form == (now := screen.shown()) and now.template_text is not None)
            await self.until(lambda: screen.plan is not None)
        elif which == "written":
            screen = await self.new()
            screen.query_one("#new-mode", TabLine).choose("write")
            await self.until(lambda: isinstance(screen.focused, TextArea))
        elif which:
            screen = await self.new(str(self.folder / "good.jsonl"))
            screen.query_one("#new-panes").focus()
            if which == "picker":
                await self.push(FilePicker(self.folder))
            elif which == "try":
                assert screen.plan is not None
                await self.push(TryScreen(screen.plan, ""))
            elif which == "upload":
                assert screen.plan is not None
                await self.push(UploadScreen(screen.plan, partial(screen.service.submit, screen.plan)))
        else:
            await self.new()

    async def _other(self, kind: str) -> None:
        makes: dict[str, Callable[[], Screen[Any]]] = {
            "compare": lambda: CompareScreen(STORED, OTHER),
            "elsewhere": RemoteBatchesScreen,
            "settings": SettingsScreen,
            "table": lambda: TableDialog(TableOptions()),
            "drafts": lambda: DraftList([Draft(name="one")], DraftKeeper(Path)),
            "spending": SpendingModal,
            "confirm": lambda: Confirm("Sure?", ["It costs."], yes="Do it", grave=True),
            "ask": lambda: Ask("What?", value=""),
            "choose": lambda: Choose("Which?", [("a", "one"), ("b", "another")]),
            "details": lambda: DetailsDialog(Content("one"), []),
            "reading": lambda: Reading("Read", "one\ntwo"),
            "edit": lambda: EditModal("", ""),
            "help": lambda: HelpScreen(self.app.screen),
            "palette": lambda: Palette(id="--command-palette"),
        }
        if kind == "by-field":
            compare = await self.push(CompareScreen(STORED, OTHER))
            assert isinstance(compare, CompareScreen)
            await self.until(lambda: compare._comparison is not None)
            both, service = compare._comparison, self.app.service
            assert both is not None
            records, names = (
                (service.resolve(STORED), service.resolve(OTHER)),
                (names_of(both.left), names_of(both.right)),
            )
            await self.push(FieldCompareScreen(both, records, names, names[0].resolve(KEY)))
            return
        screen = await self.push(makes[kind]())
        if kind in ("compare", "elsewhere"):
            await self.until(lambda: len(screen.query_one(RowList).source))


PLACES = (
    *("home:running", "home:stored", "home:lost", "results", "groups", "export", "columns", "counts", "score", "retry"),
    *("new:", "new:planned", "new:rows", "new:written", "new:picker", "new:try", "new:upload"),
    *("compare", "by-field", "details", "elsewhere", "settings", "table", "spending", "confirm", "ask", "choose"),
    *("drafts", "reading", "edit", "help", "palette"),
)


class Talk:
    """Answers questions from the socket."""

    def __init__(self, app: Watched, places: Places) -> None:
        self.app = app
        self.places = places

    async def answer(self, asked: dict[str, Any]) -> Any:
        """One answer, on the app's loop."""
        with self.app._context():
            if asked["ask"] == "go":
                await self.places.go(asked["place"])
                return self.keys()
            return self.state()

    def keys(self) -> list[list[str]]:
        """Every key that is bound here, with what it does."""
        found = self.app.screen.active_bindings
        return [[key, each.binding.action, type(each.node).__name__] for key, each in found.items() if each.enabled]

    def state(self) -> dict[str, Any]:
        app = self.app
        focused = app.screen.focused
        value = focused.value if isinstance(focused, Input) else focused.text if isinstance(focused, TextArea) else None
        return {
            "idle": app.typed.idle,
            "change": max(app.typed._opened, app.typed._closed),
            "opened": app.typed._opened > app.typed._closed,
            "arrived": app.arrived,
            "screen": type(app.screen).__name__,
            "value": value,
            "log": app.notes,
            "yes": [*yes[0].region.offset] if (yes := list(app.screen.query("#yes"))) else None,
            "bugs": ["".join(traceback.format_exception(each)) for each in app.bugs],
        }

    def run(self, line: socket.socket) -> None:
        """Until the other end hangs up."""
        with line.makefile("rw", encoding="utf-8") as talk:
            for asked in talk:
                loop = self.app._loop
                assert loop is not None
                try:
                    said = asyncio.run_coroutine_threadsafe(self.answer(json.loads(asked)), loop).result()
                except Exception as error:
                    said = {"failed": repr(error)}
                talk.write(json.dumps(said) + "\n")
                talk.flush()
        os._exit(0)


def prepare(data: Path, folder: Path) -> Service:
    """Batches in every state, results and sources."""
    folder.mkdir()
    service = make_service(data, Config(profiles={"default": Profile(base_url="http://127.0.0.1:9"), "b": Profile()}))
    furnish(service)
    requests, results = mixed()
    add_batch(service, requests, results, local_id=STORED)
    add_batch(service, requests, results, local_id=OTHER, title="older-reviews")
    (folder / "good.jsonl").write_bytes(b"".join(request(f"g{n}", "hello") for n in range(5)))
    (folder / "rows.csv").write_text("id,text\n1,one\n2,two\n")
    (folder / "rows.toml").write_text(
        f'model = "{MODEL}"\nmax_tokens = 9\ncustom_id = "r{{{{ row_number }}}}"\nprompt = "{{{{ text }}}}"\n'
    )
    return service


def main() -> None:
    data, folder, fd = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    typed_ahead.PAUSE = float(sys.argv[4])
    service = prepare(data, folder)
    os.chdir(folder)
    app = Watched(service, QuietEngine(), clock=lambda: NOW)
    fakes(app, service)
    talk = Talk(app, Places(app, folder))

    def ready() -> None:
        app.watch_input()
        threading.Thread(target=talk.run, args=(socket.socket(fileno=fd),), daemon=True).start()

    begin = app._begin

    def begun() -> None:
        begin()
        ready()

    app._begin = begun  # type: ignore[method-assign]
    assert HomeScreen in every_screen()
    app.run()


if __name__ == "__main__":
    main()
