"""What a row of a table gives besides its columns: its own id, and itself as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from batchtui.safetext import line as safe

ID_MADE = "a row's id can't be a custom_id, or appears twice: a similar one is made, and the row's own id is kept"
"""What is said of a row under whose own id no request can be sent."""
_ID_COLUMNS = ("custom_id", "id", "ID", "Id", "uuid")
"""Columns that give a request its id when the template names none."""


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
