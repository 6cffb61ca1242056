"""Whether a JSON Schema is one at all: the keywords of draft 2020-12 hold what they must.

The API refuses a tool whose ``input_schema`` is not valid under that draft (Messages reference).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from batchtui.intake.problems import Found, error
from batchtui.intake.wording import kind_of, near, quoted

_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
_OTHER_TYPES = {
    **dict.fromkeys(("str", "text", "date", "datetime", "uuid", "enum"), "string"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    **dict.fromkeys(("int", "long"), "integer"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("dict", "map", "json"), "object"),
    **dict.fromkeys(("list", "tuple", "set"), "array"),
    **dict.fromkeys(("none", "undefined", "None"), "null"),
}
_DEEPEST = 200
_PATH_SHOWN = 120
"""Characters of a place, and of a name in it, that are kept."""
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_SINGLE = (
    *("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties"),
)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer() and value >= 0
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value) and len(set(value)) == len(value)


_PLAIN: dict[str, tuple[Callable[[object], bool], str]] = {
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), (_is_number, "a number")
    ),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number over 0"),  # type: ignore[operator]
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"),
        (_is_count, "a whole number of 0 or more"),
    ),
    **dict.fromkeys(
        ("title", "description", "pattern", "format", "$ref", "$schema", "$id", "$anchor", "$comment"),
        (lambda value: isinstance(value, str), "a string"),
    ),
    **dict.fromkeys(
        ("uniqueItems", "deprecated", "readOnly", "writeOnly"), (lambda value: isinstance(value, bool), "true or false")
    ),
    "required": (_is_names, "a list of names, each of them once"),
    **dict.fromkeys(("enum", "examples"), (lambda value: isinstance(value, list), "a list")),
}  # fmt: skip


KEYWORDS = frozenset(
    (
        *_PLAIN,
        *_SINGLE,
        *_MAPS,
        *_LISTS,
        "type",
        "const",
        "default",
        "dependentRequired",
        "$dynamicRef",
        "$dynamicAnchor",
    )
)
"""Keywords of draft 2020-12."""


def check_draft(schema: dict[str, Any], what: str, where: str) -> Iterator[Found]:
    """What makes a schema no valid JSON Schema, the first of it; ``what`` names it in a message, ``where`` its place."""
    found = next(_faults(schema, ""), None)
    if found is not None:
        path, fault = found
        yield error(
            "json_schema", f"{what} is not a valid JSON Schema: {fault}", f"{where}: {path.lstrip('.') or 'schema'}"
        )


def _faults(top: object, start: str) -> Iterator[tuple[str, str]]:
    stack = [(top, start, 0)]
    while stack:
        schema, path, depth = stack.pop()
        if isinstance(schema, bool):
            continue
        if not isinstance(schema, dict):
            yield path, f"a schema must be an object, not {kind_of(schema)}"
            continue
        if depth > _DEEPEST:
            yield path, "it is nested too deeply"
            return
        if "type" in schema:
            yield from ((path, fault) for fault in _type(schema["type"]))
        for name, (fits, words) in _PLAIN.items():
            if (
                name in schema
                and not fits(schema[name])
                and not (name == "required" and depth == 0 and schema[name] is None)
            ):
                hint = ": a list of the names stands in the object" if name == "required" else ""
                yield path, f"{name} must be {words}, not {kind_of(schema[name])}{hint}"
        inner: list[tuple[object, str]] = [(schema[name], name) for name in _SINGLE if name in schema]
        for name in _MAPS:
            if isinstance(schema.get(name), dict):
                inner += [(each, key) for key, each in schema[name].items()]
            elif name in schema and not (depth == 0 and schema[name] is None):
                yield path, f"{name} must be an object, not {kind_of(schema[name])}"
        for name in _LISTS:
            listed = schema.get(name, [True])
            if isinstance(listed, list) and listed:
                inner += [(each, name) for each in listed]
            else:
                yield path, f"{name} must be a list of schemas"
        # A place is only for reading: names of a megabyte would be kept once for each schema in them.
        place = path[-_PATH_SHOWN:]
        stack += [(each, f"{place}.{key[:_PATH_SHOWN]}", depth + 1) for each, key in reversed(inner)]


def _type(value: object) -> Iterator[str]:
    kinds = value if isinstance(value, list) else [value]
    if not kinds:
        yield "type is an empty list"
    for kind in kinds:
        if kind in _TYPES:
            continue
        if not isinstance(kind, str):
            yield f"type must be a name, not {kind_of(kind)}"
            continue
        guess = _OTHER_TYPES.get(kind) or _OTHER_TYPES.get(kind.lower()) or near(kind, _TYPES)
        hint = f"did you mean {guess}?" if guess else f"one of {', '.join(_TYPES)}"
        yield f"unknown type {quoted(kind)}, {hint}"
