"""Two texts side by side, line by line, with the words that differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from batchtui import safetext
from batchtui.results.compare import DiffLine
from batchtui.results.word_diff import word_pieces
from batchtui.tui.bindings import scrolling

MOST = 50_000
"""Lines that are laid out."""


class DiffView(ScrollView, can_focus=True):
    """Left what was before, right what is now; long lines are wrapped."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = """
    DiffView {
        border-top: solid $foreground 25%; border-title-style: bold; border-title-color: $foreground;
        overflow-x: hidden; overflow-y: auto; padding: 0 1;
        scrollbar-size-vertical: 1; background: $background; color: $foreground;
        &:focus { border-top: heavy $primary; }
        & > .diff--removed { color: $text-error; }
        & > .diff--added { color: $text-success; }
        & > .diff--rule { color: $foreground 30%; }
        &:ansi > .diff--rule { color: ansi_bright_black; }
        &:ansi { border-top: solid ansi_bright_black; &:focus { border-top: heavy ansi_blue; } }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"diff--removed", "diff--added", "diff--rule"}
    BINDINGS: ClassVar[list[BindingType]] = scrolling("diff")

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[DiffLine] = ()
        self._laid: list[tuple[Side, Side]] = []
        self._laid_for = 0

    def show(self, title: str, lines: Sequence[DiffLine]) -> None:
        """Show these lines from the top."""
        changed = sum(line.changed for line in lines)
        self.border_title = Content(
            safetext.line(f"{title}  {changed:,} of {len(lines):,} lines differ" if lines else title, 200)
        )
        self._lines = lines
        self._laid_for = 0
        self._lay_out()
        self.scroll_home(animate=False)
        self.refresh()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._lay_out()

    @property
    def _half(self) -> int:
        return max(8, (self.scrollable_content_region.width - 3) // 2)

    def _lay_out(self) -> None:
        half = self._half
        if half == self._laid_for:
            return
        self._laid_for = half
        self._laid = []
        for line in self._lines[:MOST]:
            sides = _sides(line, half - 2)
            rows = max(len(side) for side in sides)
            left, right = ([*side, *[_NOTHING] * (rows - len(side))] for side in sides)
            self._laid += zip(left, right, strict=True)
        self.virtual_size = Size(0, len(self._laid))

    def render_line(self, y: int) -> Strip:
        """One line: left, a rule, right."""
        width = self.scrollable_content_region.width
        index = y + round(self.scroll_y)
        base = self.rich_style
        if index >= len(self._laid):
            return Strip.blank(width, base)
        left, right = self._laid[index]
        half = self._laid_for
        parts = [
            *self._side("- ", left, half, base, "diff--removed"),
            Segment(" │ ", base + self.get_component_rich_style("diff--rule", partial=True)),
            *self._side("+ ", right, half, base, "diff--added"),
        ]
        return Strip(parts).adjust_cell_length(width, base)

    def _side(self, sign: str, side: Side, half: int, base: Style, name: str) -> list[Segment]:
        style = base + self.get_component_rich_style(name, partial=True) if side.changed else base
        word = style + Style(bold=True, underline=True)
        found, at = [Segment(sign if side.changed else "  ", style)], 0
        for start, end in side.words:
            found += [Segment(side.text[at:start], style), Segment(side.text[start:end], word)]
            at = end
        pad = " " * max(0, half - 2 - cell_len(side.text))
        return [*found, Segment(side.text[at:] + pad, style)]


class Side(NamedTuple):
    """A line of one side as it is laid out."""

    text: str
    changed: bool = False
    words: tuple[tuple[int, int], ...] = ()
    """Where the words stand that the other side has not."""


_NOTHING = Side("")
_MOST_WORDS = 20_000
"""Characters of both sides of a line whose words are compared."""


def _sides(line: DiffLine, width: int) -> tuple[list[Side], list[Side]]:
    """Both sides of a line, wrapped, with the words that differ."""
    if not line.changed or line.left is None or line.right is None:
        return _laid(line.left, width, line.changed, ()), _laid(line.right, width, line.changed, ())
    texts = safetext.line(line.left), safetext.line(line.right)
    if sum(map(len, texts)) > _MOST_WORDS:
        return _laid(texts[0], width, True, ()), _laid(texts[1], width, True, ())
    left, right = word_pieces(*texts)
    return _laid(texts[0], width, True, _spans(left)), _laid(texts[1], width, True, _spans(right))


def _spans(pieces: Sequence[tuple[str, bool]]) -> list[tuple[int, int]]:
    found, at = [], 0
    for text, differs in pieces:
        if differs:
            found.append((at, at + len(text)))
        at += len(text)
    return found


def _laid(text: str | None, width: int, changed: bool, spans: Sequence[tuple[int, int]]) -> list[Side]:
    clean = safetext.line(text) if text is not None else ""
    found, at = [], 0
    for piece in _wrapped(text, width):
        at = max(at, clean.find(piece, at))
        end = at + len(piece)
        words = tuple((max(a, at) - at, min(b, end) - at) for a, b in spans if a < end and b > at)
        found.append(Side(piece, changed, words))
        at = end
    return found


def _wrapped(text: str | None, width: int) -> list[str]:
    """A line in pieces of at most ``width`` cells, broken between words where there are some."""
    if text is None:
        return []
    clean = safetext.line(text)
    pieces, here = [], ""
    for word in re.findall(r"\S+\s*|\s+", clean):
        if here and cell_len(here + word.rstrip()) > width:
            pieces.append(here.rstrip())
            here = ""
        *full, here = chop_cells(here + word, width) if cell_len(here + word.rstrip()) > width else [here + word]
        pieces += full
    return [*pieces, here.rstrip()] if here or not pieces else pieces
