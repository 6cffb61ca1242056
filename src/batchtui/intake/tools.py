"""Rules of tool definitions and the choice among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from batchtui.intake.problems import Found, error, warning
from batchtui.intake.words import kind_of, near, quoted

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}\Z")
_CHOICES = ("auto", "any", "tool", "none")


def check_tools(params: dict[str, Any]) -> Iterator[Found]:
    """The list of tools."""
    tools = params.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list):
        yield error("tools", f"tools must be a list, not {kind_of(tools)}")
        return
    names: set[str] = set()
    for place, tool in enumerate(tools):
        yield from _tool(tool, f"tools[{place}]")
        name = tool.get("name") if isinstance(tool, dict) else None
        if isinstance(name, str):
            if name in names:
                yield error("tool_twice", "two tools have the same name", quoted(name))
            names.add(name)


def check_tool_choice(params: dict[str, Any]) -> Iterator[Found]:
    """Which tool is to be used."""
    choice = params.get("tool_choice")
    if choice is None:
        return
    if not isinstance(choice, dict):
        hint = f': write {{"type": "{choice}"}}' if choice in _CHOICES else ""
        yield error("tool_choice", f"tool_choice must be an object, not {kind_of(choice)}{hint}")
        return
    kind = choice.get("type")
    if kind not in _CHOICES:
        hints = {"required": "any", "function": "tool"}
        guess = hints.get(str(kind)) or near(str(kind), _CHOICES)
        hint = f", did you mean {guess}?" if guess else f": one of {', '.join(_CHOICES)}"
        yield error("tool_choice", f"unknown tool_choice type {quoted(str(kind))}{hint}")
        return
    tools = params.get("tools")
    names = [tool.get("name") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    if kind in ("any", "tool") and not names:
        yield error("tool_choice", f"tool_choice {kind} needs tools")
    elif kind == "tool":
        name = choice.get("name")
        if not isinstance(name, str):
            yield error("tool_choice", "tool_choice of type tool has no name")
        elif name not in names and isinstance(tools, list) and any(map(_is_toolset, tools)):
            yield warning(
                "tool_choice", f"tool_choice names {quoted(name)}: whether a toolset has it can't be seen here"
            )
        elif name not in names:
            yield error("tool_choice", f"tool_choice names {quoted(name)}, which is not among the tools")


def _is_toolset(tool: object) -> bool:
    return isinstance(tool, dict) and str(tool.get("type", "")).endswith("toolset")


def _tool(tool: object, where: str) -> Iterator[Found]:
    if not isinstance(tool, dict):
        yield error("tool", f"a tool must be an object, not {kind_of(tool)}", where)
        return
    if tool.get("type") == "function" or "function" in tool:
        yield error("tool", "a tool in another maker's shape: write name, description and input_schema", where)
        return
    name = tool.get("name")
    if tool.get("type") in (None, "custom"):
        if not isinstance(name, str) or not _NAME.match(name):
            yield error(
                "tool_name", "a tool's name must be 1 to 128 letters, digits, _ or -", f"{where}: {quoted(str(name))}"
            )
        yield from _schema(tool, where)
    description = tool.get("description")
    if description is not None and not isinstance(description, str):
        yield error("tool", f"a tool's description must be a string, not {kind_of(description)}", where)
    mark = tool.get("cache_control")
    if mark is not None and (not isinstance(mark, dict) or mark.get("type") != "ephemeral"):
        yield error("cache_control", 'cache_control must be {"type": "ephemeral"}', where)


def _schema(tool: dict[str, Any], where: str) -> Iterator[Found]:
    schema = tool.get("input_schema")
    if "input_schema" not in tool:
        guess = next((name for name in ("parameters", "schema", "inputSchema") if name in tool), "")
        hint = f", did you mean it by {guess}?" if guess else ""
        yield error("tool_schema", f"a tool has no input_schema{hint}", where)
    elif not isinstance(schema, dict):
        yield error("tool_schema", f"input_schema must be an object, not {kind_of(schema)}", where)
    elif schema.get("type") != "object":
        yield error("tool_schema", 'input_schema must have "type": "object"', where)
