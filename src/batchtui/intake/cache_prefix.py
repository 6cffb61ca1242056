"""Puts the part that requests share, system prompt and tools, under a 1-hour prompt cache."""

from __future__ import annotations

from typing import Any

import msgspec

_MARK = {"type": "ephemeral", "ttl": "1h"}


def mark_line(line: bytes) -> bytes:
    """The request with its shared prefix marked; a line that can't be read, or is marked already, stays as it is."""
    if b'"cache_control"' in line:
        return line
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return line
    params = value.get("params") if isinstance(value, dict) else None
    if not isinstance(params, dict) or not mark_params(params):
        return line
    return msgspec.json.encode(value)


def mark_params(params: dict[str, Any]) -> bool:
    """Mark the end of the system prompt, or of the tools where there is none; False when there is nothing to mark.

    The prompt's order is tools, system, messages, so one mark at the end of the system prompt covers the tools too.
    """
    system = params.get("system")
    if isinstance(system, str) and system.strip():
        params["system"] = [{"type": "text", "text": system, "cache_control": dict(_MARK)}]
        return True
    for name in ("system", "tools"):
        value = params.get(name)
        if isinstance(value, list) and value and isinstance(value[-1], dict):
            value[-1]["cache_control"] = dict(_MARK)
            return True
    return False
