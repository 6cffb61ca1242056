"""A list of rows from a source, on Textual's line API: cursor, marks, sorting, only changed lines drawn again."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.binding import BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from batchtui.present.symbols import GLYPHS
from batchtui.tui.bindings import bind
from batchtui.tui.typed_ahead import rows_moved
from batchtui.tui.widgets.cells import Cell, CellStyles, difference, paint_cells, paint_header
from batchtui.tui.widgets.columns import Column, Placed, lay_out

T = TypeVar("T")


class RowSource(Protocol):
    """Where rows come from.  All calls must be quick: they are made while painting.

    ``cells`` gives one value a column, text already safe to show: a ``str``, a rich ``Text`` whose span styles are rich
    styles or one of the palette's names (``good bad warn muted accent title``), or ``None`` to let the cell on its left
    run on over this one.  ``style`` is a palette name for the whole row, or "".
    """

    def __len__(self) -> int: ...
    def key(self, index: int) -> Hashable: ...
    def find(self, key: Hashable) -> int | None: ...
    def cells(self, index: int) -> Sequence[Cell]: ...
    def style(self, index: int) -> str: ...


class ListedRows(Generic[T], ABC):
    """The rows of a list, plain and each with a key of its own; what a row's cells are is for the subclass to say."""

    def __init__(self, rows: Sequence[T]) -> None:
        self.rows = rows
        self._places = {self.key(index): index for index in range(len(rows))}

    def __len__(self) -> int:
        return len(self.rows)

    @abstractmethod
    def key(self, index: int) -> Hashable: ...

    def find(self, key: Hashable) -> int | None:
        """Where the row with a key is."""
        return self._places.get(key)

    @abstractmethod
    def cells(self, index: int) -> Sequence[Cell]: ...

    def style(self, index: int) -> str:
        """Plain."""
        return ""


class NoRows(ListedRows[None]):
    """A source without rows."""

    def __init__(self) -> None:
        super().__init__(())

    def key(self, index: int) -> Hashable:
        """There is none."""
        raise IndexError(index)

    def cells(self, index: int) -> Sequence[Cell]:
        """There are none."""
        raise IndexError(index)


class RowMessage(Message):
    """Something that happened in a row list."""

    def __init__(self, row_list: RowList) -> None:
        super().__init__()
        self.row_list = row_list

    @property
    def control(self) -> RowList:
        """The list it happened in, for ``@on`` selectors."""
        return self.row_list


class RowHighlighted(RowMessage):
    """The cursor came to another row (``key`` None: there is none)."""

    def __init__(self, row_list: RowList, index: int, key: Hashable | None) -> None:
        super().__init__(row_list)
        self.index = index
        self.key = key


class RowSelected(RowMessage):
    """A row was opened, by Enter or a double click."""

    def __init__(self, row_list: RowList, index: int, key: Hashable) -> None:
        super().__init__(row_list)
        self.index = index
        self.key = key


class MarksChanged(RowMessage):
    """The set of marked keys changed."""

    def __init__(self, row_list: RowList, marks: frozenset[Hashable]) -> None:
        super().__init__(row_list)
        self.marks = marks


class HeaderClicked(RowMessage):
    """A column's title was clicked."""

    def __init__(self, row_list: RowList, column: str) -> None:
        super().__init__(row_list)
        self.column = column


GAP = 2
"""Cells between two columns."""
GUTTER = 3
"""Cells left of the first column: cursor, mark, space."""


class RowList(ScrollView, can_focus=True, inherit_bindings=False):
    """The list.  Give it columns and a source; call ``reload`` or ``refresh_row`` when the source has changed."""

    ALLOW_SELECT = False
    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row-list--header",
        "row-list--cursor",
        "row-list--marked",
        *(f"row-list--{name}" for name in CellStyles.NAMES),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("down,j", "move(1)", "Down", "down", "down", show=False),
        bind("up,k", "move(-1)", "Up", "up", "up", show=False),
        bind("pagedown,ctrl+d", "page(1)", "Page down", "page_down", "one page down", show=False),
        bind("pageup,ctrl+u", "page(-1)", "Page up", "page_up", "one page up", show=False),
        bind("home,g", "first", "First", "first", "first row", show=False),
        bind("end,G", "last", "Last", "last", "last row", show=False),
        bind("enter", "select", "open", "open", "open the row", show=False),
        bind("space", "mark", "mark", "mark", "mark the row and move down", show=False),
        bind("asterisk", "mark_all", "mark all", "mark_all", "mark all rows, or none", show=False),
    ]

    def __init__(
        self,
        columns: Sequence[Column],
        source: RowSource | None = None,
        *,
        gap: int = GAP,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._columns = tuple(columns)
        self._source: RowSource = source if source is not None else NoRows()
        self._gap = gap
        self._placed: tuple[Placed, ...] = ()
        self._laid_for = -1
        self._cursor = 0
        self._cursor_key: Hashable | None = None
        self._marks: set[Hashable] = set()
        self._sort: tuple[str, bool] | None = None
        self._empty = ""
        self._painted: dict[int, Strip] = {}
        self._drawn: dict[int, Hashable | None] = {}
        self._rows: LRUCache[tuple[int, bool, bool], Strip] = LRUCache(512)
        self._palette: CellStyles | None = None

    # --- what a screen asks and tells -------------------------------------------------------------------------------

    @property
    def source(self) -> RowSource:
        """Where the rows come from."""
        return self._source

    @property
    def cursor(self) -> int:
        """Index of the row under the cursor; 0 when there are no rows."""
        return self._cursor

    @property
    def cursor_key(self) -> Hashable | None:
        """Key of the row under the cursor; None when there are no rows."""
        return self._cursor_key

    @property
    def marks(self) -> frozenset[Hashable]:
        """Keys of the marked rows, shown or not."""
        return frozenset(self._marks)

    def set_source(self, source: RowSource, *, keep_cursor: bool = True) -> None:
        """Show another source; the cursor stays on its key where the new source has it."""
        self._source = source
        if not keep_cursor:
            self._cursor, self._cursor_key = 0, None
        self.reload()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns of the same source."""
        if tuple(columns) != self._columns:
            self._columns = tuple(columns)
            self._laid_for = -1
            self._drop_cache()
            self.refresh()

    def set_empty(self, text: str) -> None:
        """Say in place of rows, while there are none, what is empty and what to do: text that is safe to show."""
        if text != self._empty:
            self._empty = text
            if not len(self._source):
                self._repaint_changed()

    def set_sort(self, key: str | None, reverse: bool = False) -> None:
        """Show in the header by what the source is sorted."""
        sort = (key, reverse) if key is not None else None
        if sort != self._sort:
            self._sort = sort
            self._repaint_line(0)

    def set_marks(self, keys: Iterable[Hashable]) -> None:
        """Replace the marks."""
        marks = set(keys)
        if marks != self._marks:
            self._marks = marks
            self._repaint_changed()
            self.post_message(MarksChanged(self, self.marks))

    def move_to_key(self, key: Hashable) -> bool:
        """Put the cursor on a key; False when the source does not have it."""
        index = self._source.find(key)
        if index is None:
            return False
        self.move_to(index)
        return True

    def move_to(self, index: int) -> None:
        """Put the cursor on a row, scrolling as little as needed."""
        count = len(self._source)
        index = max(0, min(index, count - 1))
        key = self._source.key(index) if count else None
        before, self._cursor = self._cursor, index
        changed = key != self._cursor_key
        self._cursor_key = key
        self._scroll_to_cursor()
        self._repaint_row(before)
        self._repaint_row(index)
        if changed:
            self.post_message(RowHighlighted(self, index, key))

    def reload(self) -> None:
        """The source's rows came, went, moved or changed: draw the lines that look different now."""
        on_screen = self._cursor - round(self.scroll_y)
        known = self._cursor_key
        count = len(self._source)
        found = self._source.find(known) if known is not None else None
        self._cursor = found if found is not None else max(0, min(self._cursor, count - 1))
        self._cursor_key = self._source.key(self._cursor) if count else None
        self._rows.clear()
        size = Size(0, count + 1)
        if self.virtual_size != size:
            self.virtual_size = size
        if found is not None and 0 <= on_screen < self._body_height:
            self.scroll_to(y=max(0, self._cursor - on_screen), animate=False, force=True)
        self._scroll_to_cursor()
        self._repaint_changed()
        self._tell_moved(known)
        if self._cursor_key != known:
            self.post_message(RowHighlighted(self, self._cursor, self._cursor_key))

    def _tell_moved(self, known: Hashable | None) -> None:
        """Hold back keys and clicks that were meant for the rows that were drawn before."""
        if not (self.is_attached and self.size):
            return
        now = {y: self._key_at(y) for y in range(1, self.size.height)}
        cursor = self._cursor_key != known
        if cursor or any(self._drawn.get(y) != key for y, key in now.items()):
            rows_moved(self, cursor=cursor)
        self._drawn = now

    def _key_at(self, y: int) -> Hashable | None:
        index = y - 1 + round(self.scroll_y)
        return self._source.key(index) if y >= 1 and index < len(self._source) else None

    def refresh_row(self, key: Hashable) -> None:
        """One row changed: draw its line if it is seen and looks different now."""
        index = self._source.find(key)
        if index is None:
            return
        for flags in ((False, False), (False, True), (True, False), (True, True)):
            self._rows.discard((index, *flags))
        self._repaint_row(index)

    # --- painting ---------------------------------------------------------------------------------------------------

    @property
    def _body_height(self) -> int:
        return max(1, self.size.height - 1)

    def render_line(self, y: int) -> Strip:
        """The header on line 0, rows below it."""
        strip = self._line(y)
        self._painted[y] = strip
        self._drawn[y] = self._key_at(y)
        return strip

    def _line(self, y: int) -> Strip:
        width = self.size.width
        if width != self._laid_for:
            self._placed = lay_out(self._columns, max(0, width - GUTTER - 1), self._gap)
            self._laid_for = width
            self._rows.clear()
        palette = self._colors
        if y == 0:
            return paint_header(self._placed, width, GUTTER, palette, self._sort)
        index = y - 1 + round(self.scroll_y)
        if index >= len(self._source):
            return Strip.blank(width, palette.base) if len(self._source) else self._empty_line(y - 1, width)
        marked = bool(self._marks) and self._source.key(index) in self._marks
        at = (index, index == self._cursor, marked)
        strip = self._rows.get(at)
        if strip is None:
            strip = self._rows[at] = self._row(index, at[1], marked, width)
        return strip

    def _empty_line(self, number: int, width: int) -> Strip:
        room = max(10, width - GUTTER - 1)
        lines = [line for part in self._empty.split("\n") for line in textwrap.wrap(part, room)]
        text = " " * GUTTER + lines[number] if number < len(lines) else ""
        palette = self._colors
        return Strip([Segment(text, palette.base + palette.names["muted"])]).adjust_cell_length(width, palette.base)

    def _row(self, index: int, cursor: bool, marked: bool, width: int) -> Strip:
        palette = self._colors.under_cursor if cursor else self._colors
        base = palette.row(self._source.style(index), cursor=cursor, marked=marked)
        gutter = Text(f"{GLYPHS.cursor if cursor else ' '}{GLYPHS.mark if marked else ' '} ", style="accent")
        cells = self._source.cells(index)
        return paint_cells(cells, self._placed, width=width, gutter=gutter, palette=palette, base=base)

    @property
    def _colors(self) -> CellStyles:
        if self._palette is None:
            self._palette = CellStyles.of(self, focused=self.has_focus)
        return self._palette

    def _repaint_line(self, y: int) -> None:
        self.refresh(Region(0, y, self.size.width, 1))

    def _repaint_row(self, index: int) -> None:
        y = index + 1 - round(self.scroll_y)
        if 1 <= y < self.size.height:
            self._repaint_difference(y)

    def _repaint_changed(self) -> None:
        if not self.is_attached or not self.size:
            return
        for y in range(self.size.height):
            self._repaint_difference(y)

    def _repaint_difference(self, y: int) -> None:
        """Repaint the cells of a screen line that look different now, if any do."""
        before, after = self._painted.get(y), self._line(y)
        if before is None:
            self._repaint_line(y)
        elif before != after:
            start, end = difference(before, after)
            self.refresh(Region(start, y, end - start, 1))

    def _scroll_to_cursor(self) -> None:
        top, height = round(self.scroll_y), self._body_height
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, force=True)

    def _drop_cache(self) -> None:
        self._palette = None
        self._rows.clear()

    def notify_style_update(self) -> None:
        """Theme or state changed: the colors are looked up again."""
        super().notify_style_update()
        self._drop_cache()

    def on_mount(self) -> None:
        self.reload()

    def on_resize(self, event: events.Resize) -> None:
        self._scroll_to_cursor()

    def on_focus(self) -> None:
        self._drop_cache()
        self._repaint_row(self._cursor)

    def on_blur(self) -> None:
        self._drop_cache()
        self._repaint_row(self._cursor)

    # --- actions ----------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Cursor up or down."""
        self.move_to(self._cursor + by)

    def action_page(self, by: int) -> None:
        """Cursor and view up or down by a page."""
        step = by * (self._body_height - 1 or 1)
        self.scroll_to(y=max(0, min(self.scroll_y + step, self.max_scroll_y)), animate=False, force=True)
        self.move_to(self._cursor + step)

    def action_first(self) -> None:
        """Cursor to the first row."""
        self.move_to(0)

    def action_last(self) -> None:
        """Cursor to the last row."""
        self.move_to(len(self._source) - 1)

    def action_select(self) -> None:
        """Open the row under the cursor."""
        if self._cursor_key is not None:
            self.post_message(RowSelected(self, self._cursor, self._cursor_key))

    def action_mark(self) -> None:
        """Mark or unmark the row under the cursor and go one down."""
        if self._cursor_key is not None:
            self.set_marks(self._marks ^ {self._cursor_key})
            self.move_to(self._cursor + 1)

    def action_mark_all(self) -> None:
        """Mark all rows of the source, or none when all are marked."""
        every = {self._source.key(i) for i in range(len(self._source))}
        self.set_marks(self._marks - every if every <= self._marks else self._marks | every)

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            for placed in self._placed:
                if 0 <= event.x - GUTTER - placed.x < max(placed.width, cell_len(placed.column.title)):
                    self.post_message(HeaderClicked(self, placed.column.key))
            return
        index = event.y - 1 + round(self.scroll_y)
        if index >= len(self._source):
            return
        self.move_to(index)
        if event.x < GUTTER - 1:
            self.set_marks(self._marks ^ {self._source.key(index)})
        elif event.chain == 2:
            self.action_select()
