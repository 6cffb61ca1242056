"""The terminal's driver: knows what was drawn when a key was read, and what of the drawing was written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import selectors
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from textual import events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from batchtui.tui.typed_ahead import is_input

if TYPE_CHECKING:
    from batchtui.tui.app import BatchtuiApp


class _Output:
    """The terminal's file, which counts what was written to it and flushed."""

    def __init__(self, file: IO[str], told: Callable[[], object]) -> None:
        self._file = file
        self._told = told
        self._taken = 0
        self.written = 0

    def write(self, text: str) -> int:
        """As the file's; called in the writer's thread."""
        self._taken += 1
        return self._file.write(text)

    def flush(self) -> None:
        """As the file's; what was written until now has gone out."""
        taken = self._taken
        self._file.flush()
        self.written = taken
        self._told()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class TypingDriver(LinuxDriver):
    """Hands input to the app's TypedAhead, each event with what had been seen when its bytes were read."""

    _app: BatchtuiApp

    def __init__(self, app: BatchtuiApp, **options: Any) -> None:
        super().__init__(app, **options)
        self._handed = 0
        self._stamp = 0
        self._reader = 0
        self._reading = threading.Lock()
        self._flushed = asyncio.Event()
        self._output = _Output(self._file, self._tell_flushed)  # type: ignore[arg-type]
        self._file = self._output  # type: ignore[assignment]

    # --- output -----------------------------------------------------------------------------------------------------

    def write(self, data: str) -> None:
        """Write in the writer's thread."""
        self._handed += 1
        super().write(data)

    def _tell_flushed(self) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is over.
            self._loop.call_soon_threadsafe(self._flushed.set)

    async def has_shown(self) -> bool:
        """Wait until all that was handed over so far is written; False when the app ends before."""
        handed = self._handed
        while self._output.written < handed:
            self._flushed.clear()
            if self._output.written < handed:
                await self._flushed.wait()
            if self._app._exit:
                return False
        return True

    # --- input ------------------------------------------------------------------------------------------------------

    def marks_seen(self, change: int) -> bool:
        """Take a change for seen by whatever is typed from now on; False while something typed before was not read yet."""
        if not self._reading.acquire(blocking=False):
            return False
        try:
            try:
                waiting, _, _ = select.select([self.fileno], [], [], 0)
            except (OSError, ValueError):
                waiting = []
            if not waiting:
                self._app.typed.seen = change
            return not waiting
        finally:
            self._reading.release()

    def send_message(self, message: Message) -> None:
        """To the app's queue, or to what holds input back."""
        if not is_input(message):
            super().send_message(message)
            return
        assert isinstance(message, events.Event)
        # What a program presses was not read from the terminal: it goes by what is there when it arrives.
        seen = self._stamp if threading.get_ident() == self._reader else None
        with contextlib.suppress(RuntimeError):  # The loop is over.
            self._loop.call_soon_threadsafe(self._app.typed.arrive, message, seen)

    def run_input_thread(self) -> None:
        """Read what is typed until the driver is stopped."""
        self._reader = threading.get_ident()
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    with self._reading:
                        self._stamp = self._app.typed.seen
                        raw = os.read(self.fileno, 4096)
                    if not raw:
                        break
                    for message in parser.feed(decode(raw)):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
        with contextlib.suppress(EOFError, ParseError):
            for _ in parser.feed(""):
                pass
