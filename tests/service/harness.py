"""A real service with the real gateway and SDK on a demo server."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from batchtui.api.gateway import Gateway
from batchtui.config.load import Config, Profile, Settle
from batchtui.domain.batch import BatchRecord
from batchtui.domain.plan import Plan
from batchtui.intake.options import IntakeOptions
from batchtui.service import Service
from tests.demo_server import RunningDemo

QUICK = Config(settle=Settle(looks=2, seconds=0.0))
"""What was not created is known after two looks, so that no test waits minutes."""


def request(custom_id: str, text: str = "hello", **params: Any) -> dict[str, Any]:
    return {
        "custom_id": custom_id,
        "params": {
            "model": "claude-haiku-4-5",
            "max_tokens": 500,
            "messages": [{"role": "user", "content": text}],
            **params,
        },
    }


def source(folder: Path, count: int = 20, name: str = "source.jsonl", prefix: str = "r") -> Path:
    """A JSONL file of requests."""
    path = folder / name
    path.write_text(
        "".join(json.dumps(request(f"{prefix}-{i}", f"question {prefix} {i}")) + "\n" for i in range(count))
    )
    return path


def service_on(demo: RunningDemo, data: Path, config: Config = QUICK, **profile: Any) -> Service:
    """A service as the program makes one."""
    who = Profile(base_url=demo.base_url, **profile)
    config = msgspec.structs.replace(config, profiles={"default": who})
    return Service(data, config, gateway=Gateway(who, key="sk-test-secret"))


@contextlib.asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    """The service with its poller going."""
    await service.start()
    try:
        yield service
    finally:
        await service.close()


def plan_of(service: Service, path: Path, **options: Any) -> Plan:
    """A staged plan of a file."""
    plan = service.plan([str(path)], IntakeOptions(**options))
    assert plan.ok, plan.problems
    return plan


def plan_retry(
    service: Service, local_ids: Sequence[str], changes: Mapping[str, str] | None = None, **chosen: Any
) -> Plan:
    """The plan of a retry of what did not succeed, or of the rows ``chosen``."""
    with service.retry(local_ids) as retry:
        return retry.plan(retry.rows(**chosen), changes)


def results_of(service: Service, record: BatchRecord) -> list[str]:
    """The custom_ids of the stored results, as they lie on disk."""
    path = service.history.folder(record.local_id) / "results.jsonl"
    return [json.loads(line)["custom_id"] for line in path.read_bytes().splitlines() if line.strip()]


class Watch:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


class Time(Watch):
    """One time for the service and its server, that a test sets forward."""

    def __init__(self, service: Service, demo: RunningDemo) -> None:
        super().__init__()
        self.demo = demo
        service.context.clock = self

    def pass_by(self, seconds: float) -> None:
        self.offset += timedelta(seconds=seconds)
        self.demo.clock.advance(seconds)
