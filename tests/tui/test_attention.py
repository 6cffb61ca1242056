"""What needs attention on home: partly retried failures, unknown batches, and what waits counted apart; f downloads again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchtui.config.load import Config, Profile
from batchtui.domain.batch import BatchRecord, Counts, not_retried
from batchtui.domain.schedule import LookState
from batchtui.present import batch
from batchtui.service.other_profiles import Reach
from batchtui.tui.dialogs import Choose
from batchtui.tui.home.model import HomeModel
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.home_data import ago, put, tally
from tests.tui.test_home import SIZE, go, shown
from tests.tui.waiting import until
from tests.tui.work import NOW, make_app, make_service


def failed(service: Any, name: str = "big") -> BatchRecord:
    """A batch of 100 with 64 failed requests."""
    return put(
        service, name, status="ended", ended_at=ago(minutes=5), **tally("1.00", succeeded=36, errored=60, expired=4)
    )


def retry(service: Any, of: BatchRecord, name: str, **fields: Any) -> BatchRecord:
    return put(service, name, run=of.run, retry_of=(of.local_id,), **{"attempt": 1, "requests": 38, **fields})


@pytest.mark.parametrize("told", [True, False], ids=["with counts", "older record"])
def test_partly_retried_failures_still_need_attention(tmp_path: Path, told: bool) -> None:
    service = make_service(tmp_path)
    first = failed(service)
    retry(service, first, "again", retried={first.local_id: 38} if told else {})
    model = HomeModel()
    model.replace(service.records())
    model.arrange(NOW)
    assert model.left(first) == 26
    assert [r.local_id for r in model.wanting(NOW)] == [first.local_id]
    assert batch.attention(first, NOW, left=model.left(first)) == "26 requests to retry"
    retry(service, first, "rest", attempt=2, requests=26, retried={first.local_id: 26} if told else {})
    model.replace(service.records())
    model.arrange(NOW)
    assert model.left(first) == 0 and model.wanting(NOW) == []


def test_a_refused_retry_and_answers_that_were_cut_short_take_up_nothing(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    first = failed(service)
    refused = retry(service, first, "no", status="refused", id=None, retried={first.local_id: 38})
    assert not_retried(first, [first, refused]) == 64
    assert first.tally is not None
    short = msgspec.structs.replace(first, tally=msgspec.structs.replace(first.tally, cut_short=10))
    took = retry(service, first, "all", requests=64, retried={first.local_id: 64})
    assert not_retried(short, [short, took]) == 0
    assert not_retried(short, [short]) == 74


async def test_the_title_counts_running_waiting_and_what_needs_attention_apart(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    put(service, "runs")
    put(service, "cancels", status="canceling")
    put(service, "waits", status="submitting", id=None, intent_at=None, created_at=None)
    put(service, "asks", status="unconfirmed", id=None, created_at=None, intent_at=ago(minutes=9))
    put(service, "lost", unknown_looks=5, unknown_since=ago(minutes=20), unknown_at=ago(minutes=10))
    failed(service)
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "2 running · 1 waiting · 3 need attention" in str(app.home.query_one("#title").render())


async def test_what_no_poller_looks_after_is_gray_with_its_age_and_does_not_run(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    put(service, "ours")
    put(service, "theirs", profile="work")
    put(service, "seen", profile="other")
    service.reach = lambda record: (  # type: ignore[method-assign]
        Reach(checked=record.profile != "work", as_of=ago(days=3))
    )
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        rows = {app.home.model.lines[n].records[0].title: app.home.rows.style(n) for n in range(3)}
        assert rows == {"ours": "", "theirs": "muted", "seen": ""}
        assert "checked 3d ago" in shown(app)
        assert "2 running" in str(app.home.query_one("#title").render())


async def test_a_batch_of_this_profile_at_another_address_is_gray_too(tmp_path: Path) -> None:
    service = make_service(tmp_path, Config(profiles={"default": Profile(base_url="https://api.anthropic.com")}))
    put(service, "ours")
    put(service, "moved", base_url="https://old.example")
    service.look_state = lambda: LookState(last_ok=ago(minutes=1))  # type: ignore[method-assign]
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        rows = {app.home.model.lines[n].records[0].title: app.home.rows.style(n) for n in range(2)}
        assert rows == {"ours": "", "moved": "muted"}
        assert "1 running" in str(app.home.query_one("#title").render())


async def test_enter_on_an_unknown_batch_asks_and_marks_it_as_gone(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    lost = put(service, "lost", unknown_looks=5, unknown_since=ago(minutes=20), unknown_at=ago(minutes=10))
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "not known by the API" in shown(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, Choose))
        assert service.resolve(lost.local_id).marked_gone is None, "the first answer changes nothing"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("down", "enter")
        await until(pilot, lambda: service.resolve(lost.local_id).marked_gone == "in_progress")
        await until(pilot, lambda: "marked as gone" in shown(app))
        await until(pilot, lambda: app.home.query_one(StatusLine).said == "Marked as gone.")


async def test_f_downloads_ended_batches_again_and_says_how_it_went(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    put(service, "runs", title="runs")
    done = put(
        service, "done", title="done", status="ended", ended_at=ago(minutes=5), results="partial", have=18,
        requests=20, counts=Counts(succeeded=20),
    )  # fmt: skip
    asked: list[tuple[str, bool]] = []

    async def fetch(local_id: str, *, again: bool = False) -> BatchRecord:
        asked.append((local_id, again))
        return done

    service.fetch = fetch  # type: ignore[method-assign]
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "18 of 20 downloaded" in shown(app)
        await go(app, pilot, "runs")
        await pilot.press("f")
        await until(pilot, lambda: "nothing to download" in app.home.query_one(StatusLine).said)
        await go(app, pilot, "done")
        await pilot.press("f")
        await until(pilot, lambda: "Downloaded 1 batch" in app.home.query_one(StatusLine).said)
        assert asked == [(done.local_id, True)]
