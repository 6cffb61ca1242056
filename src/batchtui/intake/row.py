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
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_NO_LETTERS = re.compile(r"\W+")


def name_in_template(column: str) -> str:
    """What a template calls a column: by its own name, with underscores for spaces and the like."""
    return column if column.isidentifier() else _NO_LETTERS.sub("_", column).strip("_")


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing, or nothing but white space."""
    return value is None or (value.__class__ is str and (not value or (value[0] <= " " and value.isspace())))


def column_id(row: dict[str, Any]) -> str:
    """A row's own id, from the first of the columns that may hold it; "" when none does."""
    for name in _ID_COLUMNS:
        value = row.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value)
    return ""


def read_columns(written: msgspec.Raw) -> dict[str, Any] | None:
    """A row's columns; None where their JSON is empty or can't be read."""
    try:
        return _decode(written) if written else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def as_json(row: dict[str, Any] | RunParts | msgspec.Raw | None) -> bytes:
    """The row as a line of JSON, for what is left out."""
    try:
        return msgspec.json.encode(RunRow(row) if isinstance(row, RunParts) else row)
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
        return safe(repr(row), 10_000).encode()


class RunParts(msgspec.Struct, gc=False):
    """The parts of a run's row by their scopes.  Its columns pass on as the JSON they came as, where they came so."""

    written: msgspec.Raw
    """Its columns as JSON, empty where they did not come so."""
    row_id: str
    """Its own id, "" when it has none."""
    scoped: bool = False
    """False for the row alone, which a template sees as one of a table."""
    answer: dict[str, Any] = {}
    """The fields of the answer, nested as they are there."""
    run: dict[str, Any] = {}
    """What we know of it."""
    read: dict[str, Any] | None = None
    """Its columns, where they were read."""

    @property
    def own(self) -> dict[str, Any]:
        """Its columns, none where their JSON can't be read."""
        if self.read is None:
            self.read = read_columns(self.written) or {}
        return self.read

    @property
    def wire(self) -> dict[str, Any]:
        """The row as the process that renders gets it, the columns as JSON when they came so."""
        if not self.scoped:
            return self.own
        return {"row": bytes(self.written) if self.written else self.own, "answer": self.answer, "run": self.run}

    @property
    def columns(self) -> dict[str, Any] | msgspec.Raw | None:
        """Its own columns as they are kept beside its request, None without any."""
        return self.written or self.own or None


class RunRow(dict[str, Any]):
    """A row of a run: as a dict, what bare names mean; its parts by scope beside it."""

    __slots__ = ("parts",)

    def __init__(self, parts: RunParts) -> None:
        self.parts = parts
        own = parts.own
        self.update(own)
        if parts.scoped:
            # Columns come first among the names, then fields; columns win over fields, and fields over what we say.
            self.update(parts.answer)
            self.update(parts.run)
            if len(self) != len(own) + len(parts.answer) + len(parts.run):
                self.update(parts.answer)
                self.update(own)
