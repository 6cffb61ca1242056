"""So many downloads at a time; one that all but stands still lends its slot, so that it holds up no other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

_EVERY = 10.0
"""Seconds over which it is seen whether a download gets on."""
_BUSY = 100_000
"""Bytes within that time that make it worth its slot."""


class Slots:
    """``usual`` at a time, ``most`` with those that lent their slot."""

    def __init__(self, usual: int = 2, most: int = 8) -> None:
        self._usual = asyncio.Semaphore(usual)
        self._most = asyncio.Semaphore(most)

    @contextlib.asynccontextmanager
    async def held(self, received: Callable[[], int]) -> AsyncIterator[None]:
        """Hold a slot for the block; ``received`` tells the bytes that came so far."""
        async with self._most:
            await self._usual.acquire()
            lending = asyncio.create_task(self._lend(received))
            try:
                yield
            finally:
                lending.cancel()
                if not lending.done() or lending.cancelled():
                    self._usual.release()

    async def _lend(self, received: Callable[[], int]) -> None:
        before = received()
        while True:
            await asyncio.sleep(_EVERY)
            now = received()
            if now - before < _BUSY:
                self._usual.release()
                return
            before = now
