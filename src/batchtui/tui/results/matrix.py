"""A widget for a table of one label by another, with a cursor on its cells."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from batchtui.present.matrix import Matrix, Spot
from batchtui.present.symbols import GLYPHS
from batchtui.tui.bindings import bind


class MatrixView(ScrollView, can_focus=True):
    """Draws a matrix; the cell under the cursor is chosen with Enter or a click."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = """
    MatrixView {
        height: 1fr; background: $background; color: $foreground; scrollbar-size-vertical: 1; overflow-x: hidden;
        & > .matrix--cursor { background: $primary; color: $text; text-style: bold; }
        & > .matrix--same { color: $text-success; }
        & > .matrix--differs { color: $text-warning; }
        & > .matrix--head { color: $foreground 70%; }
        &:ansi > .matrix--cursor { background: ansi_default; color: ansi_default; text-style: bold reverse; }
        &:ansi > .matrix--head { color: ansi_default; text-style: dim; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"matrix--cursor", "matrix--same", "matrix--differs", "matrix--head"}
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("left,h", "move(0, -1)", "left", "matrix.left", "one cell to the left", show=False),
        bind("right,l", "move(0, 1)", "right", "matrix.right", "one cell to the right", show=False),
        bind("up,k", "move(-1, 0)", "up", "matrix.up", "one cell up", show=False),
        bind("down,j", "move(1, 0)", "down", "matrix.down", "one cell down", show=False),
        bind("enter", "choose", "show rows", "matrix.open", "show the rows of the cell"),
    ]

    class Moved(Message):
        """The cursor is on another cell."""

    class Chosen(Message):
        """A cell was chosen."""

        def __init__(self, spot: Spot) -> None:
            super().__init__()
            self.spot = spot

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._matrix = Matrix([], [])
        self._at = (0, 0)

    @property
    def spot(self) -> Spot | None:
        """The cell under the cursor."""
        spots = self._matrix.spots
        return spots[self._at[0]][self._at[1]] if spots and spots[self._at[0]] else None

    def show(self, drawn: Matrix, at: tuple[str, str | None] | None = None) -> None:
        """Show a matrix; the cursor is on the cell ``at``, stays on its own, or begins on the largest off the diagonal."""
        before = at if at is not None else (self.spot.row, self.spot.column) if self.spot is not None else None
        self._matrix = drawn
        places = {
            (spot.row, spot.column): (row, column)
            for row, spots in enumerate(drawn.spots)
            for column, spot in enumerate(spots)
        }
        kept = places.get(before) if before is not None else None
        every = [spot for spots in drawn.spots for spot in spots]
        largest = max(every, key=lambda spot: (not spot.same and spot.column is not None, spot.rows), default=None)
        self._at = kept or (places[largest.row, largest.column] if largest is not None else (0, 0))
        self.virtual_size = Size(0, len(drawn.lines))
        self._seen()

    def _seen(self) -> None:
        if (spot := self.spot) is not None:
            top, height = round(self.scroll_y), max(1, self.scrollable_content_region.height)
            if not top <= spot.line < top + height:
                self.scroll_to(y=max(0, spot.line - height + 2), animate=False)
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, down: int, right: int) -> None:
        """The cursor to a cell beside."""
        spots = self._matrix.spots
        if spots:
            row = min(max(0, self._at[0] + down), len(spots) - 1)
            at = row, min(max(0, self._at[1] + right), len(spots[row]) - 1)
            if at != self._at:
                self._at = at
                self._seen()

    def action_choose(self) -> None:
        """Choose the cell under the cursor."""
        if self.spot is not None:
            self.post_message(self.Chosen(self.spot))

    def on_click(self, event: events.Click) -> None:
        """The cell that was clicked; once more chooses it."""
        line, column = event.y + round(self.scroll_y), event.x
        for row, spots in enumerate(self._matrix.spots):
            for place, spot in enumerate(spots):
                if spot.line == line and spot.start <= column < spot.end:
                    again = self._at == (row, place)
                    self._at = row, place
                    self._seen()
                    if again:
                        self.action_choose()
                    return

    def render_line(self, y: int) -> Strip:
        """A line with its cells in their colors."""
        width, base, index = self.scrollable_content_region.width, self.rich_style, y + round(self.scroll_y)
        if index >= len(self._matrix.lines):
            return Strip.blank(width, base)
        text = Strip([Segment(self._matrix.lines[index], base)])
        line = index - self._matrix.spots[0][0].line if self._matrix.spots and self._matrix.spots[0] else -1
        if not 0 <= line < len(self._matrix.spots):
            head = base + self.get_component_rich_style("matrix--head", partial=True)
            return Strip([Segment(self._matrix.lines[index], head)]).adjust_cell_length(width, base)
        parts, at = [], 0
        for spot in self._matrix.spots[line]:
            parts += [text.crop(at, spot.start), self._styled(text.crop(spot.start, spot.end), spot, base)]
            at = spot.end
        parts.append(text.crop(at))
        return Strip.join(parts).adjust_cell_length(width, base)

    def _styled(self, cell: Strip, spot: Spot, base: Style) -> Strip:
        if spot is self.spot:
            style = base + self.get_component_rich_style("matrix--cursor", partial=True)
            text = "".join(segment.text for segment in cell)
            # The sign says where the cursor is without any color.
            return Strip([Segment(GLYPHS.cursor + text[1:], style)])
        if not spot.rows:
            return cell
        name = "matrix--same" if spot.same else "matrix--differs"
        return cell.apply_style(base + self.get_component_rich_style(name, partial=True))
