"""How much of a request is prompt: text by its length, images and documents by rule, and what stands under a cache mark."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Json = Mapping[str, Any]

PER_MESSAGE = 6
"""Tokens a turn costs beside its text, roughly."""
TOOLS_TOKENS = 350
"""Tokens of the hidden prompt that tools bring along (tool use documentation: 290 to 700, by model and choice)."""
_HEADER = 65_536
_PIXELS_PER_TOKEN = 750
"""Vision documentation: width x height / 750 tokens an image."""
_IMAGE_LIMITS = (60, 4_800)
_UNKNOWN_IMAGE = (200, 4_800)
_PAGE_TOKENS = (1_500, 4_600)
"""Tokens a PDF page costs: 1,500 to 3,000 of text, and the page as an image (PDF documentation)."""
_PAGE_BYTES = (100_000, 10_000)
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


def size_of(params: Json, line: bytes) -> Size:
    """The size of a request from its decoded params and its line."""
    low = high = 0
    binary = 0
    turns = 0
    for message in _dicts(params.get("messages")):
        turns += 1
        for block in _nested(message.get("content")):
            (one, other), weight = _special(block)
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


def _special(block: dict[str, Any]) -> tuple[tuple[int, int], int]:
    """Tokens by rule of an image or a document, and the bytes of its data, which are no text."""
    kind = block.get("type")
    source = block.get("source")
    if kind not in ("image", "document") or not isinstance(source, dict):
        return (0, 0), 0
    data = source.get("data")
    if source.get("type") == "base64" and isinstance(data, str):
        return (image_tokens(data) if kind == "image" else _pdf_tokens(data)), len(data)
    if kind == "image":
        return _UNKNOWN_IMAGE, 0
    return ((0, 0) if source.get("type") in ("text", "content") else _UNKNOWN_DOCUMENT), 0


def _pdf_tokens(data: str) -> tuple[int, int]:
    octets = len(data) * 3 // 4
    return _PAGE_TOKENS[0] * (1 + octets // _PAGE_BYTES[0]), _PAGE_TOKENS[1] * (1 + octets // _PAGE_BYTES[1])


def image_tokens(data: str) -> tuple[int, int]:
    """Tokens of a base64 image: by its width and height where its header tells them."""
    try:
        head = base64.b64decode(data[:_HEADER], validate=True)
        width, height = _dimensions(head)
    except (binascii.Error, ValueError, struct.error, IndexError):
        return _UNKNOWN_IMAGE
    tokens = width * height // _PIXELS_PER_TOKEN
    low, high = _IMAGE_LIMITS
    return max(low, min(tokens, 1_600)), max(low, min(tokens * 11 // 10 + 1, high))


def _dimensions(head: bytes) -> tuple[int, int]:
    if head.startswith(b"\x89PNG"):
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    if head.startswith(b"GIF8"):
        width, height = struct.unpack("<HH", head[6:10])
        return width, height
    if head.startswith(b"\xff\xd8"):
        return _jpeg(head)
    if head[8:15] == b"WEBPVP8" and head[15:16] == b"X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    raise ValueError("unknown image")


def _jpeg(head: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 < len(head):
        if head[place] != 0xFF:
            raise ValueError("not a JPEG segment")
        kind = head[place + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[place + 5 : place + 9])
            return width, height
        place += 2 + int(struct.unpack(">H", head[place + 2 : place + 4])[0])
    raise ValueError("no size in the first part")
