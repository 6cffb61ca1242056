"""Killing the program at any of its steps, and bringing home what it began."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

from batchtui.domain.errors import BatchtuiError
from batchtui.service import Service
from tests.demo_server import RunningDemo
from tests.faults.driving import ids_in, record_json, retry_refused
from tests.preloaded import Child
from tests.service.harness import service_on

COUNT = 40
# The program itself, told to kill itself after so many writes, renames and connections: each is a place of its own.
CHILD = """
import os, signal, sys
import pytest
from tests.quick import hurry
hurry(pytest.MonkeyPatch())
left = int(sys.argv[1])
def hook(event, args):
    global left
    if event in ("os.rename", "os.remove", "os.mkdir", "socket.connect") or (
        event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        and not str(args[0]).startswith("/dev")
    ):
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
from batchtui.cli import main
main(sys.argv[2:])
"""


def environment(demo: RunningDemo, data: Path) -> dict[str, str]:
    return {
        **os.environ,
        "ANTHROPIC_BASE_URL": demo.base_url,
        "ANTHROPIC_API_KEY": "sk-test-secret",
        "BATCHTUI_DATA_DIR": str(data),
    }


def killed(demo: RunningDemo, data: Path, verb: list[str], after: int, seconds: float | None) -> int:
    """Run a verb that kills itself after ``after`` steps on the disk or net, or is killed after some seconds."""
    child = Child(
        [str(after), *verb],
        code=CHILD,
        env=environment(demo, data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, said = child.communicate(timeout=seconds or 120)
        assert child.returncode in (-signal.SIGKILL, 0, 1, 3, 4), said.decode()
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
    return child.returncode


def assert_whole(demo: RunningDemo, data: Path, count: int) -> None:
    """As many batches as creates that did the work, each known, each stored, none twice; every request has its result."""
    records = record_json(data)
    made = [b["id"] for b in demo.stats()["batches"]]
    assert not list((data / "batches").glob("*/*.unreadable"))
    assert sorted(r["id"] for r in records if r["id"]) == sorted(made)
    assert demo.stats()["creates"] == len(made)
    assert all(r["results"] == "stored" for r in records if r["id"])
    stored = [i for r in records if r["id"] for i in ids_in(data / "batches" / r["local_id"] / "results.jsonl")]
    assert set(stored) == {f"r-{i}" for i in range(count)}


async def home(demo: RunningDemo, data: Path, patience: float = 0.0) -> None:
    """Sync as cron does, and do what a person does, until each batch there is is known and stored.

    ``patience`` are the seconds that the person lets pass before a retry after a plain no.
    """
    from batchtui.config.load import load_config

    service = service_on(demo, data, load_config())
    until = time.monotonic() + 120
    try:
        while not await _is_home(demo, service, patience):
            assert time.monotonic() < until, [
                (r.local_id, r.id, r.status, r.results, r.posts, r.error) for r in service.records()
            ]
            await asyncio.sleep(0.1)
    finally:
        await service.close()


async def _is_home(demo: RunningDemo, service: Service, patience: float) -> bool:
    try:
        await service.sync()
        for record in service.records():
            if record.asks and record.asked_at is None:
                # Any of them serves: the requests are the same, and the others go where they belong.
                await service.adopt_candidate(record.local_id, record.candidates[-1].id)
    except BatchtuiError:
        return False
    records = service.records()
    if any(r.status not in ("ended", "refused") or r.results_due for r in records) or await retry_refused(
        service, records, patience
    ):
        return False
    there = {b["id"] for b in demo.stats()["batches"]}
    return there == {r.id for r in records if r.id}
