"""One line of tabs with counts: the chosen one stands out by shape, not only by color."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import RenderResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from batchtui.present.numbers import count as shown_count
from batchtui.tui.bindings import bind, sign_of


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: ``short`` is its label where the line is narrow, ``count`` is None when it counts nothing."""

    id: str
    label: str
    short: str = ""
    count: int | None = None


class TabLine(Widget, can_focus=True):
    """Tabs on one line; left and right, a click or its own key choose one.

    ``keys`` is what the names of their keys' actions begin with, a number after it; "" where they have none.
    """

    DEFAULT_CSS = """
    TabLine { height: 1; width: 1fr; text-wrap: nowrap; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("left", "move(-1)", "previous tab", "tabs.previous", "previous tab", show=False),
        bind("right", "move(1)", "next tab", "tabs.next", "next tab", show=False),
    ]

    class Chosen(Message):
        """A tab was chosen by the person."""

        def __init__(self, line: TabLine, tab: str) -> None:
            super().__init__()
            self.line = line
            self.tab = tab

        @property
        def control(self) -> TabLine:
            """The line it happened on."""
            return self.line

    def __init__(self, tabs: Sequence[Tab] = (), *, keys: str = "", id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._tabs = list(tabs)
        self._keys = keys
        self._chosen = tabs[0].id if tabs else ""
        self._places: list[tuple[int, int, str]] = []

    @property
    def chosen(self) -> str:
        """The id of the chosen tab."""
        return self._chosen

    @property
    def ids(self) -> list[str]:
        """The tabs' ids from left to right."""
        return [tab.id for tab in self._tabs]

    def set_tabs(self, tabs: Sequence[Tab]) -> None:
        """Replace the tabs; nothing is drawn when they are the same as before."""
        fresh = list(tabs)
        if fresh == self._tabs:
            return
        self._tabs = fresh
        if self._chosen not in self.ids and fresh:
            self._chosen = fresh[0].id
        self.refresh()

    def choose(self, tab: str, *, tell: bool = True) -> None:
        """Choose a tab by id; ``tell`` posts Chosen."""
        if tab not in self.ids or tab == self._chosen:
            return
        self._chosen = tab
        self.refresh()
        if tell:
            self.post_message(self.Chosen(self, tab))

    def choose_number(self, number: int) -> None:
        """Choose the tab with this number, counted from 1."""
        if 1 <= number <= len(self._tabs):
            self.choose(self._tabs[number - 1].id)

    def action_move(self, step: int) -> None:
        """Choose the neighbour, round the ends."""
        if self._tabs:
            here = self.ids.index(self._chosen)
            self.choose(self.ids[(here + step) % len(self._tabs)])

    def on_click(self, event: events.Click) -> None:
        for start, end, tab in self._places:
            if start <= event.x < end:
                self.choose(tab)
                event.stop()

    def render(self) -> RenderResult:
        """The line, with the widest labels that fit."""
        width = self.content_size.width or self.size.width
        for style in ("wide", "short", "bare"):
            parts = [self._label(number, tab, style) for number, tab in enumerate(self._tabs, 1)]
            if sum(part.cell_length for part in parts) <= width or style == "bare":
                break
        self._places = []
        at = 0
        shown = self._within(list(zip(parts, self._tabs, strict=True)), width)
        for part, tab in shown:
            self._places.append((at, at + part.cell_length, tab.id))
            at += part.cell_length
        return Content("").join([part for part, _ in shown])

    def _within(self, shown: list[tuple[Content, Tab]], width: int) -> list[tuple[Content, Tab]]:
        """The tabs that have room: empty ones go first, from the right, then those left of the chosen one."""

        def too_wide() -> bool:
            return sum(part.cell_length for part, _ in shown) > width

        empty = [each for each in shown if each[1].count == 0 and each[1].id != self._chosen]
        while too_wide() and empty:
            shown.remove(empty.pop())
        while too_wide() and shown[0][1].id != self._chosen and not self._seen(shown, width):
            shown = shown[1:]
        return shown

    def _seen(self, shown: list[tuple[Content, Tab]], width: int) -> bool:
        """Whether the chosen tab is whole within the width."""
        at = 0
        for part, tab in shown:
            at += part.cell_length
            if tab.id == self._chosen:
                return at <= width
        return True

    def _label(self, number: int, tab: Tab, style: str) -> Content:
        key = f"{sign_of(f'{self._keys}{number}')} " if self._keys and style != "bare" else ""
        name = tab.label if style == "wide" else tab.short or tab.label
        amount = f" {shown_count(tab.count)}" if tab.count is not None else ""
        if tab.id == self._chosen:
            return Content.styled(f" {key}{name}{amount} ", "bold reverse")
        if tab.count == 0:
            return Content.styled(f" {key}{name}{amount} ", "dim")
        return Content.assemble((f" {key}", "dim"), f"{name}{amount} ")
