"""Long work tells how far it came, not too often, and ends when it is told to."""

from __future__ import annotations

import threading

import pytest

from batchtui.domain import work
from batchtui.domain.errors import Stopped
from batchtui.domain.work import UNWATCHED, Progress, Work


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of the tellings: a list of the time it shows."""
    at = [100.0]
    monkeypatch.setattr(work.time, "monotonic", lambda: at[0])
    return at


def test_it_is_told_now_and_then_and_at_the_end(now: list[float]) -> None:
    told: list[Progress] = []
    one = Work(told.append)
    for done in range(1, 31):
        one.tell("reading", done, 30, "rows")
        now[0] += 0.04
    assert [each.done for each in told] == [1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 30]
    assert told[-1] == Progress("reading", 30, 30, "rows")
    assert not one.due
    now[0] += 0.1
    assert one.due


def test_of_many_threads_one_tells(now: list[float]) -> None:
    told: list[Progress] = []
    one, gate = Work(told.append), threading.Barrier(8)

    def tell() -> None:
        gate.wait()
        for done in range(200):
            one.tell("reading", done)

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(told) == 1


def test_it_is_stopped_once_for_all_that_it_is_handed_to() -> None:
    stop = threading.Event()
    one, other = Work(stop=stop), Work(stop=stop)
    one.check("not yet")
    one.stop()
    assert one.stopped and other.stopped
    with pytest.raises(Stopped, match="in the middle") as caught:
        other.check("stopped in the middle", advice="begin again")
    assert caught.value.advice == "begin again"


def test_what_nobody_watches_tells_nobody() -> None:
    UNWATCHED.tell("reading", 1, 1)
    assert not (UNWATCHED.due or UNWATCHED.stopped)
