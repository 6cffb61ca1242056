"""SIGKILL at random points of the real command, then recovery: one batch a plan, one result a request, no record lost."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from batchtui.domain.batch import SCHEMA_VERSION
from batchtui.store.history import RECORD
from tests.demo_server import RunningDemo, running_demo
from tests.faults.driving import bring_home, ids_in, record_json
from tests.service.harness import service_on, source

COUNT = 40
# The program itself, told to kill itself after so many writes, renames and connections: each is a place of its own.
CHILD = """
import os, signal, sys
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
from batchtui.service import settling, fetching
settling.settle_delay = fetching.fetch_delay = lambda n: 0.05
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
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(after), *verb],
        env=environment(demo, data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, said = child.communicate(timeout=seconds or 60)
        assert child.returncode in (-signal.SIGKILL, 0, 1, 4), said.decode()
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
    return child.returncode


def assert_whole(demo: RunningDemo, data: Path, count: int) -> None:
    records = record_json(data)
    assert not list((data / "batches").glob("*/*.unreadable"))
    assert demo.stats()["creates"] == len([r for r in records if r["id"]])
    assert len({r["id"] for r in records if r["id"]}) == len([r for r in records if r["id"]])
    stored = [
        i
        for r in records
        if r["results"] == "stored"
        for i in ids_in(data / "batches" / r["local_id"] / "results.jsonl")
    ]
    assert sorted(stored) == sorted(f"r-{i}" for i in range(count))


def one_round(tmp_path: Path, seed: int) -> None:
    """Submit in parts, killed again and again at random places, until it is home; then count."""
    rng = random.Random(seed)
    data, src = tmp_path / "data", source(tmp_path, COUNT)
    config = Path(os.environ["BATCHTUI_CONFIG_DIR"])
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.toml").write_text(
        f"[settle]\nlooks = 2\nseconds = 0\n[limits]\nmax_requests = {rng.choice([COUNT, COUNT // 2, COUNT // 4])}\n"
    )
    faults = rng.choice([[], ["slow:0.2@create*1"], ["drop@create*1"], ["tear@results*1"], ["cut@results*2"]])
    with running_demo(tmp_path / "server", faults=faults, duration=rng.choice([0.02, 0.3])) as demo:
        for _ in range(40):
            if ((data / "batches").is_dir() and any((data / "batches").glob("2*"))) or any(
                (data / "plans").glob("*.go")
            ):
                break  # From here on the plan is confirmed: only recovery may go on with it.
            killed(
                demo, data, ["submit", str(src), "--wait"], rng.randint(1, 90), rng.choice([None, rng.uniform(0.5, 4)])
            )
        else:
            raise AssertionError("it never came to a confirmed plan")
        for _ in range(2):
            killed(
                demo,
                data,
                rng.choice([["sync"], ["watch"]]),
                rng.randint(1, 60),
                rng.choice([None, rng.uniform(0.5, 4)]),
            )
        asyncio.run(home(demo, data))
        assert_whole(demo, data, COUNT)


async def home(demo: RunningDemo, data: Path) -> None:
    from batchtui.config import load_config

    service = service_on(demo, data, load_config())
    try:
        await bring_home(service, 200)
    finally:
        await service.close()


@pytest.mark.parametrize("seed", range(7))
def test_a_submit_survives_kills(tmp_path: Path, seed: int) -> None:
    one_round(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("block", range(20))
def test_submits_survive_two_hundred_rounds_of_kills(tmp_path: Path, block: int) -> None:
    for seed in range(1000 + block * 10, 1010 + block * 10):
        (tmp_path / str(seed)).mkdir()
        one_round(tmp_path / str(seed), seed)


async def _stored(demo: RunningDemo, tmp_path: Path) -> Path:
    from tests.service.harness import plan_of

    service = service_on(demo, tmp_path / "data")
    await service.submit(plan_of(service, source(tmp_path, COUNT)))
    await bring_home(service)
    await service.close()
    return tmp_path / "data"


def test_migration_index_and_export_survive_kills_at_every_step(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.02) as demo:
        data = asyncio.run(_stored(demo, tmp_path))
        [folder] = (data / "batches").iterdir()
        whole = (folder / "results.jsonl").read_bytes()
        out = tmp_path / "out.json"
        for after in range(1, 30):
            record = json.loads((folder / RECORD).read_bytes())
            if after % 2:  # An older version, its index gone: both are made anew by whoever reads.
                record.pop("schema", None)
                (folder / RECORD).write_text(json.dumps(record))
                (folder / "results.index").unlink(missing_ok=True)
            code = killed(demo, data, ["results", "last", "--format", "json", "-o", str(out)], after, None)
            assert (folder / "results.jsonl").read_bytes() == whole
            assert json.loads((folder / RECORD).read_bytes())["local_id"] == folder.name
            if out.exists():
                assert len(json.loads(out.read_bytes())) >= 1
            if code != -signal.SIGKILL and after % 2:
                break
        assert not list((data / "batches").glob("*/*.unreadable"))
        assert json.loads((folder / RECORD).read_bytes())["schema"] == SCHEMA_VERSION
        assert "schema" not in json.loads((folder / "batch.json.v0").read_bytes())
