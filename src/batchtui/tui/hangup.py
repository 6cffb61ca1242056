"""Leaving when told to by a signal, or when the terminal has gone: within seconds, with everything on record.

A gone terminal can leave the app's own loop blocked in a write for ever, so nothing here depends on that loop: signal
handlers run between the main thread's instructions, and a thread of its own sees the hang-up and ends the process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable

PATIENCE = 5.0
"""Seconds the app has to leave by itself."""
LOOK_EVERY = 2.0


class Hangup:
    """Watches for SIGHUP, SIGTERM and the terminal's going; ``leave`` asks the app to exit, ``put_away`` stops the engine."""

    def __init__(self, leave: Callable[[int], None], put_away: Callable[[], None]) -> None:
        self._leave = leave
        self._put_away = put_away
        self._left = threading.Event()
        self._told = False

    def watch(self) -> None:
        """Begin; from the main thread."""
        with contextlib.suppress(ValueError):
            for number in (signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, lambda number, _: self.end(128 + number))
        threading.Thread(target=self._watch_terminal, name="terminal-watch", daemon=True).start()

    def over(self) -> None:
        """The app has left by itself."""
        self._left.set()

    def end(self, code: int) -> None:
        """Leave with an exit code, come what may."""
        if self._told:
            return
        self._told = True
        threading.Thread(target=self._see_to_it, args=(code,), name="leaving", daemon=True).start()
        self._leave(code)

    def _see_to_it(self, code: int) -> None:
        if self._left.wait(PATIENCE):
            return
        with contextlib.suppress(Exception):
            self._put_away()
        os._exit(code)

    def _watch_terminal(self) -> None:
        poll = select.poll()
        try:
            poll.register(sys.__stdin__.fileno() if sys.__stdin__ else 0, 0)
        except (OSError, ValueError):
            return
        while not self._left.is_set():
            if any(
                events & (select.POLLHUP | select.POLLERR | select.POLLNVAL)
                for _, events in poll.poll(LOOK_EVERY * 1000)
            ):
                self.end(128 + signal.SIGHUP)
                return
