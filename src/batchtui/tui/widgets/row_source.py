"""What a row list shows and what it says: the source of its rows, and its messages."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
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


@dataclass
class RowMessage(Message):
    """Something that happened in a row list."""

    row_list: RowList

    @property
    def control(self) -> RowList:
        """The list it happened in, for ``@on`` selectors."""
        return self.row_list


@dataclass
class RowHighlighted(RowMessage):
    """The cursor came to another row (``key`` None: there is none)."""

    index: int
    key: Hashable | None


@dataclass
class RowSelected(RowMessage):
    """A row was opened, by Enter or a double click."""

    index: int
    key: Hashable


@dataclass
class MarksChanged(RowMessage):
    """The set of marked keys changed."""

    marks: frozenset[Hashable]


@dataclass
class HeaderClicked(RowMessage):
    """A column's title was clicked."""

    column: str
