"""SIGKILL at random points of the real command, then recovery: every batch that was created is known and stored, once.

All waits (looks, settling, back-off, lists that lag) go by one clock that runs faster than the machine's.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from pathlib import Path

import pytest

from batchtui.domain.batch import SCHEMA_VERSION
from batchtui.service.reconcile import RESEND_AFTER
from batchtui.store.records import RECORD
from tests.demo_server import RunningDemo, running_demo
from tests.faults.conftest import SPEED
from tests.faults.driving import bring_home, ids_in, record_json
from tests.faults.killing import COUNT, assert_whole, home, killed
from tests.service.harness import service_on, source

SETTLED = 180.0
"""Seconds by which the looks for a lost batch are over."""
LAGS = [0.0, 20.0, 60.0, 120.0, 1.3 * SETTLED, 2 * SETTLED, 4 * SETTLED]
"""Seconds by which the list of batches lags."""
PATIENT = RESEND_AFTER * SETTLED
"""Seconds after which a list is believed that has no batch whose reply was lost."""
CREATE = [
    "drop@create*1", "torn-reply@create*1", f"slow:{0.2 * SPEED}@create*1", "late@create*1", "late:429,0@create*2",
    "late-html:429@create*2", "late-html:502@create*1", "late:413@create*1", "late:401@create*1", "late:400@create*1",
    "earlier-reply@create*1", "status:429,0@create*1", "status:500@create*1",
]  # fmt: skip
LIST = [
    "unordered@list*9", "small-pages:1@list*30 unordered@list*30", "small-pages:1@list*30 overlap-page@list*30",
    "empty-page@list*3", "repeat-page@list*3", "zero-counts@list*4", "rising-counts:60@any", "no-date@any*20",
    "date-off:18000@any*20", "date-off:-18000@list*5", "other-workspace@list*3", "status:500@list*2",
]  # fmt: skip
RESULTS = ["tear@results*1", "cut@results*2"]


def assert_paid_once(demo: RunningDemo, data: Path, count: int) -> None:
    """No request is in two batches."""
    stored = [
        i for r in record_json(data) if r["id"] for i in ids_in(data / "batches" / r["local_id"] / "results.jsonl")
    ]
    assert len(stored) == count, f"{len(stored)} results of {count} requests in {demo.stats()['creates']} batches"


def one_round(tmp_path: Path, seed: int) -> None:
    """Submit in parts, killed again and again at random places, until it is home; then count."""
    rng = random.Random(seed)
    data, src = tmp_path / "data", source(tmp_path, COUNT)
    config = Path(os.environ["BATCHTUI_CONFIG_DIR"])
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.toml").write_text(f"[limits]\nmax_requests = {rng.choice([COUNT, COUNT // 2, COUNT // 4])}\n")
    lag = rng.choice(LAGS)
    faults = [rng.choice(CREATE), *rng.choice(LIST).split(), rng.choice([*RESULTS, ""]), f"hidden:{lag}@list"]
    faults = [fault for fault in faults if fault]
    with running_demo(tmp_path / "server", faults=faults, duration=rng.choice([1.0, 30.0])) as demo:
        for _ in range(40):
            if ((data / "batches").is_dir() and any((data / "batches").glob("2*"))) or any(
                (data / "plans").glob("*.go")
            ):
                break  # From here on the plan is confirmed: only recovery may go on with it.
            killed(
                demo,
                data,
                ["submit", str(src), "--wait"],
                rng.randint(1, 90),
                rng.choice([None, rng.uniform(0.05, 1.5)]),
            )
        else:
            raise AssertionError("it never came to a confirmed plan")
        for _ in range(2):
            killed(
                demo,
                data,
                rng.choice([["sync"], ["watch"]]),
                rng.randint(1, 60),
                rng.choice([None, rng.uniform(0.05, 1.5)]),
            )
        try:
            asyncio.run(home(demo, data, PATIENT if lag > SETTLED else 0.0))
            assert_whole(demo, data, COUNT)
            assert_paid_once(demo, data, COUNT)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, lag {lag}, {faults}: {error}") from error


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("seed", [3, 7])
def test_a_submit_survives_kills(tmp_path: Path, seed: int) -> None:
    one_round(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("block", range(10))
def test_submits_survive_a_hundred_rounds_of_kills(tmp_path: Path, block: int) -> None:
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
            code = killed(demo, data, ["results", "last", "--format", "json", "-o", str(out), "--force"], after, None)
            assert (folder / "results.jsonl").read_bytes() == whole
            assert json.loads((folder / RECORD).read_bytes())["local_id"] == folder.name
            if out.exists():
                assert len(json.loads(out.read_bytes())) >= 1
            if code != -signal.SIGKILL and after % 2:
                break
        assert not list((data / "batches").glob("*/*.unreadable"))
        assert json.loads((folder / RECORD).read_bytes())["schema"] == SCHEMA_VERSION
        assert "schema" not in json.loads((folder / "batch.json.v0").read_bytes())
