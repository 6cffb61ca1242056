"""The shapes of a request's inner objects, as the demo server holds them: written from the SDK's types apart from the checker.

A shape gives each field its Python types; ``_NULL`` among them: it may be null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_INT: tuple[type, ...] = (int,)
_NULL = type(None)
_TOOL = {
    "type": (str, _NULL),
    "name": (str,),
    "cache_control": (dict, _NULL),
    "allowed_callers": (list,),
    "strict": (bool,),
}
_DEFER = {"defer_loading": (bool,)}
_WEB = {**_TOOL, **_DEFER, "max_uses": (int, _NULL), "allowed_domains": (list, _NULL), "blocked_domains": (list, _NULL)}
_TOOLS: dict[str, dict[str, tuple[type, ...]]] = {
    "custom": {
        **_TOOL, **_DEFER, "description": (str,), "input_schema": (dict,), "input_examples": (list,),
        "eager_input_streaming": (bool, _NULL),
    },
    "bash": {**_TOOL, **_DEFER, "input_examples": (list,)},
    "text_editor": {**_TOOL, **_DEFER, "input_examples": (list,), "max_characters": (int, _NULL)},
    "memory": {**_TOOL, **_DEFER, "input_examples": (list,)},
    "code_execution": {**_TOOL, **_DEFER},
    "web_search": {**_WEB, "user_location": (dict, _NULL), "response_inclusion": (str,)},
    "web_fetch": {
        **_WEB, "citations": (dict, _NULL), "max_content_tokens": (int, _NULL), "use_cache": (bool,),
        "url_sources": (dict, _NULL), "response_inclusion": (str,),
    },
    "tool_search_tool_regex": {**_TOOL, **_DEFER},
    "tool_search_tool_bm25": {**_TOOL, **_DEFER},
    "computer": {
        **_TOOL, **_DEFER, "input_examples": (list,), "display_width_px": _INT, "display_height_px": _INT,
        "display_number": (int, _NULL), "enable_zoom": (bool,),
    },
    "advisor": {
        **_TOOL, **_DEFER, "model": (str,), "max_uses": (int, _NULL), "max_tokens": (int, _NULL), "caching": (dict, _NULL),
    },
}  # fmt: skip
_BLOCKS: dict[str, str] = {
    "text": "text citations",
    "image": "source transformations",
    "document": "source title context citations",
    "tool_use": "id name input caller toolset_name",
    "tool_result": "tool_use_id content is_error toolset_name",
    "thinking": "thinking signature",
    "redacted_thinking": "data",
    "search_result": "source title content citations",
}
_EDITS: dict[str, dict[str, tuple[type, ...]]] = {
    "clear_tool_uses_20250919": {
        "trigger": (dict,), "keep": (dict,), "clear_at_least": (dict, _NULL), "exclude_tools": (list, _NULL),
        "clear_tool_inputs": (object,),
    },
    "clear_thinking_20251015": {"keep": (object,)},
    "compact_20260112": {"trigger": (dict, _NULL), "instructions": (str, _NULL), "pause_after_compaction": (bool,)},
}  # fmt: skip
_COUNTS = "minLength maxLength minItems maxItems minProperties maxProperties minContains maxContains"
_NAMED_SCHEMAS = "properties patternProperties dependentSchemas $defs definitions"
_SCHEMAS = "items additionalProperties not if then else contains propertyNames unevaluatedItems unevaluatedProperties"
_SCHEMA_LISTS = "anyOf allOf oneOf prefixItems"
_KEYWORDS: dict[str, tuple[type, ...]] = {
    word: types
    for words, types in (
        ("title description pattern format $ref $schema $id $anchor $comment", (str,)),
        (f"minimum maximum exclusiveMinimum exclusiveMaximum multipleOf {_COUNTS}", (int, float)),
        ("uniqueItems deprecated readOnly writeOnly", (bool,)),
        (f"enum examples required {_SCHEMA_LISTS}", (list,)),
        (_NAMED_SCHEMAS, (dict,)),
        (_SCHEMAS, (dict, bool)),
    )
    for word in words.split()
}
"""What the keywords of JSON Schema hold."""


def first_fault(params: Json) -> str:
    """The API's sentence about the first inner object that has not its shape, "" when all have."""
    return next(_faults(params), "")


def _faults(params: Json) -> Iterator[str]:
    never = "system tools tool_choice thinking output_config stop_sequences metadata service_tier stream"
    yield from (
        f"{name}: Input should not be null" for name in never.split() if name in params and params[name] is None
    )
    for number, tool in enumerate(params.get("tools") or ()):
        yield from _tool(tool, f"tools.{number}")
    choice = params.get("tool_choice") or {}
    known = {"type", "disable_parallel_tool_use", *(["name"] if choice.get("type") == "tool" else [])}
    yield from _extra("tool_choice", choice, known)
    for number, server in enumerate(params["mcp_servers"] if isinstance(params.get("mcp_servers"), list) else ()):
        if isinstance(server, dict) and not isinstance(server.get("authorization_token") or "", str):
            yield f"mcp_servers.{number}.authorization_token: Input should be a valid string"
    yield from _container(params.get("container"))
    yield from _beta_fields(params)
    yield from _binding(params)
    budget = (params.get("output_config") or {}).get("task_budget")
    if isinstance(budget, dict):
        yield from _extra("output_config.task_budget", budget, {"type", "total", "remaining"})
    shape = (params.get("output_config") or {}).get("format")
    if isinstance(shape, dict) and isinstance(shape.get("schema"), dict):
        yield from _draft("output_config.format.schema", shape["schema"], 0)
    for number, message in enumerate(params["messages"]):
        yield from _message(f"messages.{number}", message)


def _has(value: object, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and not (isinstance(value, bool) and bool not in types and object not in types)


def _extra(where: str, value: Json, known: set[str]) -> Iterator[str]:
    for name in value:
        if name not in known:
            yield f"{where}.{name[:60]}: Extra inputs are not permitted"


def _fields(where: str, value: Json, shape: dict[str, tuple[type, ...]]) -> Iterator[str]:
    for name, types in shape.items():
        if name in value and not _has(value[name], types):
            yield f"{where}.{name}: Input should be of another type"


def _tool(tool: Json, where: str) -> Iterator[str]:
    kind = tool.get("type") or "custom"
    stem = re.sub(r"_20\d{6}$", "", kind) if isinstance(kind, str) else ""
    shape = _TOOLS.get(stem)
    if shape is None:
        return
    yield from _fields(where, tool, shape)
    yield from _extra(where, tool, set(shape))
    for name in ("max_uses", "max_content_tokens"):
        if isinstance(tool.get(name), int) and tool[name] < 1:
            yield f"{where}.{name}: Input should be greater than 0"
    for name in ("allowed_callers", "allowed_domains", "blocked_domains"):
        if any(not isinstance(each, str) for each in tool.get(name) or ()):
            yield f"{where}.{name}: Input should be a valid string"
    place = tool.get("user_location")
    if isinstance(place, dict) and place.get("type") != "approximate":
        yield f"{where}.user_location.type: Input should be 'approximate'"
    if stem == "custom":
        yield from _draft(f"{where}.custom.input_schema", tool["input_schema"], 0)


def _draft(where: str, schema: object, depth: int) -> Iterator[str]:
    """Whether a schema is one by the meta-schema of draft 2020-12."""
    wrong = f"{where}: JSON schema is invalid. It must match JSON Schema draft 2020-12"
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict) or depth > 200:
        yield wrong
        return
    kinds = schema.get("type", "null")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    known = ("string", "number", "integer", "boolean", "object", "array", "null")
    if not kinds or any(not isinstance(kind, str) or kind not in known for kind in kinds):
        yield wrong
    for word, types in _KEYWORDS.items():
        lenient = depth == 0 and word in ("properties", "required") and schema.get(word, 0) is None
        if word in schema and not lenient and not _has(schema[word], types):
            yield wrong
            return
    names = schema.get("required") or []
    if any(not isinstance(name, str) for name in names) or len(set(map(str, names))) < len(names):
        yield wrong
    counts = [schema[word] for word in _COUNTS.split() if word in schema]
    if any(number < 0 or number != int(number) for number in counts) or schema.get("multipleOf", 1) <= 0:
        yield wrong
    inner: list[object] = [schema[word] for word in _SCHEMAS.split() if word in schema]
    for word in _NAMED_SCHEMAS.split():
        inner += (schema.get(word) or {}).values()
    for word in _SCHEMA_LISTS.split():
        if schema.get(word, 0) == []:
            yield wrong
        inner += schema.get(word) or []
    for each in inner:
        yield from _draft(where, each, depth + 1)


def _container(value: object) -> Iterator[str]:
    if value is None or (isinstance(value, str) and value):
        return
    if not isinstance(value, dict):
        yield "container: Input should be a valid string"
        return
    yield from _extra("container", value, {"id", "skills"})
    yield from _fields("container", value, {"id": (str, _NULL), "skills": (list, _NULL)})
    for number, skill in enumerate(value["skills"] if isinstance(value.get("skills"), list) else ()):
        if not isinstance(skill, dict) or skill.get("type") not in ("anthropic", "custom") or not skill.get("skill_id"):
            yield f"container.skills.{number}: Input should be a skill"
            continue
        yield from _extra(f"container.skills.{number}", skill, {"type", "skill_id", "version"})
        yield from _fields(f"container.skills.{number}", skill, {"skill_id": (str,), "version": (str,)})


def _beta_fields(params: Json) -> Iterator[str]:
    compaction, policy, management = (
        params.get(name) for name in ("compaction", "billing_policy", "context_management")
    )
    if compaction is not None and (not isinstance(compaction, dict) or compaction.get("type") != "summarize"):
        yield "compaction: Input should be of type 'summarize'"
    payer = policy.get("bill_to") if isinstance(policy, dict) else policy
    if payer not in (None, "self"):
        yield f"billing_policy: {str(payer)[:60]} is not supported in batches"
    if management is None:
        return
    if not isinstance(management, dict) or not isinstance(management.get("edits", []), list):
        yield "context_management: Input should be a valid dictionary with a list of edits"
        return
    yield from _extra("context_management", management, {"edits"})
    for number, edit in enumerate(management.get("edits", [])):
        where = f"context_management.edits.{number}"
        if not isinstance(edit, dict) or not isinstance(edit.get("type"), str):
            yield f"{where}: Input should be a valid edit"
            continue
        shape = _EDITS.get(edit["type"], {})
        yield from _fields(where, edit, shape)
        for name in ("trigger", "keep", "clear_at_least"):
            amount = edit.get(name)
            whole = not isinstance(amount, dict) or amount.get("type") == "all" or _has(amount.get("value"), _INT)
            if shape and not whole:
                yield f"{where}.{name}.value: Input should be a valid integer"
        least = (edit.get("trigger") or {}).get("value", 50_000) if edit["type"] == "compact_20260112" else 50_000
        if isinstance(least, int) and least < 50_000:
            yield f"{where}.trigger.value: Input should be greater than or equal to 50000"
        if edit["type"] == "clear_thinking_20251015" and number:
            yield f"{where}: clear_thinking_20251015 must be the first strategy"


def _binding(params: Json) -> Iterator[str]:
    thinking = params.get("thinking") or {}
    binding = thinking.get("block_binding")
    if binding is None:
        return
    if thinking.get("type") != "adaptive":
        yield "thinking.block_binding: Extra inputs are not permitted"
    elif not isinstance(binding, dict) or set(binding) - {"prefix_mismatch_behavior"}:
        yield "thinking.adaptive.block_binding: Input should be a valid dictionary"
    elif binding.get("prefix_mismatch_behavior") not in (None, "error", "drop_block"):
        yield "thinking.adaptive.block_binding.prefix_mismatch_behavior: Input should be 'error' or 'drop_block'"


def _message(where: str, message: Json) -> Iterator[str]:
    config = message.get("output_config")
    if config is not None:
        if not isinstance(config, dict) or set(config) - {"effort"} or not (config or message.get("content")):
            yield f"{where}.output_config: Input should be a valid dictionary with an effort"
        elif config.get("effort") not in (None, "low", "medium", "high", "xhigh", "max"):
            yield f"{where}.output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"
    content = message.get("content")
    for number, block in enumerate(content if isinstance(content, list) else ()):
        if isinstance(block, dict):
            yield from _block(f"{where}.content.{number}", block)


def _block(where: str, block: Json) -> Iterator[str]:
    kind = block.get("type")
    if not isinstance(kind, str):
        return
    if kind in _BLOCKS:
        yield from _extra(f"{where}.{kind}", block, {"type", "cache_control", *_BLOCKS[kind].split()})
    if kind in ("tool_addition", "tool_removal") and not isinstance(block.get("tool"), dict):
        yield f"{where}.{kind}.tool: Field required"
    cited = block.get("citations")
    listed = isinstance(cited, list) and all(isinstance(each, dict) and "type" in each for each in cited)
    if kind == "text" and cited is not None and not listed:
        yield f"{where}.text.citations: Input should be a valid list"
    for name in ("id", "tool_use_id"):
        call = block.get(name)
        if kind in ("tool_use", "tool_result") and isinstance(call, str) and not re.fullmatch(r"[a-zA-Z0-9_-]+", call):
            yield f"{where}.{kind}.{name}: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if kind == "tool_use" and block.get("name") == "":
        yield f"{where}.tool_use.name: String should have at least 1 character"
    content = block.get("content")
    if kind.endswith("_tool_result") and kind not in ("tool_result", "mcp_tool_result", "advisor_tool_result"):
        yield from _server_result(where, kind, content)
    for number, inner in enumerate(content if kind == "tool_result" and isinstance(content, list) else ()):
        if isinstance(inner, dict):
            yield from _block(f"{where}.tool_result.content.{number}", inner)


def _server_result(where: str, kind: str, content: object) -> Iterator[str]:
    if kind == "web_search_tool_result" and isinstance(content, list):
        for number, found in enumerate(content):
            named = isinstance(found, dict) and found.get("type") == "web_search_result"
            if not named or not {"title", "url", "encrypted_content"} <= set(found):
                yield f"{where}.{kind}.content.{number}: Field required"
    elif not isinstance(content, dict | _NULL):
        yield f"{where}.{kind}.content: Input should be a valid dictionary"
