"""The first words of a line, read from its beginning without parsing it."""

from __future__ import annotations

import json
import re

_SPEAKS = re.compile(rb'"(?:text|message)"\s*:\s*"')
_INSIDE = re.compile(rb'[^"\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^"\\]*)*')
_TOOL = re.compile(
    rb'"type"\s*:\s*"(?:server_)?tool_use"(?:\s*,\s*"(?:id|caller)"\s*:\s*"[^"]*")*\s*,\s*"name"\s*:\s*"([^"\\]{1,100})"'
)
_SPACE = re.compile(r"\s+")


def unescape(found: bytes) -> str:
    """The characters of the inside of a JSON string; what is not valid is replaced."""
    text = found.decode("utf-8", "replace")
    try:
        return str(json.loads(f'"{text}"', strict=False)) if "\\" in text else text
    except ValueError:
        return text


def first_words(head: bytes, limit: int) -> str:
    """At most ``limit`` characters of the first text, message or tool name in the beginning of a line, on one line."""
    for found in _SPEAKS.finditer(head):
        inside = _INSIDE.match(head, found.end(), found.end() + 4 * limit)
        text = _SPACE.sub(" ", unescape(inside.group())).strip() if inside else ""
        if text:
            return text[:limit]
    tool = _TOOL.search(head)
    return f"tool use: {tool.group(1).decode('utf-8', 'replace')}"[:limit] if tool else ""
