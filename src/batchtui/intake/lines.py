"""Lines of a byte stream, read in pieces, so that neither a large file nor a large line is held longer than needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

PIECE = 1 << 20
"""Bytes read at once."""


class Readable(Protocol):
    """What can be read in pieces."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, empty at the end."""
        ...


def blocks(stream: Readable, limit: int, size: int = PIECE) -> Iterator[list[bytes | None]]:
    """Lists of lines without their newline; a line of more than ``limit`` bytes is None and was not kept.

    A list may be empty, so that the caller can look at the clock while a long line comes in.
    """
    pending: list[bytes] = []
    held = 0
    skipping = False
    while piece := stream.read(size):
        lines: list[bytes | None] = [*piece.split(b"\n")]
        tail = lines.pop() or b""
        if lines:
            if skipping:
                lines[0] = None
            elif pending:
                pending.append(lines[0] or b"")
                lines[0] = b"".join(pending)
            pending, held, skipping = [], 0, False
        if not skipping:
            pending.append(tail)
            held += len(tail)
            if held > limit:
                pending, skipping = [], True
        yield lines
    if skipping:
        yield [None]
    elif last := b"".join(pending):
        yield [last]
