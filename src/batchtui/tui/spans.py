"""Spans of time as the lists show them: short, and rounded so that they don't tick more often than they must."""

from __future__ import annotations

from datetime import datetime, timedelta


def short(span: timedelta) -> str:
    """``45s`` (in steps of 15), ``14m``, ``5h``, ``12d``; a negative span is none."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds // 15 * 15}s" if seconds >= 15 else "now"
    if seconds < 3600:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 48 * 3600 else f"{seconds // 86400}d"


def left(span: timedelta) -> str:
    """Time that remains: ``28d``, ``23h46`` (to ten minutes above two hours), ``46m``, ``over``."""
    seconds = int(span.total_seconds())
    if seconds <= 0:
        return "over"
    if seconds >= 48 * 3600:
        return f"{seconds // 86400}d"
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours >= 2:
        minutes = minutes // 10 * 10
    return f"{hours}h{minutes:02}" if hours else f"{minutes}m"


def words(span: timedelta) -> str:
    """A span in words: ``just now`` apart, ``20 s``, ``14 min``, ``5 h``, ``12 days``; seconds in steps of five."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{max(5, seconds // 5 * 5)} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} days"


def at(moment: datetime | None) -> str:
    """A moment in the person's own time zone, to the minute; "" for none."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else ""
