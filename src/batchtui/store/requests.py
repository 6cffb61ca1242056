"""The requests of a batch as they lie in requests.jsonl."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from batchtui import plainfile

_BLOCK = 1 << 18
_HEAD = re.compile(rb'\s*\{\s*"custom_id"\s*:\s*"([a-zA-Z0-9_-]{1,64})"\s*,\s*"params"')


class _Envelope(msgspec.Struct, gc=False):
    custom_id: str = ""


_decode = msgspec.json.Decoder(_Envelope).decode


Found = tuple[list[str], Sequence[int], Sequence[int]]
"""Requests' custom_ids, offsets and lengths in bytes."""


def read_requests(path: Path) -> Iterator[Found]:
    """All requests in the order of the file, some hundreds at a time; raises OSError.

    A custom_id that can't be read is ''.
    """
    base, rest = 0, b""
    with os.fdopen(plainfile.open_fd(path)[0], "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            data = rest + block
            found, start = _in_block(data, base)
            yield found
            base += start
            rest = data[start:]
    if rest.strip():
        yield [_read_id(rest.strip())], [base], [len(rest)]


def _in_block(data: bytes, base: int) -> tuple[Found, int]:
    """The requests of whole lines, and where the rest begins."""
    ids: list[str] = []
    starts: list[int] = []
    sizes: list[int] = []
    find, head, start = data.find, _HEAD.match, 0
    while (end := find(b"\n", start)) >= 0:
        found = head(data, start, end)
        if found is not None:
            ids.append(found[1].decode("ascii"))
            starts.append(base + start)
            sizes.append(end - start)
        elif line := data[start:end].strip():
            ids.append(_read_id(line))
            starts.append(base + start)
            sizes.append(end - start)
        start = end + 1
    return (ids, starts, sizes), start


def _read_id(line: bytes) -> str:
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        return _decode(line).custom_id
    return ""
