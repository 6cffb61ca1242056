"""TOML texts of people: read in a time that goes with their length."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any, TypeVar

T = TypeVar("T")

MOST_PARTS = 32
"""Parts of one dotted key: Python's reader needs a time that grows with their square."""
# Compiled when a text asks for them: hardly one does.
_STRINGS = r'(?s:"""(?:\\.|[^\\])*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:\\.|[^"\\\n])*+"|' r"'[^'\n]*+'|#[^\n]*+)"
_LONG_KEY = rf'(?<![\w"-])(?:[\w"-]++[ \t]*+\.[ \t]*+){{{MOST_PARTS}}}'


def loads(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """What a TOML text says; raises ValueError (of malformed text tomllib.TOMLDecodeError) and RecursionError."""
    import tomllib

    # Only where the text itself has such a run it is worth telling strings and comments from keys.
    if text.count(".") >= MOST_PARTS:
        bare = re.sub(_STRINGS, _blanked, text)
        found = re.search(_LONG_KEY, bare)
        if found is not None:
            line = bare.count("\n", 0, found.start()) + 1
            column = found.start() - bare.rfind("\n", 0, found.start())
            raise tomllib.TOMLDecodeError(f"A key of more than {MOST_PARTS} parts (at line {line}, column {column})")
    return tomllib.loads(text, parse_float=parse_float)


def decode(text: str | bytes, type: type[T]) -> T:
    """What a TOML text says as a record; raises what ``loads`` raises, and msgspec.ValidationError, which is a ValueError."""
    import msgspec

    found = loads(text if isinstance(text, str) else text.decode().replace("\r\n", "\n"))
    return msgspec.convert(found, type, builtin_types=(datetime, date, time), str_keys=True)


def _blanked(found: re.Match[str]) -> str:
    """As many lines as a string or a comment has, and of a string that it is one."""
    return ("" if found[0].startswith("#") else '""') + "\n" * found[0].count("\n")
