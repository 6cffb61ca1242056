"""The first rows of a table, with its own columns."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rich.text import Text

from batchtui import safetext
from batchtui.intake.preview import Peek
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.row_list import RowList

MOST_COLUMNS = 30


class PeekRows:
    """Rows of a Peek for a row list."""

    def __init__(self, peek: Peek) -> None:
        self._peek = peek
        self._columns = peek.columns[:MOST_COLUMNS]

    def __len__(self) -> int:
        return len(self._peek.rows)

    def key(self, index: int) -> Hashable:
        """The row's number."""
        return index

    def find(self, key: Hashable) -> int | None:
        """The same."""
        return key if isinstance(key, int) and key < len(self._peek.rows) else None

    def cells(self, index: int) -> Sequence[Cell]:
        """The row's number, then its values."""
        row = self._peek.rows[index]
        return Text(str(index + 1), style="muted"), *(_shown(row.get(column)) for column in self._columns)

    def style(self, index: int) -> str:
        """Plain."""
        return ""


def _shown(value: object) -> Cell:
    return Text("-", style="muted") if value is None else safetext.line(str(value), 200)


class TablePeek(RowList):
    """The rows of a source that is a table."""

    DEFAULT_CSS = ""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__((Column("n", "", 4, align="right"),), id=id)

    @property
    def count(self) -> int:
        """Rows that are shown."""
        return len(self.source)

    def show(self, peek: Peek) -> None:
        """Show another table's rows."""
        widths = [
            (name, max([len(name), *(min(24, len(str(row.get(name, "")))) for row in peek.rows[:20])]))
            for name in peek.columns[:MOST_COLUMNS]
        ]
        columns = [
            Column(f"c{n}", safetext.line(name, 60), min(24, max(4, width)), flex=1 if width >= 20 else 0, priority=n)
            for n, (name, width) in enumerate(widths)
        ]
        self.set_columns((Column("n", "", 4, align="right"), *columns))
        self.set_source(PeekRows(peek), keep_cursor=False)
