"""An answer to read: its texts, tool calls with what they are called with, summaries, and why it was refused, as Markdown."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec

from batchtui.results.line import ContentBlock
from batchtui.results.text import Answer, join_text

_TITLES = {"tool_use": "Tool call", "server_tool_use": "Server tool call", "mcp_tool_use": "MCP tool call"}
_TICKS = re.compile("`+")
_SPACE = re.compile(r"\s+")


def markdown(answer: Answer) -> str:
    """All that an answer says beside what it thought; its very text when there is nothing else."""
    parts: list[str] = []
    texts: list[ContentBlock] = []
    for block in [*answer.blocks, ContentBlock("end")]:
        if block.type == "text":
            texts.append(block)
            continue
        if said := join_text(texts):
            parts.append(said)
        texts = []
        if block.is_call:
            parts.append(f"**{_TITLES[block.type]}: {_one_line(block.name)}**\n\n{_fenced(_pretty(block.input))}")
        elif block.summary:
            parts.append(f"**Summary of the conversation so far**\n\n{block.summary}")
    if answer.stop_details:
        parts.append(f"*{_one_line(stop_words(answer.stop_details))}*")
    return "\n\n".join(parts)


def stop_words(details: str) -> str:
    """Why an answer was refused, in words; what is of another kind as it came."""
    found: object = None
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        found = msgspec.json.decode(details)
    if not isinstance(found, dict) or found.get("type", "refusal") != "refusal":
        return f"stop_details: {details}"
    category, why = found.get("category"), found.get("explanation")
    return f"Refused{f' ({category})' if category else ''}{f': {why}' if why else ''}"


def _pretty(raw: msgspec.Raw) -> str:
    shown = bytes(raw)
    with suppress(msgspec.MsgspecError, RecursionError):
        shown = msgspec.json.format(shown, indent=2)
    return shown.decode("utf-8", "replace")


def _fenced(code: str) -> str:
    """A block of JSON, in a fence that is longer than any in it."""
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(code)), default=0))
    return f"{fence}json\n{code}\n{fence}"


def _one_line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()
