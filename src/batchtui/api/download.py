"""Downloads of results, received in a thread of their own: an event loop takes almost twice the work for the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from batchtui.domain.errors import BatchtuiError, NoNetwork, Unavailable

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
_LET_GO = 2.0
"""Seconds an interrupted download is waited for."""
WINDOW = 180.0
"""Seconds over which a download's progress is measured."""
LEAST = 20_000
"""Bytes that have to come within a window (some 100 a second); below, the download is broken off to be resumed."""
_LONGEST_LINE = 64_000_000
"""Bytes of one result; a longer line is none."""
_HEADERS = ("content-range", "content-type", "etag", "last-modified")


async def in_daemon(work: Callable[[], T], undo: Callable[[T], None] = lambda _: None) -> T:
    """Run ``work`` in a thread that keeps no process from ending; what it makes for nobody any more is handed to ``undo``."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def made(result: T) -> None:
        if future.done():
            undo(result)
        else:
            future.set_result(result)

    def failed(error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        with contextlib.suppress(RuntimeError):  # The loop was closed: nobody waits any more.
            try:
                result = work()
            except BaseException as error:
                loop.call_soon_threadsafe(failed, error)
            else:
                loop.call_soon_threadsafe(made, result)

    threading.Thread(target=run, name="transfer", daemon=True).start()
    return await future


class Download:
    """One reply of results: its facts, then its bytes."""

    def __init__(self, response: httpx2.Response, translated: Callable[[BaseException], BatchtuiError]) -> None:
        self._response = response
        self._translated = translated
        self._ended = False
        self._taken = 0
        self._over = threading.Event()
        self._over.set()
        self.status = response.status_code
        self.headers: Mapping[str, str] = {n: response.headers[n][:200] for n in _HEADERS if n in response.headers}
        length = re.fullmatch(r"[0-9]{1,15}", response.headers.get("content-length", ""))
        self.length = int(length[0]) if length else None
        """Bytes to come, None when the API did not say."""

    async def receive(self, take: Callable[[bytes], None], most: int | None = None) -> None:
        """Hand every piece to ``take``, in the download's thread; raises our errors when the connection breaks.

        More than ``most`` bytes, or a line without end, are Unavailable.  What ``take`` raises ends it.  Once this has
        returned or raised, ``take`` is not called any more.
        """
        self._over.clear()
        watch = asyncio.create_task(self._watch())
        try:
            await in_daemon(lambda: self._pump(take, most))
            if self._ended:
                raise NoNetwork(
                    f"the download stalled: less than {LEAST:,} bytes came in {WINDOW:.0f} s",
                    advice="it is resumed later; check the connection",
                )
        finally:
            watch.cancel()
            self._interrupt()
            if not self._over.is_set():
                await asyncio.to_thread(self._over.wait, _LET_GO)

    async def _watch(self) -> None:
        """Break the download off once a whole window brought next to nothing."""
        while True:
            before = self._taken
            await asyncio.sleep(WINDOW)
            if self._taken - before < LEAST:
                self._interrupt()
                return

    def _pump(self, take: Callable[[bytes], None], most: int | None) -> None:
        line = 0
        try:
            pieces = self._response.iter_bytes()
            while True:
                try:
                    piece = next(pieces, None)
                except Exception as error:
                    if self._ended:
                        return
                    raise self._translated(error) from None
                if piece is None or self._ended:
                    return
                self._taken += len(piece)
                end = piece.rfind(b"\n")
                line = len(piece) - end - 1 if end >= 0 else line + len(piece)
                if line > _LONGEST_LINE or (most is not None and self._taken > most):
                    raise Unavailable(
                        "the results are larger than they can be", advice="they are downloaded again later"
                    )
                take(piece)
        finally:
            self._over.set()

    def _interrupt(self) -> None:
        """Have a read that waits for the API return at once."""
        self._ended = True
        if self._over.is_set():
            return
        stream = self._response.extensions.get("network_stream")
        held = stream.get_extra_info("socket") if stream is not None else None
        if isinstance(held, socket.socket):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(held, socket.SHUT_RDWR)

    async def close(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(Exception):
            self._response.close()
