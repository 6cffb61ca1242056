"""A batch's id that only the create's reply named is no proof: nothing is adopted or paid for on that one word."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from batchtui.api.gateway import Gateway
from batchtui.config.load import Config, Profile, Settle
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError
from batchtui.service import Service, presence
from tests.demo_server import RunningDemo, running_demo
from tests.faults.driving import COUNT, assert_paid_once, bring_home
from tests.service.harness import plan_of, service_on, source

pytestmark = pytest.mark.usefixtures("short_waits")


async def submitted(service: Service, tmp_path: Path) -> BatchRecord:
    [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
    return record


async def synced_until_let_go(service: Service, record: BatchRecord) -> BatchRecord:
    """Sync until the false id was given up."""
    while (now := service.resolve(record.local_id)).id == record.id:
        report = await service.sync()
        assert report.adopted == ()
        await asyncio.sleep(0.03)
    return now


async def test_a_batch_under_a_wrong_id_is_found_and_paid_once(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["wrong-id@create*1"], duration=60) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await submitted(service, tmp_path)
        assert record.id is not None and not record.id_seen
        after = await synced_until_let_go(service, record)
        while (after := service.resolve(record.local_id)).status == "unconfirmed":
            assert (await service.sync()).adopted == ()
        assert after.status == "in_progress" and after.id not in (None, record.id) and after.id_seen
        assert len(service.records()) == demo.stats()["creates"] == 1
        await service.close()


async def test_a_batch_under_a_wrong_id_comes_home(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["wrong-id@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        await submitted(service, tmp_path)
        await bring_home(service)
        assert_paid_once(demo, service)
        await service.close()


async def test_while_an_id_is_not_confirmed_what_may_be_its_batch_is_not_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "UNKNOWN_AFTER", timedelta(hours=1))
    with running_demo(tmp_path / "server", faults=["wrong-id@create*1"], duration=60) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await submitted(service, tmp_path)
        for _ in range(4):
            assert (await service.sync()).adopted == ()
        there, _ = await service.untracked()
        [real] = (await service.gateway.page(10)).data
        assert there == []
        with pytest.raises(InputError, match=record.local_id):
            await service.adopt(real)
        with pytest.raises(InputError):
            await service.mark_gone(record.local_id)
        assert [r.local_id for r in service.records()] == [record.local_id]
        await service.close()


async def test_an_unconfirmed_batch_is_not_given_that_of_a_wrong_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "UNKNOWN_AFTER", timedelta(hours=1))
    with running_demo(tmp_path / "server", faults=["wrong-id@create*1"], duration=60) as demo:
        service = service_on(demo, tmp_path / "data")
        await submitted(service, tmp_path)
        demo.set_faults(["status:500@create*1"])
        other = source(tmp_path, COUNT, "other.jsonl", "q")
        [lost] = await service.submit(plan_of(service, other))
        for _ in range(4):
            await service.sync()
        assert service.resolve(lost.local_id).status == "unconfirmed"
        assert service.resolve(lost.local_id).id is None
        await service.close()


async def test_the_first_look_confirms_an_id_without_a_call_more(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=60) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await submitted(service, tmp_path)
        assert not record.id_seen
        assert demo.stats()["calls"] == {"create": 1}
        await service.refresh()
        assert service.resolve(record.local_id).id_seen
        assert demo.stats()["calls"] == {"create": 1, "retrieve": 1}
        await service.close()


async def test_a_batch_that_was_known_once_and_is_not_any_more_keeps_its_id(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=60) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await submitted(service, tmp_path)
        await service.refresh()
        demo.set_faults(["status:404@retrieve"])
        while not service.resolve(record.local_id).unknown:
            await service.refresh()
        assert service.resolve(record.local_id).id == record.id
        await service.close()


def as_profile(demo: RunningDemo, data: Path, name: str, **settings: int) -> Service:
    """A service as one of two profiles at the same address with the same key."""
    both = {each: Profile(base_url=demo.base_url, **settings) for each in ("one", "two")}
    config = Config(settle=Settle(looks=2, seconds=0.0), profiles=both)
    gateway = Gateway(both[name], key="sk-test-secret")
    return Service(data, config, profile=name, gateway=gateway)


async def test_a_part_that_waits_is_told_of_to_another_profile_with_the_same_key(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=60) as demo:
        one = as_profile(demo, tmp_path / "data", "one", queue_limit=COUNT)
        await submitted(one, tmp_path)
        waiting_source = source(tmp_path, COUNT, "second.jsonl", "s")
        [waiting] = await one.submit(plan_of(one, waiting_source))
        assert waiting.waiting
        await one.close()
        two = as_profile(demo, tmp_path / "data", "two")
        with pytest.raises(InputError, match=waiting.local_id):
            await two.submit(plan_of(two, waiting_source))
        await two.close()
        assert demo.stats()["creates"] == 1
