"""Looks through a file of lines for bytes, block by block."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from batchtui.domain.errors import StoreError
from batchtui.domain.plan import Progress
from batchtui.store import files
from batchtui.store.needles import probes

BLOCK = 1 << 20
FOLDED_BLOCK = 1 << 18
"""Bytes looked through in one call, which holds the interpreter's lock; smaller when they are lower-cased first."""

Report = Callable[[Progress], None]


def scan(
    fd: int,
    size: int,
    needles: list[bytes],
    case: bool,
    starts: Sequence[int],
    *,
    stop: threading.Event | None,
    progress: Report | None,
) -> Iterator[list[int]]:
    """Numbers of the lines (by their ``starts``) that hold one of the needles, each once; ends early when ``stop`` is set.

    Blocks overlap by one byte less than the longest needle, so nothing is missed between two.  Raises StoreError.
    """
    overlap = max(len(needle) for needle in needles) - 1
    buffer = bytearray(BLOCK + overlap)
    ways = probes(needles, case, buffer[: _read(fd, buffer, 0)])
    folding = not all(way.raw for way in ways)
    block = FOLDED_BLOCK if folding else BLOCK
    buffer = bytearray(block + overlap)
    place, last = 0, -1
    while place < size and not (stop is not None and stop.is_set()):
        got = _read(fd, buffer, place)
        if not got:
            raise StoreError("the results became shorter while they were searched", advice="open the batch again")
        folded = buffer[:got].lower() if folding else buffer
        hits: set[int] = set()
        for way in ways:
            area = buffer if way.raw else folded
            at = way.find(area, 0, got)
            while at >= 0:
                line = bisect_right(starts, place + at) - 1
                hits.add(line)
                if line + 1 >= len(starts):
                    break
                at = way.find(area, max(at + 1, starts[line + 1] - place), got)
        fresh = sorted(hit for hit in hits if hit > last)
        if fresh:
            last = fresh[-1]
            yield fresh
        place += block
        if progress is not None and place % (16 * BLOCK) < block:
            progress(Progress("searching", min(place, size), size))


def _read(fd: int, buffer: bytearray, place: int) -> int:
    try:
        return os.preadv(fd, [buffer], place)
    except OSError as error:
        raise files.explain(error, "can't read the results") from error
