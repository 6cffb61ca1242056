"""Any order of replies, losses, looks, cancels, kills and clock jumps: never two batches for a plan, never a lie."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from batchtui.domain.errors import BatchtuiError
from batchtui.service import Service
from tests.demo_server import RunningDemo, running_demo
from tests.faults.driving import bring_home, ids_in
from tests.service.harness import plan_of, service_on, source

pytestmark = pytest.mark.usefixtures("short_waits")

COUNT = 6
CREATE_FAULTS = [
    "", "drop@create*1", "late@create*1", "torn-reply@create*1", "status:500@create*1", "refuse@create*1",
    "html@create*1", "status:429,0@create*1", "late:429,0@create*1", "late:413@create*1", "late-html:429@create*1",
]  # fmt: skip
LATER_FAULTS = [
    "cut@results*1", "tear@results*1", "html@results*1", "status:500@list*1", "drop@retrieve*1", "hidden:0.05@list*2",
    "short-count@results*1", "zero-counts@list*2", "empty-page@list*2", "other-workspace@list*2",
    "status:404@results*1", "status:529@retrieve*1", "notfound:0.1@retrieve*2",
]  # fmt: skip


class Life(RuleBasedStateMachine):
    """One data folder, one server; a service object is dropped without a word when the program is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        self.loop = asyncio.new_event_loop()
        self.entered = running_demo(self.folder / "server", duration=0.05)
        self.demo: RunningDemo = self.entered.__enter__()
        self.offset = timedelta()
        self.plans = 0
        self.service: Service = self.fresh()

    def fresh(self) -> Service:
        return service_on(self.demo, self.folder / "data")

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        try:
            self.demo.set_faults([])
            if self.plans:
                self.run(bring_home(self.service, 120))
            self.holds(over=True)
        finally:
            self.run(self.service.close())
            self.loop.close()
            self.entered.__exit__(None, None, None)
            shutil.rmtree(self.folder, ignore_errors=True)

    @initialize(fault=st.sampled_from(CREATE_FAULTS), parts=st.integers(1, 2))
    def submit(self, fault: str, parts: int) -> None:
        self.demo.set_faults([fault] if fault else [])
        plan = plan_of(self.service, source(self.folder, COUNT), max_requests=COUNT // parts)
        self.plans = len(plan.parts)
        self.run(self.service.submit(plan))

    @rule(fault=st.sampled_from(LATER_FAULTS))
    def trouble(self, fault: str) -> None:
        self.demo.set_faults([fault])

    @rule()
    def look(self) -> None:
        self.run(self.service.refresh())

    @rule()
    def sync(self) -> None:
        try:
            self.run(self.service.sync())
        except BatchtuiError:
            return

    @rule()
    def cancel(self) -> None:
        self.run(self.service.cancel([r.local_id for r in self.service.records()]))

    @rule()
    def kill_and_start_again(self) -> None:
        self.run(self.service.close())
        self.service = self.fresh()

    @rule(after=st.floats(0.0, 0.05))
    def kill_amid_a_look(self, after: float) -> None:
        async def amid() -> None:
            task = asyncio.ensure_future(self.service.sync())
            await asyncio.sleep(after)
            task.cancel()
            for each in asyncio.all_tasks() - {asyncio.current_task()}:
                each.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.run(amid())
        self.kill_and_start_again()

    @rule(hours=st.sampled_from([-2, -0.01, 0.5, 26]))
    def clock_jumps(self, hours: float) -> None:
        self.offset += timedelta(hours=hours)
        offset = self.offset
        self.service.context.clock = lambda: datetime.now(UTC) + offset

    @rule()
    def time_passes(self) -> None:
        self.run(asyncio.sleep(0.06))

    @rule()
    def twice_at_once(self) -> None:
        other = self.fresh()

        async def both() -> None:
            await asyncio.gather(self.service.sync(), other.sync(), return_exceptions=True)
            await other.close()

        self.run(both())

    @invariant()
    def holds(self, over: bool = False) -> None:
        records = Service(self.folder / "data").records()
        assert self.demo.demo.creates <= self.plans
        owners = [r.id for r in records if r.id]
        assert len(owners) == len(set(owners))
        for record in records:
            stored = self.folder / "data" / "batches" / record.local_id / "results.jsonl"
            if record.results == "stored":
                assert record.status == "ended" and record.tally is not None and record.tally.missing == 0
                assert len(ids_in(stored)) == record.requests
            assert not (record.status == "refused" and record.id)
            assert not (record.status == "ended" and record.counts.processing)
        if over:
            ids = [
                i
                for r in records
                if r.results == "stored"
                for i in ids_in(self.folder / "data/batches" / r.local_id / "results.jsonl")
            ]
            assert sorted(ids) == (sorted(f"r-{i}" for i in range(COUNT)) if self.plans else [])
            assert self.demo.demo.creates == self.plans


def live(examples: int, steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_no_order_of_events_pays_twice_loses_or_lies() -> None:
    live(6, 10)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_no_order_of_many_events_pays_twice_loses_or_lies() -> None:
    live(400, 30)
