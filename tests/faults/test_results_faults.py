"""Results that come cut, torn, changed or elsewhere: gone on with only on proof, else from the beginning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from batchtui.domain.batch import BatchRecord
from batchtui.service import Service
from tests.demo_server import RunningDemo, running_demo
from tests.faults.driving import assert_paid_once, bring_home
from tests.service.harness import plan_of, service_on, source

pytestmark = pytest.mark.usefixtures("short_waits")

COUNT = 240


async def ended(service: Service, tmp_path: Path) -> BatchRecord:
    """A batch that has ended and was not fetched yet."""
    [record] = await service.submit(plan_of(service, source(tmp_path, COUNT)))
    for _ in range(20_000):
        remote = await service.gateway.retrieve(record.id or "")
        if remote.processing_status == "ended":
            break
    return record


def folder(service: Service, record: BatchRecord) -> Path:
    return service.history.folder(record.local_id)


def served(demo: RunningDemo) -> bytes:
    [path] = demo.demo.store.root.glob("*/results.jsonl")
    return path.read_bytes()


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("fault", ["cut:0.6", "tear:0.6"])
async def test_a_part_is_gone_on_with_where_the_service_can(tmp_path: Path, ranges: bool, fault: str) -> None:
    asked: list[str] = []
    with running_demo(
        tmp_path / "server", duration=0.02, answer_bytes=20_000, ranges=ranges, faults=[f"{fault}@results*1"]
    ) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await ended(service, tmp_path)
        await service.sync()
        part = folder(service, record) / "results.jsonl.part"
        assert service.resolve(record.local_id).results == "partial" and part.stat().st_size > 200_000
        real = service.gateway.results

        async def results(batch_id: str, *, start: int = 0):  # type: ignore[no-untyped-def]
            asked.append(f"{batch_id}:{start}")
            return await real(batch_id, start=start)

        service.gateway.results = results  # type: ignore[method-assign]
        await bring_home(service)
        await service.close()
        assert (folder(service, record) / "results.jsonl").read_bytes() == served(demo)
        assert_paid_once(demo, service, count=COUNT)
    assert not asked[0].endswith(":0")
    assert len(asked) == (1 if ranges else 2)


@pytest.mark.parametrize("how", ["other bytes", "longer", "another order"])
async def test_a_part_that_is_not_the_beginning_of_what_is_served_is_fetched_anew(tmp_path: Path, how: str) -> None:
    with running_demo(tmp_path / "server", duration=0.02, answer_bytes=20_000) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await ended(service, tmp_path)
        lines = served(demo).splitlines(keepends=True)
        half = {
            "other bytes": b"".join(lines[:120]).replace(b"simulated", b"SIMULATED"),
            "longer": b"".join(lines) + b"".join(lines),
            "another order": b"".join(lines[120:]),
        }[how]
        (folder(service, record) / "results.jsonl.part").write_bytes(half)
        await bring_home(service)
        await service.close()
        assert (folder(service, record) / "results.jsonl").read_bytes() == served(demo)


async def test_a_change_before_the_proven_end_is_found_by_the_count_and_healed(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.02, answer_bytes=20_000) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await ended(service, tmp_path)
        lines = served(demo).splitlines(keepends=True)
        # A line that came twice in the place of another of the same length: the last 64 KB are as they should be.
        held = [
            lines[1].ljust(len(lines[0])) if len(lines[1]) <= len(lines[0]) else lines[1][: len(lines[0]) - 1] + b"\n"
        ]
        (folder(service, record) / "results.jsonl.part").write_bytes(b"".join(held + lines[1:160]))
        await bring_home(service)
        await service.close()
        assert (folder(service, record) / "results.jsonl").read_bytes() == served(demo)


@pytest.mark.parametrize("fault", ["duplicate-lines@results*1", "bad-line@results*1"])
async def test_lines_too_many_never_hide_lines_that_are_missing(tmp_path: Path, fault: str) -> None:
    with running_demo(tmp_path / "server", duration=0.02, faults=[fault, "cut:0.95@results*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await ended(service, tmp_path)
        await service.sync()
        assert service.resolve(record.local_id).results == "partial"
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service, count=COUNT)


async def test_a_page_of_plain_text_is_no_result_however_long(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.02) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await ended(service, tmp_path)
        [path] = demo.demo.store.root.glob("*/results.jsonl")
        kept = path.read_bytes()
        path.write_bytes(b"please sign in\n" * 1000)
        await service.sync()
        assert service.resolve(record.local_id).results == "partial"
        path.write_bytes(kept)
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service, count=COUNT)


async def test_results_are_gone_only_after_29_days_by_both_clocks_and_a_day_of_looks(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.02, faults=["cut@results*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await ended(service, tmp_path)
        await service.sync()
        demo.set_faults(["status:404@results"])
        passed = [timedelta(days=28)]
        service.context.clock = service.gateway.clock = lambda: datetime.now(UTC) + passed[0]
        service.context.service_time = lambda when: when  # type: ignore[method-assign]
        for passed[0] in (*[timedelta(days=28)] * 5, *[timedelta(days=30)] * 5, timedelta(days=30, hours=20)):
            await service.sync()
            assert service.resolve(record.local_id).results == "partial"
        passed[0] = timedelta(days=31, hours=1)
        await service.sync()
        after = service.resolve(record.local_id)
        assert after.results == "gone" and "29 days" in after.error
        view = service.open_results(record.local_id)
        assert 0 < view.tally.lines < COUNT, "what came is still there to read"
        await service.close()


async def test_a_wrong_clock_of_ours_does_not_give_results_up(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.02) as demo:
        service = service_on(demo, tmp_path / "data")
        record = await ended(service, tmp_path)
        ahead = lambda: datetime.now(UTC) + timedelta(days=40)  # noqa: E731
        service.context.clock = service.gateway.clock = ahead
        demo.set_faults(["status:404@results"])
        await service.sync()
        assert service.resolve(record.local_id).results == "none"
        demo.set_faults([])
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service, count=COUNT)
