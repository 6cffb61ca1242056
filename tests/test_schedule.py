"""When to look: the schedule as plain functions."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from batchtui.domain import schedule
from batchtui.domain.batch import BatchRecord, Counts
from batchtui.domain.errors import NoNetwork, RateLimited, WrongKey

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def running(age: float, **more: object) -> BatchRecord:
    return BatchRecord(
        local_id="a", run="a", id="m", status="in_progress", created_at=NOW - timedelta(seconds=age), **more
    )  # type: ignore[arg-type]


@given(st.floats(0, 90_000))
def test_looks_slow_down_with_age_within_the_caps(age: float) -> None:
    wait = schedule.interval(running(age), NOW)
    assert 2 <= wait <= (30 if age < 3599 else 60)


def test_looks_come_sooner_near_the_end() -> None:
    counts = Counts(processing=5, succeeded=95)
    assert schedule.interval(running(2000, counts=counts), NOW) == 5
    assert schedule.interval(running(2000), NOW) == 30


def test_nothing_to_wait_for_is_looked_at_rarely() -> None:
    ended = BatchRecord(local_id="a", run="a", status="ended", results="stored")
    assert (schedule.next_look([ended], NOW, NOW) - NOW).total_seconds() == schedule.IDLE


def test_trouble_backs_off_and_respects_what_the_service_asks() -> None:
    rng = random.Random(1)
    error = NoNetwork("gone")
    waits = [schedule.after_failure(error, n, rng) for n in range(1, 20)]
    assert waits[0] < 4 and max(waits) <= schedule.TROUBLE_CAP * 1.25
    assert schedule.after_failure(RateLimited("slow", retry_after=120), 1) >= 120
    assert schedule.after_failure(WrongKey("no"), 1) == schedule.KEY_TROUBLE


@given(st.integers(0, 10_000))
def test_results_are_asked_for_for_ever_at_least_every_two_hours(tries: int) -> None:
    assert 0 < schedule.fetch_delay(tries) <= 7200
