"""How a demo server behaves: what can be set when it starts."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from batchtui import clock
from batchtui.domain.plan import MAX_BYTES, MAX_REQUESTS


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one demo server."""

    duration: float | None = None
    """Seconds every batch takes; None lets its size decide (8 to 25 s)."""
    speed: float = 1.0
    """Divides the time a batch takes."""
    moving_counts: bool = False
    """Let request_counts move while a batch runs; the service keeps them all-processing until it ended."""
    failure_rate: float = 0.055
    """Share of requests that fail by chance the first time they are sent, 0 to 1."""
    answer_bytes: int | None = None
    """Length of every answer's text in bytes; None lets the request decide."""
    max_requests: int = MAX_REQUESTS
    max_bytes: int = MAX_BYTES
    """Limits of one batch; a create beyond them is refused."""
    queue_limit: int | None = None
    """Requests that may be in the processing queue at once (of all batches); None is no limit."""
    rate_limit: int | None = None
    """Calls a minute before 429; None is no limit."""
    ranges: bool = True
    """Whether results can be fetched from an offset (Range)."""
    faults: tuple[str, ...] = ()
    """Faults in the words of ``faults.parse_fault``."""


class Clock:
    """The server's clock: the one in use (``batchtui.clock``), moved forward at will so that expiry can be seen."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self._base = clock.from_environment()

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self._base() + self.offset

    def of_replies(self) -> datetime:
        """The time that replies tell as their Date: not moved forward, so that it stays the client's."""
        return self._base()

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        self.offset += timedelta(seconds=seconds)
