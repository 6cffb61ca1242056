"""Two programs, overtaken replies and changes of mind at the worst moment: nothing is sent or owned twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from batchtui.domain.batch import BatchRecord, RemoteBatch
from batchtui.domain.errors import InputError, LockBusy, StoreError
from batchtui.service import ServiceThread
from batchtui.service.sender import seen
from batchtui.store.records import lock
from tests.demo_server import running_demo
from tests.faults.driving import assert_paid_once, bring_home
from tests.service.harness import plan_of, plan_retry, service_on, source

replace = msgspec.structs.replace


async def test_a_sync_during_a_send_does_not_adopt_the_batch_as_another(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service, cron = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "data")
        real = service.gateway.create

        async def create(*args):  # type: ignore[no-untyped-def]
            made = await real(*args)
            await cron.sync()  # The reply is still on its way to us.
            return made

        service.gateway.create = create  # type: ignore[method-assign]
        await service.submit(plan_of(service, source(tmp_path, 12)))
        await bring_home(service)
        await service.close()
        await cron.close()
        assert len(service.records()) == 1
        assert_paid_once(demo, service)


async def test_two_syncs_adopt_a_batch_made_elsewhere_once(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        maker = service_on(demo, tmp_path / "maker")
        await maker.submit(plan_of(maker, source(tmp_path, 12)))
        await maker.close()
        syncs = [service_on(demo, tmp_path / "data") for _ in range(3)]
        await asyncio.gather(*(s.sync() for s in syncs))
        await bring_home(syncs[0])
        for each in syncs:
            await each.close()
        assert_paid_once(demo, syncs[0])


async def test_a_sync_names_what_its_own_look_has_fetched_before_its_turn(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.01) as demo:
        service = service_on(demo, tmp_path / "data")
        (record,) = await service.submit(plan_of(service, source(tmp_path, 12)))
        real = service.gateway.page

        async def page(*args, **options):  # type: ignore[no-untyped-def]
            found = await real(*args, **options)
            while any(r.results_due for r in service.records()):
                await asyncio.sleep(0.01)  # The fetch that the look began is quicker than the list.
            return found

        while True:
            remote = await service.gateway.retrieve(str(record.id))
            if remote.ended_at is not None:
                break
            await asyncio.sleep(0.01)
        service.gateway.page = page  # type: ignore[method-assign]
        assert (await service.sync()).fetched == (record.local_id,)
        assert (await service.sync()).fetched == ()
        await service.close()


async def test_a_submit_and_a_sync_put_a_plan_on_record_once(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        one, cron = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "data")
        plan = plan_of(one, source(tmp_path, 12), max_requests=2)
        await asyncio.gather(one.submit(plan), *(cron.sync() for _ in range(5)))
        await bring_home(one)
        await one.close()
        await cron.close()
        assert_paid_once(demo, one, batches=6)


async def test_two_programs_that_submit_the_same_file_at_once_send_it_once(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.5) as demo:
        services = [service_on(demo, tmp_path / "data") for _ in range(4)]
        plans = [plan_of(s, source(tmp_path, 12)) for s in services]
        found = await asyncio.gather(
            *(s.submit(p) for s, p in zip(services, plans, strict=True)), return_exceptions=True
        )
        assert sum(isinstance(each, InputError) for each in found) == 3, found
        await bring_home(services[0])
        for each in services:
            await each.close()
        assert_paid_once(demo, services[0])


def test_a_next_look_put_far_ahead_by_a_wrong_clock_does_not_delay_the_settling(tmp_path: Path) -> None:
    from batchtui.service import Service

    service = Service(tmp_path / "data")
    now = datetime.now(UTC)
    record = BatchRecord(
        local_id="a", run="a", status="unconfirmed", intent_at=now, next_try_at=now + timedelta(hours=26),
        base_url=service.gateway.base_url,
    )  # fmt: skip
    service.history.create(record)
    assert service.parts.reconciler.due(now) == [record]


async def test_a_part_canceled_while_it_waits_for_a_rate_limit_is_never_sent(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["status:429,1@create"]) as demo:
        service, other = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "data")
        sending = asyncio.ensure_future(service.submit(plan_of(service, source(tmp_path, 12))))
        while not (found := other.records()) or not found[0].error:
            await asyncio.sleep(0.02)
        await other.cancel([found[0].local_id])
        demo.set_faults([])
        await sending
        await service.settle([found[0].local_id])
        [record] = service.records()
        await service.close()
        assert record.status == "refused" and "canceled" in record.error
        assert demo.stats()["creates"] == 0


@pytest.mark.parametrize(
    ("now", "late"), [("ended", "in_progress"), ("ended", "canceling"), ("canceling", "in_progress")]
)
def test_a_reply_that_was_overtaken_changes_nothing(tmp_path: Path, now: str, late: str) -> None:
    from batchtui.config.load import Config, Profile
    from batchtui.service.context import Context

    context = Context(tmp_path, Config(), Profile())
    record = BatchRecord(local_id="a", run="a", id="m", status=now, results="stored")  # type: ignore[arg-type]
    told = RemoteBatch(id="m", processing_status=late, created_at=datetime.now(UTC))
    assert seen(record, told, context) is record


async def test_waiting_for_another_sender_can_be_canceled_and_takes_nothing_later(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service = service_on(demo, tmp_path / "data")
        plan = plan_of(service, source(tmp_path, 12))
        path = service.parts.sender.lock_path()
        with lock(path, 1, "busy"):
            task = asyncio.ensure_future(service.submit(plan))
            while not service.records():
                await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.wait({task}, timeout=120)  # Nobody lets go of the lock meanwhile.
            assert task.cancelled()
            assert service.records()[0].waiting
        with lock(path, 0.5, "taken by nobody"):
            pass
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service)


async def test_a_submit_that_finds_another_sender_leaves_its_batches_to_be_sent(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service = service_on(demo, tmp_path / "data")
        with lock(service.parts.sender.lock_path(), 1, "busy"):
            [record] = await service.submit(plan_of(service, source(tmp_path, 12)), lock_timeout=0.1)
            assert record.waiting
            with pytest.raises(InputError, match="in progress"):
                await service.submit(plan_of(service, source(tmp_path, 12)))
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service)


async def test_an_id_that_could_not_be_written_is_found_again_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service = service_on(demo, tmp_path / "data")
        real = service.parts.sender._made

        def full(*args: object) -> None:
            raise StoreError("No space left on device")

        monkeypatch.setattr(service.parts.sender, "_made", full)
        [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
        assert record.status == "submitting" and record.intent_at is not None
        monkeypatch.setattr(service.parts.sender, "_made", real)
        for _ in range(3000):
            await service.refresh()
            if service.records()[0].results == "stored":
                break
            await asyncio.sleep(0.03)
        await service.close()
        assert_paid_once(demo, service)


async def test_a_plan_of_a_newer_batchtui_stops_nothing_else(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service = service_on(demo, tmp_path / "data")
        odd = tmp_path / "data" / "plans" / "odd.go"
        odd.mkdir(parents=True)
        (odd / "manifest.json").write_text('[{"record":{"from":"the future"}}]')
        await service.submit(plan_of(service, source(tmp_path, 12)))
        await bring_home(service)
        await service.start()
        await service.close()
        assert (odd / "manifest.json").exists()
        assert_paid_once(demo, service)


async def test_an_unconfirmed_batch_whose_results_are_partly_strange_is_not_given_back_at_once(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["drop@create*1", "foreign-ids@results*2"]) as demo:
        service = service_on(demo, tmp_path / "data")
        await service.submit(plan_of(service, source(tmp_path, 12)))
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service)


async def test_a_batch_of_others_with_as_many_requests_is_given_back(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        other = service_on(demo, tmp_path / "other")
        await other.submit(plan_of(other, source(tmp_path, 12, "b.jsonl", "other")))
        demo.set_faults(["status:500@create*1"])
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
        for _ in range(3000):
            await service.sync()
            if service.resolve(record.local_id).status == "refused":
                break
            await asyncio.sleep(0.03)
        mine = service.resolve(record.local_id)
        assert mine.status == "refused" and "was not created" in mine.error and len(mine.not_ours) == 1
        plan = await asyncio.to_thread(plan_retry, service, [record.local_id])
        await service.submit(plan, retry_of=mine)
        for _ in range(3000):
            await service.sync()
            if all(r.results == "stored" or r.status == "refused" for r in service.records()):
                break
            await asyncio.sleep(0.03)
        await service.close()
        await other.close()
        assert demo.stats()["creates"] == 2


async def test_a_batch_that_was_taken_for_anothers_is_found_by_the_one_it_is(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["drop@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [mine] = await service.submit(plan_of(service, source(tmp_path, 12)))
        demo.set_faults(["status:500@create*1"])
        [never] = await service.submit(plan_of(service, source(tmp_path, 12, "b.jsonl", "never")))
        assert mine.status == never.status == "unconfirmed" and mine.intent_at and mine.lost_at
        # By the clocks the batch looks like the other's.
        long_ago = timedelta(seconds=20)
        service.context.change(
            mine.local_id,
            lambda r: replace(r, intent_at=mine.intent_at - long_ago, lost_at=mine.lost_at - long_ago),
        )
        service.context.change(never.local_id, lambda r: replace(r, intent_at=mine.intent_at, lost_at=mine.lost_at))
        for _ in range(3000):
            await service.sync()
            if {r.status for r in service.records()} == {"ended", "refused"} and not any(
                r.results_due for r in service.records()
            ):
                break
            await asyncio.sleep(0.03)
        await service.close()
        found, lost = service.resolve(mine.local_id), service.resolve(never.local_id)
        assert (found.results, found.verified, lost.status, lost.not_ours) == ("stored", True, "refused", (found.id,))
        assert demo.stats()["creates"] == 1 and len(service.records()) == 2


async def test_several_candidates_are_put_to_the_person(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        other = service_on(demo, tmp_path / "other")
        await other.submit(plan_of(other, source(tmp_path, 12, "b.jsonl", "other")))
        demo.set_faults(["drop@create*1"])
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
        await service.sync()
        found = service.resolve(record.local_id)
        assert found.status == "unconfirmed" and len(found.candidates) == 2
        await service.sync()
        assert len(service.records()) == 1, "a candidate is not adopted as another's"
        taken = await service.adopt_candidate(record.local_id, found.candidates[1].id)
        assert taken.status != "unconfirmed" and not taken.verified
        for _ in range(3000):
            await service.sync()
            if service.resolve(record.local_id).results == "stored":
                break
            await asyncio.sleep(0.03)
        await service.close()
        await other.close()
        assert service.resolve(record.local_id).verified
        assert demo.stats()["creates"] == 2


def test_a_lock_that_is_held_says_so_at_once(tmp_path: Path) -> None:
    with lock(tmp_path / "x.lock", 1, "first"), pytest.raises(LockBusy), lock(tmp_path / "x.lock", 0, "busy"):
        pass


async def test_an_engine_that_runs_is_begun_again_without_harm(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server") as demo:
        engine = ServiceThread(service_on(demo, tmp_path / "data"))
        engine.start()
        engine.start()
        assert await asyncio.wrap_future(engine.call(asyncio.sleep(0, "answers"))) == "answers"
        await asyncio.to_thread(engine.stop)
