"""JSON inside an answer's text: the whole text, the first fenced block that is JSON, or the first balanced value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

import msgspec

from batchtui.results.line_lenient import mend

TEXT_LIMIT = 8_000_000
"""Longer texts are not looked into, in characters."""
_TRIES = 2_000
"""Places where a value may begin that are tried."""
_FENCE = re.compile(r"`{3,}|~{3,}")
_INFO = re.compile(r"[ \t]*[\w+.#-]*\s*")
_OPENING = re.compile(r"[{\[]")
_BLANK = " \t\r\n\ufeff\u200b"

Root: TypeAlias = "dict[str, Any] | list[Any]"


def exact(text: str) -> Decimal | str:
    """A number with its digits; as text when no Decimal is that large."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return text


_quick = msgspec.json.Decoder(float_hook=Decimal).decode
_careful = msgspec.json.Decoder(float_hook=exact).decode


def decode(text: str | bytes) -> Any:
    """A JSON text as plain values, numbers with a point or exponent as Decimal.

    Raises ValueError when it is no JSON (NaN is none), RecursionError when it is nested too deep.
    """
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    try:
        return _quick(raw)
    except ArithmeticError:
        return _careful(raw)
    except (msgspec.DecodeError, UnicodeError):
        mended = mend(raw)
        if mended == raw:
            raise
        return _careful(mended)


NOT_PLAIN = (ValueError, ArithmeticError, msgspec.MsgspecError, RecursionError)
"""What is raised for a text that is not plainly JSON."""


def decode_plain(text: str) -> Any:
    """The value of a text that is plainly JSON as it stands; raises one of NOT_PLAIN for others."""
    return _quick(text.encode())


def decode_all(texts: Iterable[str]) -> list[Any]:
    """The values of texts that all are plainly JSON; raises one of NOT_PLAIN when one is not."""
    return [*map(_quick, map(str.encode, texts))]


def find_json(text: str) -> Root | None:
    """The object or array that a text holds; None when it holds none.

    Takes time in proportion to the text's length whatever it holds.  Raises RecursionError when the value is nested too
    deep to be read.
    """
    if len(text) > TEXT_LIMIT:
        return None
    body = text.strip(_BLANK)
    if body[:1] in ("{", "["):
        try:
            return _root(decode(body))
        except (ValueError, msgspec.MsgspecError):
            pass
    if "{" not in body and "[" not in body:
        return None
    found = _fenced(body)
    return found if found is not None else _balanced(body)


def _root(found: Any) -> Root | None:
    return found if isinstance(found, dict | list) else None


class _Scan:
    """Finds where values end, within a bound on all that is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._left = 4 * len(text) + 1_000
        self._tries = _TRIES

    @property
    def spent(self) -> bool:
        return self._left <= 0 or self._tries <= 0

    def end_of(self, start: int) -> int:
        """Where the JSON value that begins at ``start`` ends; -1 when none does."""
        self._tries -= 1
        try:
            return _scanner.raw_decode(self.text, start)[1]
        except json.JSONDecodeError as error:
            # An open string is reported where it begins, and was read to the end.
            read_to = len(self.text) if error.msg.startswith("Unterminated") else error.pos
            self._left -= read_to - start + 1
        except ValueError:
            self._left -= 1
        return -1

    def value(self, start: int, end: int) -> Root | None:
        self._left -= end - start
        try:
            return _root(decode(self.text[start:end]))
        except (ValueError, msgspec.MsgspecError):
            return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_scanner = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse)


def _fenced(text: str) -> Root | None:
    """The first fenced block that holds one value and nothing else; a fence inside the value's strings ends nothing."""
    scan, place = _Scan(text), 0
    while (fence := _FENCE.search(text, place)) is not None and not scan.spent:
        info = _INFO.match(text, fence.end())
        start = info.end() if info else fence.end()
        mark = fence.group()
        if text[start : start + 1] in ("{", "["):
            end = scan.end_of(start)
            rest = text[end : end + 1_000].lstrip() if end > 0 else "-"
            if not rest or rest.startswith(mark):
                found = scan.value(start, end)
                if found is not None:
                    return found
        closing = text.find(mark, start)
        place = closing + len(mark) if closing >= 0 else fence.end()
    return None


def _balanced(text: str) -> Root | None:
    scan, place = _Scan(text), 0
    while (opening := _OPENING.search(text, place)) is not None and not scan.spent:
        start = opening.start()
        end = scan.end_of(start)
        found = scan.value(start, end) if end > 0 else None
        if found is not None:
            return found
        place = start + 1
    return None
