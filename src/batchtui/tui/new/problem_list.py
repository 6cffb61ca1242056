"""Problems, equal ones as one with a count and its first places; a place opens the request's text."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from batchtui import safetext
from batchtui.domain.plan import Level, Problem, ProblemGroup
from batchtui.present import numbers
from batchtui.present.cells import hanging
from batchtui.tui.widgets.controls import KeyedOptionList

FEW = 3
"""Places shown under a group before it is opened."""


class ProblemGathering:
    """Groups problems as they come, from another thread, with a bounded memory."""

    def __init__(self, places: int = 20) -> None:
        self._places = places
        self._groups: dict[tuple[Level, str, str], tuple[int, tuple[Problem, ...]]] = {}

    def add(self, problem: Problem) -> None:
        """Take one more."""
        key = (problem.level, problem.code, problem.message)
        number, first = self._groups.get(key, (0, ()))
        if len(self._groups) >= 500 and not number:
            key, (number, first) = next(reversed(self._groups.items()))
        self._groups[key] = (number + 1, (*first, problem) if len(first) < self._places else first)

    def groups(self) -> tuple[ProblemGroup, ...]:
        """What there is so far, errors first."""
        made = [
            ProblemGroup(code=code, level=level, message=message, count=number, first=first)
            for (level, code, message), (number, first) in list(self._groups.items())
        ]
        return tuple(sorted(made, key=lambda group: group.level != "error"))


class ProblemList(Widget):
    """The list; Enter on a group opens or closes it, Enter on a place posts Jump."""

    DEFAULT_CSS = """
    ProblemList { height: 1fr; }
    ProblemList OptionList { height: 1fr; border: none; padding: 0; background: transparent; scrollbar-size-vertical: 1; }
    """

    class Jump(Message):
        """The person wants to see the request a problem is about."""

        def __init__(self, problem: Problem) -> None:
            super().__init__()
            self.problem = problem

    class Moved(Message):
        """The cursor is on another problem, or on a group's heading."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._groups: tuple[ProblemGroup, ...] = ()
        self._shown = False
        self._open: set[str] = set()
        self._rows: list[tuple[ProblemGroup, Problem | None]] = []

    def compose(self) -> ComposeResult:
        yield KeyedOptionList(markup=False, compact=True)

    def show(self, groups: Iterable[ProblemGroup]) -> None:
        """Replace the groups; the cursor stays on its row, and nothing is drawn when they are the same."""
        fresh = tuple(groups)
        if fresh == self._groups and self._shown:
            return
        self._groups, self._shown = fresh, True
        self._fill()

    @property
    def total(self) -> int:
        """All problems, counted one by one."""
        return sum(group.count for group in self._groups)

    @property
    def problem(self) -> Problem | None:
        """The problem under the cursor, a group's first on its heading."""
        at = self.query_one(OptionList).highlighted
        if at is None or at >= len(self._rows):
            return None
        group, problem = self._rows[at]
        return problem or group.first[0]

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Say so."""
        event.stop()
        self.post_message(self.Moved())

    def _fill(self) -> None:
        options = self.query_one(OptionList)
        at = options.highlighted
        rows: list[tuple[ProblemGroup, Problem | None]] = []
        prompts: list[Content] = []
        for group in self._groups:
            rows.append((group, None))
            prompts.append(self._heading(group))
            places = group.first if self._key(group) in self._open else group.first[:FEW]
            for problem in places:
                rows.append((group, problem))
                prompts.append(self._place(group, problem))
        self._rows = rows
        options.clear_options()
        options.add_options([Option(prompt) for prompt in prompts or [Content.styled(" No problems.", "dim")]])
        if rows:
            options.highlighted = min(at or 0, len(rows) - 1)
        else:
            self.post_message(self.Moved())

    @staticmethod
    def _key(group: ProblemGroup) -> str:
        return f"{group.level}\0{group.code}\0{group.message}"

    def on_resize(self) -> None:
        """Further lines stand below their first at any width."""
        if self._rows:
            self._fill()

    def _heading(self, group: ProblemGroup) -> Content:
        mark, style = ("✗ error", "bold $text-error") if group.level == "error" else ("! warning", "bold $text-warning")
        number = f" × {numbers.count(group.count)}" if group.count > 1 else ""
        head = f" {mark}{number}  "
        return Content.assemble(
            (head, style), hanging(safetext.line(group.message, 400), len(head), self.size.width - 1)
        )

    def _place(self, group: ProblemGroup, problem: Problem) -> Content:
        where = f"     {safetext.line(problem.where, 120)}"
        name = f"  {safetext.line(problem.custom_id, 64)}" if problem.custom_id else ""
        own = f"  {safetext.line(group.own(problem), 200)}" if group.own(problem) else ""
        if own and cell_len(where + name + own) > self.size.width - 1:
            own = f"\n       {hanging(own.strip(), 7, self.size.width - 1)}"
        return Content.assemble((where, "$text-accent"), (name, "dim"), own)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A group opens or closes; a place is jumped to."""
        event.stop()
        if event.option_index >= len(self._rows):
            return
        group, problem = self._rows[event.option_index]
        if problem is None and group.count > FEW:
            self._open ^= {self._key(group)}
            self._fill()
        else:
            self.post_message(self.Jump(problem or group.first[0]))
