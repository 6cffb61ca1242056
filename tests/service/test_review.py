"""Races and odd turns that a reader of the service asked about."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.service import Service
from tests.demo_server import running_demo
from tests.service.harness import plan_of, results_of, service_on, source


async def home(service: Service) -> None:
    """Sync until nothing is open."""
    for _ in range(100):
        await service.sync()
        if not any(r.active or r.owed for r in service.records()):
            return
        await asyncio.sleep(0.03)
    raise AssertionError([(r.local_id, r.status, r.error) for r in service.records()])


async def test_a_batch_on_its_way_is_not_taken_for_a_lost_one_of_as_many_requests(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["status:500@create*1"]) as demo:
        service, other = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "data")
        [lost] = await service.submit(plan_of(service, source(tmp_path, 12)))
        assert lost.status == "unconfirmed"
        real = service.gateway.create

        async def create(*args):  # type: ignore[no-untyped-def]
            made = await real(*args)
            await other.parts.settler.settle(lost)  # The reply is still on its way to us.
            return made

        service.gateway.create = create  # type: ignore[method-assign]
        [made] = await service.submit(plan_of(service, source(tmp_path, 12)), again=True)
        assert made.id is not None
        assert service.resolve(lost.local_id).id is None
        await home(service)
        await service.close()
        await other.close()
        assert demo.stats()["creates"] == 1 and service.resolve(lost.local_id).status == "refused"
