"""What an answer is charged for beside its top-level tokens: iterations with a price of their own, and fees of server tools.

Source: types of the official SDK 2.14.0 and the code-execution page (November 2026), as the API facts list them.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

from batchtui.domain.money import Tokens

MOST = (1 << 31) - 1
"""More of anything than this is not believed."""
_MOST_ITERATIONS = 1_000
_MOST_REASONS = 8
_INCLUDED = ("message",)
"""Iterations whose tokens the top-level sums hold."""
_APART = ("compaction", "advisor_message")
"""Iterations whose tokens come on top of them."""
_FREE_COUNTERS = ("web_search_requests", "web_fetch_requests")
"""Counters of server tools whose price is known: web search by the table, web fetch is free."""
CODE_EXECUTION = "code execution fees, which results do not report"
ITERATIONS = "compaction and advisor tokens: half price is assumed and not confirmed"
UNREADABLE = "usage.iterations can't be read"


class Charges(NamedTuple):
    """What comes on top, and why the sum may still not be whole."""

    extra: tuple[tuple[str, Tokens], ...] = ()
    """Models, and the tokens each is charged for on top."""
    missing: tuple[str, ...] = ()
    """What is not known of the cost, as noun phrases; empty when it is known whole."""


def charges_of(message: dict[str, Any], usage: dict[str, Any], model: str, blocks: list[dict[str, Any]]) -> Charges:
    """What a message is charged for on top; nothing it can hold makes this fail."""
    extra, missing = _iterations(usage.get("iterations"), model)
    tools = usage.get("server_tool_use")
    for name, count in tools.items() if isinstance(tools, dict) else ():
        if name not in _FREE_COUNTERS and amount(count):
            missing.append(f"fees of server tools ({str(name)[:40].removesuffix('_requests').replace('_', ' ')})")
    if _ran_code(message, blocks) and not _filtered(blocks):
        missing.append(CODE_EXECUTION)
    return Charges(tuple(extra), tuple(dict.fromkeys(missing))[:_MOST_REASONS])


def _iterations(value: object, model: str) -> tuple[list[tuple[str, Tokens]], list[str]]:
    if value is None:
        return [], []
    if not isinstance(value, list) or len(value) > _MOST_ITERATIONS:
        return [], [UNREADABLE]
    extra: list[tuple[str, Tokens]] = []
    missing: list[str] = []
    for each in value:
        kind = each.get("type") if isinstance(each, dict) else None
        if not isinstance(kind, str):
            missing.append(UNREADABLE)
        elif kind in _APART:
            named = each.get("model")
            extra.append((named if isinstance(named, str) and named else model, tokens_of(each)))
            missing.append(ITERATIONS)
        elif kind not in _INCLUDED:
            missing.append(f"usage of an unknown kind ({kind[:40]})")
    return [each for each in extra if any(each[1])], missing


def tokens_of(usage: dict[str, Any]) -> Tokens:
    """The tokens of a usage object by what they are charged as."""
    made = usage.get("cache_creation")
    made = made if isinstance(made, dict) else {}
    hour = amount(made.get("ephemeral_1h_input_tokens"))
    written = max(
        amount(usage.get("cache_creation_input_tokens")), hour + amount(made.get("ephemeral_5m_input_tokens"))
    )
    return (
        amount(usage.get("input_tokens")),
        amount(usage.get("output_tokens")),
        written - hour,
        hour,
        amount(usage.get("cache_read_input_tokens")),
    )


def amount(value: object) -> int:
    """A count as the API may write it, 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return 0
    return min(max(0, int(value)), MOST)


def _ran_code(message: dict[str, Any], blocks: list[dict[str, Any]]) -> bool:
    """Whether the answer used a container or shows a run of code."""
    return message.get("container") is not None or any(
        str(block.get("type")).endswith("code_execution_tool_result")
        or (block.get("type") == "server_tool_use" and "code_execution" in str(block.get("name")))
        for block in blocks
    )


def _filtered(blocks: list[dict[str, Any]]) -> bool:
    """Whether code ran for the web tools' own filtering (their versions from 2026-02-09 on), which is free."""
    return any(
        block.get("type") == "server_tool_use"
        and block.get("name") in ("web_search", "web_fetch")
        and isinstance(block.get("caller"), dict)
        and str(block["caller"].get("type")).startswith("code_execution")
        for block in blocks
    )
