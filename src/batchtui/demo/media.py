"""Images and PDFs of a request as the demo server reads them: what they are, how large, and what they are charged for."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any


def image_type(raw: bytes) -> str:
    """The media type that an image's bytes say, "" for none that is taken."""
    for start, kind in ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF8", "gif")):
        if raw.startswith(start):
            return f"image/{kind}"
    return "image/webp" if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP" else ""


def pixels(raw: bytes) -> tuple[int, int]:
    """Width and height of an image; (1, 1) where its bytes don't say."""
    kind = image_type(raw)
    if kind == "image/png":
        return int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")
    if kind == "image/gif":
        return int.from_bytes(raw[6:8], "little"), int.from_bytes(raw[8:10], "little")
    if kind == "image/jpeg":
        for found in re.finditer(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]..\x08(..)(..)", raw, re.DOTALL):
            return int.from_bytes(found[2], "big"), int.from_bytes(found[1], "big")
    if kind == "image/webp" and raw[12:16] == b"VP8X":
        return 1 + int.from_bytes(raw[24:27], "little"), 1 + int.from_bytes(raw[27:30], "little")
    return 1, 1


def tokens(source: dict[str, Any], picture: tuple[int, int]) -> int:
    """What an image or a PDF is charged for, by its model's ``picture``; of one that is not in the request, a page's worth."""
    if source.get("type") != "base64" or not isinstance(source.get("data"), str):
        return 1_500
    raw = base64.b64decode(source["data"] + "==", validate=False)
    side, most = picture
    if raw.startswith(b"%PDF-"):
        # Pages differ in how much text they hold.
        return sum(1_500 + zlib.crc32(raw[:64], page) % 1_500 + most // 2 for page in range(pdf_pages(raw)))
    width, height = pixels(raw)
    longest = max(side, width, height)
    across, down = (-(-length * side // (28 * longest)) for length in (width, height))
    return min(most, across * down)


def pdf_pages(raw: bytes) -> int:
    """How many pages a PDF has."""
    plain = raw
    for found in re.finditer(rb"/ObjStm.{0,400}?stream\r?\n", raw, re.DOTALL):
        try:
            plain += zlib.decompressobj().decompress(raw[found.end() :], 8_000_000)
        except zlib.error:
            continue
    return len(re.findall(rb"/Type\s*/Page[^s]", plain))
