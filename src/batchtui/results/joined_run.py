"""Another run's columns and fields joined to a run's own, by the row of their source, under that run's title."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from batchtui.domain.outcome import ended
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.field_columns import ABSENT, quoted
from batchtui.results.fields import view_fields
from batchtui.results.row_columns import RowColumns
from batchtui.results.row_match import match
from batchtui.results.table import Kind, kind_of
from batchtui.results.text import read_answer
from batchtui.results.view import View

SAID: dict[str, Kind] = {"outcome": "text", "answer": "text", "model": "text"}
"""What we say of each of its requests."""


class JoinedRun:
    """The columns of ``other`` for the rows of ``view``; to be closed.  Raises StoreError and Stopped; slow.

    Its name stands before each of its columns; a column of the rows that ``view`` has too is not repeated.
    """

    def __init__(self, view: View, other: View, name: str, own: Collection[str], work: Work = UNWATCHED) -> None:
        self._other = other
        self._at: Sequence[int] = match(view, other)
        self._rows = RowColumns(other)
        fields = view_fields(other, work)
        self.columns: list[tuple[str, Kind, Callable[[int], object]]] = []
        """Name, kind, and the value by the view's row; None where there is none."""
        for column in self._rows.names:
            if column not in own:
                self.columns.append(
                    (f"{name}.{quoted(column)}", "value", self._by(self._rows.column(column).__getitem__))
                )
        taken = set(own) | set(self._rows.names)
        for field in fields.names:
            called = field.path if field.path not in taken and field.path not in SAID else f"answer.{field.path}"
            value_of = self._by(fields.column(field.path).__getitem__)
            self.columns.append((f"{name}.{called}", kind_of(fields, field.path), value_of))
        says = {"outcome": self._outcome, "answer": self._answer, "model": self._model}
        for key, kind in SAID.items():
            called = key if key not in taken else f"run.{key}"
            self.columns.append((f"{name}.{called}", kind, self._by(says[key])))

    def _by(self, value_of: Callable[[int], object]) -> Callable[[int], object]:
        at = self._at

        def value(row: int) -> object:
            there = at[row]
            found = value_of(there) if there >= 0 else None
            return None if found is ABSENT else found

        return value

    def _outcome(self, row: int) -> object:
        return ended(self._other.column("outcome")[row], self._other.column("cut")[row])

    def _answer(self, row: int) -> object:
        line = self._other.raw(row)
        return read_answer(line).text if line else None

    def _model(self, row: int) -> object:
        return self._other.row(row).model

    def close(self) -> None:
        """Give the files back."""
        self._rows.close()
        self._other.close()
