"""What a row list shows and what it says: the source of its rows, and its messages."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Protocol

from textual.message import Message

from batchtui.tui.widgets.cells import Cell

if TYPE_CHECKING:
    from batchtui.tui.widgets.row_list import RowList


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


class NoRows:
    """A source without rows."""

    def __len__(self) -> int:
        return 0

    def key(self, index: int) -> Hashable:
        raise IndexError(index)

    def find(self, key: Hashable) -> int | None:
        return None

    def cells(self, index: int) -> Sequence[Cell]:
        raise IndexError(index)

    def style(self, index: int) -> str:
        return ""


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
