"""The requests of a batch as they lie in requests.jsonl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

_BLOCK = 1 << 18
_HEAD = re.compile(rb'\s*\{\s*"custom_id"\s*:\s*"([a-zA-Z0-9_-]{1,64})"\s*,\s*"params"')


class _Envelope(msgspec.Struct, gc=False):
    custom_id: str = ""


_decode = msgspec.json.Decoder(_Envelope).decode


def read_requests(path: Path) -> Iterator[tuple[str, int, int]]:
    """Each request's custom_id, offset and length in bytes, in the order of the file; raises OSError.

    A custom_id that can't be read is ''.
    """
    base, rest = 0, b""
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            data = rest + block
            start = 0
            while (end := data.find(b"\n", start)) >= 0:
                found = _HEAD.match(data, start, end)
                if found is not None:
                    yield found[1].decode("ascii"), base + start, end - start
                elif line := data[start:end].strip():
                    yield _read_id(line), base + start, end - start
                start = end + 1
            base += start
            rest = data[start:]
    if last := rest.strip():
        yield _read_id(last), base, len(rest)


def _read_id(line: bytes) -> str:
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        return _decode(line).custom_id
    return ""
