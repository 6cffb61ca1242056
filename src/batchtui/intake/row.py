"""What a row of a table gives besides its columns: its own id, and itself as JSON."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from batchtui.safetext import line as safe

ID_MADE = "a row's id can't be a custom_id, or appears twice: a similar one is made, and the row's own id is kept"
"""What is said of a row under whose own id no request can be sent."""
_ID_COLUMNS = ("custom_id", "id", "ID", "Id", "uuid")
"""Columns that give a request its id when the template names none."""
_NO_LETTERS = re.compile(r"\W+")


def template_name(column: str) -> str:
    """What a template calls a column: by its own name, with underscores for spaces and the like."""
    return column if column.isidentifier() else _NO_LETTERS.sub("_", column).strip("_")


def column_id(row: dict[str, Any]) -> str:
    """A row's own id, from the first of the columns that may hold it; "" when none does."""
    for name in _ID_COLUMNS:
        value = row.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value)
    return ""


def as_json(row: dict[str, Any] | None) -> bytes:
    """The row as a line of JSON, for what is left out."""
    try:
        return msgspec.json.encode(row)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
        return safe(repr(row), 10_000).encode()


class RunRow(dict[str, Any]):
    """A row of a run: as a dict, what bare names mean; its parts by scope beside it."""

    __slots__ = ("answer", "own", "row_id", "run", "scoped")

    def __init__(
        self,
        own: dict[str, Any],
        row_id: str,
        *,
        scoped: bool = False,
        answer: dict[str, Any] | None = None,
        run: dict[str, Any] | None = None,
    ) -> None:
        self.own = own
        """Its columns."""
        self.row_id = row_id
        """Its own id, "" when it has none."""
        self.scoped = scoped
        """False for the row alone, which a template sees as one of a table."""
        self.answer = answer or {}
        """The fields of the answer, nested as they are there."""
        self.run = run or {}
        # Columns come first among the names, then fields; columns win over fields, and fields over what we say.
        super().__init__({**own, **self.answer, **self.run, **self.answer, **own} if scoped else own)

    @property
    def wire(self) -> dict[str, Any]:
        """The row as the process that renders gets it."""
        return {"row": self.own, "answer": self.answer, "run": self.run} if self.scoped else self.own
