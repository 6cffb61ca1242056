"""What the demo server's models refuse, written from the documentation apart from batchtui's own checker: each tests the other.

Sources: Messages reference, thinking-troubleshooting, effort, structured outputs, vision, PDF support, tool use, prompt caching
and migration pages of August to November 2026.  What those leave open is taken here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from batchtui.demo import media
from batchtui.demo.models import EFFORTS, Traits, traits
from batchtui.demo.request_shapes import first_fault

Json = dict[str, Any]
NEW_VERSION = "2026-10-21"
"""From this anthropic-version on, sampling parameters are refused."""


class Refused(Exception):
    """The API's sentence about a request that it does not take."""


def check(params: Json, model: str, version: str, betas: tuple[str, ...]) -> None:
    """Raise Refused with the first thing that is wrong; ``model`` is the full name of ``params["model"]``."""
    family = traits(model)
    _thinking(params, family, betas)
    _sampling(params, family, version)
    _tools(params, family, model)
    _messages(params, family, version)
    _output(params, family)
    _media(params, family)
    _marks(params)
    _small(params, family)
    if fault := first_fault(params):
        raise Refused(fault)


def _small(params: Json, family: Traits) -> None:
    if params.get("inference_geo") is not None:
        if not isinstance(params["inference_geo"], str):
            raise Refused("inference_geo: Input should be a valid string")
        if family.no_geo:
            raise Refused("inference_geo: not supported for this model")
    if params.get("service_tier", "auto") not in ("auto", "standard_only", None):
        raise Refused("service_tier: Input should be 'auto' or 'standard_only'")
    for name in params.get("metadata") or {}:
        if name != "user_id":
            raise Refused(f"metadata.{name[:60]}: Extra inputs are not permitted")
        if not isinstance(params["metadata"][name] or "", str):
            raise Refused("metadata.user_id: Input should be a valid string")
    stops = params.get("stop_sequences")
    if any(not each.strip() for each in stops or ()):
        raise Refused("stop_sequences: each stop sequence must contain non-whitespace")
    for name in params.get("diagnostics") or {}:
        if name != "previous_message_id":
            raise Refused(f"diagnostics.{name[:60]}: Extra inputs are not permitted")
        if not isinstance(params["diagnostics"][name] or "", str):
            raise Refused("diagnostics.previous_message_id: Input should be a valid string")


def _thinking(params: Json, family: Traits, betas: tuple[str, ...]) -> None:
    thinking = params.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if kind not in ("enabled", "adaptive", "disabled", "between_tools"):
        raise Refused("thinking: Input tag does not match any of the expected tags")
    if kind in family.refused:
        raise Refused(f"thinking.type: '{kind}' is not supported for this model")
    strained = (params.get("output_config") or {}).get("effort") in ("xhigh", "max")
    if strained and kind in family.strained:
        raise Refused(f"thinking.type: '{kind}' is not supported at this effort")
    known = {"type"} if kind == "between_tools" else {"type", "display", "block_binding"}
    if kind == "enabled" or (kind != "between_tools" and thinking.get("budget_tokens") is None):
        known.add("budget_tokens")
    for name in thinking:
        if name not in known:
            raise Refused(f"thinking.{kind}.{name[:60]}: Extra inputs are not permitted")
    if thinking.get("display") not in (None, "summarized", "omitted", "updates"):
        raise Refused("thinking.display: Input should be 'summarized' or 'omitted'")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or isinstance(budget, bool) or budget < 1024:
            raise Refused("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if budget >= params["max_tokens"] and not any(beta.startswith("interleaved-thinking") for beta in betas):
            raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`")


def _sampling(params: Json, family: Traits, version: str) -> None:
    given = {name: params[name] for name in ("temperature", "top_p", "top_k") if params.get(name) is not None}
    if given and version >= NEW_VERSION:
        raise Refused(f"{min(given)}: not supported with anthropic-version {version}. Remove it from the request")
    for name, value in given.items():
        if value < 0 or (name != "top_k" and value > 1):
            raise Refused(f"{name}: range: 0..1")
        if family.no_sampling and (name == "top_k" or value != 1):
            raise Refused(f"{name}: only the default is supported for this model")
    changed = given.get("temperature", 1) != 1 or "top_k" in given or given.get("top_p", 1) < 0.95
    if changed and (params.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        raise Refused(
            "`temperature` may only be set to 1, `top_p` to 0.95 or more, `top_k` not at all when thinking is on"
        )
    if family.one_sampling and "temperature" in given and "top_p" in given:
        raise Refused("`temperature` and `top_p` cannot both be specified for this model")


# --- tools ---------------------------------------------------------------------------------------------------------

_NAMES = {
    "bash": "bash",
    "text_editor_20250124": "str_replace_editor",
    "text_editor": "str_replace_based_edit_tool",
    "memory": "memory",
    "code_execution": "code_execution",
    "web_search": "web_search",
    "web_fetch": "web_fetch",
    "tool_search_tool_regex": "tool_search_tool_regex",
    "tool_search_tool_bm25": "tool_search_tool_bm25",
    "computer": "computer",
    "advisor": "advisor",
}
_TYPES = frozenset(
    f"{stem}_{date}"
    for stem, dates in {
        "bash": "20250124",
        "text_editor": "20250124 20250429 20250728",
        "memory": "20250818",
        "code_execution": "20250522 20250825 20260120 20260521",
        "web_search": "20250305 20260209 20260318",
        "web_fetch": "20250910 20260209 20260309 20260318",
        "tool_search_tool_regex": "20251119",
        "tool_search_tool_bm25": "20251119",
        "computer_toolset": "20260801",
        "browser_toolset": "20260801",
        "computer": "20251124 20250124",
        "advisor": "20260301",
    }.items()
    for date in dates.split()
) | {"tool_search_tool_regex", "tool_search_tool_bm25", "mcp_toolset"}


def _tools(params: Json, family: Traits, model: str) -> None:
    tools = params.get("tools") or []
    names: list[str] = []
    for number, tool in enumerate(tools):
        kind = tool.get("type")
        where = f"tools.{number}"
        if kind in (None, "custom"):
            _custom_tool(tool, f"{where}.custom")
        elif kind in _TYPES:
            _typed_tool(tool, kind, where, family, model)
        elif kind == "function" or "function" in tool:
            raise Refused(f"{where}.type: Input should be 'custom' or the type of a server tool")
        if not isinstance(tool.get("strict", False), bool):
            raise Refused(f"{where}.strict: Input should be a valid boolean")
        if not isinstance(tool.get("description") or "", str):
            raise Refused(f"{where}.description: Input should be a valid string")
        if isinstance(tool.get("name"), str):
            names.append(tool["name"])
    if len(set(names)) != len(names):
        raise Refused("tools: Tool names must be unique.")
    if tools and all(tool.get("defer_loading") is True for tool in tools):
        raise Refused("tools: at least one tool must have defer_loading=false")
    strict = [tool["input_schema"] for tool in tools if tool.get("strict") is True and "input_schema" in tool]
    shape = (params.get("output_config") or {}).get("format")
    if strict and isinstance(shape, dict) and isinstance(shape.get("schema"), dict):
        strict.append(shape["schema"])
    if sum(tool.get("strict") is True for tool in tools) > 20:
        raise Refused("tools: too many strict tools (maximum 20)")
    _schemas(strict, "tools")
    _servers(params, tools)
    _choice(params, tools, names, family)


def _custom_tool(tool: Json, where: str) -> None:
    if not isinstance(tool.get("name"), str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]):
        raise Refused(f"{where}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        raise Refused(f"{where}.input_schema: Field required")
    if schema.get("type") != "object":
        raise Refused(f"{where}.input_schema.type: Input should be 'object'")


def _typed_tool(tool: Json, kind: str, where: str, family: Traits, model: str) -> None:
    stem = re.sub(r"_20\d{6}$", "", kind)
    if "toolset" in kind:
        if tool.get("name") is not None or (stem != "mcp_toolset" and tool.get("strict") is not None):
            raise Refused(f"{where}.{kind}: Extra inputs are not permitted")
        if stem == "mcp_toolset" and not tool.get("mcp_server_name"):
            raise Refused(f"{where}.{kind}.mcp_server_name: Field required")
        return
    wanted = _NAMES[kind if kind in _NAMES else stem]
    if tool.get("name") != wanted:
        raise Refused(f"{where}.{kind}.name: Input should be '{wanted}'")
    if stem == "computer":
        for name in ("display_width_px", "display_height_px"):
            value = tool.get(name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise Refused(f"{where}.{kind}.{name}: Field required")
        if kind == "computer_20251124" and not family.old_computer:
            raise Refused(f"{where}.type: '{kind}' is not supported for this model")
    if stem in ("web_search", "web_fetch") and tool.get("allowed_domains") and tool.get("blocked_domains"):
        raise Refused(f"{where}.{kind}: only one of allowed_domains and blocked_domains may be given")
    if stem == "advisor":
        if "model" not in tool:
            raise Refused(f"{where}.{kind}.model: Field required")
        if model.endswith("-5-2") and not str(tool["model"]).endswith("-5-2"):
            raise Refused(f"{where}.{kind}.model: not supported as an advisor of this model")


def _servers(params: Json, tools: list[Json]) -> None:
    servers = params.get("mcp_servers")
    used = [tool.get("mcp_server_name") for tool in tools if tool.get("type") == "mcp_toolset"]
    if servers is None:
        if used:
            raise Refused("tools: mcp_toolset refers to a server that is not in mcp_servers")
        return
    if not isinstance(servers, list):
        raise Refused("mcp_servers: Input should be a valid list")
    names = []
    for number, server in enumerate(servers):
        shaped = isinstance(server, dict) and server.get("type") == "url" and isinstance(server.get("name"), str)
        if not shaped or not str(server.get("url", "")).startswith("https://"):
            raise Refused(f"mcp_servers.{number}: Input should be a server with an https url")
        names.append(server["name"])
    if sorted(map(str, used)) != sorted(names):
        raise Refused("mcp_servers: every server must be referenced by exactly one mcp_toolset")


def _choice(params: Json, tools: list[Json], names: list[str], family: Traits) -> None:
    choice = params.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise Refused("tool_choice: Input tag does not match any of the expected tags")
    if not tools:
        raise Refused("tool_choice: tool_choice may only be specified while providing tools")
    single = choice.get("disable_parallel_tool_use")
    if single is not None and (kind == "none" or not isinstance(single, bool)):
        raise Refused(f"tool_choice.{kind}.disable_parallel_tool_use: Extra inputs are not permitted")
    if kind == "tool":
        if not isinstance(choice.get("name"), str):
            raise Refused("tool_choice.tool.name: Field required")
        if choice["name"] not in names and not any("toolset" in str(tool.get("type")) for tool in tools):
            raise Refused(f"tool_choice: Tool '{choice['name'][:60]}' not found in provided tools")
    if kind in ("any", "tool"):
        if family.no_force:
            raise Refused(f"tool_choice.type: '{kind}' is not supported for this model")
        if family.force_or_think and (params.get("thinking") or {}).get("type") == "enabled":
            raise Refused("Thinking may not be enabled when tool_choice forces tool use.")


# --- structured outputs ----------------------------------------------------------------------------------------------

_NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"}
_COUNTS = {"maxItems", "uniqueItems", "minProperties", "maxProperties", "oneOf"}


def _output(params: Json, family: Traits) -> None:
    config = params.get("output_config")
    if config is None:
        return
    for name in config:
        if name not in ("effort", "format", "task_budget"):
            raise Refused(f"output_config.{name[:60]}: Extra inputs are not permitted")
    effort = config.get("effort")
    if effort is not None:
        if effort not in EFFORTS:
            raise Refused("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
        if effort not in family.efforts:
            raise Refused("output_config.effort: not supported for this model")
    budget = config.get("task_budget")
    if budget is not None:
        total = budget.get("total") if isinstance(budget, dict) and budget.get("type") == "tokens" else None
        if not isinstance(total, int) or isinstance(total, bool) or total < 20_000:
            raise Refused("output_config.task_budget.total: Input should be greater than or equal to 20000")
    shape = config.get("format")
    if shape is None:
        return
    if not isinstance(shape, dict) or set(shape) != {"type", "schema"} or shape["type"] != "json_schema":
        raise Refused("output_config.format: Input should be of type 'json_schema' with a schema")
    if not isinstance(shape["schema"], dict):
        raise Refused("output_config.format.schema: Input should be a valid dictionary")
    _schemas([shape["schema"]], "output_config.format.schema")
    if params["messages"][-1].get("role") == "assistant":
        raise Refused("output_config.format: not supported with a prefilled assistant message")
    if any((block.get("citations") or {}).get("enabled") for _, block in _blocks(params) if _citable(block)):
        raise Refused("output_config.format: not supported with citations")


def _schemas(schemas: list[Json], where: str) -> None:
    optional = several = 0
    for schema in schemas:
        for each in _subschemas(schema, 0, where):
            if _is_object(each) and each.get("additionalProperties") is not False:
                raise Refused(f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false")
            bad = (_NUMBERS | _COUNTS) & set(each)
            if bad or each.get("minItems", 0) not in (0, 1):
                raise Refused(f"{where}: property '{min(bad or {'minItems'})}' is not supported")
            values = each.get("enum", ["x"])
            if not isinstance(values, list) or not values or any(isinstance(value, dict | list) for value in values):
                raise Refused(f"{where}: enum may only hold primitive values")
            if re.search(r"\(\?<?[=!]|\(\?P=|\\[bB1-9]|\\k<", str(each.get("pattern", ""))):
                raise Refused(f"{where}: the pattern uses an unsupported feature")
            inner = each.get("properties") or {}
            optional += len(set(inner) - set(each.get("required") or ()))
            several += sum(_several(value) for value in inner.values())
        _refs_end(schema, where)
    if optional > 24:
        raise Refused(f"{where}: too many optional parameters (maximum 24)")
    if several > 16:
        raise Refused(f"{where}: too many parameters with union types (maximum 16)")


def _is_object(schema: Json) -> bool:
    kinds = schema.get("type", "object" if "properties" in schema else None)
    return kinds == "object" or (isinstance(kinds, list) and "object" in kinds)


def _several(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    kinds = value.get("type")
    return isinstance(value.get("anyOf"), list) or (isinstance(kinds, list) and len(kinds) > 1)


def _subschemas(schema: object, depth: int, where: str) -> Iterator[Json]:
    if not isinstance(schema, dict):
        return
    if depth > 200:
        raise Refused(f"{where}: the schema is nested too deeply")
    yield schema
    inner: list[object] = [schema.get("items"), schema.get("additionalProperties"), schema.get("not")]
    for name in ("properties", "$defs", "definitions"):
        inner += (schema.get(name) or {}).values() if isinstance(schema.get(name), dict) else []
    for name in ("anyOf", "allOf", "oneOf", "prefixItems"):
        listed = schema.get(name)
        inner += listed if isinstance(listed, list) else []
    for each in inner:
        yield from _subschemas(each, depth + 1, where)


def _refs_end(schema: Json, where: str) -> None:
    """Every reference leads into the definitions, and unfolding them comes to an end."""
    definitions = {
        f"#/{name}/{key}": value for name in ("$defs", "definitions") for key, value in (schema.get(name) or {}).items()
    }

    def unfold(value: object, inside: tuple[str, ...]) -> None:
        if isinstance(value, list):
            for each in value:
                unfold(each, inside)
        if not isinstance(value, dict):
            return
        target = value.get("$ref")
        if isinstance(target, str):
            if target == "#" or target in inside:
                raise Refused(f"{where}: recursive schemas are not supported")
            if target not in definitions:
                raise Refused(f"{where}: $ref '{target[:60]}' can't be resolved")
            unfold(definitions[target], (*inside, target))
        for name, each in value.items():
            if name not in ("$defs", "definitions"):
                unfold(each, inside)

    unfold(schema, ())
    for name, value in definitions.items():
        unfold(value, (name,))


# --- messages ----------------------------------------------------------------------------------------------------

_ASSISTANTS = frozenset(
    {
        *("tool_use", "thinking", "redacted_thinking", "server_tool_use", "mcp_tool_use", "mcp_tool_result"),
        *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
        *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
    }
)
"""Blocks that only an assistant's message holds."""
_USERS = ("tool_result", "container_upload")
"""Blocks that only a user's message holds."""
_SERVER_ENDS = tuple(sorted(kind for kind in _ASSISTANTS if kind.endswith("_tool_result")))
_NEEDED: dict[str, dict[str, type | tuple[type, ...]]] = {
    "text": {"text": str},
    "image": {"source": dict},
    "document": {"source": dict},
    "tool_use": {"id": str, "name": str, "input": dict},
    "server_tool_use": {"id": str, "name": str, "input": dict},
    "mcp_tool_use": {"id": str, "name": str, "server_name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
    "mcp_tool_result": {"tool_use_id": str},
    "thinking": {"thinking": str, "signature": str},
    "redacted_thinking": {"data": str},
    "search_result": {"source": str, "title": str, "content": list},
    "container_upload": {"file_id": str},
    "tool_reference": {"tool_name": str},
    **{kind: {"tool_use_id": str, "content": object} for kind in _SERVER_ENDS if kind != "mcp_tool_result"},
}


_BETA_BLOCKS = frozenset(
    {
        *("compaction", "browser_state", "advisor_tool_result", "mcp_tool_listing", "fallback"),
        *("tool_addition", "tool_removal"),
    }
)
"""Blocks whose fields are not looked into."""


def _messages(params: Json, family: Traits, version: str) -> None:
    system = params.get("system")
    if isinstance(system, str) and system and not system.strip():
        raise Refused("system: text content blocks must contain non-whitespace text")
    for number, block in enumerate(system if isinstance(system, list) else ()):
        if block.get("type") != "text":
            raise Refused(f"system.{number}.type: Input should be 'text'")
        _block(f"system.{number}", block, "system", version)
    messages = params["messages"]
    roles = [message.get("role") for message in messages]
    if roles[0] == "assistant":
        raise Refused('messages: first message must use the "user" role')
    for number, message in enumerate(messages):
        _message(number, message, roles, version)
    _systems(messages, roles)
    prefilled = roles[-1] == "assistant" and not _paused(messages[-1])
    if prefilled and (params.get("thinking") or {}).get("type") == "enabled":
        raise Refused("messages: the final assistant message can't be prefilled when thinking is enabled")
    if prefilled and family.no_prefill:
        raise Refused(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    _tool_turns(messages)


def _message(number: int, message: Json, roles: list[Any], version: str) -> None:
    where, role = f"messages.{number}", roles[number]
    final = role == "assistant" and number == len(roles) - 1
    for name in message:
        if name not in ("role", "content") and not (role == "system" and name in ("clear_at", "output_config")):
            raise Refused(f"{where}.{name[:60]}: Extra inputs are not permitted")
    if message.get("clear_at", "never") not in ("next_user_message", "never"):
        raise Refused(f"{where}.clear_at: Input should be 'next_user_message' or 'never'")
    if "content" not in message:
        if role == "system" and "output_config" in message:
            return
        raise Refused(f"{where}.content: Field required")
    content = message["content"]
    if not content and not final:
        raise Refused(
            f"{where}: all messages must have non-empty content except for the optional final assistant message"
        )
    texts = [content] if isinstance(content, str) else []
    for place, block in enumerate(content if isinstance(content, list) else ()):
        if role == "system" and block.get("type") not in ("text", "tool_addition", "tool_removal"):
            raise Refused(f"{where}.content.{place}.type: Input should be 'text'")
        _block(f"{where}.content.{place}", block, role, version)
        texts = [block["text"]] if block.get("type") == "text" else []
    if isinstance(content, str) and content and not content.strip():
        raise Refused(f"{where}: text content blocks must contain non-whitespace text")
    if final and texts and texts[-1].strip() and texts[-1] != texts[-1].rstrip():
        raise Refused("messages: final assistant content cannot end with trailing whitespace")


def _systems(messages: list[Json], roles: list[Any]) -> None:
    for number, role in enumerate(roles):
        if role != "system":
            continue
        if number == 0:
            raise Refused("messages.0.role: the first message can't be a system message; use the top-level `system`")
        if roles[number - 1] != "user" and _last_kind(messages[number - 1]) not in _SERVER_ENDS:
            raise Refused(f"messages.{number}: a system message must follow a user message")
        if number + 1 < len(roles) and roles[number + 1] != "assistant":
            raise Refused(f"messages.{number + 1}: an assistant message must follow a system message")


def _paused(message: Json) -> bool:
    """Whether a message is a turn that a server tool paused: it goes on from there."""
    content = message.get("content")
    kinds = [block.get("type") for block in content] if isinstance(content, list) else []
    return any(kind in (*_SERVER_ENDS, "server_tool_use", "mcp_tool_use") for kind in kinds)


def _last_kind(message: Json) -> object:
    content = message.get("content")
    return content[-1].get("type") if isinstance(content, list) and content else None


def _tool_turns(messages: list[Json]) -> None:
    """Consecutive messages of one role are one turn; each tool_use is answered in the turn after it, first of all."""
    turns: list[tuple[str, list[Json]]] = []
    for message in messages:
        role, content = str(message.get("role")), message.get("content")
        if role == "system":
            continue
        blocks = content if isinstance(content, list) else [{"type": "text"}]
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, list(blocks)))
    known: set[str] = set()
    open_calls: list[str] = []
    for _, blocks in [*turns, ("end", [])]:
        given = [str(block["tool_use_id"]) for block in blocks if block.get("type") == "tool_result"]
        if sorted(given) != sorted(open_calls):
            names = ", ".join(sorted(set(given) ^ set(open_calls)) or sorted(given))[:200]
            raise Refused(f"messages: `tool_use` ids and `tool_result` blocks don't match: {names}")
        kinds = [block.get("type") == "tool_result" for block in blocks]
        if given and kinds != sorted(kinds, reverse=True):
            raise Refused("messages: `tool_result` blocks must come first in the message")
        open_calls = [str(block["id"]) for block in blocks if block.get("type") == "tool_use"]
        if len(set(open_calls)) != len(open_calls) or known & set(open_calls):
            raise Refused("messages: `tool_use` ids must be unique")
        known |= set(open_calls)


def _block(where: str, block: Json, role: str, version: str) -> None:
    kind = block.get("type")
    if not isinstance(kind, str):
        raise Refused(f"{where}.type: Field required")
    if kind not in _NEEDED and kind not in _BETA_BLOCKS:
        raise Refused(f"{where}: Input tag '{kind[:60]}' does not match any of the expected tags")
    if kind in {"user": _ASSISTANTS, "assistant": _USERS}.get(role, ()):
        raise Refused(f"{where}: `{kind}` blocks can't be in {role} messages")
    for name, wanted in _NEEDED.get(kind, {}).items():
        if name not in block or not isinstance(block[name], wanted):
            raise Refused(f"{where}.{kind}.{name}: Field required")
    if kind == "text":
        _text(where, block, role, version)
    cited = block.get("citations")
    shaped = cited is None or (isinstance(cited, dict) and isinstance(cited.get("enabled", False), bool))
    if _citable(block) and not shaped:
        raise Refused(f"{where}.{kind}.citations: Input should be a valid dictionary")
    if kind == "image":
        _image(where, block["source"])
    elif kind == "document":
        if version >= NEW_VERSION and role == "assistant":
            raise Refused(
                f"{where}: documents in assistant messages are not supported with anthropic-version {version}"
            )
        _document(where, block, version)
    elif kind == "search_result":
        _all_of(where, block["content"], ("text",), version)
    elif kind == "tool_result":
        _tool_result(f"{where}.tool_result", block, version)


def _text(where: str, block: Json, role: str, version: str) -> None:
    if not block["text"]:
        raise Refused(f"{where}.text: text content blocks must be non-empty")
    if not block["text"].strip():
        raise Refused(f"{where}.text: text content blocks must contain non-whitespace text")
    if version >= NEW_VERSION and role == "user" and block.get("citations"):
        raise Refused(f"{where}.citations: not supported with anthropic-version {version}")


def _tool_result(where: str, block: Json, version: str) -> None:
    content = block.get("content")
    if content is not None and not isinstance(content, str | list):
        raise Refused(f"{where}.content: Input should be a valid list")
    if not isinstance(block.get("is_error") or False, bool):
        raise Refused(f"{where}.is_error: Input should be a valid boolean")
    known = ("text", "image", "document", "search_result", "tool_reference", "browser_state")
    for place, inner in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(inner, dict) or (inner.get("type") not in known and _is_known(inner.get("type"))):
            raise Refused(f"{where}.content.{place}: Input tag does not match any of the expected tags")
        _block(f"{where}.content.{place}", inner, "result", version)


def _is_known(kind: object) -> bool:
    return kind in _NEEDED or not isinstance(kind, str)


def _all_of(where: str, content: object, kinds: tuple[str, ...], version: str) -> None:
    if not isinstance(content, list) or not content:
        raise Refused(f"{where}.content: Input should be a valid list")
    for place, inner in enumerate(content):
        if not isinstance(inner, dict) or inner.get("type") not in kinds:
            raise Refused(f"{where}.content.{place}: Input tag does not match any of the expected tags")
        _block(f"{where}.content.{place}", inner, "result", version)


def _source(where: str, source: Json, kinds: str) -> str:
    kind = source.get("type")
    if kind not in kinds.split():
        raise Refused(f"{where}.source: Input tag does not match any of the expected tags")
    if kind == "url" and not re.match(r"https?://", str(source.get("url", ""))):
        raise Refused(f"{where}.source.url: Input should be a valid URL")
    if kind == "file" and not (isinstance(source.get("file_id"), str) and source["file_id"]):
        raise Refused(f"{where}.source.file_id: Field required")
    return str(kind)


def _image(where: str, source: Json) -> None:
    if _source(where, source, "base64 url file") != "base64":
        return
    media_type = source.get("media_type")
    if media_type not in ("image/jpeg", "image/png", "image/gif", "image/webp"):
        raise Refused(
            f"{where}.source.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
        )
    raw = _raw(where, source)
    if len(source["data"]) > 10_000_000:
        raise Refused(f"{where}.source: image exceeds 10 MB maximum")
    if media.image_type(raw) != media_type:
        raise Refused(f"{where}.source.data: the image does not match the media type {media_type}")


def _document(where: str, block: Json, version: str) -> None:
    for name in ("title", "context"):
        if block.get(name) is not None and not isinstance(block[name], str):
            raise Refused(f"{where}.document.{name}: Input should be a valid string")
    source = block["source"]
    kind = _source(where, source, "base64 text url content file")
    if kind == "text":
        if source.get("media_type") != "text/plain" or not str(source.get("data") or "").strip():
            raise Refused(f"{where}.source: Input should be plain text")
        if not isinstance(source["data"], str):
            raise Refused(f"{where}.source.data: Input should be a valid string")
    elif kind == "content" and not isinstance(source.get("content"), str):
        _all_of(where, source.get("content"), ("text", "image"), version)
    elif kind == "base64":
        if source.get("media_type") != "application/pdf":
            raise Refused(f"{where}.source.media_type: Input should be 'application/pdf'")
        raw = _raw(where, source)
        if b"%PDF-" not in raw[:1024]:
            raise Refused(f"{where}.source.data: The PDF specified was not valid.")
        if b"/Encrypt" in raw:
            raise Refused(f"{where}.source.data: The PDF specified is password protected.")


def _raw(where: str, source: Json) -> bytes:
    data = source.get("data")
    if not isinstance(data, str) or not data or not re.fullmatch(r"[A-Za-z0-9+/\s]*={0,2}\s*", data):
        raise Refused(f"{where}.source.data: Input should be valid base64")
    return base64.b64decode("".join(data.split()) + "==", validate=False)


def _blocks(params: Json) -> Iterator[tuple[str, Json]]:
    """Every block of the request in prompt order, with the part it stands in; tool results' own blocks included."""
    for tool in params.get("tools") or ():
        yield "tools", tool
    parts = [("system", params.get("system"))]
    parts += [("messages", message.get("content")) for message in params["messages"]]
    stack = [(part, block) for part, content in parts if isinstance(content, list) for block in content]
    stack.reverse()
    while stack:
        part, block = stack.pop()
        if not isinstance(block, dict):
            continue
        yield part, block
        source = block.get("source")
        inner = block.get("content") if block.get("type") in ("tool_result", "search_result") else None
        inner = source.get("content") if isinstance(source, dict) and source.get("type") == "content" else inner
        stack += [(part, each) for each in reversed(inner)] if isinstance(inner, list) else []


def _citable(block: Json) -> bool:
    return block.get("type") in ("document", "search_result")


def _media(params: Json, family: Traits) -> None:
    blocks = [block for part, block in _blocks(params) if part == "messages"]
    images = [block["source"] for block in blocks if block.get("type") == "image"]
    if len(images) > family.media:
        raise Refused(f"messages: too many images (maximum {family.media})")
    most = 2_000 if len(images) > 20 else 8_000
    for source in images:
        if source.get("type") == "base64" and max(media.pixels(_raw("messages", source))) > most:
            raise Refused(f"messages: image dimensions exceed max allowed size: {most} pixels")
    pdfs = [block["source"] for block in blocks if block.get("type") == "document"]
    pages = sum(media.pdf_pages(_raw("messages", source)) for source in pdfs if source.get("type") == "base64")
    if pages > family.media:
        raise Refused(f"messages: A maximum of {family.media} PDF pages may be provided.")
    cited = {bool((block.get("citations") or {}).get("enabled")) for block in blocks if _citable(block)}
    if len(cited) > 1:
        raise Refused("messages: citations must be enabled for all documents or for none")


def _marks(params: Json) -> None:
    found: list[tuple[str, Json]] = []
    for _, block in _blocks(params):
        mark = block.get("cache_control")
        if mark is None:
            continue
        if block.get("type") in ("thinking", "redacted_thinking"):
            raise Refused("cache_control: can't be set on thinking blocks")
        found.append(("block", mark))
    whole = params.get("cache_control")
    for _, mark in [*found, *([("request", whole)] if whole is not None else [])]:
        shaped = isinstance(mark, dict) and mark.get("type") == "ephemeral"
        if not shaped or mark.get("ttl") not in (None, "5m", "1h"):
            raise Refused("cache_control: Input should be {'type': 'ephemeral'} with a ttl of 5m or 1h")
    if len(found) + (whole is not None) > 4:
        raise Refused("A maximum of 4 blocks with cache_control may be provided.")
    lives = [mark.get("ttl") or "5m" for _, mark in found]
    if lives != sorted(lives):
        raise Refused("A ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.")
