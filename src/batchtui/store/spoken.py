"""What a line says, without its JSON: the text that searches look in."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from batchtui.store.lines import mend

WHOLE_LIMIT = 8_000_000
"""Longer lines are searched as they are, in bytes: their JSON is not taken apart."""
_NOT_SAID = frozenset(
    {"type", "id", "signature", "data", "encrypted_content", "encrypted_index", "tool_use_id", "media_type"}
)
"""Keys whose strings are for programs."""


def answer_text(line: bytes) -> str:
    """All that a result says (texts, thinking, tool inputs, citations, or the error); the line itself if unreadable."""
    parsed = load(line)
    if not isinstance(parsed, dict):
        return line.decode("utf-8", "replace")
    result = parsed.get("result")
    if not isinstance(result, dict):
        return line.decode("utf-8", "replace")
    said: list[str] = []
    message = result.get("message")
    if isinstance(message, dict):
        _gather(message.get("content"), said)
    else:
        error = result.get("error")
        body = error.get("error", error) if isinstance(error, dict) else result
        _gather(body, said)
        if isinstance(body, dict) and isinstance(body.get("type"), str):
            said.append(body["type"])
    return "\n".join(said)


def request_text(line: bytes) -> str:
    """All that a request says: system, messages, and what its tools are about."""
    parsed = load(line)
    params = parsed.get("params") if isinstance(parsed, dict) else None
    if not isinstance(params, dict):
        return line.decode("utf-8", "replace")
    said: list[str] = []
    for key in ("system", "messages", "tools"):
        _gather(params.get(key), said)
    return "\n".join(said)


def load(line: bytes) -> Any:
    """A line's JSON as plain values; None when it is too long, too deep, or not JSON."""
    if not line or len(line) > WHOLE_LIMIT:
        return None
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    except RecursionError:
        return None
    try:
        return json.loads(mend(line).decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def _gather(value: object, said: list[str]) -> None:
    """Add every string that is said, in the order it stands; iterative, so that depth is no matter."""
    waiting: list[object] = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, str):
            said.append(here)
        elif isinstance(here, dict):
            waiting.extend(reversed([v for k, v in here.items() if k not in _NOT_SAID]))
        elif isinstance(here, list):
            waiting.extend(reversed(here))
        elif isinstance(here, int | float) and not isinstance(here, bool):
            said.append(str(here))
