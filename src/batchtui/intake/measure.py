"""How much of a request is prompt: text by its length, images and documents by rule, and what stands under a cache mark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from batchtui.domain.model_rules import ModelRules
from batchtui.intake import media

Json = Mapping[str, Any]

PER_MESSAGE = 6
"""Tokens a turn costs beside its text, roughly."""
TOOLS_TOKENS = 350
"""Tokens of the hidden prompt that tools bring along (tool use documentation: 290 to 700, by model and choice)."""
_OLD_IMAGE = (1568, 1568)
"""Pixels a side is scaled to, and the most tokens, for a model without rules of its own: the newest models' are larger."""
_PAGE_TOKENS = (1_500, 3_000)
"""Tokens of a PDF page's text (PDF support documentation, August 2026); the page as an image comes on top."""
_UNREAD_PAGES = (1, 100)
"""Pages reckoned for a PDF that can't be read here."""
_UNKNOWN_DOCUMENT = (1_500, 100_000)


class Size(NamedTuple):
    """The prompt of one request: text in characters (low) and bytes (high), and tokens known by rule (low, high)."""

    chars: int
    octets: int
    fixed: tuple[int, int]


class Prefix(NamedTuple):
    """What stands under the request's last cache mark."""

    chars: int
    key: int
    hour: bool
    """True for a 1-hour mark, False for a 5-minute one."""


def size_of(params: Json, line: bytes, rules: ModelRules | None = None) -> Size:
    """The size of a request from its decoded params and its line; ``rules`` are its model's."""
    low = high = 0
    binary = 0
    turns = 0
    for message in _dicts(params.get("messages")):
        turns += 1
        for block in _nested(message.get("content")):
            (one, other), weight = _special(block, rules)
            low, high, binary = low + one, high + other, binary + weight
    fixed = PER_MESSAGE * turns + (TOOLS_TOKENS if params.get("tools") else 0)
    chars, octets = text_size(line)
    syntax = 60 + 33 * turns + binary
    return Size(max(1, chars - syntax), max(1, octets - syntax), (low + fixed // 2, high + fixed))


def text_size(line: bytes) -> tuple[int, int]:
    """Characters and UTF-8 bytes of a line of JSON, with ``\\uXXXX`` counted as the character it is."""
    chars = octets = len(line)
    if not line.isascii():
        chars = len(line.decode("utf-8", "replace"))
    if b"\\u" in line:
        escapes = line.count(b"\\u")
        chars -= 5 * escapes
        octets -= 3 * escapes
    return chars, octets


def prefix_of(params: Json) -> Prefix | None:
    """What the request's cache marks cover, in prompt order (tools, system, messages); None without a mark."""
    pieces: list[tuple[Any, Any]] = [(tool, tool.get("cache_control")) for tool in _dicts(params.get("tools"))]
    system = params.get("system")
    pieces += [(system, None)] if isinstance(system, str) else _marked(system)
    for message in _dicts(params.get("messages")):
        content = message.get("content")
        pieces += [(content, None)] if isinstance(content, str) else _marked(content)
    last, hour = _last_mark(pieces, params.get("cache_control"))
    if last < 0:
        return None
    covered = [repr(piece) for piece, _ in pieces[: last + 1]]
    return Prefix(sum(map(len, covered)), hash(tuple(covered)), hour)


def _last_mark(pieces: list[tuple[Any, Any]], whole: object) -> tuple[int, bool]:
    last, hour = -1, False
    for place, (_, mark) in enumerate(pieces):
        if isinstance(mark, Mapping):
            last, hour = place, hour or mark.get("ttl") == "1h"
    if isinstance(whole, Mapping) and pieces:
        last, hour = len(pieces) - 1, hour or whole.get("ttl") == "1h"
    return last, hour


def _marked(value: object) -> list[tuple[Any, Any]]:
    return [(block, block.get("cache_control")) for block in _dicts(value)]


def _dicts(value: object) -> Iterable[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _nested(content: object) -> Iterable[dict[str, Any]]:
    """Blocks of a content, those inside tool results included."""
    for block in _dicts(content):
        yield block
        if block.get("type") == "tool_result":
            yield from _dicts(block.get("content"))


def _special(block: dict[str, Any], rules: ModelRules | None) -> tuple[tuple[int, int], int]:
    """Tokens by rule of an image or a document, and the bytes of its data, which are no text."""
    kind = block.get("type")
    source = block.get("source")
    if kind not in ("image", "document") or not isinstance(source, dict):
        return (0, 0), 0
    side, most = (rules.image_side, rules.image_tokens) if rules is not None else _OLD_IMAGE
    data = source.get("data")
    if source.get("type") == "base64" and isinstance(data, str):
        if kind == "image":
            return media.image_tokens(media.read_image(data), side, most), len(data)
        return _pdf_tokens(data, most), len(data)
    if kind == "image":
        return (1, most), 0
    return ((0, 0) if source.get("type") in ("text", "content") else _UNKNOWN_DOCUMENT), 0


def _pdf_tokens(data: str, page_image: int) -> tuple[int, int]:
    found = media.read_pdf(data)
    low, high = (found.pages, found.pages) if found is not None and found.pages else _UNREAD_PAGES
    return low * _PAGE_TOKENS[0], high * (_PAGE_TOKENS[1] + page_image)
