"""The poller under trouble: it says since when it is blind, does not spin, keeps what it knew, and sees again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from batchtui.domain import schedule
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import NoNetwork, RateLimited
from batchtui.service import Service, poll_loop
from batchtui.service.events import Ended, Looked
from tests.demo_server import RunningDemo, running_demo
from tests.faults.driving import assert_paid_once
from tests.service.harness import Watch, plan_of, running, service_on, source
from tests.until import until_true


@pytest.fixture(autouse=True)
def quick(short_waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "FIRST", 0.05)


def port_of(demo: RunningDemo) -> int:
    return urlsplit(demo.base_url).port or 0


async def test_a_network_that_is_away_for_long_is_said_and_seen_again(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.5) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
        await service.start()
        port = port_of(demo)
    try:
        await until_true(lambda: service.look_state().failures >= 5)
        state = service.look_state()
        assert state.blind_since is not None and "connection" in state.error and state.advice
        assert service.resolve(record.local_id).status == "in_progress"
        first = state.blind_since
        await until_true(lambda: service.look_state().failures >= 8)
        assert service.look_state().blind_since == first
        with running_demo(tmp_path / "server", port=port) as demo:
            await asyncio.wait_for(service.wait([record.local_id]), 120)
            assert service.look_state().blind_since is None
            assert service.resolve(record.local_id).results == "stored"
            assert len(demo.stats()["batches"]) == 1
    finally:
        await service.close()


TROUBLE = ["html@retrieve", "html:502@retrieve", "refuse@retrieve", "redirect@retrieve", "status:429@retrieve",
           "status:529@retrieve", "status:401@retrieve", "status:402@retrieve", "torn-reply@retrieve",
           "drop@retrieve"]  # fmt: skip


@pytest.mark.parametrize("fault", TROUBLE)
async def test_whatever_stands_between_is_told_and_outlived(tmp_path: Path, fault: str) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=[fault]) as demo:
        service = service_on(demo, tmp_path / "data")
        async with running(service):
            [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
            await until_true(lambda: service.look_state().failures >= 2)
            state = service.look_state()
            assert state.blind_since and state.error and state.advice and state.next_at
            demo.set_faults([])
            await asyncio.wait_for(service.wait([record.local_id]), 120)
            assert service.look_state().blind_since is None
        assert_paid_once(demo, service)


async def test_a_wrong_key_does_not_spin_and_a_look_by_hand_works_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_loop, "after_failure", schedule.after_failure)
    with running_demo(tmp_path / "server", duration=0.05, faults=["status:401@retrieve"]) as demo:
        service = service_on(demo, tmp_path / "data")
        async with running(service):
            [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
            await until_true(lambda: service.look_state().blind_since)
            state = service.look_state()
            assert state.next_at is not None and state.next_at - datetime.now(UTC) > timedelta(minutes=5)
            assert demo.demo.calls["retrieve"] == 1
            demo.set_faults([])
            assert (await service.refresh()).blind_since is None
            await asyncio.wait_for(service.wait([record.local_id]), 120)


def test_a_storm_of_rate_limits_keeps_to_what_was_asked() -> None:
    assert schedule.after_failure(RateLimited("x", retry_after=90), 1) >= 90
    assert schedule.after_failure(RateLimited("x"), 30) <= schedule.TROUBLE_CAP * 1.25


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_record(**more: object) -> BatchRecord:
    return BatchRecord(local_id="a", run="a", **{"id": "m", "status": "in_progress", **more})  # type: ignore[arg-type]


def test_a_service_whose_clock_is_ahead_is_looked_at_all_the_same() -> None:
    ahead = a_record(created_at=NOW + timedelta(hours=3), seen_at=NOW)
    assert schedule.next_look([ahead], NOW, NOW) - NOW <= timedelta(seconds=3)


def test_parts_that_wait_for_room_cause_no_looks_of_their_own() -> None:
    running_one = a_record(created_at=NOW - timedelta(hours=2), seen_at=NOW - timedelta(hours=2))
    waits = a_record(id=None, status="submitting")
    assert schedule.next_look([running_one, waits], NOW, NOW) - NOW == timedelta(seconds=schedule.LATER_CAP)
    assert schedule.next_look([waits], NOW, NOW) - NOW <= timedelta(seconds=1)


def test_a_try_that_a_jumped_clock_put_far_ahead_is_due() -> None:
    assert schedule.ripe(NOW + timedelta(days=2), NOW)
    assert not schedule.ripe(NOW + timedelta(hours=1), NOW)


@contextlib.asynccontextmanager
async def jumpy(demo: RunningDemo, data: Path) -> AsyncIterator[tuple[Service, Watch]]:
    service, clock = service_on(demo, data), Watch()
    service.context.clock = clock
    async with running(service):
        yield service, clock


@pytest.mark.parametrize("hours", [-5.0, 5.0, -24 * 30])
async def test_a_clock_that_jumps_does_not_stop_the_looks(
    tmp_path: Path, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_loop, "DISK_EVERY", 0.2)
    for cap in ("HOUR_CAP", "LATER_CAP"):
        monkeypatch.setattr(schedule, cap, 0.5)
    with running_demo(tmp_path / "server", duration=600) as demo:
        async with jumpy(demo, tmp_path / "data") as (service, clock):
            [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
            await until_true(lambda: demo.demo.calls["retrieve"] >= 2)
            clock.offset = timedelta(hours=hours)
            before = demo.demo.calls["retrieve"]
            await until_true(lambda: demo.demo.calls["retrieve"] > before)
            demo.clock.advance(601)
            await service.refresh()
            await asyncio.wait_for(service.wait([record.local_id]), 120)
            assert service.resolve(record.local_id).results == "stored"


@pytest.mark.parametrize("hours", [-3.0, 3.0])
async def test_a_lost_batch_is_found_however_wrong_our_clock_is(tmp_path: Path, hours: float) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["drop@create*1"]) as demo:
        service, clock = service_on(demo, tmp_path / "data"), Watch()
        clock.offset = timedelta(hours=hours)
        service.context.clock = clock
        async with running(service):
            [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
            await asyncio.wait_for(service.wait([record.local_id]), 120)
        assert_paid_once(demo, service)


async def test_what_is_wrong_with_one_batch_hides_no_other(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service = service_on(demo, tmp_path / "data")
        [bad] = await service.submit(plan_of(service, source(tmp_path, 3, "a.jsonl", "a")))
        [good] = await service.submit(plan_of(service, source(tmp_path, 12)))
        real = service.gateway.retrieve

        async def retrieve(batch_id: str):  # type: ignore[no-untyped-def]
            if batch_id == bad.id:
                from batchtui.domain.errors import Rejected

                raise Rejected("not this one", status=400, kind="invalid_request_error")
            return await real(batch_id)

        service.gateway.retrieve = retrieve  # type: ignore[method-assign]
        service.gateway.page = _none  # type: ignore[method-assign]
        for _ in range(3000):
            await service.refresh()
            if service.resolve(good.local_id).results == "stored":
                break
            await asyncio.sleep(0.02)
        await service.close()
        assert service.resolve(good.local_id).results == "stored"
        assert "not this one" in service.resolve(bad.local_id).error


async def _none(limit: int = 20, after_id: str | None = None):  # type: ignore[no-untyped-def]
    from batchtui.domain.batch import RemotePage

    return RemotePage(())


async def test_two_programs_on_one_folder_both_see_and_one_tells_of_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_loop, "DISK_EVERY", 0.1)
    with running_demo(tmp_path / "server", duration=0.3) as demo:
        one, other = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "data")
        told: list[object] = []
        seen: list[object] = []
        for service in (one, other):
            service.subscribe(lambda e: told.append(e) if isinstance(e, Ended) else None)
        other.subscribe(seen.append)
        async with running(one), running(other):
            [record] = await one.submit(plan_of(one, source(tmp_path, 12)))
            await other.edit(record.local_id, title="theirs")
            await asyncio.gather(one.wait([record.local_id]), other.wait([record.local_id]))
            await until_true(lambda: told)
            for _ in range(3):  # Each has looked at the folder again, so whoever wanted to tell it too has.
                before = [s.parts.poller._last_turn for s in (one, other)]
                await until_true(lambda: all(s.parts.poller._last_turn > t for s, t in zip((one, other), before)))  # noqa: B023,B905
        assert len(told) == 1
        assert one.resolve(record.local_id) == other.resolve(record.local_id)
        assert one.resolve(record.local_id).title == "theirs"
        assert any(isinstance(e, Looked) for e in seen)
        assert_paid_once(demo, one)


def test_a_failure_in_a_row_waits_longer_but_never_for_ever() -> None:
    waits = [schedule.after_failure(NoNetwork("x"), n) for n in (1, 5, 50, 5000)]
    assert max(waits) <= schedule.TROUBLE_CAP * 1.25


async def test_a_look_that_asked_nothing_is_no_look_and_one_by_hand_always_asks(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server") as demo:
        service = service_on(demo, tmp_path / "data")
        try:
            assert (await service.parts.poller.look()).last_ok is None
            assert demo.demo.calls["list"] == 0
            assert (await service.refresh()).last_ok is not None
            assert demo.demo.calls["list"] == 1
        finally:
            await service.close()
    service = service_on(demo, tmp_path / "data")
    assert (await service.refresh()).blind_since is not None
    await service.close()
