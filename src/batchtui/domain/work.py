"""Long work, as who wants it done holds it: how far it has come, and that it is to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from batchtui.domain.errors import Stopped

EVERY = 0.1
"""Seconds between two tellings."""


class Progress(msgspec.Struct, frozen=True):
    """How far long work has come.  ``total`` 0 means unknown; units are bytes unless ``unit`` says otherwise."""

    stage: str
    done: int
    total: int = 0
    unit: str = "bytes"
    note: str = ""
    problems: int = 0
    """Found so far, warnings with them."""
    waiting_for: str = ""
    """What has to come from outside before anything goes on."""


class Work:
    """One piece of long work: made by who wants it, handed down to what does it; every method may be called in any thread.

    ``hear`` is told how far it came, in the thread that does it, at most ten times a second and always of the last.
    """

    def __init__(self, hear: Callable[[Progress], object] | None = None, stop: threading.Event | None = None) -> None:
        """``stop`` is the event that ends it, when other work ends by the same."""
        self._hear = hear
        self._stop = stop or threading.Event()
        self._turn = threading.Lock()
        self._told_at = -EVERY

    def stop(self) -> None:
        """Have it end soon."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """True once it is to end."""
        return self._stop.is_set()

    def check(self, message: str, advice: str = "") -> None:
        """Raise Stopped with this message once the work is to end."""
        if self._stop.is_set():
            raise Stopped(message, advice=advice)

    @property
    def due(self) -> bool:
        """True when someone listens and was not told for a while: for what is costly to tell."""
        return self._hear is not None and time.monotonic() - self._told_at >= EVERY

    def tell(self, stage: str, done: int, total: int = 0, unit: str = "bytes", *, note: str = "") -> None:
        """Tell how far it came; between two times that are told this does nothing."""
        if self._hear is not None and (self.due or (total and done >= total)):
            self.pass_on(Progress(stage, done, total, unit, note))

    def pass_on(self, progress: Progress) -> None:
        """Tell it, unless another thread has just told how far it came."""
        last = progress.total and progress.done >= progress.total
        with self._turn:
            if self._hear is None or not (last or self.due):
                return
            self._told_at = time.monotonic()
        self._hear(progress)


UNWATCHED = Work()
"""Work that nobody listens to and nobody stops."""
