"""A fetch that is killed at any moment is taken up again, and ends with every byte once."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from result_lines import PRICES, errored, good, request
from tests.preloaded import Child

from batchtui.results.storage import open_results
from batchtui.store.records import PART, RESULTS

CHILD = """
import sys
from pathlib import Path
from batchtui.domain.money import load_prices
from batchtui.results.storage import ResultSink

folder, source = Path(sys.argv[1]), Path(sys.argv[2])
sink = ResultSink(folder, expected=int(sys.argv[3]), prices=load_prices(), resume=True)
with source.open("rb") as file:
    file.seek(sink.bytes)
    while piece := file.read(int(sys.argv[4])):
        sink.write(piece)
        print(sink.bytes, flush=True)
sink.finish()
print("done", flush=True)
"""


def run_until_done(folder: Path, source: Path, lines: int, rng: random.Random, kills: int) -> int:
    """Fetch again and again, killed ``kills`` times after a random number of pieces; returns how often."""
    killed = 0
    while True:
        piece = rng.randrange(3_000, 60_000)
        child = Child([str(folder), str(source), str(lines), str(piece)], code=CHILD, stdout=subprocess.PIPE)
        assert child.stdout is not None
        limit = rng.randrange(6) if killed < kills else None
        last = ""
        for number, said in enumerate(child.stdout):
            last = said.decode().strip()
            if limit is not None and number >= limit:
                child.kill()
                killed += 1
                break
        child.stdout.close()
        child.wait()
        if last == "done" or (folder / RESULTS).exists():
            return killed


def fetch_with_kills(tmp_path: Path, seed: int, kills: int) -> None:
    rng = random.Random(seed)
    lines = [errored(f"r{n}") if n % 9 == 0 else good(f"r{n}", "words " * rng.randrange(400)) for n in range(2000)]
    source = tmp_path / "source.jsonl"
    source.write_bytes(b"".join(lines))
    folder = tmp_path / "batch"
    folder.mkdir()
    (folder / "requests.jsonl").write_bytes(b"".join(request(f"r{n}") for n in range(2000)))
    assert run_until_done(folder, source, len(lines), rng, kills) > 0
    assert (folder / RESULTS).read_bytes() == source.read_bytes()
    assert not (folder / PART).exists()
    tally = open_results(folder, PRICES).tally
    assert (tally.lines, tally.missing, tally.duplicates, tally.unexpected) == (2000, 0, 0, 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_fetch_survives_kills(tmp_path: Path, seed: int) -> None:
    fetch_with_kills(tmp_path, seed, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_fetch_survives_many_kills(tmp_path: Path, seed: int) -> None:
    fetch_with_kills(tmp_path, 100 + seed, 10)
