"""Conversations of datasets as messages: columns of turns as OpenAI, ShareGPT and Hugging Face write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from batchtui.intake.problems import Found, warning

_COLUMNS = ("messages", "conversations", "conversation", "turns", "dialogue", "dialog", "chat", "prompt")
"""Columns that hold turns, the likeliest first."""
_SPEAKERS = {
    "human": "user",
    "user": "user",
    "prompter": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "assistant": "assistant",
    "ai": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "observation": "tool",
    "function_response": "tool",
    "tool_response": "tool",
    "function_call": "call",
    "tool_call": "call",
}
_OURS = frozenset(
    {"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result"}
)
_BESIDE = ("tools", "functions", "parallel_tool_calls", "function_call", "tool_choice")
"""Columns of fine-tuning lines that belong to the request."""


def is_chat(row: Mapping[str, Any]) -> bool:
    """Whether a row holds a conversation, and is no request's params."""
    return not ("model" in row and "messages" in row) and "max_tokens" not in row and turns_column(row) != ""


def turns_column(row: Mapping[str, Any]) -> str:
    """The column of a row that holds turns, "" when none does."""
    return next((name for name in _COLUMNS if name in row and as_turns(row[name]) is not None), "")


def as_turns(value: Any) -> list[dict[str, Any]] | None:
    """The turns that a value is, or is the JSON of; None when it is something else."""
    if isinstance(value, str):
        if not value.lstrip().startswith("["):
            return None
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
    if not isinstance(value, list) or not value:
        return None
    for turn in value:
        if not isinstance(turn, dict) or not (_written(turn) or _spoken(turn)):
            return None
    return value


def _written(turn: dict[str, Any]) -> bool:
    return turn.get("role") is not None and any(name in turn for name in ("content", "tool_calls", "function_call"))


def _spoken(turn: dict[str, Any]) -> bool:
    return turn.get("from") is not None and "value" in turn


def body_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with turns as the body of an OpenAI request, its turns under ``messages``."""
    turns = as_turns(row[turns_column(row)]) or []
    beside = {name: decoded(row[name]) for name in _BESIDE if row.get(name) not in (None, "", "[]", [])}
    return {"messages": openai_turns(turns), **beside}


def decoded(value: Any) -> Any:
    """A value that datasets keep as JSON text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return value
    return value


def openai_turns(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Turns of any of these shapes as OpenAI's messages."""
    made: list[dict[str, Any]] = []
    calls = 0
    for turn in turns:
        if not _spoken(turn):
            # Tables give every turn the fields of all, those it lacks as null.
            made.append(
                {
                    name: value
                    for name, value in turn.items()
                    if name != "weight" and (value is not None or name == "content")
                }
            )
            continue
        speaker = str(turn["from"]).strip().lower()
        role, value = _SPEAKERS.get(speaker, speaker), turn["value"]
        if role == "call":
            calls += 1
            call = decoded(value)
            call = call if isinstance(call, dict) else {"name": "call", "arguments": {"text": value}}
            made.append(
                {"role": "assistant", "content": None, "tool_calls": [{"id": f"call_{calls}", "function": call}]}
            )
        elif role == "tool":
            made.append({"role": "tool", "tool_call_id": f"call_{calls}", "content": value})
        else:
            made.append({"role": role, "content": value})
    return made


def is_ours(turn: Any) -> bool:
    """Whether a turn is one of the Messages API already, with blocks as content."""
    if not isinstance(turn, dict) or turn.get("role") not in ("user", "assistant") or set(turn) != {"role", "content"}:
        return False
    content = turn["content"]
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(part, dict) and part.get("type") in _OURS for part in content)
    )


def without_answer(messages: list[dict[str, Any]], faults: list[Found]) -> list[dict[str, Any]]:
    """The turns up to the one that the model is to answer; the answer that datasets have at the end is left out, and said."""
    kept = len(messages)
    while kept > 1 and messages[kept - 1].get("role") == "assistant":
        kept -= 1
    if kept < len(messages):
        what = "the last turn is the assistant's: it is left out, as the model is to answer"
        faults.append(warning("chat_answer", what))
    return messages[:kept]
