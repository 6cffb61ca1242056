"""Waiting until a condition is true, with a generous end: for tests without a screen, which have ``tests/tui/waiting.py``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds after which what hangs is called so."""
_LOOK = 0.02


def until(true: Callable[[], object], what: str = "it") -> None:
    """Wait until a condition is true; ``what`` is told when it never is."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(_LOOK)


async def until_true(true: Callable[[], object]) -> None:
    """The same within a coroutine, whose loop goes on meanwhile."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(_LOOK)
