"""Results as they come, received in a thread of their own: on an event loop the same bytes take almost twice the work."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from batchtui.domain.errors import BatchtuiError

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
_LET_GO = 2.0
"""Seconds an interrupted download is waited for."""


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

    def __init__(self, response: httpx2.Response, mended: Callable[[BaseException], BatchtuiError]) -> None:
        self._response = response
        self._mended = mended
        self._ended = False
        self._over = threading.Event()
        self._over.set()
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        length = response.headers.get("content-length", "")
        self.length = int(length) if length.isdigit() and "content-encoding" not in response.headers else None
        """Bytes to come, None when the service did not say."""

    async def receive(self, take: Callable[[bytes], None]) -> None:
        """Hand every piece to ``take``, in the download's thread; raises our errors when the connection breaks.

        What ``take`` raises ends it.  Once this has returned or raised, ``take`` is not called any more.
        """
        self._over.clear()
        try:
            await in_daemon(lambda: self._pump(take))
        finally:
            self._interrupt()
            if not self._over.is_set():
                await asyncio.to_thread(self._over.wait, _LET_GO)

    def _pump(self, take: Callable[[bytes], None]) -> None:
        try:
            pieces = self._response.iter_bytes()
            while True:
                try:
                    piece = next(pieces, None)
                except Exception as error:
                    raise self._mended(error) from None
                if piece is None or self._ended:
                    return
                take(piece)
        finally:
            self._over.set()

    def _interrupt(self) -> None:
        """Have a read that waits for the service return at once."""
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
