"""One call on the wire: how long it may take, how large its reply may be, and whether any of it has left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

MB = 1_000_000
ERROR_MOST = 256_000
"""Bytes read of a reply that is an error; what follows is left unread."""
ONE_MOST = 4 * MB
"""Bytes of a reply about one thing: a batch, a count."""
LIST_MOST = 32 * MB
"""Bytes of a page of a list."""
MOST_PAGES = 1_000
"""Pages of one list that are read."""
MESSAGE_MOST = 128 * MB
"""Bytes of one message."""


class Call:
    """Handed to the transport beside the request."""

    def __init__(self, most: int | None = ONE_MOST, *, until: float | None = None) -> None:
        """``most`` are bytes of the reply, None without a bound; ``until`` is when reading ends, by the monotonic clock."""
        self.most = most
        self.until = until
        self.sent = False
        """True once any byte of the request may have been handed to the connection."""

    def left(self, timeout: float | None) -> float | None:
        """Seconds a read may still take, given its own time-out; 0 when the call's time is over."""
        if self.until is None:
            return timeout
        remaining = max(0.0, self.until - time.monotonic())
        return remaining if timeout is None else min(timeout, remaining)

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Told by the HTTP client what it does."""
        if event == "http11.send_request_headers.started":
            # The request for a tunnel is not ours: only what follows it is.
            self.sent = self.sent or info["request"].method != b"CONNECT"
        elif event == "http11.send_request_headers.failed" and type(info["exception"]).__name__ == "LocalProtocolError":
            # Headers that can't be written are refused before any byte is.
            self.sent = False


_CURRENT: ContextVar[Call | None] = ContextVar("call", default=None)


def current() -> Call | None:
    """The call that is made in this context."""
    return _CURRENT.get()


@contextmanager
def made(call: Call) -> Iterator[Call]:
    """Have what is sent in this context be that call."""
    token = _CURRENT.set(call)
    try:
        yield call
    finally:
        _CURRENT.reset(token)
