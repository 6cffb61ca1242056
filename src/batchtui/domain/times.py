"""Times that others wrote, taken in only where no later arithmetic can fail on them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

YEARS = range(1971, 2200)
"""Years that are believed: with some to spare on both sides, so that nothing added to one can overflow."""


def believed(when: datetime | None) -> datetime | None:
    """The time in UTC, None for one without an offset or out of all reason: it could be hours off, or overflow later."""
    if when is None or when.tzinfo is None or when.year not in YEARS:
        return None
    return when.astimezone(UTC)


def read_time(text: object) -> datetime | None:
    """A believed time from RFC 3339 text, None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        return believed(msgspec.convert(text, datetime))
    except msgspec.ValidationError:
        return None
