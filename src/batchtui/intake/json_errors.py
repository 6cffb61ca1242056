"""JSON read with care: exact places of faults, duplicate keys, and what a fast decoder lets through."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import msgspec

from batchtui.intake.problems import Found, error
from batchtui.safetext import line as safe

_ID = re.compile(rb'"custom_id"\s*:\s*"([a-zA-Z0-9_.:-]{1,64})"')

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

_SYNTAX = {
    "Expecting property name enclosed in double quotes": "expected a name in double quotes (or there is an extra comma)",
    "Illegal trailing comma before end of object": "an extra comma before }",
    "Illegal trailing comma before end of array": "an extra comma before ]",
    "Expecting ',' delimiter": "expected a comma or a closing bracket",
    "Expecting ':' delimiter": "expected a colon after the name",
    "Expecting value": "expected a value",
    "Extra data": "text after the end: write one request per line",
    "Unterminated string starting at": "a string is not closed",
    "Invalid control character at": "a control character in a string: write \\n for a newline, \\t for a tab",
    "Invalid \\escape": "an invalid escape after a backslash in a string: write \\\\ for a backslash",
    "Invalid \\uXXXX escape": "\\u in a string must be followed by four hexadecimal digits",
}


class _NotJson(ValueError):
    pass


def parse(line: bytes) -> tuple[Any, list[Found]]:
    """The value of one line, and what is wrong with it as JSON; the value is None when it can't be read."""
    try:
        text = line.decode()
    except UnicodeDecodeError as bad:
        what = "not valid UTF-8: save the file as UTF-8"
        return None, [error("utf8", what, f"byte {bad.start + 1} is 0x{line[bad.start]:02x}")]
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            seen: set[str] = set()
            repeated.extend(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return made

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=_constant)
        msgspec.json.decode(line)
    except json.JSONDecodeError as bad:
        return None, [_syntax(bad, text)]
    except RecursionError:
        return None, [error("json", "nested too deeply")]
    except _NotJson as bad:
        return None, [error("json", f"not valid JSON: {bad} is not a JSON value: use null or a number")]
    except (msgspec.DecodeError, ValueError) as bad:
        return None, [error("json", f"not valid JSON: {_decoder_words(str(bad), line)}")]
    return value, [duplicate_key(key) for key in dict.fromkeys(repeated)]


def duplicate_key(key: str) -> Found:
    """The problem of a key that stands twice in one object."""
    return error("duplicate_key", f"{safe(key, 60)!r} appears twice in one object: only one of them would count")


def looks_like_id(line: bytes) -> str:
    """The custom_id of a line that can't be read as JSON, as far as it can be seen; else an empty string."""
    match = _ID.search(line[:4096])
    return match.group(1).decode() if match else ""


def _constant(name: str) -> NoReturn:
    raise _NotJson(name)


def _syntax(bad: json.JSONDecodeError, text: str) -> Found:
    words, at = _SYNTAX.get(bad.msg, bad.msg), bad.pos
    # Python before 3.13 complains of what follows a trailing comma, later ones of the comma.
    before = text[:at].rstrip(" \t\r\n")
    if text[at : at + 1] in ("}", "]") and before.endswith(",") and not bad.msg.startswith("Illegal"):
        words, at = f"an extra comma before {text[at]}", len(before) - 1
    if bad.msg == "Extra data" and text[at:].strip() == ",":
        words = "a comma after the object: remove it, lines are not the items of an array"
    at_end = at >= len(text) or bad.msg.startswith("Unterminated")
    cut = "; the line seems to be cut off" if at_end and bad.msg != "Extra data" else ""
    return error("json", f"not valid JSON: {words}{cut}", f"column {at + 1}")


def _decoder_words(words: str, line: bytes) -> str:
    """Why the stricter decoder refuses what the standard library takes."""
    if "surrogate" in words or _SURROGATE.search(line):
        return "half a surrogate pair (\\ud800 to \\udfff) in a string"
    if "out of range" in words:
        return "a number is too large"
    return safe(words, 100)
