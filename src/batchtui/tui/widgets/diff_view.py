"""Two texts side by side, line by line, drawn as they are seen; what differs is marked by sign and colour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from batchtui import safetext
from batchtui.store.compare import DiffLine

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
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down", show=False, id="diff.down", tooltip="scroll down"),
        Binding("k", "scroll_up", "up", show=False, id="diff.up", tooltip="scroll up"),
        Binding("g", "scroll_home", "top", show=False, id="diff.top", tooltip="to the top"),
        Binding("G", "scroll_end", "end", show=False, id="diff.end", tooltip="to the end"),
        Binding("space", "page_down", "page down", show=False, id="diff.page", tooltip="one page down"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[DiffLine] = ()
        self._laid: list[tuple[str, str, bool, bool]] = []
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
            left = _wrapped(line.left, half - 2)
            right = _wrapped(line.right, half - 2)
            for number in range(max(len(left), len(right))):
                one = left[number] if number < len(left) else None
                other = right[number] if number < len(right) else None
                removed, added = line.changed and number < len(left), line.changed and number < len(right)
                self._laid.append((one or "", other or "", removed, added))
        self.virtual_size = Size(0, len(self._laid))

    def render_line(self, y: int) -> Strip:
        """One line: left, a rule, right."""
        width = self.scrollable_content_region.width
        index = y + round(self.scroll_y)
        base = self.rich_style
        if index >= len(self._laid):
            return Strip.blank(width, base)
        left, right, removed, added = self._laid[index]
        half = self._laid_for
        parts = [
            *self._side("- " if removed else "  ", left, half, base, "diff--removed" if removed else ""),
            Segment(" │ ", base + self.get_component_rich_style("diff--rule", partial=True)),
            *self._side("+ " if added else "  ", right, half, base, "diff--added" if added else ""),
        ]
        return Strip(parts).adjust_cell_length(width, base)

    def _side(self, sign: str, text: str, half: int, base: Style, name: str) -> list[Segment]:
        style = base + self.get_component_rich_style(name, partial=True) if name else base
        pad = " " * max(0, half - 2 - cell_len(text))
        return [Segment(sign + text + pad, style)]


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
