"""When batches were checked and will be, in words."""

from __future__ import annotations

from datetime import datetime

from batchtui import safetext
from batchtui.domain.schedule import LookState
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS


def look_facts(look: LookState, now: datetime, *, idle: bool = False, refresh: str = "R") -> tuple[str, str]:
    """When batches were checked and will be, and the level; ``idle``: no batch is in progress; ``refresh``: the key."""
    coming = look.next_at is not None and look.next_at > now
    again = f" {GLYPHS.dot} next check in {numbers.words(look.next_at - now)}" if coming and look.next_at else ""
    if look.blind_since is not None:
        what = safetext.line(look.error or "the API can't be reached", 120)
        return f"{GLYPHS.warning} offline since {look.blind_since.astimezone():%H:%M}{again}: {what}", "warn"
    if look.last_ok is None:
        waits = f"no batch is in progress; {refresh} refreshes" if idle else "not checked yet"
        return ("checking for the first time" if look.looking else waits), "info"
    ago = now - look.last_ok
    return f"checked {'just now' if ago.total_seconds() < 5 else numbers.words(ago) + ' ago'}{again}", "info"
