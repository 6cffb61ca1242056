"""A run of a million small requests against a demo server with a queue limit, by the verbs alone, with two kills on the way.

``submit`` sends what the queue takes and keeps the other parts; ``sync``, as cron would call it, sends them as others end
and fetches what ended.  A sync is killed while it fetches and the server is stopped and started once; at the end every id must
have been answered once.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import data
from bench.measure import ROOT, Failed, Watch, environment
from bench.rows import PYTHON
from bench.serving import scratch, server

SIZE = 230
"""Bytes of a request, about."""
BATCH_SECONDS = 6.0
PAUSE = 1.0
"""Seconds between two syncs; cron takes minutes."""
LIMIT = 3_000.0
ENDS_OF_SYNC = (0, 1, 4)


class _Verbs:
    """Runs verbs, each in a process of its own, and keeps the highest peak of each."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self.peaks: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self.retried: set[str] = set()
        """Parts that were killed while they were sent, found never to have arrived, and sent again by retry."""

    def run(self, *argv: str, ok: tuple[int, ...] = (0,)) -> bytes:
        """A verb's standard output."""
        began = time.perf_counter()
        child = self._start(argv)
        watch = Watch(child.pid)
        try:
            out, said = child.communicate(timeout=LIMIT)
        except BaseException:
            child.kill()
            raise
        finally:
            self.peaks[argv[0]] = max(self.peaks.get(argv[0], 0.0), watch.stop())
        self.seconds[argv[0]] = self.seconds.get(argv[0], 0.0) + time.perf_counter() - began
        if child.returncode not in ok:
            raise Failed(f"{' '.join(argv)} ended with {child.returncode}: {said.decode(errors='replace')[-800:]}")
        return out

    def killed(self, folder: Path, *argv: str) -> bool:
        """Kill a verb (SIGKILL) while results come in; False when it ended before any came."""
        child = self._start(argv)
        while child.poll() is None:
            with contextlib.suppress(FileNotFoundError):  # A part that is whole is renamed.
                if any(part.stat().st_size for part in folder.glob("batches/*/results.jsonl.part")):
                    child.kill()
            time.sleep(0.005)
        child.communicate()
        return child.returncode < 0

    def _start(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [PYTHON, "-m", "batchtui", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._env,
            cwd=ROOT,
        )

    def records(self) -> list[dict[str, Any]]:
        """All records as ``list`` tells them."""
        return list(json.loads(self.run("list", "--all", "--json")))


class _Server:
    """The demo server, which can be stopped and started again at the same place."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit

    @contextmanager
    def up(self, port: int = 0) -> Iterator[str]:
        """The server while the block runs."""
        options = {"queue_limit": self._limit, "duration": BATCH_SECONDS, "failure_rate": 0.0, "answer_bytes": 60}
        with server(self._folder, port=port, **options) as url:
            yield url


def million(count: int) -> dict[str, Any]:
    """Make the run and check its end; the figures."""
    source = data.requests(count, SIZE)
    limit = count // 5
    with scratch("million") as folder:
        served = _Server(folder / "server", limit)
        with served.up() as url:
            env = environment(folder, url)
            config = folder / "config" / "config.toml"
            config.parent.mkdir(parents=True)
            config.write_text(f"[limits]\nqueue = {limit}\nmax_requests = {count // 10}\n", encoding="utf-8")
            verbs = _Verbs(env)
            began = time.monotonic()
            verbs.run("submit", str(source), "--yes", "--title", "million")
            told = _sent(verbs)
            _say(f"submitted in {time.monotonic() - began:.0f} s: {told}")
            looks = _until(verbs, began, turns=2)
            killed = 0
            while not killed and looks < 8:
                time.sleep(PAUSE)
                killed = int(verbs.killed(folder / "data", "sync"))
                looks += 1
            _say(f"{killed} sync was killed while it fetched: {_sent(verbs)}")
        port = int(url.rpartition(":")[2])
        with served.up(port):
            _say("the server was stopped and started again")
            looks += _until(verbs, began)
        seconds = time.monotonic() - began
        out = folder / "answers.jsonl"
        verbs.run("results", "last", "--run", "-o", str(out), ok=(0, 1))
        answered, twice, good = _count(out, count)
        found = {
            "requests": count,
            "mb": round(data.megabytes(source), 1),
            "queue_limit": limit,
            "batches": len(verbs.records()),
            "syncs": looks,
            "syncs_killed_while_fetching": killed,
            "parts_sent_again_by_retry": len(verbs.retried),
            "server_restarts": 1,
            "seconds": round(seconds, 1),
            "answered": answered,
            "answered_twice": twice,
            "succeeded": good,
            "peak_mb": {name: round(peak) for name, peak in verbs.peaks.items()},
            "verb_seconds": {name: round(value, 1) for name, value in verbs.seconds.items()},
            "disk_mb": round(sum(each.stat().st_size for each in (folder / "data").rglob("*") if each.is_file()) / 1e6),
        }
    sys.stdout.write("".join(f"{name:<16} {value}\n" for name, value in found.items()))
    if answered != count or twice:
        raise Failed(f"of {count:,} ids {answered:,} were answered, {twice:,} more than once")
    return found


def _sent(verbs: _Verbs) -> str:
    records = verbs.records()
    waiting = sum(r["status"] == "submitting" for r in records)
    stored = sum(r["results"] == "stored" for r in records)
    return f"{len(records)} batches, {waiting} not sent yet, {stored} stored"


def _until(verbs: _Verbs, began: float, *, turns: int = 0) -> int:
    """Sync until all is stored, or for some turns; how many syncs that took."""
    looks = 0
    while not turns or looks < turns:
        if time.monotonic() - began > LIMIT:
            raise Failed(f"not at an end after {LIMIT:.0f} s: {_sent(verbs)}")
        time.sleep(PAUSE)
        verbs.run("sync", ok=ENDS_OF_SYNC)
        looks += 1
        _say(f"{time.monotonic() - began:5.0f} s: {_sent(verbs)}")
        records = verbs.records()
        rest = [r for r in records if r["local_id"] not in verbs.retried]
        if all(r["status"] == "ended" and r["results"] == "stored" for r in rest):
            return looks
        for record in records:
            if record["status"] == "refused" and record["local_id"] not in verbs.retried:
                if not record["error"].startswith("never arrived"):
                    raise Failed(f"a batch was refused: {record['error']}")
                verbs.retried.add(record["local_id"])
                verbs.run("retry", record["local_id"], "--yes")
                _say(f"a part whose create was killed never arrived: sent again ({record['error']})")
    return looks


def _count(out: Path, count: int) -> tuple[int, int, int]:
    """How many ids were answered, how many more than once, and how many answers are good."""
    seen = bytearray(count)
    twice = good = 0
    with out.open("rb") as lines:
        for line in lines:
            start = line.index(b'"req-') + 5
            number = int(line[start : line.index(b'"', start)])
            twice += seen[number]
            seen[number] = 1
            good += b'"succeeded"' in line
    return sum(seen), twice, good


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
