"""Giving memory back to the system after long work: the C library keeps what was freed unless it is asked."""

from __future__ import annotations

import contextlib
import ctypes
import sys

_ARENA_MAX = -8
_MMAP_THRESHOLD = -3
"""``M_ARENA_MAX`` and ``M_MMAP_THRESHOLD`` of glibc's malloc.h; a fixed threshold keeps large pieces off the heap."""


def one_arena() -> None:
    """Keep threads from each having a heap, and large pieces off it; on glibc only, elsewhere nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(_ARENA_MAX, 1)
            libc.mallopt(_MMAP_THRESHOLD, 128 * 1024)


MANY = 20_000
"""Requests from which on giving back is worth its milliseconds."""


def give_back(requests: int) -> None:
    """Return what was freed after work on so many requests."""
    if requests < MANY:
        return
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
