"""The problems, and the request that the one under the cursor is about."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.timer import Timer

from batchtui.domain.plan import Problem
from batchtui.domain.work import Work
from batchtui.tui.new.problem_list import ProblemList
from batchtui.tui.widgets.answer_view import AnswerView, Section

BESIDE = 96
"""From this width on the request stands right of the problems, in cells; narrower it stands below them."""
TALL = 10
"""From this height on there is room for it below them."""
PAUSE = 0.1
"""Seconds the cursor rests before a request is read."""


class ProblemPane(Container):
    """Posts Rested when the cursor rests on a problem whose request is to be shown."""

    DEFAULT_CSS: ClassVar[str] = """
    ProblemPane { layout: vertical; }
    ProblemPane ProblemList { height: 1fr; width: 1fr; }
    ProblemPane AnswerView { height: 1fr; width: 1fr; }
    ProblemPane.beside { layout: horizontal; }
    ProblemPane.beside AnswerView { margin-left: 1; }
    """

    class Rested(Message):
        """The cursor rests on a problem."""

        def __init__(self, problem: Problem, work: Work) -> None:
            super().__init__()
            self.problem = problem
            self.work = work
            """What reads its request: stopped once another is wanted."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rest: Timer | None = None
        self._work = Work()

    def compose(self) -> ComposeResult:
        yield ProblemList()
        yield AnswerView("request", id="problem-request")

    def on_resize(self, event: events.Resize) -> None:
        """Right of the list, below it, or not at all."""
        beside = event.size.width >= BESIDE
        self.set_class(beside, "beside")
        self.query_one(AnswerView).display = beside or event.size.height >= TALL
        self.show_soon()

    @on(ProblemList.Moved)
    def show_soon(self) -> None:
        """Show the request once the cursor rests, where it is seen."""
        self._work.stop()
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(PAUSE, self._rested)

    async def _rested(self) -> None:
        view, problem = self.query_one(AnswerView), self.query_one(ProblemList).problem
        view.visible = problem is not None
        if problem is None or not self.display or not view.display:
            return
        self._work = Work()
        self.post_message(self.Rested(problem, self._work))

    async def show_request(self, problem: Problem, sections: list[Section], work: Work) -> None:
        """Show what was read for a problem, unless another is wanted by now."""
        if work.stopped or not self.is_attached:
            return
        tone = "bad" if problem.level == "error" else "warn"
        said = [Section(problem.message, "", tone=tone), *sections]
        await self.query_one(AnswerView).show(said, title=problem.where, markdown=False)

    def on_unmount(self) -> None:
        """Read on for nobody."""
        self._work.stop()
