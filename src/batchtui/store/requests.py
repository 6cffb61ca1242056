"""The requests of a batch as they lie in requests.jsonl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

_REQUEST_HEAD = re.compile(rb'\s*\{\s*"custom_id"\s*:\s*"([a-zA-Z0-9_-]{1,64})"\s*,\s*"params"')


class _Envelope(msgspec.Struct, gc=False):
    custom_id: str = ""


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def read_requests(path: Path) -> Iterator[tuple[str, int, int]]:
    """Each request's custom_id, offset and length in bytes, in the order of the file; raises OSError.

    A custom_id that can't be read is ''.
    """
    offset = 0
    with path.open("rb", buffering=1 << 20) as file:
        for line in file:
            found = _REQUEST_HEAD.match(line)
            if found is not None:
                yield found.group(1).decode("ascii"), offset, len(line.rstrip(b"\r\n"))
            elif not line.isspace():
                custom_id = ""
                with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                    custom_id = _decode_envelope(line).custom_id
                yield custom_id, offset, len(line.rstrip(b"\r\n"))
            offset += len(line)
