"""The polling schedule, back-off included: plain functions of records and the time handed in.

A batch is looked at after 2 s, then ever more slowly with its age, up to 30 s in its first hour and 60 s later; sooner
when its counts move and it is about to end.  Trouble backs off with jitter and respects what the API asks for.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, NoKey, RateLimited, SpendLimit, Unavailable, WrongKey

FIRST = 2.0
HOUR_CAP = 30.0
LATER_CAP = 60.0
TROUBLE_CAP = 300.0
KEY_TROUBLE = 600.0
IDLE = 300.0
STRANDED = 15.0
FARTHEST = timedelta(hours=2, minutes=10)
"""No wait of ours is longer."""
SETTLE_FARTHEST = timedelta(minutes=2)
"""No wait between looks for an unconfirmed batch is longer."""


class LookState(msgspec.Struct, frozen=True, kw_only=True):
    """What the last check was worth: since when the API can't be asked, and when the next check comes."""

    last_ok: datetime | None = None
    next_at: datetime | None = None
    blind_since: datetime | None = None
    error: str = ""
    advice: str = ""
    trouble: Literal["", "no key", "wrong key", "offline"] = ""
    """What kind of ``error`` it is, where the first steps depend on it."""
    looking: bool = False
    failures: int = 0
    others: int = 0
    """Batches of the workspace that are not tracked here; only counted, up to a page, while nothing is tracked."""
    more_others: bool = False
    """True when ``others`` is only what the first page holds."""


def interval(record: BatchRecord, now: datetime) -> float:
    """Seconds from one look at a batch to the next."""
    born = record.seen_at or record.created_at or record.intent_at or now
    age = max(0.0, (now - born).total_seconds())
    cap = HOUR_CAP if age < 3600 else LATER_CAP
    wait = min(max(FIRST, age * 0.1), cap)
    counts = record.counts
    if counts.done and counts.processing and counts.processing <= counts.total * 0.1:
        wait = min(wait, 5.0)
    if record.status == "canceling":
        wait = min(wait, 10.0)
    if record.expires_at is not None and abs((record.expires_at - now).total_seconds()) < 120:
        wait = min(wait, 15.0)
    return wait


def next_look(records: Iterable[BatchRecord], now: datetime, last: datetime) -> datetime:
    """When to look next after ``last``: a look that went well, or when we began."""
    due = last + timedelta(seconds=IDLE)
    records = list(records)
    running = any(r.status in ("in_progress", "canceling") and not r.unknown for r in records)
    for record in records:
        if record.unknown_looks and record.status in ("in_progress", "canceling"):
            due = min(due, max(record.next_try_at or last, last + timedelta(seconds=1)))
        elif record.id is not None and record.status in ("in_progress", "canceling"):
            born = record.created_at
            # The API's clock may be ahead of ours.
            start = born if born is not None and last < born <= now else last
            due = min(due, start + timedelta(seconds=interval(record, now)))
        elif record.status == "submitting" and not record.waiting:
            due = min(due, last + timedelta(seconds=STRANDED))
        elif record.waiting and record.next_try_at is None and running:
            continue  # It waits for room, which comes when one of the running ends.
        elif _looked_for(record) or record.waiting or record.results_due:
            at = record.next_try_at
            far = SETTLE_FARTHEST if record.status == "unconfirmed" else FARTHEST
            due = min(due, max(last if at is None or ripe(at, now, far) else at, last + timedelta(seconds=1)))
    return due


def _looked_for(record: BatchRecord) -> bool:
    return record.status == "unconfirmed" and (not record.candidates or record.asked_at is not None)


def ripe(at: datetime | None, now: datetime, farthest: timedelta = FARTHEST) -> bool:
    """True when a time to try again has come, or lies so far ahead that a clock must have jumped."""
    return at is None or at <= now or at - now > farthest


def after_failure(error: BatchtuiError, failures: int, rng: random.Random | None = None) -> float:
    """Seconds to wait after the ``failures``-th failure in a row (1 and up)."""
    if isinstance(error, NoKey | WrongKey | SpendLimit):
        return KEY_TROUBLE
    asked = error.retry_after if isinstance(error, RateLimited | Unavailable) else None
    grown: float = min(TROUBLE_CAP, FIRST * 2 ** min(failures - 1, 10))
    jitter: float = (rng or random).uniform(0.75, 1.25)
    return max(asked or 0.0, 1.0, grown * jitter if asked is None else min(grown, asked) * jitter)


def settle_delay(looks: int) -> float:
    """Seconds until the next look for an unconfirmed batch after ``looks`` looks."""
    return (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)[min(looks, 6)]


def resend_delay(posts: int) -> float:
    """Seconds after which a part that the API was too busy for may be sent again, after ``posts`` times."""
    return min(1800.0, 2.0 ** min(posts, 11))


def fetch_delay(tries: int) -> float:
    """Seconds until results are asked for again after ``tries`` failures: quick at first, an hour at most, forever."""
    return min(3600.0, (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0)[min(tries, 8)] * (2 if tries > 12 else 1))


def unknown_delay(looks: int) -> float:
    """Seconds until a batch that the API did not know at ``looks`` looks is asked after again: an hour at most."""
    return (5.0, 15.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)[min(looks, 8) - 1]
