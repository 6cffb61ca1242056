"""Rules of the fields that a beta brings, and of the container: context management, compaction, who is billed, skills.

Sources: the official SDK's types (2.14.0), context editing, compaction and skills pages (August to November 2026).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from batchtui.intake.problems import Found, error, warning
from batchtui.intake.shapes import Shape, check_shape
from batchtui.intake.wording import beta_missing, did_you_mean, kind_of, near, quoted

_CONTEXT_BETA = "context-management-2025-06-27"
_COMPACT_BETA = "compact-2026-01-12"
_COMPACT = "compact_20260112"
_CLEAR_THINKING = "clear_thinking_20251015"
_EDITS: dict[str, Shape] = {
    "clear_tool_uses_20250919": {
        **{"type": "any", "trigger": "object", "keep": "object", "clear_at_least": "object?"},
        **{"exclude_tools": "strings?", "clear_tool_inputs": "any"},
    },
    _CLEAR_THINKING: {"type": "any", "keep": "any"},
    _COMPACT: {"type": "any", "trigger": "object?", "instructions": "string?", "pause_after_compaction": "flag"},
}
_AMOUNT: Shape = {"type": "string!", "value": "count!"}
_LEAST_COMPACT_TRIGGER = 50_000
_MAX_SKILLS = 8
_SKILL: Shape = {"type": "string!", "skill_id": "name!", "version": "string"}


KNOWN_BETAS = frozenset(
    {
        *("advisor-tool-2026-03-01", "cache-diagnosis-2026-04-07", "code-execution-2025-05-22"),
        *("code-execution-2025-08-25", "compact-2026-01-12", "compact-2026-09-04", "computer-use-2024-10-22"),
        *("computer-use-2025-01-24", "computer-use-2025-11-24", "context-1m-2025-08-07"),
        *("context-management-2025-06-27", "dev-full-thinking-2025-05-14", "extended-cache-ttl-2025-04-11"),
        *("fallback-credit-2026-06-01", "fallback-credit-2026-07-01", "fast-mode-2026-02-01"),
        *("files-api-2025-04-14", "fine-grained-tool-streaming-2025-05-14", "inline-tools-2026-09-15"),
        *("interleaved-thinking-2025-05-14", "mcp-client-2025-04-04", "mcp-client-2025-11-20"),
        *("mcp-client-2026-09-15", "message-batches-2024-09-24", "message-threads-2026-08-12"),
        *("mid-conversation-output-config-2026-07-01", "mid-conversation-system-clear-at-2026-08-21"),
        *("mid-conversation-tool-changes-2026-07-01", "model-context-window-exceeded-2025-08-26"),
        *("output-128k-2025-02-19", "output-300k-2026-03-24", "pdfs-2024-09-25", "prompt-caching-2024-07-31"),
        *("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01", "skills-2025-10-02"),
        *("structured-outputs-2025-11-13", "task-budgets-2026-03-13", "thinking-binding-controls-2026-08-01"),
        *("thinking-display-updates-2026-08-18", "thinking-token-count-2026-05-13"),
        *("token-counting-2024-11-01", "token-efficient-tools-2025-02-19", "user-profiles-2026-03-24"),
        *("user-profiles-2026-08-18", "user-profiles-2026-09-04", "user-profiles-billing-2026-10-01"),
        *("web-fetch-2025-09-10", "advanced-tool-use-2025-11-20"),
    }
)
"""Names for the ``anthropic-beta`` header that have to do with messages (SDK types 2.14.0 and documentation)."""


def unknown_beta(name: str) -> Found | None:
    """What to say of a beta that nobody documents; None for one that is known."""
    if name in KNOWN_BETAS:
        return None
    close = difflib.get_close_matches(name[:80], KNOWN_BETAS, n=1, cutoff=0.75)
    hint = did_you_mean(close[0] if close else "", ": the API may refuse it")
    return warning("beta_unknown", f"unknown beta {quoted(name)}{hint}")


def check_beta_fields(params: dict[str, Any], betas: tuple[str, ...]) -> Iterator[Found]:
    """Fields of params that a beta brings, MCP servers aside."""
    if params.get("context_management") is not None:
        yield from _context_management(params["context_management"], betas)
    compaction = params.get("compaction")
    if compaction is not None:
        yield warning("beta_field", "whether compaction works in batches is not confirmed")
        if not isinstance(compaction, dict) or compaction.get("type") != "summarize":
            yield error("compaction", 'compaction must be {"type": "summarize"}')
        else:
            shape = {"type": "any", "instructions": "string?"}
            yield from check_shape(compaction, shape, "compaction", "compaction", closed=True)
    if params.get("thread") is not None:
        yield warning("beta_field", "whether thread works in batches is not confirmed")
    policy = params.get("billing_policy")
    payer = policy.get("bill_to") if isinstance(policy, dict) else policy
    if payer == "user_profile":
        yield error("billing_policy", "billing_policy user_profile is refused in batches: use self")
    elif payer is not None and payer != "self":
        yield error("billing_policy", "billing_policy.bill_to must be self", f"it is {quoted(str(payer))}")


def _context_management(value: object, betas: tuple[str, ...]) -> Iterator[Found]:
    edits = value.get("edits", []) if isinstance(value, dict) else []
    held = [each for each in edits if isinstance(each, dict)] if isinstance(edits, list) else []
    kinds = [kind if isinstance(kind := each.get("type"), str) else "" for each in held]
    if _COMPACT in kinds:
        yield from beta_missing(_COMPACT, _COMPACT_BETA, betas)
    if set(kinds) != {_COMPACT}:
        yield from beta_missing("context_management", _CONTEXT_BETA, betas)
    if not isinstance(value, dict):
        yield error("context_management", f"context_management must be an object, not {kind_of(value)}")
        return
    yield from check_shape(value, {"edits": "list"}, "context_management", "context_management", closed=True)
    for place, edit in enumerate(edits if isinstance(edits, list) else ()):
        yield from _edit(edit, f"edits[{place}]")
    if _CLEAR_THINKING in kinds[1:]:
        yield error("context_management", f"{_CLEAR_THINKING} must be the first of the edits")


def _edit(edit: object, where: str) -> Iterator[Found]:
    code = "context_management"
    if not isinstance(edit, dict) or not isinstance(edit.get("type"), str):
        yield error(code, 'an edit must be an object with a type, such as {"type": "clear_tool_uses_20250919"}', where)
        return
    kind = edit["type"]
    if kind not in _EDITS:
        yield warning(code, f"unknown type of edit {quoted(kind)}{did_you_mean(near(kind, _EDITS))}", where)
        return
    yield from check_shape(edit, _EDITS[kind], f"an edit of type {kind}", code, where)
    for name in ("trigger", "keep", "clear_at_least"):
        if isinstance(edit.get(name), dict) and not (name == "keep" and edit[name].get("type") == "all"):
            yield from check_shape(edit[name], _AMOUNT, f"{name} of an edit", code, where)
    trigger = edit.get("trigger")
    value = trigger.get("value") if isinstance(trigger, dict) else None
    if kind == _COMPACT and isinstance(value, int) and value < _LEAST_COMPACT_TRIGGER:
        what = f"the trigger of {_COMPACT} must be at least {_LEAST_COMPACT_TRIGGER:,} tokens"
        yield error(code, what, f"{where}: {value:,}")


def check_container(params: dict[str, Any]) -> Iterator[Found]:
    """The container of code execution, and the skills in it."""
    container = params.get("container")
    if container is None or (isinstance(container, str) and container):
        return
    if not isinstance(container, dict):
        yield error("container", f"container must be an id or an object with skills, not {kind_of(container)}")
        return
    yield from check_shape(container, {"id": "string?", "skills": "list?"}, "container", "container", closed=True)
    skills = container.get("skills")
    if not isinstance(skills, list) or not skills:
        return
    for place, skill in enumerate(skills):
        where = f"skills[{place}]"
        if not isinstance(skill, dict):
            yield error("container", 'a skill must be {"type": "anthropic", "skill_id": …}', where)
            continue
        yield from check_shape(skill, _SKILL, "a skill", "container", where, closed=True)
        if isinstance(skill.get("type"), str) and skill["type"] not in ("anthropic", "custom"):
            what = "type of a skill must be anthropic or custom"
            yield error("container", what, f"{where}: {quoted(skill['type'])}")
    if len(skills) > _MAX_SKILLS:
        yield warning("container", f"more than {_MAX_SKILLS} skills may be refused", f"there are {len(skills)}")
    tools = params.get("tools")
    typed = [str(tool.get("type")) for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    if not any(kind.startswith("code_execution") for kind in typed):
        yield warning("container", "skills need a code_execution tool, and there is none")
