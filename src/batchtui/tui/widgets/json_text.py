"""JSON with colours for keys, strings, numbers and constants, made without a parser so that nothing can break it."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec
from textual.content import Content, Span

from batchtui import safetext

FORMAT_LIMIT = 2_000_000
"""Longer JSON is shown as it came, in bytes."""
COLOUR_LIMIT = 200_000
"""Longer JSON is shown without colours, in characters."""

_TOKENS = re.compile(
    r'(?P<key>"(?:[^"\\\n]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<number>-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|(?P<constant>\b(?:true|false|null)\b)"
)
_STYLES = {
    "key": "$text-primary",
    "string": "$text-success",
    "number": "$text-warning",
    "constant": "bold $text-accent",
}


def pretty(raw: bytes) -> str:
    """JSON indented by two; as it came when it is too long, too deep or no JSON."""
    if len(raw) <= FORMAT_LIMIT:
        with suppress(msgspec.MsgspecError, RecursionError):
            raw = msgspec.json.format(raw, indent=2)
    return raw.decode("utf-8", "replace")


def coloured(text: str, limit: int = COLOUR_LIMIT) -> Content:
    """Cleaned text with JSON's colours."""
    clean = safetext.block(text, limit)
    if len(text) > limit:
        return Content(clean)
    spans = [Span(match.start(), match.end(), _STYLES[match.lastgroup or ""]) for match in _TOKENS.finditer(clean)]
    return Content(clean, spans=spans)
