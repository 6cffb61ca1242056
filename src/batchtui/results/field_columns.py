"""Columns of values: short ones numbered in a dictionary, so that counting is counting small numbers."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from enum import Enum
from typing import Final, TypeAlias

import msgspec


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent.ABSENT
"""There is no such value; null is a value."""
Absent: TypeAlias = _Absent


class Json(msgspec.Struct, frozen=True):
    """An array, or an object that is not taken apart, as compact JSON."""

    text: str


Value: TypeAlias = "str | int | Decimal | bool | Json | None"
"""Text, whole number, number with a point or exponent (its digits kept), true or false, null, or JSON."""

NOTHING, LONG_TEXT, LONG_JSON, FIRST = range(4)
"""Codes of a column: absent; a text or JSON that is read from its line when asked for; ``FIRST`` on is in ``entries``."""
Key: TypeAlias = "tuple[str, ...]"
"""The keys of a path."""
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
ROOT = "value"
"""The path of an answer that is an array."""


def quoted(key: str) -> str:
    """A key as it stands in a path: quoted as TOML quotes keys when it is not of letters, digits, _ and - only."""
    return key if _BARE.match(key) else msgspec.json.encode(key).decode()


def path_name(call: int, keys: Key) -> str:
    """A path as text; ``call`` is the number of another tool call, 0 for what an answer is asked for."""
    parts = [f"tool[{call}]"] if call else []
    return ".".join([*parts, *map(quoted, keys)]) or ROOT


KINDS = ("text", "integer", "number", "boolean", "null", "array", "object")


def kind_of(value: Value) -> str:
    """What a value is, one of KINDS."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, Json):
        return "array" if value.text.startswith("[") else "object"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "integer" if isinstance(value, int) else "number"


def as_text(value: Value | Absent) -> str:
    """A value as people write it: text as it is, the rest as JSON; '' when absent."""
    if isinstance(value, str):
        return value
    if isinstance(value, Json):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return "" if value is ABSENT else str(value)


def entry_key(value: Value) -> tuple[type, object]:
    """What makes two values the same entry: 1, 1.0, 1.00, true and "1" are five."""
    return type(value), str(value) if isinstance(value, Decimal) else value


class ValueColumn:
    """The values of one name by row of a view: ``column[row]`` is a value or ABSENT.

    ``codes[row]`` is NOTHING, LONG_TEXT, LONG_JSON or FIRST + the value's number in ``entries``; equal values have equal
    codes.  Reading a long value reads its line and may raise StoreError.
    """

    def __init__(
        self,
        codes: Sequence[int],
        entries: Sequence[Value],
        read_long: Callable[[int], Value | Absent] | None = None,
        long_sizes: Callable[[], dict[int, int]] | None = None,
        respelled: dict[int, tuple[str, ...]] | None = None,
    ) -> None:
        self.codes = codes
        self.entries = entries
        self._read_long = read_long
        self._long_sizes = long_sizes
        self.respelled = respelled or {}
        """By code, the other spellings that were answered and are counted under the schema's."""

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> Value | Absent:
        code = self.codes[row]
        if code >= FIRST:
            return self.entries[code - FIRST]
        if code == NOTHING or self._read_long is None:
            return ABSENT
        return self._read_long(row)

    def __iter__(self) -> Iterator[Value | Absent]:
        return (self[row] for row in range(len(self)))

    def value_of(self, code: int) -> Value | Absent:
        """The value that a code from FIRST on stands for; ABSENT for the others."""
        return self.entries[code - FIRST] if code >= FIRST else ABSENT

    @property
    def sizes(self) -> dict[int, int]:
        """Lengths of the long values by row, in characters."""
        return self._long_sizes() if self._long_sizes is not None else {}


def column_of(values: Iterable[Value | Absent]) -> ValueColumn:
    """A column made of values as they come."""
    numbers: dict[tuple[type, object], int] = {}
    entries: list[Value] = []
    codes = array("I")
    for value in values:
        if value is ABSENT:
            codes.append(NOTHING)
            continue
        code = numbers.setdefault(entry_key(value), FIRST + len(entries))
        if code == FIRST + len(entries):
            entries.append(value)
        codes.append(code)
    return ValueColumn(codes, entries)
