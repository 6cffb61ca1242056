"""``again`` killed at each of its first steps on the disk and the net: its requests are paid for once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.demo_server import running_demo
from tests.faults.driving import ids_in, record_json
from tests.faults.killing import environment, home, killed
from tests.preloaded import Child
from tests.service.harness import source


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("after", [20, *(pytest.param(n, marks=pytest.mark.slow) for n in (8, 14, 30, 45, 60))])
async def test_a_run_again_survives_a_kill(tmp_path: Path, after: int) -> None:
    config = Path(os.environ["BATCHTUI_CONFIG_DIR"])
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.toml").write_text("[limits]\nmax_requests = 3\n")
    data, src = tmp_path / "data", source(tmp_path, 6)
    with running_demo(tmp_path / "server", duration=1.0) as demo:
        first = Child(["submit", str(src), "--wait", "--yes"], env=environment(demo, data))
        first.communicate(timeout=120)
        src.unlink()
        before = {record["run"] for record in record_json(data)}
        (run,) = before
        killed(demo, data, ["again", run, "--set", "max_tokens=600", "--yes"], after, None)
        await home(demo, data)
        records = [record for record in record_json(data) if record["run"] != run and record["id"]]
        stored = [i for r in records for i in ids_in(data / "batches" / r["local_id"] / "results.jsonl")]
        assert sorted(stored) in ([], [f"r-{n}" for n in range(6)])  # never twice, and never a part of it alone
        assert demo.stats()["creates"] == len([r for r in record_json(data) if r["id"]])
