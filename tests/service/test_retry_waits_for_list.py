"""A retry that a person asks for, minutes after a reply was lost: a list that lags longer than the checks is not believed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from batchtui.config.load import Config
from batchtui.domain.batch import NOT_NEEDED, BatchRecord
from batchtui.domain.plan import Plan
from batchtui.service import Service
from tests.demo_server import RunningDemo, running_demo
from tests.service.harness import Time, plan_of, plan_retry, service_on, source

COUNT = 6
Planned = Callable[[Service, BatchRecord, Path], Plan]


def a_retry(service: Service, lost: BatchRecord, folder: Path) -> Plan:
    return plan_retry(service, [lost.local_id])


def a_changed_retry(service: Service, lost: BatchRecord, folder: Path) -> Plan:
    return plan_retry(service, [lost.local_id], {"max_tokens": "900"})


def the_same_file(service: Service, lost: BatchRecord, folder: Path) -> Plan:
    return plan_of(service, source(folder, COUNT))


async def passed(service: Service, time: Time, rounds: int, seconds: float = 31) -> None:
    for _ in range(rounds):
        time.pass_by(seconds)
        await service.sync()


async def settled(demo: RunningDemo, tmp_path: Path) -> tuple[Service, Time, BatchRecord]:
    """A batch whose reply was lost, and that the checks of three minutes did not find."""
    service = service_on(demo, tmp_path / "data", Config())
    time = Time(service, demo)
    [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
    await passed(service, time, 7)
    lost = service.resolve(record.local_id)
    assert (lost.status, lost.posts) == ("refused", 1)
    return service, time, lost


@pytest.mark.parametrize("planned", [a_retry, a_changed_retry, the_same_file])
async def test_what_a_list_hides_for_longer_than_the_checks_take_is_paid_once(tmp_path: Path, planned: Planned) -> None:
    faults = ["drop@create*1", "hidden:800@list"]
    with running_demo(tmp_path / "server", duration=3000, faults=faults) as demo:
        service, time, lost = await settled(demo, tmp_path)
        plan = await asyncio.to_thread(planned, service, lost, tmp_path)
        [unclear] = service.unclear_before(plan)
        assert unclear.local_id == lost.local_id and (unclear.safe_at - unclear.lost_at).total_seconds() == 900
        of = None if planned is the_same_file else lost
        [again] = await service.submit(plan, retry_of=of)
        assert again.waiting and f"once the list shows that {lost.local_id}" in again.error
        await passed(service, time, 30)
        await service.close()
        assert demo.stats()["creates"] == 1
        assert service.resolve(lost.local_id).status == "in_progress"
        assert service.resolve(again.local_id).error.startswith(NOT_NEEDED)


async def test_what_was_not_created_goes_out_after_a_quarter_of_an_hour_or_at_once_when_asked(tmp_path: Path) -> None:
    for now in (False, True):
        folder = tmp_path / str(now)
        folder.mkdir()
        with running_demo(folder / "server", duration=3000, faults=["status:500@create*1"]) as demo:
            service, time, lost = await settled(demo, folder)
            plan = await asyncio.to_thread(a_retry, service, lost, folder)
            looks = demo.stats()["calls"]["list"]
            [again] = await service.submit(plan, retry_of=lost, send_now=now)
            assert (again.status, demo.stats()["creates"]) == (("in_progress", 1) if now else ("submitting", 0))
            assert demo.stats()["calls"]["list"] == looks + now  # One more whole look, also when it is to go at once.
            await passed(service, time, 25)
            sent = service.resolve(again.local_id)
            await service.close()
            assert (sent.status, sent.posts, demo.stats()["creates"]) == ("in_progress", 1, 1)
            assert sent.intent_at is not None and lost.lost_at is not None
            assert ((sent.intent_at - lost.lost_at).total_seconds() >= 900) is not now


async def test_sent_at_once_what_the_list_shows_by_now_is_not_sent(tmp_path: Path) -> None:
    faults = ["drop@create*1", "hidden:225@list"]
    with running_demo(tmp_path / "server", duration=3000, faults=faults) as demo:
        service, time, lost = await settled(demo, tmp_path)
        plan = await asyncio.to_thread(a_retry, service, lost, tmp_path)
        time.pass_by(30)
        [again] = await service.submit(plan, retry_of=lost, send_now=True)
        await service.close()
        assert again.error.startswith(NOT_NEEDED) and demo.stats()["creates"] == 1


async def test_a_busy_apis_batch_whose_resend_was_canceled_is_looked_for_before_a_retry(tmp_path: Path) -> None:
    faults = ["late:429,0@create*1", "hidden:800@list"]
    with running_demo(tmp_path / "server", duration=3000, faults=faults) as demo:
        service = service_on(demo, tmp_path / "data", Config())
        time = Time(service, demo)
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        await service.cancel([record.local_id])
        await passed(service, time, 7)
        lost = service.resolve(record.local_id)
        assert lost.status == "refused"
        plan = await asyncio.to_thread(a_retry, service, lost, tmp_path)
        [again] = await service.submit(plan, retry_of=lost)
        assert again.waiting
        await passed(service, time, 30)
        await service.close()
        assert demo.stats()["creates"] == 1 and service.resolve(again.local_id).error.startswith(NOT_NEEDED)


async def test_a_retry_of_a_retry_that_was_not_sent_waits_for_the_first_one_too(tmp_path: Path) -> None:
    faults = ["drop@create*1", "hidden:800@list"]
    with running_demo(tmp_path / "server", duration=3000, faults=faults) as demo:
        service, time, lost = await settled(demo, tmp_path)
        plan = await asyncio.to_thread(a_retry, service, lost, tmp_path)
        [first] = await service.submit(plan, retry_of=lost)
        await service.cancel([first.local_id])
        plan = await asyncio.to_thread(plan_retry, service, [first.local_id], {"max_tokens": "900"})
        [again] = await service.submit(plan, retry_of=first)
        assert again.waiting
        await passed(service, time, 30)
        await service.close()
        assert demo.stats()["creates"] == 1 and service.resolve(lost.local_id).id


async def test_a_clock_that_was_set_back_begins_the_wait_anew(tmp_path: Path) -> None:
    faults = ["drop@create*1", "hidden:800@list"]
    with running_demo(tmp_path / "server", duration=3000, faults=faults) as demo:
        service, time, lost = await settled(demo, tmp_path)
        plan = await asyncio.to_thread(a_retry, service, lost, tmp_path)
        time.offset -= time.offset * 2
        [again] = await service.submit(plan, retry_of=lost)
        assert again.waiting
        await passed(service, time, 30)
        await service.close()
        assert demo.stats()["creates"] == 1
