"""Rules of tool definitions, the choice among them, and MCP servers.

Sources: the tool use pages and the official SDK's types (2.14.0, November 2026); third parties' word is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from batchtui.intake.json_schema import check_draft
from batchtui.intake.model_limits import ModelFacts
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.rules_blocks import BlockRules, blocks_of
from batchtui.intake.schema_rules import check_schema, unchecked
from batchtui.intake.shapes import Shape, check_shape
from batchtui.intake.wording import beta_missing, did_you_mean, kind_of, near, quoted

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}\Z")
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}\Z")
_LONG_NAME = 64
"""Longer names are documented as refused and reported as taken: a warning."""
_CHOICES = ("auto", "any", "tool", "none")
_TOOL_FIELDS = frozenset(
    {
        *("type", "name", "description", "input_schema", "cache_control", "strict", "eager_input_streaming"),
        *("defer_loading", "allowed_callers", "input_examples"),
    }
)
_CUSTOM_FIELDS: Shape = {"defer_loading": "flag", "eager_input_streaming": "flag?", "input_examples": "objects"}
MAX_STRICT = 20
MAX_OPTIONAL = 24
MAX_UNIONS = 16
"""Over all strict tools and the format of a request (structured outputs documentation)."""


_CALLERS = ("direct", "code_execution_20250825", "code_execution_20260120", "code_execution_20260521")
_TYPED_FIELDS: Shape = {
    **{"type": "any", "name": "any", "cache_control": "any", "allowed_callers": "any", "strict": "any"},
    "defer_loading": "flag",
}
_CLIENT: Shape = {**_TYPED_FIELDS, "input_examples": "objects"}
_SCREEN: Shape = {**_CLIENT, "display_width_px": "count!", "display_height_px": "count!", "display_number": "whole?"}
_DOMAINS: Shape = {**_TYPED_FIELDS, "max_uses": "count?", "allowed_domains": "strings?", "blocked_domains": "strings?"}
_SEARCH: Shape = {**_DOMAINS, "user_location": "object?"}
_FETCH: Shape = {**_DOMAINS, "citations": "object?", "max_content_tokens": "count?"}
_TOOLSET: Shape = {"type": "any", "name": "any", "cache_control": "any", "configs": "object?"}
_LOCATION: Shape = {
    **{"type": "string!", "city": "string?", "region": "string?", "country": "string?", "timezone": "string?"}
}
_INCLUSION: Shape = {"response_inclusion": "string"}


class _Typed(NamedTuple):
    """A tool that the API brings: its exact name (empty: it takes none), its fields, and the beta."""

    name: str
    fields: Shape = _TYPED_FIELDS
    beta: str = ""


_EDIT = "str_replace_based_edit_tool"
_TYPED: dict[str, _Typed] = {
    "bash_20250124": _Typed("bash", _CLIENT),
    "text_editor_20250124": _Typed("str_replace_editor", _CLIENT),
    "text_editor_20250429": _Typed(_EDIT, _CLIENT),
    "text_editor_20250728": _Typed(_EDIT, {**_CLIENT, "max_characters": "count?"}),
    "memory_20250818": _Typed("memory", _CLIENT),
    **{f"code_execution_{date}": _Typed("code_execution") for date in ("20250522", "20250825", "20260120", "20260521")},
    **{f"web_search_{date}": _Typed("web_search", _SEARCH) for date in ("20250305", "20260209")},
    "web_search_20260318": _Typed("web_search", {**_SEARCH, **_INCLUSION}),
    **{f"web_fetch_{date}": _Typed("web_fetch", _FETCH) for date in ("20250910", "20260209")},
    "web_fetch_20260309": _Typed("web_fetch", {**_FETCH, "use_cache": "flag"}),
    "web_fetch_20260318": _Typed("web_fetch", {**_FETCH, **_INCLUSION, "use_cache": "flag", "url_sources": "object?"}),
    **{
        f"tool_search_tool_{kind}{date}": _Typed(f"tool_search_tool_{kind}")
        for kind in ("regex", "bm25")
        for date in ("", "_20251119")
    },
    "computer_toolset_20260801": _Typed("", _TOOLSET),
    "browser_toolset_20260801": _Typed("", _TOOLSET),
    "computer_20251124": _Typed("computer", {**_SCREEN, "enable_zoom": "flag"}, "computer-use-2025-11-24"),
    "computer_20250124": _Typed("computer", _SCREEN, "computer-use-2025-01-24"),
    "advisor_20260301": _Typed(
        "advisor",
        {**_TYPED_FIELDS, "model": "name!", "max_uses": "count?", "max_tokens": "count?", "caching": "object?"},
        "advisor-tool-2026-03-01",
    ),
    "mcp_toolset": _Typed(
        "",
        {**_TOOLSET, "mcp_server_name": "name!", "default_config": "object", "tools": "list?"},
        "mcp-client-2025-11-20",
    ),
}
_NEW_FABLE = ("claude-fable-5-2", "claude-mythos-5-2")


def check_tools(
    params: dict[str, Any], model: ModelFacts | None, blocks: BlockRules, betas: tuple[str, ...]
) -> Iterator[Found]:
    """The list of tools."""
    tools = params.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list):
        yield error("tools", f"tools must be a list, not {kind_of(tools)}")
        return
    names: set[str] = set()
    for place, tool in enumerate(tools):
        where = f"tools[{place}]"
        yield from _tool(tool, where, model, betas)
        if isinstance(tool, dict):
            yield from blocks.mark(tool, where)
        name = tool.get("name") if isinstance(tool, dict) else None
        if isinstance(name, str):
            if name in names:
                yield error("tool_twice", "two tools have the same name", quoted(name))
            names.add(name)
    deferred = [isinstance(tool, dict) and tool.get("defer_loading") is True for tool in tools]
    if tools and all(deferred):
        yield error("tool_search", "at least one tool must not be deferred (defer_loading)")
    elif any(deferred) and not _finds_tools(tools, params.get("messages")):
        yield warning("tool_search", "a tool is deferred (defer_loading) and no tool_search_tool is there to find it")
    yield from _strict_tools([tool for tool in tools if isinstance(tool, dict)], params)


def _finds_tools(tools: list[Any], messages: object) -> bool:
    """Whether a tool of the API, or one whose results held tool references, finds deferred tools."""
    kinds = [str(tool.get("type")) for tool in tools if isinstance(tool, dict)]
    return any(kind.startswith("tool_search") for kind in kinds) or any(
        inner.get("type") == "tool_reference"
        for message in (messages if isinstance(messages, list) else ())
        for block in blocks_of(message)
        for inner in blocks_of(block)
    )


def check_tool_choice(params: dict[str, Any], model: ModelFacts | None) -> Iterator[Found]:
    """Which tool is to be used."""
    choice = params.get("tool_choice")
    if choice is None:
        return
    if not isinstance(choice, dict):
        hint = f': write {{"type": "{choice}"}}' if choice in _CHOICES else ""
        yield error("tool_choice", f"tool_choice must be an object, not {kind_of(choice)}{hint}")
        return
    kind = choice.get("type")
    if "type" not in choice:
        yield error("tool_choice", f"tool_choice has no type: one of {', '.join(_CHOICES)}")
        return
    if kind not in _CHOICES:
        hints = {"required": "any", "function": "tool"}
        guess = hints.get(str(kind)) or near(str(kind), _CHOICES)
        hint = did_you_mean(guess, f": one of {', '.join(_CHOICES)}")
        yield error("tool_choice", f"unknown tool_choice type {quoted(str(kind))}{hint}")
        return
    for field in choice:
        if field not in ("type", "disable_parallel_tool_use") and not (kind == "tool" and field == "name"):
            yield error("tool_choice", f"unknown field {quoted(field)} in tool_choice of type {kind}")
    parallel = choice.get("disable_parallel_tool_use")
    if parallel is not None and (not isinstance(parallel, bool) or kind == "none"):
        what = "disable_parallel_tool_use must be true or false, and not beside type none"
        yield error("tool_choice", what)
    yield from _named_tool(params, choice, str(kind))
    if kind in ("any", "tool"):
        yield from _forced(params, str(kind), model)


def _named_tool(params: dict[str, Any], choice: dict[str, Any], kind: str) -> Iterator[Found]:
    tools = params.get("tools")
    listed = [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    if not listed:
        yield error("tool_choice", f"tool_choice {kind} needs tools")
        return
    if kind != "tool":
        return
    name = choice.get("name")
    names = [tool.get("name") for tool in listed]
    if not isinstance(name, str):
        yield error("tool_choice", "tool_choice of type tool has no name")
    elif name not in names and any(map(_is_toolset, listed)):
        yield warning("tool_choice", f"tool_choice names {quoted(name)}: whether a toolset has it can't be seen here")
    elif name not in names:
        guess = near(name, [str(each) for each in names if each])
        hint = did_you_mean(guess)
        yield error("tool_choice", f"tool_choice names {quoted(name)}, which is not among the tools{hint}")


def _forced(params: dict[str, Any], kind: str, model: ModelFacts | None) -> Iterator[Found]:
    rules = model.rules if model else None
    if rules is None or model is None:
        return
    name = quoted(model.name)
    if rules.forced_tool == "refused":
        yield error("tool_forced", f"{name} refuses tool_choice of type {kind}: use auto, or output_config.format")
    elif rules.forced_tool == "unconfirmed":
        yield warning("tool_forced", f"{name} may refuse tool_choice of type {kind}: third parties report it")
    thinking = params.get("thinking")
    if rules.forced_with_enabled == "refused" and isinstance(thinking, dict) and thinking.get("type") == "enabled":
        yield error("tool_forced", f"tool_choice of type {kind} is refused beside thinking of type enabled")


def check_mcp_servers(params: dict[str, Any], betas: tuple[str, ...]) -> Iterator[Found]:
    """MCP servers: each stands in exactly one toolset (MCP connector documentation)."""
    servers = params.get("mcp_servers")
    tools = params.get("tools")
    toolsets = [
        tool.get("mcp_server_name")
        for tool in (tools if isinstance(tools, list) else [])
        if isinstance(tool, dict) and tool.get("type") == "mcp_toolset"
    ]
    if servers is None:
        if toolsets:
            yield error("mcp", "an mcp_toolset names a server, and mcp_servers is missing")
        return
    if not toolsets:
        yield from beta_missing("mcp_servers", "mcp-client-2025-11-20", betas)
    if not isinstance(servers, list):
        yield error("mcp", f"mcp_servers must be a list, not {kind_of(servers)}")
        return
    names: list[str] = []
    for place, server in enumerate(servers):
        where = f"mcp_servers[{place}]"
        if not isinstance(server, dict) or server.get("type") != "url" or not isinstance(server.get("name"), str):
            yield error("mcp", 'an MCP server must be {"type": "url", "name": …, "url": "https://…"}', where)
            continue
        if server["name"] in names:
            yield error("mcp", "two MCP servers have the same name", f"{where}: {quoted(server['name'])}")
        names.append(server["name"])
        if server.get("tool_configuration") is not None:
            what = "tool_configuration of an MCP server moved to configs of its mcp_toolset: the API may refuse it"
            yield warning("mcp", what, where)
        yield from check_shape(server, _SERVER, "an MCP server", "mcp", where)
        url = server.get("url")
        if not isinstance(url, str) or not url.startswith("https://"):
            yield error("mcp", "the url of an MCP server must be an https address", where)
        if toolsets.count(server["name"]) != 1:
            yield error(
                "mcp", "each MCP server must be in exactly one mcp_toolset", f"{where}: {quoted(server['name'])}"
            )
    for name in toolsets:
        if name not in names:
            yield error("mcp", "an mcp_toolset names a server that is not among mcp_servers", quoted(str(name)))


_SERVER: Shape = {
    **{"type": "any", "name": "name", "url": "any", "authorization_token": "string?", "tool_configuration": "object?"}
}


def _is_toolset(tool: object) -> bool:
    return isinstance(tool, dict) and "toolset" in str(tool.get("type", ""))


def _tool(tool: object, where: str, model: ModelFacts | None, betas: tuple[str, ...]) -> Iterator[Found]:
    if not isinstance(tool, dict):
        yield error("tool", f"a tool must be an object, not {kind_of(tool)}", where)
        return
    kind = tool.get("type")
    if kind == "function" or "function" in tool:
        yield error("tool", "a tool in another provider's format: write name, description and input_schema", where)
        return
    if kind in (None, "custom"):
        yield from _custom(tool, where)
    else:
        yield from _typed(tool, str(kind), where, model, betas)
    callers = tool.get("allowed_callers", [])
    if not isinstance(callers, list) or not all(isinstance(each, str) for each in callers):
        yield error("tool_field", f"allowed_callers must be a list of strings, not {kind_of(callers)}", where)
    elif odd := [each for each in callers if each not in _CALLERS]:
        yield warning("tool_field", f"unknown caller in allowed_callers: {quoted(odd[0])}", where)
    if tool.get("defer_loading") is True and tool.get("cache_control") is not None:
        what = "a tool with defer_loading may be refused with cache_control: third parties report it"
        yield warning("cache_control", what, where)
    description = tool.get("description")
    if description is not None and not isinstance(description, str):
        yield error("tool", f"a tool's description must be a string, not {kind_of(description)}", where)
    strict = tool.get("strict")
    if strict is not None and not isinstance(strict, bool):
        yield error("tool", f"strict must be true or false, not {kind_of(strict)}", where)


def _custom(tool: dict[str, Any], where: str) -> Iterator[Found]:
    name = tool.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        what = "a tool's name must be 1 to 128 letters, digits, _ or -"
        yield error("tool_name", what, f"{where}: {quoted(str(name))}")
    elif len(name) > _LONG_NAME:
        yield warning("tool_name", f"a tool's name of more than {_LONG_NAME} letters may be refused", where)
    for field in tool:
        if field not in _TOOL_FIELDS and field not in ("parameters", "schema", "inputSchema"):
            guess = near(field, _TOOL_FIELDS)
            if guess and guess not in tool:
                yield error("tool_field", f"unknown field {quoted(field)} in a tool, did you mean {guess}?", where)
            else:
                yield warning("tool_field", f"unknown field {quoted(field)} in a tool", where)
    yield from check_shape(
        {field: tool[field] for field in _CUSTOM_FIELDS if field in tool}, _CUSTOM_FIELDS, "a tool", "tool_field", where
    )
    yield from _input_schema(tool, where)


def _typed(
    tool: dict[str, Any], kind: str, where: str, model: ModelFacts | None, betas: tuple[str, ...]
) -> Iterator[Found]:
    typed = _TYPED.get(kind)
    if typed is None:
        guess = near(kind, _TYPED, cutoff=0.8)
        hint = did_you_mean(guess)
        yield warning("tool_type", f"unknown tool type {quoted(kind)}{hint}", where)
        return
    name = tool.get("name")
    if typed.name and name != typed.name:
        yield error(
            "tool_name", f"the name of a tool of type {kind} must be {typed.name}", f"{where}: {quoted(str(name))}"
        )
    if not typed.name and name is not None:
        yield error("tool_name", f"a tool of type {kind} takes no name", where)
    barred = [field for field in ("input_schema", "strict") if field in tool and field not in typed.fields]
    for field in barred:
        yield error("tool_field", f"a tool of type {kind} takes no {field}", where)
    own = {field: value for field, value in tool.items() if field not in barred}
    yield from check_shape(own, typed.fields, f"a tool of type {kind}", "tool_field", where)
    if typed.beta:
        exact = kind.startswith("computer_")
        yield from beta_missing(f"a tool of type {kind}", typed.beta, betas, exact=exact)
    if kind.startswith(("web_search", "web_fetch")):
        yield from _web(tool, where)
    rules = model.rules if model else None
    if model is not None and rules is not None and kind == "computer_20251124" and rules.computer_20251124 == "refused":
        yield error(
            "tool_type", f"{quoted(model.name)} refuses tools of type {kind}: use computer_toolset_20260801", where
        )
    if (
        model is not None
        and kind == "advisor_20260301"
        and model.name in _NEW_FABLE
        and tool.get("model") not in _NEW_FABLE
    ):
        yield error("tool_field", f"the advisor of {quoted(model.name)} must be one of {', '.join(_NEW_FABLE)}", where)


def _web(tool: dict[str, Any], where: str) -> Iterator[Found]:
    """Where a tool may search or fetch."""
    if tool.get("allowed_domains") and tool.get("blocked_domains"):
        yield error("tool_field", "allowed_domains and blocked_domains can't both be set in one tool", where)
    for field in ("allowed_domains", "blocked_domains"):
        domains = tool.get(field)
        odd = [each for each in domains if "://" in str(each)] if isinstance(domains, list) else []
        if odd:
            yield warning("tool_field", f"{field} holds names without https://", f"{where}: {quoted(str(odd[0]))}")
    location = tool.get("user_location")
    if isinstance(location, dict):
        yield from check_shape(location, _LOCATION, "user_location", "tool_field", where)
        if isinstance(location.get("type"), str) and location["type"] != "approximate":
            yield error("tool_field", "user_location.type must be approximate", f"{where}: {quoted(location['type'])}")
    cited = tool.get("citations")
    if isinstance(cited, dict) and not isinstance(cited.get("enabled", False), bool):
        yield error("tool_field", 'citations of a tool must be {"enabled": true} or false', where)


def _input_schema(tool: dict[str, Any], where: str) -> Iterator[Found]:
    schema = tool.get("input_schema")
    if "input_schema" not in tool:
        guess = next((name for name in ("parameters", "schema", "inputSchema") if name in tool), "")
        hint = did_you_mean(guess)
        yield error("tool_schema", f"a tool has no input_schema{hint}", where)
    elif not isinstance(schema, dict):
        yield error("tool_schema", f"input_schema must be an object, not {kind_of(schema)}", where)
    elif schema.get("type") != "object":
        yield error("tool_schema", 'input_schema must have "type": "object"', where)
    else:
        for word in ("oneOf", "anyOf", "allOf"):
            if word in schema:
                yield warning(
                    "tool_schema", f"input_schema with {word} at its top may be refused: third parties report it", where
                )
        yield from check_draft(schema, "input_schema", where)
        properties = schema.get("properties")
        odd = [each for each in properties if not _PROPERTY.match(each)] if isinstance(properties, dict) else []
        if odd:
            what = "names of properties should be 1 to 64 letters, digits, _ . or -: others may be refused"
            yield warning("tool_schema", what, f"{where}: {quoted(odd[0])}")


def unchecked_calls(params: dict[str, Any]) -> Iterator[Found]:
    """Warnings of tools whose calls are answers and can't be checked: strict ones and the forced one."""
    tools, choice = params.get("tools"), params.get("tool_choice")
    given = enumerate(tools if isinstance(tools, list) else ())
    own = [(n, t) for n, t in given if isinstance(t, dict) and t.get("type", "custom") == "custom"]
    how = choice if isinstance(choice, dict) else {}
    only = how.get("type") == "any" and len(own) == 1
    for place, tool in own:
        schema, strict = tool.get("input_schema"), tool.get("strict") is True
        forced = only or (how.get("type") == "tool" and how.get("name") == tool.get("name"))
        if isinstance(schema, dict) and (strict or forced):
            found = list(unchecked(schema, f"tools[{place}]"))
            yield from () if found and strict and check_schema(schema, "").problems else found


def _strict_tools(tools: list[dict[str, Any]], params: dict[str, Any]) -> Iterator[Found]:
    strict = [(place, tool) for place, tool in enumerate(tools) if tool.get("strict") is True]
    if len(strict) > MAX_STRICT:
        yield error("tool_strict", f"more than {MAX_STRICT} strict tools in one request", f"there are {len(strict)}")
    optional = unions = 0
    for place, tool in strict:
        schema = tool.get("input_schema")
        if isinstance(schema, dict):
            found = check_schema(schema, f"tools[{place}]")
            yield from found.problems
            optional, unions = optional + found.optional, unions + found.unions
    config = params.get("output_config")
    shape = config.get("format") if strict and isinstance(config, dict) else None
    if isinstance(shape, dict) and isinstance(shape.get("schema"), dict):
        found = check_schema(shape["schema"], "output_config.format")
        optional, unions = optional + found.optional, unions + found.unions
        over = "over all strict tools and output_config.format"
    else:
        over = "over all strict tools"
    if optional > MAX_OPTIONAL:
        what = f"more than {MAX_OPTIONAL} optional parameters {over}"
        yield error("tool_strict", what, f"there are {optional}")
    if unions > MAX_UNIONS:
        what = f"more than {MAX_UNIONS} parameters of several types {over}"
        yield error("tool_strict", what, f"there are {unions}")
