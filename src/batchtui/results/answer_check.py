"""Whether an answer is what was asked for, and if not why, in words.

A schema may come from anywhere: nothing it refers to is fetched, and what can't be compiled checks nothing, which the view
says.  jsonschema-rs is imported when the first schema is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from math import isinf
from typing import Any, NamedTuple

import msgspec

from batchtui.results.answer_parts import AnswerParts
from batchtui.results.asked import Asked, AskedFor
from batchtui.results.field_columns import quoted
from batchtui.results.json_in_text import find_json
from batchtui.safetext import line as safe

_SHOWN = 60
"""Characters of a value that a reason shows."""
_KEPT = 1_000
_PLACES = 20_000
"""Places in a schema whose listed texts are told: one that refers to itself has no end of them."""
_DEEPEST = 24
_decode = msgspec.json.Decoder().decode
_BY_DIGITS = frozenset(
    ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "not", "oneOf", "if")
)
"""Keywords with which a number's digits beyond a float's may change whether a value fits."""
_PLAIN = frozenset({str, int, bool, type(None)})
NOT_DECODED: Any = object()
"""In place of a value where a text was not decoded, or is not one JSON object or array as a whole."""


class Flaw(NamedTuple):
    """Why an answer is invalid."""

    text: str
    """With what it holds, as "urgency is 7, at most 5"."""
    group: str
    """The same for all answers that break the same rule, as "urgency: at most 5"."""


NOT_JSON = Flaw("not JSON", "not JSON")
TOO_DEEP = Flaw("nested too deep to be checked", "nested too deep to be checked")


class Schema:
    """A compiled schema.  Raises ValueError when it is none."""

    def __init__(self, schema: Any) -> None:
        import jsonschema_rs

        self._validator = jsonschema_rs.validator_for(schema, offline=True)
        self._spellings = spellings(schema)
        self._object = not isinstance(schema, dict) or schema.get("type", "object") in ("object", "array")
        self._by_digits = not self._object or _counts_digits(schema)

    def fits(self, value: Any) -> bool:
        """Whether an object or array surely fits whose numbers with a point are Decimals; of others its text tells."""
        try:
            return bool(self._validator.is_valid(_with_floats(value) if self._by_digits else value))
        except (ValueError, RecursionError, OverflowError):
            return False

    def flaw_in_text(self, text: str) -> Flaw | None:
        """What is wrong with the JSON in a text: the whole of it, or else the first fenced or balanced value."""
        try:
            # A text that is not ASCII would keep its bytes beside it if it were decoded as text.
            return self.flaw(_decode(text if text.isascii() else text.encode()))
        except RecursionError:
            return TOO_DEEP
        except (msgspec.MsgspecError, UnicodeError):
            pass
        try:
            found = find_json(text) if self._object else _decode(text.strip())
        except RecursionError:
            return TOO_DEEP
        except (msgspec.MsgspecError, UnicodeError):
            return NOT_JSON
        return NOT_JSON if found is None else self.flaw(found)

    def flaw(self, value: Any) -> Flaw | None:
        """What is wrong with a value, the first thing of several; None when it fits.  Capitals in an enum don't matter."""
        try:
            if self._validator.is_valid(value):
                return None
            if self._spellings and self._validator.is_valid(respelled(value, self._spellings)):
                return None
            first = min(self._validator.iter_errors(value), key=lambda each: len(each.schema_path), default=None)
        except (ValueError, RecursionError, OverflowError):
            return TOO_DEEP
        return None if first is None else _words(first)


def _counts_digits(schema: Any) -> bool:
    waiting = [schema]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            # A schema that jsonschema-rs brings along is not looked into.
            if not _BY_DIGITS.isdisjoint(here) or not str(here.get("$ref", "#")).startswith("#"):
                return True
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
    return False


def _with_floats(value: Any) -> Any:
    """The value with floats for Decimals; raises OverflowError where no float is that large."""
    kind = type(value)
    if kind is Decimal:
        number = float(value)
        if isinf(number):
            raise OverflowError
        return number
    if kind is dict:
        return {key: each if type(each) in _PLAIN else _with_floats(each) for key, each in value.items()}
    return [_with_floats(each) for each in value] if kind is list else value


def why_no_schema(given: Any) -> str:
    """Why answers can't be checked by a schema, safe to show; "" when they can."""
    return _schema(given)[1]


def _schema(given: Any) -> tuple[Schema | None, str]:
    """The schema compiled, or why it can't be."""
    import jsonschema_rs

    try:
        return Schema(given), ""
    except jsonschema_rs.ValidationError as bad:
        path = ".".join(str(each) for each in bad.instance_path)
        why = f"{path}: {bad.message}" if path else bad.message
    except (ValueError, OverflowError) as bad:
        why = str(bad).partition("\n")[0]
    except RecursionError:
        why = "nested too deep"
    return None, safe(why, 160)


class AnswerChecker:
    """Checks each answer of a batch by its own request's schema; by ``other`` those whose request has none."""

    def __init__(self, asked: Asked, other: Schema | None = None) -> None:
        self._asked = asked
        self._other = other
        self._compiled: dict[int, _Compiled] = {}
        self._numbers = asked.numbers()
        self._checks = [each.checks for each in asked.wanted]
        self.needed = other is not None or any(self._checks)
        """Whether any answer is checked."""

    def asks(self, seq: int) -> bool:
        """Whether there is a schema for the answer of the request at this place."""
        if self._other is not None:
            return True
        return 0 <= seq < len(self._numbers) and self._checks[self._numbers[seq]]

    def flaw(self, seq: int, parts: AnswerParts | str | None, value: Any = NOT_DECODED) -> Flaw | None:
        """What is wrong with an answer that is whole; None when nothing is, or there is nothing to check it by.

        ``value`` is the object or array that ``parts``, a text, is as a whole, its numbers with a point as Decimals.
        """
        if parts is None:
            return None
        wanted = self._asked.of(seq)
        if not wanted.checks:
            other = self._other
            if other is None or (value is not NOT_DECODED and other.fits(value)):
                return None
            return other.flaw_in_text(_said(parts))
        compiled = self._compiled_for(self._numbers[seq])
        if self._other is not None and not compiled.checks:
            return self._other.flaw_in_text(_said(parts))
        return compiled.flaw(parts, value)

    def _compiled_for(self, number: int) -> _Compiled:
        compiled = self._compiled.get(number)
        if compiled is None:
            compiled = self._compiled[number] = _Compiled(self._asked.wanted[number])
        return compiled

    def own(self, seq: int) -> bool:
        """Whether the answer of the request at this place is checked by what that asked for."""
        wanted = self._asked.of(seq)
        return wanted.checks and self._compiled_for(self._numbers[seq]).checks

    def not_compiled(self) -> dict[int, str]:
        """The places in ``Asked.wanted`` with a schema that can't be compiled, and why."""
        checked = (number for number, checks in enumerate(self._checks) if checks)
        return {number: why for number in checked if (why := self._compiled_for(number).why)}


def _said(parts: AnswerParts | str) -> str:
    if isinstance(parts, str):
        return parts
    return (
        parts.text if parts.text.strip() or not parts.calls else bytes(parts.calls[0].input).decode("utf-8", "replace")
    )


class _Compiled:
    """The schemas of one request, compiled."""

    def __init__(self, wanted: AskedFor) -> None:
        self._wanted = wanted
        self.why = ""
        """Why one of them can't be compiled; "" when all can."""
        self._text = self._made(wanted.text) if wanted.text is not None else None
        self._calls = {name: made for name, given in wanted.calls.items() if (made := self._made(given)) is not None}
        self.checks = self._text is not None or bool(self._calls)
        """Whether anything is left to check an answer by."""

    def _made(self, given: Any) -> Schema | None:
        schema, why = _schema(given)
        self.why = self.why or why
        return schema

    def flaw(self, parts: AnswerParts | str, value: Any) -> Flaw | None:
        if isinstance(parts, str):
            calls: Sequence[Any] = ()
            text = parts
        else:
            calls, text = parts.calls, parts.first_text
        for call in calls:
            schema = self._calls.get(call.name)
            if schema is not None:
                found = schema.flaw_in_text(bytes(call.input).decode("utf-8", "replace"))
                if found is not None:
                    return found
        forced = self._wanted.forced
        if forced and not any(call.name == forced for call in calls):
            words = f"no call of the tool {safe(forced, _SHOWN)}"
            return Flaw(words, words)
        if self._text is None or (calls and not text.strip()):
            return None
        if value is not NOT_DECODED and self._text.fits(value):
            return None
        return self._text.flaw_in_text(text)


# --- spelling -------------------------------------------------------------------------------------------------------


def spellings(schema: Any) -> dict[str, str]:
    """The texts that a schema lists, by what they are without capitals; those that differ only in capitals are left out."""
    return by_casefold(_listed(schema))


def by_casefold(texts: Iterable[str]) -> dict[str, str]:
    """Texts by what they are without capitals; those that differ only in capitals are left out."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for each in texts:
        key = each.casefold()
        if found.setdefault(key, each) != each:
            twice.add(key)
    return {key: text for key, text in found.items() if key not in twice}


def _listed(schema: Any) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            yield from _listed_right_here(here)
            waiting.extend(value for key, value in here.items() if key not in ("enum", "const", "default", "examples"))
        elif isinstance(here, list):
            waiting.extend(here)


def _listed_right_here(schema: dict[str, Any]) -> list[str]:
    options = schema.get("enum")
    given = (*(options if isinstance(options, list) else ()), schema.get("const"))
    return [each for each in given if isinstance(each, str)]


def respelled(value: Any, known: dict[str, str], depth: int = 0) -> Any:
    """The value with each text that differs from a listed one only in capitals spelled like that."""
    if isinstance(value, str):
        return known.get(value.casefold(), value)
    if depth > 100:
        return value
    if isinstance(value, list):
        return [respelled(each, known, depth + 1) for each in value]
    if isinstance(value, dict):
        return {key: respelled(each, known, depth + 1) for key, each in value.items()}
    return value


def listed_at(schema: Any) -> dict[tuple[str, ...], list[str]]:
    """The texts that a schema lists for each path of an object, where it does; of one that refers to itself, the first paths."""
    found: dict[tuple[str, ...], list[str]] = {}
    waiting: deque[tuple[Any, tuple[str, ...], int]] = deque([(schema, (), 0)])
    looked_at = 0
    while waiting and looked_at < _PLACES:
        here, path, depth = waiting.popleft()
        looked_at += 1
        if not isinstance(here, dict) or depth > _DEEPEST:
            continue
        texts = _listed_right_here(here)
        if texts and path:
            found.setdefault(path, []).extend(texts)
        waiting.extend((each, to, depth + 1) for each, to in _within(schema, here, path))
    return found


def _within(root: Any, here: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The schemas right inside one, with the paths that they are of."""
    for name in ("anyOf", "oneOf", "allOf"):
        for each in here[name] if isinstance(here.get(name), list) else ():
            yield each, path
    target = here.get("$ref")
    if isinstance(target, str) and target.startswith("#/"):
        yield _pointed(root, target), path
    properties = here.get("properties")
    for key, each in properties.items() if isinstance(properties, dict) else ():
        yield each, (*path, str(key))


def _pointed(root: Any, target: str) -> Any:
    here = root
    for part in target[2:].split("/"):
        here = here.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(here, dict) else None
    return here


# --- reasons in words -----------------------------------------------------------------------------------------------


def _words(error: Any) -> Flaw:
    """A validation error as people say it."""
    path = _path(error.instance_path)
    kind = type(error.kind).__name__
    value = error.instance
    if kind == "Required":
        name = _path([*error.instance_path, error.kind.property])
        return Flaw(f"{name} is missing", f"{name} is missing")
    if kind in ("AdditionalProperties", "UnevaluatedProperties"):
        names = ", ".join(_path([*error.instance_path, name]) for name in error.kind.unexpected[:3])
        return Flaw(f"{names} was not asked for", "fields that were not asked for")
    wanted = _rule(kind, error.kind)
    if wanted is None:
        wanted = safe(error.message, 120) if kind not in ("AnyOf", "OneOfNotValid") else "none of the forms asked for"
        return Flaw(f"{path} is {_shown(value)}: {wanted}"[:_KEPT], f"{path}: {wanted}"[:_KEPT])
    said = _size(kind, value) or _shown(value)
    verb = "has" if _size(kind, value) else "is"
    return Flaw(f"{path} {verb} {said}, {wanted}"[:_KEPT], f"{path}: {wanted}"[:_KEPT])


_BOUNDS = {
    "Minimum": "at least",
    "Maximum": "at most",
    "ExclusiveMinimum": "more than",
    "ExclusiveMaximum": "less than",
    "MinLength": "at least",
    "MaxLength": "at most",
    "MinItems": "at least",
    "MaxItems": "at most",
    "MinProperties": "at least",
    "MaxProperties": "at most",
}
_UNITS = {"Length": "characters", "Items": "items", "Properties": "fields"}
_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}


def _rule(kind: str, found: Any) -> str | None:
    if kind in _BOUNDS:
        return f"{_BOUNDS[kind]} {_shown(found.limit)}"
    rules: dict[str, Callable[[], str]] = {
        "Enum": lambda: f"not one of {_options(found.options)}",
        "Constant": lambda: f"not {_shown(found.expected_value)}",
        "Type": lambda: "not " + " or ".join(_TYPES.get(name, name) for name in found.types),
        "Pattern": lambda: f"does not match {safe(found.pattern, _SHOWN)}",
        "MultipleOf": lambda: f"not a multiple of {_shown(found.multiple_of)}",
        "UniqueItems": lambda: "with an item twice",
    }
    return rules[kind]() if kind in rules else None


def _options(options: Any) -> str:
    given = options if isinstance(options, list) else _decode(str(options))
    shown = [_shown(each) for each in given[:6]]
    return ", ".join(shown) + (" …" if len(given) > 6 else "")


def _size(kind: str, value: Any) -> str:
    unit = next((unit for name, unit in _UNITS.items() if kind.endswith(name) and kind.startswith(("Min", "Max"))), "")
    return f"{len(value):,} {unit}" if unit and hasattr(value, "__len__") else ""


def _shown(value: Any) -> str:
    """A value as JSON on one line, safe to show."""
    try:
        text = msgspec.json.encode(value, enc_hook=str).decode()
    except (ValueError, TypeError, RecursionError):
        text = str(value)
    return safe(text, _SHOWN)


def _path(parts: Sequence[str | int]) -> str:
    """Where in an answer: items from 1, as people count."""
    found = ""
    for part in parts:
        found += f"[{part + 1}]" if isinstance(part, int) else f".{quoted(part)}" if found else quoted(part)
    return safe(found, 120) or "the answer"
