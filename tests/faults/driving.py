"""Drives a service through trouble until every request has its result, without the poller's real waits."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

from batchtui.domain.batch import NOT_NEEDED, BatchRecord
from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.service import Service
from tests.demo_server import RunningDemo
from tests.quick import hurry
from tests.service.harness import plan_retry

__all__ = ["COUNT", "assert_paid_once", "bring_home", "done", "hurry", "ids_in", "record_json"]
COUNT = 12


def done(records: list[BatchRecord]) -> bool:
    """True when every batch is over: stored, or refused."""
    return all(r.status == "refused" or r.results == "stored" for r in records)


async def bring_home(service: Service, tries: int = 60) -> list[BatchRecord]:
    """Sync, and retry what was not created, until every request of every run has its result.

    What is not home after ``tries`` looks and a minute never comes.
    """
    end = time.monotonic() + 120
    while tries > 0 or time.monotonic() < end:
        tries -= 1
        try:
            await service.sync()
        except BatchtuiError:
            await asyncio.sleep(0.02)
            continue
        records = service.records()
        if done(records):
            if not await retry_refused(service, records):
                return service.records()
            continue
        await asyncio.sleep(0.01)
    raise AssertionError(f"not home: {[(r.local_id, r.status, r.results, r.error) for r in service.records()]}")


async def retry_refused(service: Service, records: list[BatchRecord], patience: float = 0.0) -> bool:
    """Send what was refused again, once; False when nothing was left to send.

    ``patience`` are the seconds that a person lets pass after a plain no; a lost reply is waited for by the program.
    """
    for record in records:
        if (
            record.status != "refused"
            or record.error.startswith(NOT_NEEDED)
            or any(record.local_id in r.retry_of and not r.error.startswith(NOT_NEEDED) for r in records)
        ):
            continue
        refused_at = None if record.unclear else record.lost_at
        if refused_at is not None and (service.context.clock() - refused_at).total_seconds() < patience:
            return True
        try:
            plan = await asyncio.to_thread(plan_retry, service, [record.local_id])
        except InputError:
            continue  # Its requests are in another batch by now.
        await service.submit(plan, retry_of=record)
        return True
    return False


def assert_paid_once(demo: RunningDemo, service: Service, count: int = COUNT, batches: int = 1) -> None:
    """The server made exactly ``batches`` and every request has exactly one stored result, in one of our records."""
    assert demo.stats()["creates"] == batches
    stored: list[str] = []
    owners = [r.id for r in service.records() if r.id]
    assert len(owners) == len(set(owners)) == batches
    for record in service.records():
        if record.results == "stored":
            assert record.tally is not None and record.tally.missing == 0
            stored += ids_in(service.history.folder(record.local_id) / "results.jsonl")
    assert sorted(stored) == sorted(f"r-{i}" for i in range(count))
    assert not service.unreadable()


def ids_in(path: Path) -> list[str]:
    """The custom_ids of a JSONL file of results, lines that are none left out."""
    return [
        m[1].decode() for m in re.finditer(rb'^\{"custom_id":"([^"\n]+)","result"', path.read_bytes(), re.MULTILINE)
    ]


def record_json(data: Path) -> list[dict[str, Any]]:
    """All records as they lie on disk."""
    return [json.loads(p.read_bytes()) for p in sorted((data / "batches").glob("*/batch.json"))]
