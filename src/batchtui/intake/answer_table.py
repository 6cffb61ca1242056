"""A template's ``[answer]`` table: what answers are to be, the short way.

``topic = "string"`` is a type, ``sentiment = ["positive", "negative"]`` a list of values, a table with the keywords of
JSON Schema is a schema, and any other table is an object with fields of its own.  Answers are checked by the whole
schema; what is sent leaves out what the API refuses and says it in descriptions.
"""

from __future__ import annotations

import difflib
import math
from fractions import Fraction
from typing import Any

import msgspec

from batchtui import tomltext
from batchtui.intake.json_schema import KEYWORDS
from batchtui.intake.schema_rules import ODD_PATTERNS, REFUSED, closed, with_inner
from batchtui.intake.wording import did_you_mean, kind_of, near, quoted

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_WORDS = frozenset({"$ref", "anyOf", "const", "enum", "items", "oneOf", "allOf", "properties"})
"""Keywords that only a schema has."""
_LISTED = 30
"""A range of whole numbers of at most so many is sent as a list of them."""
_DEEPEST = 20
_TYPE_OF = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "integer"),
    **dict.fromkeys(("minLength", "maxLength", "pattern"), "string"),
    **dict.fromkeys(("minItems", "maxItems", "uniqueItems"), "array"),
}
"""Keywords that say something of values of one type only."""
_CHECKING = (*_TYPE_OF, "minProperties", "maxProperties", "enum", "const", "items", "required", "properties", "format")
"""Keywords by which an answer may be invalid."""
_SHORT = {"min": "minimum", "max": "maximum", "values": "enum", "options": "enum", "regex": "pattern"}
_SAID = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} fields",
    "maxProperties": "at most {} fields",
    "pattern": "must match {}",
}
"""What stands in a description for a keyword that is not sent."""


class AnswerFault(ValueError):
    """What is wrong with the table, in words."""


def whole_schema(table: Any) -> dict[str, Any]:
    """The schema that answers are checked by; raises AnswerFault."""
    if not isinstance(table, dict):
        raise AnswerFault(f"answer must be a table of fields, not {kind_of(table)}")
    if table.get("type") == "object" and isinstance(table.get("properties"), dict):
        return _schema(table, "answer", 0)
    if not table:
        raise AnswerFault("answer has no fields")
    return _object(table, "answer", 0)


def checked_schema(table: Any) -> dict[str, Any]:
    """The whole schema of a table, once it is known that answers can be checked by it; raises AnswerFault."""
    import jsonschema_rs

    whole = whole_schema(table)
    try:
        # Dates of TOML are texts in what is sent.
        jsonschema_rs.validator_for(msgspec.to_builtins(whole), offline=True)
    except jsonschema_rs.ValidationError as bad:
        where = "".join(f".{each}" for each in ("answer", *bad.instance_path) if each != "properties").lstrip(".")
        raise AnswerFault(f"{where} is no part of a JSON Schema: {bad.message}") from bad
    except (ValueError, OverflowError) as bad:
        raise AnswerFault(f"answer is no JSON Schema: {str(bad).partition(chr(10))[0]}") from bad
    return whole


def answer_of(template: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The sent and the whole schema of a template that was compiled before; None when it has no ``[answer]``."""
    table = tomltext.loads(template).get("answer")
    if table is None:
        return None
    whole = whole_schema(table)
    return sent_schema(whole), whole


def _object(table: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
    fields = {name: _field(value, f"{where}.{name}", depth + 1) for name, value in table.items()}
    return {"type": "object", "properties": fields, "required": [*fields], "additionalProperties": False}


def _field(value: Any, where: str, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise AnswerFault(f"{where} is nested too deep")
    if isinstance(value, str):
        if value in TYPES[:4]:
            return {"type": value}
        guess = near(value, TYPES[:4], 0.5)
        hint = did_you_mean(guess, f": one of {', '.join(TYPES[:4])}, or a list of values")
        raise AnswerFault(f"{quoted(value)} in {where} is no type{hint}")
    if isinstance(value, list):
        return _enum(value, where)
    if isinstance(value, dict):
        return _schema(value, where, depth) if _is_schema(value) else _nested(value, where, depth)
    raise AnswerFault(f"{where} must be a type, a list of values or a table, not {kind_of(value)}")


def _nested(table: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
    if not table:
        raise AnswerFault(f"{where} has no fields")
    for name, value in table.items():
        kind = _TYPE_OF.get(_meant(name) or name)
        if kind and not isinstance(value, str | list | dict):
            raise AnswerFault(f'{where} has {name} and no type: add type = "{kind}"')
    return _object(table, where, depth)


def _meant(name: str) -> str:
    """The keyword that is meant by one that JSON Schema has not; "" when none is near."""
    if name in KEYWORDS:
        return ""
    plain = name.lower().replace("_", "").replace("-", "")
    known = {each.lower(): each for each in _CHECKING}
    found = difflib.get_close_matches(plain, known, 1, 0.8)
    return _SHORT.get(plain) or (known[found[0]] if found else "")


def _is_schema(table: dict[str, Any]) -> bool:
    kind = table.get("type")
    typed = kind in TYPES if isinstance(kind, str) else isinstance(kind, list) and bool(kind) and _all_types(kind)
    return typed or any(name in table and not isinstance(table[name], str) for name in _WORDS) or "$ref" in table


def _all_types(names: list[Any]) -> bool:
    return all(isinstance(each, str) and each in TYPES for each in names)


def _enum(values: list[Any], where: str) -> dict[str, Any]:
    if not values:
        raise AnswerFault(f"{where} lists no values")
    if any(isinstance(each, dict | list) for each in values):
        raise AnswerFault(f"{where} lists tables: only texts, numbers and true or false can be listed")
    if len({(isinstance(each, bool), each) for each in values}) < len(values):
        raise AnswerFault(f"{where} lists a value twice")
    if all(isinstance(each, str) for each in values):
        return {"type": "string", "enum": values}
    return {"enum": values}


def _schema(table: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
    """A table with keywords: its properties and items may be written the short way too."""
    found = dict(table)
    kind = found.get("type")
    for name in table:
        guess = _meant(name)
        if guess:
            raise AnswerFault(f"{quoted(name)} in {where} is not a keyword of JSON Schema{did_you_mean(guess)}")
    if isinstance(found.get("enum"), list):
        found = {**_enum(found["enum"], where), **found}
    if isinstance(found.get("properties"), dict):
        fields = {name: _field(each, f"{where}.{name}", depth + 1) for name, each in found["properties"].items()}
        found |= {"type": kind or "object", "properties": fields}
        found.setdefault("required", [*fields])
        found.setdefault("additionalProperties", False)
        _need(found, where)
    elif kind == "object":
        raise AnswerFault(f"{where} is an object without properties")
    items = found.get("items")
    if items is not None:
        found |= {"type": kind or "array", "items": _field(items, f"{where}.items", depth + 1)}
    elif kind == "array":
        raise AnswerFault(f'{where} is an array without items: add items = "string", or a table')
    for low, high in (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems")):
        if low in found and high in found and _over(found[low], found[high]):
            raise AnswerFault(f"{low} is over {high} in {where}")
    if not _has_room(found):
        raise AnswerFault(f"no number is within the bounds of {where}")
    return found


def _need(schema: dict[str, Any], where: str) -> None:
    """Refuse a required field that a closed object has no room for: no answer would fit."""
    required = schema["required"]
    for name in required if isinstance(required, list) and schema["additionalProperties"] is False else ():
        if isinstance(name, str) and name not in schema["properties"] and "patternProperties" not in schema:
            raise AnswerFault(f"{where} requires {quoted(name)}, which is not among its properties")


def _has_room(schema: dict[str, Any]) -> bool:
    """Whether some number is within the bounds of a schema."""
    lows = [
        (_exact(schema[name]), name != "minimum")
        for name in ("minimum", "exclusiveMinimum")
        if _is_finite(schema, name)
    ]
    highs = [
        (_exact(schema[name]), name == "maximum")
        for name in ("maximum", "exclusiveMaximum")
        if _is_finite(schema, name)
    ]
    if not lows or not highs:
        return True
    (low, above), (high, at_most) = max(lows), min(highs)
    step = (
        _exact(schema["multipleOf"]) if _is_finite(schema, "multipleOf") else Fraction(schema.get("type") == "integer")
    )
    if step <= 0:
        return low < high or (low == high and at_most and not above)
    first, last = math.ceil(low / step), math.floor(high / step)
    return first + (above and first * step == low) <= last - (not at_most and last * step == high)


def _exact(number: float) -> Fraction:
    return Fraction(str(number))


def _is_finite(schema: dict[str, Any], name: str) -> bool:
    value = schema.get(name)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _over(low: Any, high: Any) -> bool:
    return isinstance(low, int | float) and isinstance(high, int | float) and low > high


def sent_schema(whole: Any) -> Any:
    """What the API takes of a schema: objects closed, refused keywords said in descriptions, small ranges as lists."""
    found = closed(_sent(whole))
    assert isinstance(found, dict)
    return found


def _sent(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_sent(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = with_inner(schema, _sent)
    found.pop("$schema", None)
    dropped = {name: found.pop(name) for name in list(found) if _refused(name, found[name])}
    listed = _range(schema)
    if listed:
        found["enum"] = listed
    said = [_SAID[name].format(value) for name, value in dropped.items() if name in _SAID]
    if dropped.get("uniqueItems") is True:
        said.append("no item twice")
    if said and not listed:
        given = found.get("description")
        sentence = f"{', '.join(said)}."
        text = sentence[0].upper() + sentence[1:]
        found["description"] = f"{given.rstrip()} {text}" if isinstance(given, str) and given.strip() else text
    return found


def _refused(name: str, value: Any) -> bool:
    if name == "minItems":
        return value not in (0, 1)
    if name == "pattern":
        return any(part in str(value) for part in ODD_PATTERNS)
    return name in REFUSED


def _range(schema: dict[str, Any]) -> list[int]:
    """The whole numbers of a small range; none when it is large, open, or listed already."""
    if schema.get("type") != "integer" or "enum" in schema or "const" in schema:
        return []
    low: Any = schema.get("minimum")
    high: Any = schema.get("maximum")
    least: Any = schema.get("exclusiveMinimum")
    most: Any = schema.get("exclusiveMaximum")
    step: Any = schema.get("multipleOf", 1)
    low = least + 1 if low is None and _is_whole(least) else low
    high = most - 1 if high is None and _is_whole(most) else high
    if not (_is_whole(low) and _is_whole(high) and _is_whole(step)) or step < 1 or not 0 <= high - low < _LISTED * step:
        return []
    multiples = range(low + -low % step, high + 1, step)
    return [each for each in multiples if each not in (least, most)]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
