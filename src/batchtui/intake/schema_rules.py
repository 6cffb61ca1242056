"""JSON Schemas of structured outputs and strict tools: which keywords the API refuses.

Source: structured outputs documentation (August 2026), as api facts of November 2026 list it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from batchtui.intake.problems import Found, error, warning
from batchtui.intake.wording import kind_of, quoted

REFUSED = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
)
_DEEPEST = 200
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions")
_SINGLE = ("items", "additionalProperties", "not")
ODD_PATTERNS = ("(?P=", "\\k<", "(?=", "(?!", "(?<=", "(?<!", "\\b", "\\B", *(f"\\{digit}" for digit in range(1, 10)))


class SchemaFindings(NamedTuple):
    """What is wrong with a schema, and what counts towards a request's limits."""

    problems: list[Found]
    optional: int
    """Properties that are not required."""
    unions: int
    """Properties of several types."""


def check_schema(schema: dict[str, Any], where: str) -> SchemaFindings:
    """Look at a schema that the API is to obey."""
    problems: list[Found] = []
    counts = [0, 0]
    for path, each in _walk(schema, "", 0):
        if each is None:
            problems.append(error("schema_deep", "the schema is nested too deeply", where))
            break
        problems += _object(each, f"{where}: {path or 'schema'}")
        required = each.get("required")
        properties = each.get("properties")
        if isinstance(properties, dict):
            given = set(map(str, required)) if isinstance(required, list) else set()
            counts[0] += sum(1 for name in properties if name not in given)
            counts[1] += sum(1 for value in properties.values() if _is_union(value))
    problems += _references(schema, where)
    return SchemaFindings(problems, counts[0], counts[1])


def unchecked(schema: dict[str, Any], where: str) -> Iterator[Found]:
    """A warning when answers can't be checked by a schema."""
    try:
        why = _why_unchecked(msgspec.json.encode(schema))
    except (ValueError, OverflowError, RecursionError):
        return  # It was read with numbers that only an unchecked request may hold.
    if why:
        yield warning("schema_unchecked", f"answers can't be checked: the schema can't be compiled ({why})", where)


@functools.lru_cache(maxsize=1_000)
def _why_unchecked(schema: bytes) -> str:
    from batchtui.results.answer_check import why_no_schema

    return why_no_schema(msgspec.json.decode(schema))


def close_params(params: dict[str, Any]) -> bool:
    """Close the schemas of a request's format and strict tools in place; False when they were closed before."""
    changed = False
    config = params.get("output_config")
    shape = config.get("format") if isinstance(config, dict) else None
    holders = [(shape, "schema")] if isinstance(shape, dict) else []
    tools = params.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and tool.get("strict") is True:
            holders.append((tool, "input_schema"))
    for holder, name in holders:
        try:
            made = closed(holder.get(name))
        except RecursionError:
            continue
        if made != holder.get(name):
            holder[name], changed = made, True
    return changed


def closed(schema: Any) -> Any:
    """The schema with ``additionalProperties: false`` on every object that leaves it out."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = with_inner(schema, closed)
    return {**inner, "additionalProperties": False} if _open_object(schema) else inner


def with_inner(schema: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A schema with what ``change`` makes of each schema, and each list of schemas, right inside it."""
    return {
        name: {key: change(each) for key, each in value.items()}
        if name in _MAPS and isinstance(value, dict)
        else change(value)
        if name in (*_LISTS, *_SINGLE)
        else value
        for name, value in schema.items()
    }


def _open_object(schema: dict[str, Any]) -> bool:
    return _is_object(schema) and schema.get("additionalProperties") is not False


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return (
        kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in schema)
    )


def _is_union(schema: object) -> bool:
    return isinstance(schema, dict) and (
        isinstance(schema.get("anyOf"), list) or (isinstance(schema.get("type"), list) and len(schema["type"]) > 1)
    )


def _walk(schema: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Every schema in this one with its path; None instead where it is nested too deeply."""
    if depth > _DEEPEST:
        yield path, None
        return
    yield path, schema
    for name in _MAPS:
        inner = schema.get(name)
        for key, each in inner.items() if isinstance(inner, dict) else ():
            if isinstance(each, dict):
                yield from _walk(each, f"{path}.{key}".lstrip("."), depth + 1)
    for name in _LISTS:
        inner = schema.get(name)
        for each in inner if isinstance(inner, list) else ():
            if isinstance(each, dict):
                yield from _walk(each, f"{path}.{name}".lstrip("."), depth + 1)
    for name in _SINGLE:
        inner = schema.get(name)
        if isinstance(inner, dict):
            yield from _walk(inner, f"{path}.{name}".lstrip("."), depth + 1)


def _object(schema: dict[str, Any], where: str) -> Iterator[Found]:
    if _is_object(schema) and schema.get("additionalProperties") is not False:
        what = 'every object of the schema needs "additionalProperties": false: --close-schemas adds it'
        yield error("schema_open", what, where)
    for word in REFUSED:
        if word in schema:
            yield error("schema_keyword", f"the schema may not hold {word}: say it in a description", where)
    least = schema.get("minItems")
    if least is not None and least not in (0, 1):
        yield error("schema_keyword", "minItems of the schema may be 0 or 1", where)
    if "oneOf" in schema:
        yield error("schema_keyword", "the schema may not hold oneOf: use anyOf", where)
    values = schema.get("enum")
    if values is not None and not (isinstance(values, list) and values):
        yield error("schema_enum", f"enum must be a list of values, not {kind_of(values)}", where)
    elif isinstance(values, list) and any(isinstance(each, dict | list) for each in values):
        yield error("schema_enum", "enum may hold texts, numbers, true, false and null only", where)
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and any(odd in pattern for odd in ODD_PATTERNS):
        yield error("schema_pattern", "a pattern of the schema may hold no lookaround, back-reference or \\b", where)


def _references(schema: dict[str, Any], where: str) -> Iterator[Found]:
    """References lead into the schema itself, and never back to where they stand."""
    targets: dict[str, set[str]] = {"#": set()}
    for name in ("$defs", "definitions"):
        inner = schema.get(name)
        for key, each in inner.items() if isinstance(inner, dict) else ():
            targets[f"#/{name}/{key}"] = set(_refs(each))
    own = {name: value for name, value in schema.items() if name not in ("$defs", "definitions")}
    targets["#"] = set(_refs(own))
    for found in sorted(set().union(*targets.values())):
        if not found.startswith("#"):
            yield error("schema_ref", f"$ref {quoted(found)} points outside the schema", where)
        elif found not in targets:
            yield error("schema_ref", f"$ref {quoted(found)} points nowhere in the schema", where)
    if _circular(targets):
        yield error("schema_ref", "the schema refers to itself (recursion)", where)


def _refs(value: object) -> Iterator[str]:
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            if isinstance(each.get("$ref"), str):
                yield each["$ref"]
            stack += each.values()
        elif isinstance(each, list):
            stack += each


def _circular(targets: dict[str, set[str]]) -> bool:
    done: set[str] = set()
    for start, first in targets.items():
        trail: list[tuple[str, Iterator[str]]] = [(start, iter(first))]
        on_trail = {start}
        while trail:
            name, rest = trail[-1]
            follow = next(rest, None)
            if follow is None:
                trail.pop()
                on_trail.discard(name)
                done.add(name)
            elif follow in on_trail:
                return True
            elif follow in targets and follow not in done:
                on_trail.add(follow)
                trail.append((follow, iter(targets[follow])))
    return False
