"""A run of several batches with failures of five kinds, put right in two retries; its figures recomputed from the lines."""

from __future__ import annotations

import asyncio
import io
import json
from decimal import Decimal
from pathlib import Path

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.service import Service
from batchtui.store.records import encode_record
from tests.demo_server import running_demo
from tests.service.harness import plan_of, plan_retry, request, running, service_on

KINDS = ("api", "overloaded", "timeout", "expire", "cut")


def _source(folder: Path) -> tuple[Path, list[str]]:
    """300 requests of which 7 % fail: 21 of five kinds, the rest sure to succeed."""
    names = [f"{i:03}-demo-{KINDS[i // 14 % 5] if i % 14 == 0 and i < 294 else 'ok'}" for i in range(300)]
    path = folder / "source.jsonl"
    path.write_text("".join(json.dumps(request(name, f"question {name}", max_tokens=2900)) + "\n" for name in names))
    return path, names


async def _to_the_end(service: Service, records: list[BatchRecord]) -> None:
    async with asyncio.timeout(120):
        await service.wait([r.local_id for r in records])


def _dollars(service: Service, records: list[BatchRecord]) -> Decimal:
    """Cost from the raw lines: Haiku 4.5 at $1 and $5 a million tokens, halved for batches."""
    total = Decimal(0)
    for record in records:
        for line in (service.history.folder(record.local_id) / "results.jsonl").read_bytes().splitlines():
            result = json.loads(line)["result"]
            if result["type"] == "succeeded":
                usage = result["message"]["usage"]
                total += (usage["input_tokens"] * Decimal(1) + usage["output_tokens"] * Decimal(5)) / 1_000_000 / 2
    return total


async def test_a_run_is_put_right_in_two_retries(tmp_path: Path) -> None:
    path, names = _source(tmp_path)
    with running_demo(tmp_path / "server") as demo:
        service = service_on(demo, tmp_path / "data")
        async with running(service):
            first = await service.submit(plan_of(service, path, max_requests=100))
            assert len(first) == 3
            await _to_the_end(service, first)
            ids = [r.local_id for r in first]
            view = service.open_results(ids[0], run=True)
            assert len(view) == 300 and view.counts()["good"] == 279

            of_one = await asyncio.to_thread(plan_retry, service, ids[1:2])
            assert of_one.retry_of == (ids[1],)
            service.discard(of_one)
            again = await asyncio.to_thread(plan_retry, service, ids)
            assert again.requests == sum(1 for n in names if n.split("demo-")[1] in KINDS[:4])
            second = await service.submit(again, retry_of=first[0])
            assert second[0].attempt == 1 and second[0].run == first[0].run
            failed = {n for n in names if n.split("demo-")[1] in KINDS[:4]}
            held = {r.local_id for r in first if failed & set(service.open_results(r.local_id).ids())}
            assert set(second[0].retry_of) == held and not first[0].retry_of
            await _to_the_end(service, second)

            longer = await asyncio.to_thread(
                plan_retry, service, [*ids, second[0].local_id], {"max_tokens": "8000"}, only=("cut_short",)
            )
            third = await service.submit(longer, retry_of=first[0])
            await _to_the_end(service, third)

        run = service.open_results(ids[0], run=True)
        assert run.counts()["good"] == 300
        out = io.BytesIO()
        assert service.export(run, None, "jsonl", out) == 300
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [line["custom_id"] for line in lines] == names
        assert {line["result"]["type"] for line in lines} == {"succeeded"}
        assert demo.stats()["creates"] == 5
        every = [service.resolve(r.local_id) for r in (*first, *second, *third)]
        assert sum((r.cost_usd for r in every if r.cost_usd), Decimal(0)) == _dollars(service, every)


async def test_nothing_is_retried_that_is_under_way_or_good_by_now(tmp_path: Path) -> None:
    import pytest

    from batchtui.domain.errors import InputError

    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps(request(n)) + "\n" for n in ("a-demo-flaky", "b-demo-ok", "c-demo-api")))
    with running_demo(tmp_path / "server") as demo:
        service = service_on(demo, tmp_path / "data")
        async with running(service):
            [first] = await service.submit(plan_of(service, path))
            await _to_the_end(service, [first])
            plan = await asyncio.to_thread(plan_retry, service, [first.local_id])
            assert plan.requests == 2
            [second] = await service.submit(plan, retry_of=first)
            with pytest.raises(InputError, match="nothing to retry"):
                await asyncio.to_thread(plan_retry, service, [first.local_id])
            await _to_the_end(service, [second])
            with pytest.raises(InputError, match="nothing to retry"):
                await asyncio.to_thread(plan_retry, service, [first.local_id])


async def test_figures_agree_on_record_in_json_and_recomputed(tmp_path: Path) -> None:
    path, _ = _source(tmp_path)
    with running_demo(tmp_path / "server") as demo:
        service = service_on(demo, tmp_path / "data")
        async with running(service):
            [record] = await service.submit(plan_of(service, path))
            await _to_the_end(service, [record])
        record = service.resolve(record.local_id)
        by_hand = _dollars(service, [record])
        shown = msgspec.json.decode(encode_record(record))
        view = service.open_results(record.local_id)
        rows = sum((view.row(i).cost_usd or Decimal(0) for i in range(len(view))), Decimal(0))
        assert record.cost_usd == by_hand == rows == view.tally.cost_usd
        assert Decimal(str(shown["cost_usd"])).quantize(Decimal("0.01")) == by_hand.quantize(Decimal("0.01"))
        assert record.tally is not None and record.tally.standard_usd == by_hand * 2
