"""What stands on the terminal: its text, its colors, what was written to it and what it then shows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import pyte
import pytest
from rich.style import Style
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.color import Color
from textual.strip import Strip

Cell = tuple[str, object, object, bool]
"""Sign, colors and weight."""


def strips(app: App[Any]) -> list[Strip]:
    """What stands on the terminal now, line by line."""
    update: Any = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    return [Strip.join(line) for line in update.strips]


def text_of(drawn: App[Any] | list[Strip]) -> str:
    """The terminal's text."""
    lines = drawn if isinstance(drawn, list) else strips(drawn)
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)


def pieces(drawn: list[Strip]) -> Iterator[tuple[str, Style]]:
    """Each piece of text that is seen, with its style."""
    for strip in drawn:
        for segment in strip:
            if segment.text.strip() and segment.style is not None:
                yield segment.text, segment.style


@cache
def contrast(style: Style) -> float:
    """As WCAG counts it; the terminal's own two colors are as far apart as the person has them."""
    if all(each is None or each.is_default for each in (style.color, style.bgcolor)):
        return 21.0
    front, back = (Color.from_rich_color(each) for each in (style.color, style.bgcolor))
    if style.reverse:
        front, back = back, front

    def light(color: Color) -> float:
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    first, second = sorted((light(front), light(back)), reverse=True)
    return (first + 0.05) / (second + 0.05)


class Written:
    """Collects what an app would hand to a terminal; a headless one throws it away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.text = ""
        self.away = False
        """Nothing is written, as while another program has the terminal."""

        def shown(app: App[Any], screen: Any, renderable: Any) -> None:
            if isinstance(renderable, CompositorUpdate) and not self.away:
                self.text += renderable.render_segments(app.console)

        monkeypatch.setattr(App, "_display", shown)

    def take(self) -> str:
        """What was written since the last time."""
        text, self.text = self.text, ""
        return text


class Emulated(Written):
    """A terminal that shows what was written to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int, lines: int) -> None:
        super().__init__(monkeypatch)
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self.screen)

    def cells(self) -> list[list[Cell]]:
        """What it shows, by line."""
        self._stream.feed(self.take())
        return [cells_of(self.screen, y) for y in range(self.screen.lines)]


def cells_of(screen: pyte.Screen, y: int) -> list[Cell]:
    """A line of a terminal."""
    line = screen.buffer[y]
    return [(cell.data, cell.fg, cell.bg, cell.bold) for cell in (line[x] for x in range(screen.columns))]


@lru_cache(maxsize=4_000)
def _line(written: str, columns: int) -> list[Cell]:
    screen = pyte.Screen(columns, 1)
    pyte.Stream(screen).feed(written)
    return cells_of(screen, 0)


def as_drawn_whole(app: App[Any]) -> list[list[Cell]]:
    """What a terminal shows that is given every cell of the screen anew."""
    return [_line(strip.render(app.console), app.size.width) for strip in app.screen._compositor.render_strips()]
