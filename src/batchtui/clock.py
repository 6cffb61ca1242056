"""The one clock: the present, and waiting.

Looks, waits, back-off and the demo server's time all go by it, so that a test lets hours pass in seconds by running it
faster.  ``BATCHTUI_CLOCK`` does that for whole programs, only where the API is a server on this machine.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime

VARIABLE = "BATCHTUI_CLOCK"
"""``SPEED@BEGAN``: how many seconds pass in one, and from which time on (RFC 3339), such as ``60@2026-11-27T12:00:00Z``."""
_MOST = 100_000.0


class Clock:
    """The present as aware UTC, running ``speed`` times as fast from ``began`` on; 1.0 is the machine's own."""

    def __init__(self, speed: float = 1.0, began: datetime | None = None) -> None:
        self.speed = speed
        self._began = began or datetime.now(UTC)

    def __call__(self) -> datetime:
        """The present."""
        now = datetime.now(UTC)
        return now if self.speed == 1.0 else self._began + (now - self._began) * self.speed

    def variable(self) -> str:
        """What ``BATCHTUI_CLOCK`` is for this clock in another program."""
        return f"{self.speed}@{self._began.isoformat()}"


def from_environment() -> Clock:
    """The clock that ``BATCHTUI_CLOCK`` asks for, the machine's own when it asks for none or can't be read.

    Only for the demo server and for an API on this machine: what waits too briefly elsewhere pays twice.
    """
    speed, _, began = os.environ.get(VARIABLE, "").partition("@")
    try:
        fast, since = float(speed), datetime.fromisoformat(began)
    except ValueError:
        return Clock()
    return Clock(fast, since) if 1.0 <= fast <= _MOST and since.tzinfo is not None else Clock()


def machine_seconds(clock: object, seconds: float) -> float:
    """How many of the machine's seconds it takes until ``seconds`` have passed on a clock."""
    speed: float = getattr(clock, "speed", 1.0)
    return seconds / speed


async def sleep(clock: object, seconds: float) -> None:
    """Wait until ``seconds`` have passed on a clock."""
    await asyncio.sleep(machine_seconds(clock, seconds))
