"""What the base64 data of images and PDFs holds: the kind, an image's pixels, a PDF's pages."""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

_HEADER = 262_144
"""Base64 letters of an image that are read for its kind and size: a JPEG may carry a preview before its size."""
_INFLATED = 64_000_000
"""The most bytes of a PDF's compressed objects that are looked at."""
_LEAST, _PIECE = 1_024, 262_144
"""Bytes of a compressed stream that are handed on at once, first and at most."""
_PATCH = 28
_COUNT = re.compile(rb"/Count\s+(\d{1,6})\b")
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_PAGES = re.compile(rb"/Type\s*/Pages\b")
_OBJECT_STREAM = re.compile(rb"/Type\s*/ObjStm\b")
_STREAM = re.compile(rb"stream\r?\n")


class Image(NamedTuple):
    """An image as its first bytes tell it; width and height are pixels, 0 when they can't be read."""

    media_type: str
    width: int
    height: int


class Pdf(NamedTuple):
    """A PDF; ``pages`` is 0 when they can't be counted."""

    pages: int
    encrypted: bool


def read_image(data: str) -> Image | None:
    """The image in base64 text; None when it is none of those the API takes, or no base64."""
    try:
        head = _decoded(data[:_HEADER])
    except (binascii.Error, ValueError):
        return None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _sized("image/png", _png, head)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _sized("image/gif", _gif, head)
    if head.startswith(b"\xff\xd8\xff"):
        found = _sized("image/jpeg", _jpeg, head)
        # Profiles and previews of more than the first part may stand before the size.
        return found if found.width or len(data) <= _HEADER else _sized("image/jpeg", _jpeg, _whole(data) or head)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _sized("image/webp", _webp, head)
    return None


def _whole(data: str) -> bytes:
    try:
        return _decoded(data)
    except (binascii.Error, ValueError):
        return b""


def image_tokens(image: Image | None, side: int, most: int) -> tuple[int, int]:
    """Tokens of an image for a model that scales it to ``side`` pixels and ``most`` tokens (vision page, August 2026)."""
    if image is None or not image.width or not image.height:
        return 1, most
    longest = max(image.width, image.height)
    shown, whole = (side, longest) if longest > side else (1, 1)
    tokens = -(-image.width * shown // (whole * _PATCH)) * -(-image.height * shown // (whole * _PATCH))
    exact = min(tokens, most)
    return exact, min(exact + exact // 50 + 1, most)


def read_pdf(data: str) -> Pdf | None:
    """The PDF in base64 text; None when it is none, or no base64."""
    try:
        raw = _decoded(data)
    except (binascii.Error, ValueError):
        return None
    if b"%PDF-" not in raw[:1024]:
        return None
    return Pdf(_pages(raw), b"/Encrypt" in raw)


def _decoded(data: str) -> bytes:
    text = data if data.isalnum() else re.sub(r"\s+", "", data)
    text = text.rstrip("=")
    return base64.b64decode(
        text[: len(text) // 4 * 4] if len(text) % 4 == 1 else text + "=" * (-len(text) % 4), validate=True
    )


def _pages(raw: bytes) -> int:
    """Pages by the page tree's root, whose count is the largest; else by the page objects."""
    objects: list[bytes | bytearray] = [raw, *_object_streams(raw)]
    counts = [int(found) for text in objects if _PAGES.search(text) for found in _COUNT.findall(text)]
    singles = sum(len(_PAGE.findall(text)) for text in objects)
    if not singles or not counts:
        return max([*counts, singles])
    # An outline's count may have been taken for the tree's: there are never more pages than page objects.
    return min(max(counts), singles)


def _object_streams(raw: bytes) -> list[bytearray]:
    """Objects that lie compressed (PDF 1.5 and later)."""
    found: list[bytearray] = []
    left = _INFLATED
    for mark in _OBJECT_STREAM.finditer(raw):
        start = _STREAM.search(raw, mark.end(), mark.end() + 2_000)
        if start is None or left <= 0:
            continue
        text = _inflated(memoryview(raw)[start.end() :], left)
        left -= len(text) + _LEAST
        if text:
            found.append(text)
    return found


def _inflated(data: memoryview, limit: int) -> bytearray:
    """What a compressed stream holds, at most ``limit`` bytes of it; as far as it can be read."""
    stream = zlib.decompressobj()
    found = bytearray()
    place, step = 0, _LEAST
    while limit > 0 and not stream.eof and place < len(data):
        try:
            piece = stream.decompress(stream.unconsumed_tail or data[place : place + step], limit)
        except zlib.error:
            break
        if not stream.unconsumed_tail:
            place, step = place + step, min(2 * step, _PIECE)
        found += piece
        limit -= len(piece)
    return found


def _sized(media_type: str, read: Callable[[bytes], tuple[int, int]], head: bytes) -> Image:
    try:
        width, height = read(head)
    except (ValueError, struct.error, IndexError):
        return Image(media_type, 0, 0)
    return Image(media_type, width, height)


def _png(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _gif(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", head[6:10])
    return width, height


def _jpeg(head: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 < len(head):
        if head[place] != 0xFF:
            raise ValueError("not a JPEG segment")
        kind = head[place + 1]
        if kind == 0xFF:
            place += 1
            continue
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[place + 5 : place + 9])
            return width, height
        place += 2 + int(struct.unpack(">H", head[place + 2 : place + 4])[0])
    raise ValueError("no size in the first part")


def _webp(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise ValueError("unknown WebP")
