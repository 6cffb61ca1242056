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


def as_json(row: dict[str, Any] | msgspec.Raw | None) -> bytes:
    """The row as a line of JSON, for what is left out."""
    try:
        return msgspec.json.encode(row.whole() if isinstance(row, RunRow) else row)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
        return safe(repr(row), 10_000).encode()


class RunRow(dict[str, Any]):
    """A row of a run: as a dict, what bare names mean; its parts by scope beside it.

    One that came as JSON is empty as a dict until ``whole`` is called: most rows pass on without being looked at.
    """

    __slots__ = ("_merged", "_own", "_written", "answer", "full", "row_id", "run", "scoped")

    def __init__(
        self,
        own: dict[str, Any] | None,
        row_id: str,
        scoped: bool = False,
        answer: dict[str, Any] | None = None,
        run: dict[str, Any] | None = None,
        written: msgspec.Raw | None = None,
        full: bool = False,
    ) -> None:
        """``written`` are its columns as JSON, when they came so; ``own`` None: they alone are given."""
        self._own = own
        self._written = written
        self.row_id = row_id
        """Its own id, "" when it has none."""
        self.scoped = scoped
        """False for the row alone, which a template sees as one of a table."""
        self.answer = answer or {}
        """The fields of the answer, nested as they are there."""
        self.run = run or {}
        self.full = full
        """True when no name of it can be empty."""
        self._merged = False
        if own is not None:
            self.whole()

    @property
    def own(self) -> dict[str, Any]:
        """Its columns, none where their JSON can't be read."""
        if self._own is None:
            try:
                self._own = msgspec.json.decode(self._written or b"{}", type=dict[str, Any])
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                self._own = {}
        return self._own

    def whole(self) -> RunRow:
        """Itself with all its names."""
        if self._merged:
            return self
        self._merged = True
        own = self.own
        self.update(own)
        if self.scoped:
            # Columns come first among the names, then fields; columns win over fields, and fields over what we say.
            self.update(self.answer)
            self.update(self.run)
            if len(self) != len(own) + len(self.answer) + len(self.run):
                self.update(self.answer)
                self.update(own)
        return self

    @property
    def wire(self) -> dict[str, Any]:
        """The row as the process that renders gets it, the columns as JSON when they came so."""
        if not self.scoped:
            return self.own
        return {"row": bytes(self._written) if self._written else self.own, "answer": self.answer, "run": self.run}

    @property
    def columns(self) -> dict[str, Any] | msgspec.Raw | None:
        """Its own columns as they are kept beside its request, None without any."""
        return self._written or self.own or None
