"""Runs a service on an event loop of its own, in a thread beside the screen's."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from batchtui import unexpected
from batchtui.domain.errors import BatchtuiError
from batchtui.service.service import Service

T = TypeVar("T")


def close_loop(loop: asyncio.AbstractEventLoop, seconds: float = 1.0) -> None:
    """Cancel what is left on a loop and close it; its threads are not waited for, one of which may wait for the network."""
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        done, _ = loop.run_until_complete(asyncio.wait(rest, timeout=seconds))
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                _noted(loop, {"exception": error})
    with contextlib.suppress(TimeoutError):
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), seconds))
    loop.close()


def _noted(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Asyncio's own handler prints contents where the screen is."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        unexpected.note(error, "working in the background")


class ServiceThread:
    """A daemon thread with the service's loop; coroutines are handed in from any thread."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="batchtui-service", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(_noted)
        self._loop.run_forever()

    def start(self) -> None:
        """Begin: the poller runs from now on.  To begin what runs already changes nothing."""
        if self._thread.is_alive():
            return
        self._thread.start()
        self.spawn(self.service.start())

    def call(self, coro: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the service's loop; its result or error comes through the future."""
        return asyncio.run_coroutine_threadsafe(coro, self._loop)

    def spawn(self, coro: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine that nobody waits for; what it did not foresee is noted."""

        def over(future: concurrent.futures.Future[object]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is not None and not isinstance(error, BatchtuiError):
                unexpected.note(error, "working in the background")

        self.call(coro).add_done_callback(over)

    def stop(self, timeout: float = 3.0) -> None:
        """End within ``timeout`` seconds: what is under way is canceled and put on record."""
        if not self._thread.is_alive():
            return
        done = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        with contextlib.suppress(TimeoutError, concurrent.futures.CancelledError):
            done.result(timeout)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1.0)

    async def _end(self) -> None:
        # First what is under way: a send that is cut off by closing its connection could not tell that nothing was sent.
        rest = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self.service.close()
