"""From a file to stored results, through every way a create can end: each request has one result, one batch was made."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from batchtui.config.load import Config, Limits, Settle
from batchtui.domain.errors import InputError
from batchtui.service.events import Ended, RecordChanged
from tests.demo_server import running_demo
from tests.service.harness import plan_of, plan_retry, results_of, running, service_on, source


async def test_a_file_becomes_stored_results(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=60) as demo:
        service = service_on(demo, tmp_path / "data")
        heard: list[object] = []
        service.subscribe(heard.append)
        async with running(service):
            records = await service.submit(plan_of(service, source(tmp_path)), title="mine", note="n")
            assert [r.status for r in records] == ["in_progress"]
            demo.clock.advance(61)
            await service.refresh()
            await asyncio.wait_for(service.wait([records[0].local_id]), 120)
            async with asyncio.timeout(120):
                while not any(isinstance(e, Ended) for e in heard):
                    await asyncio.sleep(0.01)
        record = service.resolve("last")
        assert (record.title, record.note, record.results, record.status) == ("mine", "n", "stored", "ended")
        assert sorted(results_of(service, record)) == sorted(f"r-{i}" for i in range(20))
        assert record.tally is not None and record.tally.lines == 20 == record.counts.total
        assert record.cost_usd is not None and record.cost_usd > 0
        assert demo.stats()["creates"] == 1
        statuses = [e.record.status for e in heard if isinstance(e, RecordChanged)]
        assert statuses[0] == "submitting" and statuses[-1] == "ended"
        assert sum(isinstance(e, Ended) for e in heard) == 1


NEVER_MADE = ["refuse", "status:500", "status:529", "status:504", "html:502", "redirect"]
SAID_NO = ["status:400", "status:401", "status:402", "status:403", "status:413"]


@pytest.mark.parametrize("fault", ["drop", "torn-reply"])
async def test_a_lost_reply_makes_one_batch_and_is_adopted(tmp_path: Path, fault: str) -> None:
    with running_demo(tmp_path / "server", faults=[f"{fault}@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        records = await service.submit(plan_of(service, source(tmp_path)))
        assert records[0].status == "unconfirmed" and records[0].id is None
        async with running(service):
            await asyncio.wait_for(service.wait([records[0].local_id]), 120)
        record = service.resolve("last")
        assert record.results == "stored" and record.verified
        assert demo.stats()["creates"] == 1 == demo.stats()["calls"]["create"]


@pytest.mark.parametrize("fault", NEVER_MADE)
async def test_what_never_arrived_is_refused_after_looking_and_retry_sends_it_once(tmp_path: Path, fault: str) -> None:
    with running_demo(tmp_path / "server", faults=[f"{fault}@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path)))
        assert record.status == "unconfirmed"
        async with running(service):
            await asyncio.wait_for(service.wait([record.local_id]), 120)
            record = service.resolve(record.local_id)
            assert record.status == "refused" and "was not created" in record.error
            again = await asyncio.to_thread(plan_retry, service, [record.local_id])
            [second] = await service.submit(again, retry_of=record)
            await asyncio.wait_for(service.wait([second.local_id]), 120)
        assert demo.stats()["creates"] == 1
        assert service.resolve(second.local_id).results == "stored"
        assert service.resolve(second.local_id).run == record.run


@pytest.mark.parametrize("fault", SAID_NO)
async def test_a_plain_no_is_refused_at_once_with_what_to_do(tmp_path: Path, fault: str) -> None:
    with running_demo(tmp_path / "server", faults=[f"{fault}@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path)))
        await service.close()
        assert record.status == "refused" and ";" in record.error
        assert demo.stats()["creates"] == 0


async def test_a_rate_limit_waits_and_goes_on(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["status:429@create*2"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path)))
        assert record.status == "unconfirmed" and record.posts == 1
        await asyncio.wait_for(service.settle([record.local_id]), 120)
        record = service.resolve(record.local_id)
        await service.close()
        assert record.status == "in_progress" and record.posts == 3
        assert demo.stats()["creates"] == 1


async def test_no_network_is_refused_and_nothing_was_sent(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server") as demo:
        service = service_on(demo, tmp_path / "data")
        plan = plan_of(service, source(tmp_path))
    [record] = await service.submit(plan)
    await service.close()
    assert record.status == "refused" and record.intent_at is None
    assert "no connection" in record.error


async def test_one_refused_part_leaves_the_others(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["status:400@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        records = await service.submit(plan_of(service, source(tmp_path, 30), max_requests=10))
        assert [r.status for r in records] == ["refused", "in_progress", "in_progress"]
        assert len({r.run for r in records}) == 1
        async with running(service):
            await asyncio.wait_for(service.wait([r.local_id for r in records]), 120)
        assert demo.stats()["creates"] == 2


async def test_several_equal_parts_whose_replies_are_lost_are_each_found(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["drop@create*3"]) as demo:
        service = service_on(demo, tmp_path / "data")
        records = await service.submit(plan_of(service, source(tmp_path, 30), max_requests=10))
        assert [r.status for r in records] == ["unconfirmed"] * 3
        async with running(service):
            await asyncio.wait_for(service.wait([r.local_id for r in records]), 120)
        assert demo.stats()["creates"] == 3
        for n, record in enumerate(records):
            fresh = service.resolve(record.local_id)
            assert fresh.verified
            assert sorted(results_of(service, fresh)) == sorted(f"r-{i}" for i in range(n * 10, n * 10 + 10))


async def test_a_plan_can_be_submitted_once(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server") as demo:
        service, other = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "data")
        plan = plan_of(service, source(tmp_path))
        results = await asyncio.gather(
            service.submit(plan), other.submit(plan), service.submit(plan), return_exceptions=True
        )
        await service.close()
        await other.close()
        assert sum(isinstance(r, InputError) for r in results) == 2
        assert demo.stats()["creates"] == 1


async def test_the_same_requests_are_not_sent_twice_at_once_unless_asked(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=60) as demo:
        service = service_on(demo, tmp_path / "data")
        path = source(tmp_path)
        await service.submit(plan_of(service, path))
        with pytest.raises(InputError, match="in progress"):
            await service.submit(plan_of(service, path))
        await service.submit(plan_of(service, path), again=True)
        await service.close()
        assert demo.stats()["creates"] == 2


async def test_parts_beyond_the_queue_wait_and_go_when_there_is_room(tmp_path: Path) -> None:
    config = Config(limits=Limits(queue=10), settle=Settle(looks=2, seconds=0.0))
    with running_demo(tmp_path / "server", queue_limit=10) as demo:
        service = service_on(demo, tmp_path / "data", config)
        records = await service.submit(plan_of(service, source(tmp_path, 30)))
        assert [r.status for r in records] == ["in_progress", "submitting", "submitting"]
        assert [r.waiting for r in records] == [False, True, True]
        async with running(service):
            await asyncio.wait_for(service.wait([r.local_id for r in records]), 120)
        assert demo.stats()["creates"] == 3
        assert all(service.resolve(r.local_id).results == "stored" for r in records)


async def test_max_cost_stops_a_plan_unless_allowed(tmp_path: Path) -> None:
    from decimal import Decimal

    with running_demo(tmp_path / "server") as demo:
        service = service_on(demo, tmp_path / "data")
        service.limit_cost(Decimal("0.000001"))
        plan = plan_of(service, source(tmp_path))
        with pytest.raises(InputError, match="max_cost"):
            await service.submit(plan)
        await service.submit(plan, allow_cost=True)
        await service.close()
        assert demo.stats()["creates"] == 1


async def test_a_kill_between_intent_and_id_is_found_again(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server") as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path)))
        # What a kill leaves when the reply came and the id was not written yet.
        import msgspec

        service.history.update(record.local_id, lambda r: msgspec.structs.replace(r, id=None, status="submitting"))
        await service.close()
        fresh = service_on(demo, tmp_path / "data")
        async with running(fresh):
            await asyncio.wait_for(fresh.wait([record.local_id]), 120)
        assert fresh.resolve(record.local_id).results == "stored"
        assert demo.stats()["creates"] == 1
