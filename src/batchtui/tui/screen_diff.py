"""Sends fewer bytes to the terminal: of what is drawn again, only the cells that look different.

Textual 8.2 sends every cell of a screen that comes to the front, and every cell of a widget that is refreshed.  Where signs
are not one cell wide each (wide ones, emoji, combining marks) whole lines and pieces are compared, and never cut.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

from batchtui.tui.widgets.cells import difference, one_cell_each


class TerminalContents:
    """What the terminal shows, line by line, as far as it is known."""

    def __init__(self) -> None:
        self._lines: dict[int, Strip] = {}
        self._size = Size()

    def forget(self) -> None:
        """The terminal may show anything now."""
        self._lines.clear()

    @contextlib.contextmanager
    def drawing(self, size: Size) -> Iterator[None]:
        """Around what draws on a screen of this size: nothing is known of another's lines, nor after an error."""
        if size != self._size:
            self._size = size
            self.forget()
        try:
            yield
        except BaseException:
            self.forget()
            raise

    def line(self, y: int, strip: Strip, console: Console) -> str:
        """The sequences that make a whole line look like this."""
        before, self._lines[y] = self._lines.get(y), strip
        if before is None or before.cell_length != strip.cell_length:
            return _at(0, y, strip, console)
        return _changed(before, 0, y, strip, console)

    def piece(self, x: int, y: int, strip: Strip, console: Console) -> str:
        """The sequences that make a part of a line, from cell ``x`` on, look like this."""
        before = self._lines.get(y)
        end = x + strip.cell_length
        if before is None or before.cell_length < end or not (one_cell_each(before) and one_cell_each(strip)):
            self._lines.pop(y, None)
            return _at(x, y, strip, console)
        self._lines[y] = Strip.join([before.crop(0, x), strip, before.crop(end)]).simplify()
        return _changed(before.crop(x, end), x, y, strip, console)


def _at(x: int, y: int, strip: Strip, console: Console) -> str:
    return f"{Control.move_to(x, y).segment.text}{strip.render(console)}"


def _changed(before: Strip, x: int, y: int, after: Strip, console: Console) -> str:
    start, end = difference(before, after)
    if start >= end:
        return ""
    # A cut at the ends would take a mark from its letter.
    part = after if (start, end) == (0, after.cell_length) else after.crop(start, end)
    return _at(x + start, y, part, console)


class WholeUpdate(LayoutUpdate):
    """A whole screen, of which only what looks different is sent."""

    def __init__(self, update: LayoutUpdate, shown: TerminalContents) -> None:
        super().__init__(update.strips, update.region)
        self._shown = shown

    def render_segments(self, console: Console) -> str:
        """The sequences that make the terminal look like the screen."""
        lines = enumerate(self.strips, self.region.y)
        with self._shown.drawing(self.region.size):
            return "".join(self._shown.line(y, Strip.join(line).simplify(), console) for y, line in lines)


class CroppedUpdate(ChopsUpdate):
    """A partial update of which only what looks different is sent."""

    def __init__(self, update: ChopsUpdate, shown: TerminalContents) -> None:
        super().__init__(update.chops, update.spans, update.chop_ends)
        self._shown = shown

    def render_segments(self, console: Console) -> str:
        """The sequences that draw the spans and nothing beside them."""
        size = Size(self.chop_ends[0][-1] if self.chop_ends else 0, len(self.chops))
        with self._shown.drawing(size):
            return "".join(self._shown.piece(x, y, strip, console) for x, y, strip in self._pieces())

    def _pieces(self) -> Iterator[tuple[int, int, Strip]]:
        for y, left, right in self.spans:
            for end, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or start >= right or end <= left:
                    continue
                if one_cell_each(strip):
                    first, last = max(start, left), min(end, right)
                    yield first, y, strip.crop(first - start, last - start)
                else:
                    yield start, y, strip


def only_changes(update: Any, shown: TerminalContents) -> Any:
    """The same update, as one that sends only what looks different; any other thing as it is."""
    if isinstance(update, LayoutUpdate):
        return WholeUpdate(update, shown)
    return CroppedUpdate(update, shown) if isinstance(update, ChopsUpdate) else update
