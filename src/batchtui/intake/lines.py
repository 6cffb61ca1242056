"""Lines of a byte stream, read in pieces, so that neither a large file nor a large line is held longer than needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

PIECE = 1 << 18
"""Bytes read at once."""


class Readable(Protocol):
    """What can be read in pieces."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, empty at the end."""
        ...


def blocks(
    stream: Readable, limit: int, size: int = PIECE, tick: Callable[[], None] | None = None
) -> Iterator[bytes | None]:
    """Whole lines, many at a time, without the last one's newline; None for a line of far more than ``limit`` bytes.

    Such a line is not kept.  ``tick`` is called after each read, so that a long line can be interrupted too.
    """
    pending: list[bytes] = []
    held = 0
    skipping = False
    while piece := stream.read(size):
        if tick is not None:
            tick()
        rest = piece
        if skipping:
            _, newline, rest = piece.partition(b"\n")
            if not newline:
                continue
            skipping = False
            yield None
        cut = rest.rfind(b"\n")
        if cut >= 0:
            yield b"".join((*pending, memoryview(rest)[:cut]))
            pending, held, rest = [], 0, rest[cut + 1 :]
        pending.append(rest)
        held += len(rest)
        if held > limit:
            pending, held, skipping = [], 0, True
    if skipping:
        yield None
    elif last := b"".join(pending):
        yield last


def lines(
    stream: Readable, limit: int, size: int = PIECE, tick: Callable[[], None] | None = None
) -> Iterator[bytes | None]:
    """Lines without their newline, one by one; None for one of far more than ``limit`` bytes."""
    for block in blocks(stream, limit, size, tick):
        if block is None:
            yield None
        else:
            yield from block.split(b"\n")
