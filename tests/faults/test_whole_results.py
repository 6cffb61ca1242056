"""Whole is every custom_id that was sent; nothing is missing, gone or unknown on one reply, and all of it can be undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, IncompleteResults, InputError, NotFound
from batchtui.service import Service
from tests.demo_server import RunningDemo, running_demo
from tests.service.harness import plan_of, plan_retry, results_of, service_on, source

COUNT = 20
NO_IDS = ["other-batch@results", "garbage-line@results", "foreign-line@results", "short-count@results"]


@pytest.fixture(autouse=True)
def quick(short_waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchtui.service.presence.fetch_delay", lambda tries: 0.0)
    monkeypatch.setattr("batchtui.service.presence.unknown_delay", lambda looks: 0.0)
    monkeypatch.setattr("batchtui.service.presence.UNKNOWN_AFTER", timedelta(minutes=2))


class Bench:
    """A service on a demo server, its clock, and one batch that has ended and was not downloaded."""

    def __init__(self, demo: RunningDemo, service: Service) -> None:
        self.demo = demo
        self.service = service
        self.passed = timedelta()
        service.context.clock = service.gateway.clock = self.now

    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed

    @property
    def record(self) -> BatchRecord:
        return self.service.records()[-1]

    @property
    def folder(self) -> Path:
        return self.service.history.folder(self.record.local_id)

    async def sync(self, times: int = 1, *, each: timedelta = timedelta()) -> BatchRecord:
        for _ in range(times):
            await self.service.sync()
            self.passed += each
            await asyncio.sleep(0.03)
        return self.record

    async def fetch(self) -> BatchRecord:
        return await self.service.fetch(self.record.local_id, again=True)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    with running_demo(tmp_path / "server", duration=0.02, failure_rate=0.0) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
        while (await service.gateway.retrieve(record.id or "")).processing_status != "ended":
            await asyncio.sleep(0.01)
        # As a look at the list would: from here on the id is more than the create's reply said.
        service.context.change(record.local_id, lambda r: msgspec.structs.replace(r, id_seen=True))
        yield Bench(demo, service)
        await service.close()


def whole(bench: Bench) -> None:
    assert bench.record.results == "stored" and bench.record.tally is not None
    assert (bench.record.tally.missing, bench.record.tally.succeeded) == (0, COUNT)
    assert sorted(results_of(bench.service, bench.record)) == sorted(f"r-{n}" for n in range(COUNT))


@pytest.mark.parametrize("fault", NO_IDS)
async def test_lines_in_number_are_not_whole_and_are_fetched_again_until_they_are(bench: Bench, fault: str) -> None:
    bench.demo.set_faults([fault])
    record = await bench.sync(4)
    assert record.results == "partial" and record.short_looks >= 2 and record.next_try_at is not None
    bench.demo.set_faults([])
    await bench.sync(2)
    whole(bench)


async def test_counts_that_lag_behind_do_not_make_few_results_whole(bench: Bench) -> None:
    bench.demo.set_faults(["lag-counts:0.5@any", "cut:0.5@results"])
    record = await bench.sync(3)
    assert record.counts.total == COUNT // 2 and record.results == "partial" and 0 < record.have < COUNT
    bench.demo.set_faults(["lag-counts:0.5@any"])
    await bench.sync(2)
    whole(bench)


async def test_what_never_comes_counts_as_missing_only_after_hours_and_retry_waits_for_that(bench: Bench) -> None:
    bench.demo.set_faults(["foreign-line@results"])
    record = await bench.sync(12)
    assert record.results == "partial" and record.have == COUNT - 1
    view = bench.service.open_results(record.local_id)
    waiting = [view.id(row) for row in range(len(view)) if view.row(row).outcome == "waiting"]
    assert len(waiting) == 1
    with pytest.raises(InputError, match="not all downloaded"):
        plan_retry(bench.service, [record.local_id])
    with pytest.raises(InputError, match="not all downloaded"):
        plan_retry(bench.service, [record.local_id], custom_ids=frozenset(waiting))
    bench.passed += timedelta(hours=6, minutes=1)
    record = await bench.sync(2)
    assert record.results == "stored" and record.tally is not None and record.tally.missing == 1
    assert "missing" in record.error and "fetch" in record.error
    plan = plan_retry(bench.service, [record.local_id])
    assert plan.requests == 1 and plan.retried == {record.local_id: 1}
    bench.service.discard(plan)
    # What counted as missing comes after all.
    bench.demo.set_faults([])
    await bench.fetch()
    whole(bench)
    assert bench.record.error == ""


async def test_how_often_it_was_fetched_survives_a_restart(bench: Bench, tmp_path: Path) -> None:
    bench.demo.set_faults(["garbage-line@results"])
    for count in range(1, 5):
        again = service_on(bench.demo, tmp_path / "data")
        await again.sync()
        await again.close()
        assert bench.record.short_looks == count and bench.record.short_since is not None
        await asyncio.sleep(0.03)
    bench.demo.set_faults([])
    await bench.sync()
    whole(bench)


async def test_another_batchs_results_never_count_as_ours_however_long_they_come(bench: Bench) -> None:
    bench.demo.set_faults(["other-batch@results"])
    record = await bench.sync(14, each=timedelta(hours=1))
    assert record.results == "partial" and record.have == 0 and "another batch" in record.error
    bench.demo.set_faults([])
    await bench.sync(2)
    whole(bench)


@pytest.mark.parametrize("fault", [*NO_IDS, "cut@results", "tear@results", "status:404@results", "forgotten@any"])
async def test_stored_results_stay_whatever_is_downloaded_over_them(bench: Bench, fault: str) -> None:
    await bench.sync()
    before = (bench.folder / "results.jsonl").read_bytes()
    bench.demo.set_faults([fault])
    try:
        await bench.fetch()
    except BatchtuiError as error:
        assert isinstance(error, IncompleteResults | NotFound) or fault.startswith("tear")
    assert (bench.folder / "results.jsonl").read_bytes() == before
    assert not list(bench.folder.glob("results.jsonl.*"))
    whole(bench)


async def test_of_two_partial_downloads_the_one_that_holds_more_is_kept(bench: Bench) -> None:
    bench.demo.set_faults(["cut:0.8@results"])
    have = (await bench.sync()).have
    assert have > COUNT // 2
    for fault in ("cut:0.3@results", "tear:0.3@results", "other-batch@results", "status:500@results"):
        bench.demo.set_faults([fault])
        await bench.sync(2)
        part = (bench.folder / "results.jsonl.part").read_bytes()
        assert part.count(b"\n") >= have and b"stranger" not in part, fault
    bench.demo.set_faults([])
    await bench.sync()
    whole(bench)


@pytest.mark.parametrize("fault", ["date-off:3456000@any", "archived@any"])
async def test_one_404_beside_a_wrong_date_or_an_archived_at_gives_nothing_up(bench: Bench, fault: str) -> None:
    bench.demo.set_faults([fault, "status:404@results*1"])
    record = await bench.sync()
    assert record.results in ("none", "partial")
    bench.demo.set_faults([fault])
    await bench.sync()
    whole(bench)


async def test_results_are_gone_after_a_day_of_looks_and_come_back_when_they_can_be_had(bench: Bench) -> None:
    bench.demo.set_faults(["archived@any", "status:404@results"])
    assert (await bench.sync(10)).results == "none"
    record = await bench.sync(6, each=timedelta(hours=6))
    assert record.results == "gone" and record.gone_looks >= 4
    with pytest.raises(NotFound):
        await bench.fetch()
    bench.demo.set_faults(["archived@any"])
    await bench.fetch()
    whole(bench)


async def test_results_that_were_gone_are_downloaded_once_a_list_says_they_are_there(bench: Bench) -> None:
    bench.demo.set_faults(["archived@any", "status:404@results"])
    assert (await bench.sync(8, each=timedelta(hours=6))).results == "gone"
    bench.demo.set_faults([])
    await bench.sync(2)
    whole(bench)


async def test_a_date_far_ahead_gives_no_results_up_in_days_of_looks(bench: Bench) -> None:
    bench.demo.set_faults(["date-off:3456000@any", "status:404@results"])
    record = await bench.sync(10, each=timedelta(hours=12))
    assert record.results == "none"
    bench.demo.set_faults([])
    await bench.sync()
    whole(bench)


@pytest.mark.parametrize("ended", [False, True])
async def test_an_unknown_batch_is_said_marked_and_known_again(bench: Bench, tmp_path: Path, ended: bool) -> None:
    if ended:
        bench.demo.set_faults(["status:529@results"])
        await bench.sync()
    bench.demo.set_faults(["forgotten@any"])
    record = await bench.sync(2)
    assert not record.unknown and record.unknown_looks >= 2
    with pytest.raises(InputError, match="can't be marked"):
        await bench.service.mark_gone(record.local_id)
    bench.passed += timedelta(minutes=5)
    record = await bench.sync(1)
    report = await bench.service.sync()
    assert record.unknown and "does not know" in record.error
    assert list(report.unknown) == [record.local_id]
    await asyncio.wait_for(bench.service.wait([record.local_id]), 120)
    await bench.service.mark_gone(record.local_id)
    assert (bench.record.status, bench.record.results, bench.record.unknown) == ("ended", "gone", False)
    assert (await bench.service.sync()).unknown == {}
    plan = plan_retry(bench.service, [record.local_id])
    assert plan.requests == COUNT, "what will never have a result can be sent as a new batch"
    bench.service.discard(plan)
    bench.demo.set_faults([])
    await bench.sync(2)
    assert bench.record.marked_gone is None
    whole(bench)


async def test_a_batch_past_its_expiry_is_unknown_sooner(bench: Bench) -> None:
    bench.demo.set_faults(["forgotten@any"])
    bench.passed += timedelta(hours=25)
    assert (await bench.sync(3)).unknown


async def test_one_404_is_forgotten_by_a_look_that_knows_the_batch(bench: Bench) -> None:
    bench.demo.set_faults(["forgotten@any*1", "status:529@results"])
    assert (await bench.sync()).unknown_looks in (0, 1)
    record = await bench.sync()
    assert (record.unknown_looks, record.unknown_since, record.status) == (0, None, "ended")
