"""A program: the real app over hostile batches on the terminal it was started in, led through every screen and modal.

``python -m tests.tui.hostile_tour DATA FOLDER [--net] [--all]``; without ``--net`` the last gate is open, so that each
place must clean what it shows by itself.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from textual.events import Paste
from textual.filter import LineFilter
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, TextArea

from batchtui import unexpected
from batchtui.domain.errors import InputError, ServiceError
from batchtui.domain.plan import ModelInfo
from batchtui.domain.schedule import LookState
from batchtui.domain.work import Progress
from batchtui.service import Service, events
from batchtui.service.events import TryResult
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.commands import last_error_text
from batchtui.tui.dialogs import Ask, Choose, Confirm, EditModal, Reading
from batchtui.tui.messages import FilterTyped, Happened
from batchtui.tui.new.file_picker import FilePicker
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.try_request import TryScreen
from batchtui.tui.new.upload import UploadScreen
from batchtui.tui.output_filter import OutputFilter
from batchtui.tui.remote_batches import RemoteBatchesScreen
from batchtui.tui.results.column_choice import ColumnsScreen
from batchtui.tui.results.compare import CompareScreen, DiffView
from batchtui.tui.results.compare_field import FieldCompareScreen
from batchtui.tui.results.counts import CountsScreen
from batchtui.tui.results.error_groups import GroupsScreen
from batchtui.tui.results.export import ExportScreen
from batchtui.tui.results.retry import RetryScreen
from batchtui.tui.results.score import ScoreScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.answer_view import AnswerView
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui import hostile, waiting
from tests.tui.waiting import settled, until
from tests.tui.work import NOW, make_app

COMPOSITES, ATOMS = hostile.composites(), hostile.atoms()


class Tour:
    """What the person's hands do."""

    def __init__(self, pilot: Pilot[int], folder: Path, *, everything: bool) -> None:
        self.pilot = pilot
        self.app: BatchtuiApp = pilot.app  # type: ignore[assignment]
        self.folder = folder
        self.everything = everything

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for a condition."""
        await until(self.pilot, true)

    async def keys(self, *names: str) -> None:
        """Press keys and let what they do be drawn."""
        for name in names:
            await self.until(lambda: self.app.typed.idle)
            await self.pilot.press(name)
        await self.until(lambda: self.app.typed.idle)
        await self.pilot.pause()

    async def shown(self, kind: type) -> Any:
        """Wait until such a screen is on top."""
        await self.until(lambda: isinstance(self.app.screen, kind))
        await self.pilot.pause()
        return self.app.screen

    async def home(self) -> None:
        """Back to the bottom."""
        while len(self.app.screen_stack) > 1:
            self.app.pop_screen()
            await self.pilot.pause()

    def tell(self, event: object) -> None:
        """As if the service had told it."""
        self.app.post_message(Happened(event))

    async def walk(self, times: int, key: str = "j") -> None:
        """Down a list, each row drawn under the cursor."""
        for _ in range(times):
            await self.keys(key)

    async def take(self) -> None:
        """The whole tour."""
        for part in (self.batches, self.questions, self.happenings, self.palette, self.elsewhere, self.results):
            await part()
            await self.home()
        for part in (
            self.labels,
            self.figures,
            self.fields_beside,
            self.compare,
            self.sources,
            self.tables,
            self.written,
            self.sending,
            self.settings,
        ):
            await part()
            await self.home()

    async def batches(self) -> None:
        await self.walk(len(self.app.home.model.lines) if self.everything else 12)
        await self.keys("G", "space", "s", "s")
        for text in COMPOSITES[:3]:
            self.app.home.post_message(FilterTyped(text))
            await self.keys()
        self.app.home.post_message(FilterTyped("age<x\x1b[31m"))
        await self.keys("slash")
        for text in COMPOSITES:
            self.app.home.query_one(Input).post_message(Paste(text))
        await self.keys("escape", "escape", "escape")
        for key in ("p", "dollar_sign", "question_mark"):
            await self.keys(key)
            await self.keys("escape")

    async def questions(self) -> None:
        records = {r.title: r for r in self.app.home.model.records.values()}
        for title, record in records.items():
            if title.endswith(("zz500", "zz505")) or "toolong" in title or self.everything:
                self.app.home.go_to(record)
                for key in "vecdxr":
                    await self.keys(key)
                    if len(self.app.screen_stack) > 1:
                        await self.keys("escape")
        self.app.home.go_to(next(r for title, r in records.items() if title.endswith("unconf")))
        await self.keys("enter")
        await self.shown(Choose)
        await self.keys("j", "j", "escape")
        whole = " ".join(ATOMS)
        for number, text in enumerate([*hostile.composites(290), hostile.LONG]):
            modals = [
                lambda said=text: Confirm(said, [said, whole], yes=said, no=said),
                lambda said=text: Ask(said, value=said, placeholder=said, hint=whole),
                lambda said=text: Choose(said, [(each, each) for each in [said, *COMPOSITES]], lines=[said]),
                lambda said=text: Reading(said, whole),
                lambda said=text: EditModal(said, said),
            ]
            for make in modals if self.everything else [modals[number % len(modals)]]:
                self.app.push_screen(make())
                await self.keys()
                await self.home()

    async def happenings(self) -> None:
        record = next(r for r in self.app.home.model.records.values() if " zz" in r.title)
        for text in [*(ATOMS if self.everything else hostile.composites(290)), hostile.LONG]:
            look = LookState(last_ok=NOW, blind_since=NOW, error=text, advice=text)
            self.tell(events.Trouble(text, text))
            self.tell(events.Looked(look))
            self.tell(events.Transfer(record.local_id, Progress(stage=text, done=4, total=9, unit=text, note=text)))
            self.app.service.context.emit(events.Ended(record, late=True))
            await self.keys()
            self.app.home.fail(InputError(text, advice=text))
            await self.keys()
            bug = ValueError(text)
            self.app.report_bug(bug)
            await self.keys()
            self.app.bugs.remove(bug)
        await self.keys("escape")

    async def palette(self) -> None:
        for words in ("zz5", "OWN"):
            await self.keys("ctrl+p")
            await self.keys(*words)
            await settled(self.pilot)
            await self.keys("down", "escape")
        unexpected.note(ValueError(COMPOSITES[0]), COMPOSITES[0])
        self.app.push_screen(Reading("Last error", last_error_text()))
        await self.keys()

    async def elsewhere(self) -> None:
        await self.keys("o")
        screen = await self.shown(RemoteBatchesScreen)
        await self.until(lambda: len(screen.rows))
        for _ in COMPOSITES if self.everything else "abc":
            await self.keys("j", "enter")
            await self.keys("escape")

    async def results(self) -> None:
        local_id = next(r.local_id for r in self.app.home.model.records.values() if r.title.endswith("answers0"))
        screen = ResultsScreen(local_id)
        await self.app.push_screen(screen)
        await self.until(lambda: screen.view is not None and len(screen.query_one(RowList).source))
        await self.keys("enter")
        rows = len(screen.query_one(RowList).source)
        for number in range(0, rows, 1 if self.everything else 13):
            screen.query_one(RowList).move_to(number)
            await screen.detail.show_now()
            await self.keys()
            if self.everything or number >= rows - 40:
                for key in ("v", "v", "m", "m"):
                    await self.keys(key)
        assert screen.query_one("#answer", AnswerView).children
        await self.keys("y", "escape", "slash")
        for text in COMPOSITES[:4]:
            screen.query_one("#results-filter", Input).value = text
            await self.until(lambda: not screen._search.running)
        await self.keys("escape", "escape")
        for number in range(1, 8):
            await self.keys(str(number))
        await self.keys("1", "E")
        groups = await self.shown(GroupsScreen)
        await self.walk(min(500 if self.everything else 25, len(groups.query_one(RowList).source)))
        await self.keys("escape", "x")
        await self.shown(ExportScreen)
        self.app.screen.query_one("#export-path", Input).value = str(self.folder / COMPOSITES[1].replace("\0", ""))
        await self.keys("escape", "space", "r")
        retry = await self.shown(RetryScreen)
        retry.query_one("#retry-changes", Input).value = f"'system={COMPOSITES[2]}' ' x={COMPOSITES[3]}'"
        await settled(self.pilot)
        retry.query_one("#retry-changes", Input).value = f"x '{COMPOSITES[4]}"
        await settled(self.pilot)

    async def compare(self) -> None:
        ids = [r.local_id for r in self.app.home.model.records.values() if r.title[-8:-1] == "answers"]
        screen = CompareScreen(*ids)
        await self.app.push_screen(screen)
        await self.until(lambda: len(screen.query_one(RowList).source))
        await self.keys("enter")
        for _ in range(len(screen.query_one(RowList).source) if self.everything else 20):
            await self.keys("n")
            await settled(self.pilot)
        assert screen.query_one(DiffView).display

    def labelled(self, number: int) -> str:
        """The local id of a run with fields."""
        return next(r.local_id for r in self.app.home.model.records.values() if r.title.endswith(f"labels{number}"))

    async def table(self) -> ResultsScreen:
        """The results of a run with fields, which are read."""
        screen = ResultsScreen(self.labelled(0))
        await self.app.push_screen(screen)
        await self.until(lambda: screen.table.names is not None and len(screen.query_one(RowList).source))
        return screen

    async def labels(self) -> None:
        screen = await self.table()
        await self.walk(len(COMPOSITES) if self.everything else 6)
        await self.keys("minus")
        for leave in ("enter", "escape"):  # The field, and its right value.
            await self.shown(Choose)
            await self.walk(4, "down")
            await self.keys(leave)
        await self.until(lambda: self.app.screen is screen)
        await self.keys("t")
        await self.shown(Ask)
        for text in COMPOSITES[:2]:
            self.app.screen.query_one(Input).post_message(Paste(text))
        await self.keys("enter", "C")
        chosen = await self.shown(ColumnsScreen)
        await self.walk(len(chosen.query_one(RowList).source) if self.everything else 12, "down")
        await self.keys("escape")
        screen.set_filter(f"nope{COMPOSITES[0]}>3")
        await self.until(lambda: not screen._search.running)

    async def figures(self) -> None:
        await self.table()
        await self.keys("number_sign")
        counts = await self.shown(CountsScreen)
        for key in ("right", "right", "tab", "right", "right", "right"):
            await self.keys(key)
            await settled(self.pilot)
        await self.walk(min(6, len(counts.query(RowList))))
        await self.keys("escape", "A")
        for _ in ("the field", "the column that is right"):
            asked = await self.shown(Choose)
            await self.walk(3, "down")
            await self.walk(3, "up")
            await self.keys("enter")
            await self.until(lambda asked=asked: self.app.screen is not asked)
        await self.shown(ScoreScreen)
        await settled(self.pilot)
        await self.walk(6)

    async def fields_beside(self) -> None:
        screen = CompareScreen(self.labelled(0), self.labelled(1))
        await self.app.push_screen(screen)
        await self.until(lambda: len(screen.query_one(RowList).source))
        await self.keys("F")
        await self.until(lambda: isinstance(self.app.screen, Choose))
        await self.keys("enter")
        beside = await self.shown(FieldCompareScreen)
        await self.until(lambda: beside.found is not None)
        await self.walk(6)
        await self.keys("enter")

    async def source(self, path: str, template: str = "") -> NewScreen:
        """The new screen with a source that was checked."""
        screen = NewScreen()
        await self.app.push_screen(screen)
        await self.keys()
        screen.query_one("#source-template", Input).value = template
        screen.take_paths([path])
        await self.until(lambda: screen.plan is not None or not screen.checker.running)
        await self.keys()
        return screen

    async def sources(self) -> None:
        screen = await self.source("bad.jsonl")
        screen.show_pane("problems")
        problems = screen.query_one("OptionList")
        problems.focus()
        for _ in range(min(60 if self.everything else 10, problems.option_count)):  # type: ignore[attr-defined]
            await self.keys("down")
        assert screen.plan is not None
        for group in screen.plan.problems[:: 1 if self.everything else 12]:
            await screen.jump(group.first[0])
            await self.keys()
        screen.query_one("#new-name", Input).value = COMPOSITES[0]
        await self.keys("ctrl+o")
        picker = await self.shown(FilePicker)
        await self.until(lambda: len(picker.query_one(RowList).source) > len(ATOMS))
        await self.walk(len(ATOMS) if self.everything else 20)
        await self.keys("escape")
        for text in COMPOSITES[:4]:
            screen.query_one("#source-path", Input).value = text
            screen.start_check()
            await settled(self.pilot)

    async def tables(self) -> None:
        screen = await self.source("rows.csv", "rows.toml")
        for pane in ("rows", "template", "requests", "problems"):
            screen.show_pane(pane)
            await self.keys()
        screen.show_pane("template")
        text = screen.query_one("#template-text", TextArea)
        for words in COMPOSITES[:6]:
            clean = words.replace('"', "").replace("\\", "")
            text.text = f'model = "{clean}"\nprompt = "{{{{ nope }}}}{clean}"\n'
            await settled(self.pilot)
        screen.query_one("#source-template", Input).value = ""

    async def written(self) -> None:
        screen = NewScreen()
        await self.app.push_screen(screen)
        await self.keys()
        screen.query_one("#new-mode", TabLine).choose("write")
        await self.until(lambda: isinstance(screen.focused, TextArea))
        for text in COMPOSITES[:4]:
            for area in screen.query(TextArea):
                area.text = text.encode("utf-8", "replace").decode()
            await settled(self.pilot)
        await self.keys("ctrl+y")
        await self.keys("escape")

    async def sending(self) -> None:
        screen = await self.source("good.jsonl")
        plan = screen.plan
        assert plan is not None and plan.ok, plan
        screen.checked.stopped_by = COMPOSITES[0]
        screen.query_one("#new-name", Input).value = COMPOSITES[1]
        await self.keys("ctrl+s")
        await self.shown(Confirm)
        await self.keys("escape", "ctrl+l")
        await self.keys("ctrl+t")
        await self.shown(TryScreen)
        await self.keys("y")
        await self.until(lambda: self.app.screen.query("#try-answer *"))
        await self.keys("escape")
        upload = UploadScreen(plan, partial(self.app.service.submit, plan, title=COMPOSITES[2]))
        self.app.push_screen(upload)
        await self.until(lambda: upload._done is not None)
        await self.keys("escape")

    async def settings(self) -> None:
        await self.keys("comma")
        await self.walk(30)


def fakes(service: Service) -> None:
    """The service says hostile things too."""
    answer = hostile.message(COMPOSITES[3])

    async def elsewhere(after: str | None = None) -> Any:
        return hostile.remotes(), None

    async def models() -> list[ModelInfo]:
        return [ModelInfo(id=text, display_name=text) for text in COMPOSITES]

    async def try_one(line: bytes) -> TryResult:
        return TryResult(answer=answer, input_tokens=1, output_tokens=1, cost_usd=None)

    async def fails(*_: Any, **__: Any) -> Any:
        raise ServiceError(COMPOSITES[4], advice=COMPOSITES[5])

    for name, fake in (("untracked", elsewhere), ("models", models), ("try_one", try_one), ("submit", fails)):
        setattr(service, name, fake)
    for name in ("count_sample", "refresh", "fetch", "cancel", "delete", "edit", "adopt"):
        setattr(service, name, fails)


def open_gate(widget: Widget) -> list[LineFilter]:
    """The app's filters without the last gate; what the person types or pastes has no other."""
    filters = widget.app.get_line_filters()
    typed = isinstance(widget, Input | TextArea)
    return [each for each in filters if typed or not isinstance(each, OutputFilter)]


def main() -> None:
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    waiting.install()
    gc.set_threshold(300_000, 5, 5)  # As in the tests' own process.
    service = hostile.furnish(data)
    hostile.folder(folder)
    os.chdir(folder)
    fakes(service)
    app = make_app(service)
    if "--net" not in sys.argv:
        Widget.get_line_filters = open_gate  # type: ignore[method-assign]
    app.tolerates = lambda error: False  # type: ignore[method-assign]
    done = []

    async def tour(pilot: Pilot[Any]) -> None:
        try:
            await asyncio.wait_for(Tour(pilot, folder, everything="--all" in sys.argv).take(), 500)
            done.append(True)
        finally:
            app.exit(0)

    app.run(auto_pilot=tour)
    print("TOUR DONE" if done and not app.bugs else f"TOUR BROKEN {last_error_text()!r}")


if __name__ == "__main__":
    main()
