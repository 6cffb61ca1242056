"""A list of batches that lags behind longer than the checks for a lost batch take: nothing is sent twice by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from batchtui.api.gateway import Gateway
from batchtui.config.edit import SETTINGS, parse_value
from batchtui.config.load import Config, Profile, Settle, parse_config
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError
from batchtui.present.plan import unclear_lines
from batchtui.service import Service
from tests.demo_server import running_demo
from tests.service.harness import Time, plan_of, plan_retry, service_on, source

COUNT = 6


def unclear(service: Service, record: BatchRecord) -> list[str]:
    """What is said before a retry of a batch that was sent a short while ago."""
    plan = plan_retry(service, [record.local_id])
    service.discard(plan)
    return unclear_lines(service.unclear_before(plan))


def test_settling_can_not_be_switched_off() -> None:
    for bad in ("looks = 1\nseconds = 0\nleeway_seconds = 0", "seconds = 179.9\nleeway_seconds = 59\nlooks = 1"):
        config = parse_config(f"[settle]\n{bad}\n", Path("/x/config.toml"))
        assert config.settle == Settle(looks=2, seconds=180, leeway_seconds=60)
        assert len(config.warnings) == 3 and all("config.toml:" in each for each in config.warnings)
    assert "seconds must be at least 180" in "".join(config.warnings)
    far = parse_config("[settle]\nseconds = inf\nleeway_seconds = 1e300\nlooks = 99999\n", Path("config.toml"))
    assert far.settle == Settle(looks=1_000, seconds=86_400, leeway_seconds=86_400)
    careful = parse_config("[settle]\nlooks = 9\nseconds = 900\n", Path("config.toml"))
    assert (careful.settle, careful.warnings) == (Settle(looks=9, seconds=900), ())
    for setting in SETTINGS:
        if setting.section == "settle":
            with pytest.raises(InputError, match="takes"):
                parse_value(setting, "1")
            assert parse_value(setting, "600") == 600


async def test_a_config_without_settling_does_not_make_a_retry_pay_twice(tmp_path: Path) -> None:
    config = parse_config("[settle]\nlooks = 1\nseconds = 0\nleeway_seconds = 0\n", Path("config.toml"))
    with running_demo(tmp_path / "server", duration=600, faults=["hidden:9@list*2", "late:413@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data", config)
        time = Time(service, demo)
        [refused] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        plan = await asyncio.to_thread(plan_retry, service, [refused.local_id])
        assert unclear(service, refused) == []  # It was answered.
        [again] = await service.submit(plan, retry_of=refused)
        assert again.waiting
        for _ in range(4):
            time.pass_by(61)
            await service.sync()
        await service.close()
        assert service.resolve(refused.local_id).status == "in_progress"
        assert demo.stats()["calls"]["create"] == 1


@pytest.mark.parametrize("lag", [0, 400, 800])
async def test_a_busy_api_whose_list_lags_is_paid_once(tmp_path: Path, lag: int) -> None:
    faults = ["late:429,0@create*3", f"hidden:{lag}@list"]
    with running_demo(tmp_path / "server", duration=3000, faults=faults) as demo:
        service = service_on(demo, tmp_path / "data", Config())
        time = Time(service, demo)
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        for _ in range(16):
            time.pass_by(59)
            await service.sync()
        record = service.resolve(record.local_id)
        await service.close()
        assert (record.status, record.posts, demo.stats()["creates"]) == ("in_progress", 1, 1)
        assert len(service.records()) == 1


async def test_what_a_busy_api_did_not_create_is_sent_again_after_a_quarter_of_an_hour(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600, faults=["status:429,0@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data", Config())
        time = Time(service, demo)
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        for _ in range(14):
            time.pass_by(60)
            await service.sync()
        waits = service.resolve(record.local_id)
        assert (waits.status, waits.posts) == ("unconfirmed", 1) and "sent again at" in waits.error
        for _ in range(2):
            time.pass_by(60)
            await service.sync()
        await service.close()
        record = service.resolve(record.local_id)
        assert (record.status, record.posts, demo.stats()["creates"]) == ("in_progress", 2, 1)


async def test_a_retry_soon_after_a_lost_reply_says_what_a_list_that_lags_may_hide(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=600, faults=["status:500@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data", Config())
        time = Time(service, demo)
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        for _ in range(7):
            time.pass_by(31)
            await service.sync()
        assert service.resolve(record.local_id).status == "refused"  # A lost reply is settled within minutes.
        [note] = unclear(service, record)
        assert record.local_id in note and "you pay twice" in note
        time.pass_by(900)
        assert unclear(service, record) == []
        await service.close()


async def test_sync_reads_the_list_a_second_time_only_for_what_could_be_adopted(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=9000) as demo:
        other = service_on(demo, tmp_path / "other")
        await other.submit(plan_of(other, source(tmp_path, COUNT, "o.jsonl", "o")))
        await other.close()
        service = service_on(demo, tmp_path / "data", Config())
        time, lists = Time(service, demo), []
        for wait in (0, 100, 100):
            time.pass_by(wait)
            before = demo.stats()["calls"].get("list", 0)
            await service.sync()
            lists.append(demo.stats()["calls"]["list"] - before)
        await service.close()
        assert lists == [1, 1, 2] and [r.foreign for r in service.records()] == [True]


@pytest.mark.parametrize("flaw", ["odd-times", "rising-counts:9000"])
async def test_sync_does_not_adopt_what_may_be_a_refused_batch_and_is_not_told_whole(tmp_path: Path, flaw: str) -> None:
    faults = ["late:404@create*1", f"{flaw}@list"]
    with running_demo(tmp_path / "server", duration=9000, faults=faults) as demo:
        service = service_on(demo, tmp_path / "data", Config())
        time = Time(service, demo)
        [refused] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        for _ in range(4):
            time.pass_by(100)
            await service.sync()
        assert [r.local_id for r in service.records()] == [refused.local_id]
        plan = await asyncio.to_thread(plan_retry, service, [refused.local_id])
        [again] = await service.submit(plan, retry_of=refused)
        assert again.waiting
        demo.set_faults([])
        for _ in range(2):
            time.pass_by(300)
            await service.sync()
        await service.close()
        assert service.resolve(refused.local_id).id and demo.stats()["creates"] == 1


async def test_a_lost_batch_is_not_adopted_by_way_of_another_address_of_the_same_organization(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=9000, faults=["drop@create*1"]) as demo:
        one = service_on(demo, tmp_path / "data", Config())
        time = Time(one, demo)
        [lost] = await one.submit(plan_of(one, source(tmp_path, COUNT)))
        who = Profile(base_url=demo.base_url.replace("127.0.0.1", "localhost"))
        config = Config(profiles={"two": who})
        two = Service(tmp_path / "data", config, profile="two", gateway=Gateway(who, key="sk-test-secret"))
        two.context.clock = time
        for _ in range(3):
            time.pass_by(100)
            await two.sync()
        assert [r.local_id for r in two.records()] == [lost.local_id]
        await one.sync()
        await two.close()
        await one.close()
        assert one.resolve(lost.local_id).status == "in_progress"
