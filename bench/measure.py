"""Runs pieces of work as processes of their own, takes their time and peak memory, in rounds in turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LIMIT = 600.0
"""Seconds after which a piece of work counts as stuck."""


@dataclass(frozen=True)
class Sample:
    """One round of one piece of work."""

    value: float
    """Seconds, or bytes where a row counts bytes."""
    peak: float
    """Peak resident memory in MB."""
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """All rounds of one piece of work."""

    value: float
    """The median."""
    peak: float
    """The highest."""
    rounds: tuple[float, ...]
    told: Mapping[str, Any] = field(default_factory=dict)


class Failed(Exception):
    """A piece of work ended with an error."""


def peak_of(pid: int) -> float:
    """Peak resident memory of a running process in MB, 0 when it can't be read."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) / 1000
    except OSError:
        pass
    return 0.0


class Watch:
    """Follows a process's peak memory until it ends.

    ``wait4`` alone would not do: a child's own figure begins with its parent's size at the fork.
    """

    def __init__(self, pid: int) -> None:
        self.peak = 0.0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.01):
            self.peak = max(self.peak, peak_of(self._pid))

    def stop(self) -> float:
        """The peak so far; ends the watch."""
        self._over.set()
        self._thread.join()
        self.peak = max(self.peak, peak_of(self._pid))
        return self.peak


def command(argv: Sequence[str], *, env: Mapping[str, str] | None = None, ok: Sequence[int] = (0,)) -> Sample:
    """Run a command to its end, start-up and all.

    Its output goes through a pipe: grep stops at the first hit when it sees /dev/null.
    """
    began = time.perf_counter()
    child = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=ROOT
    )
    watch = Watch(child.pid)
    try:
        out, said = child.communicate(timeout=LIMIT)
    except BaseException:
        child.kill()
        raise
    seconds = time.perf_counter() - began
    peak = watch.stop()
    if child.returncode not in ok:
        raise Failed(f"{argv[0]} ended with {child.returncode}: {said.decode(errors='replace').strip()[-600:]}")
    return Sample(seconds, peak, {"out": out[:200].decode(errors="replace")})


def work(target: str, *, env: Mapping[str, str] | None = None, **given: Any) -> Sample:
    """Run ``module:function`` in a Python process; the time is what the function took inside, without start-up."""
    argv = [sys.executable, "-m", "bench.worker", target, json.dumps(given)]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, env=env, cwd=ROOT, timeout=LIMIT, check=False
    )
    if done.returncode:
        raise Failed(f"{target} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()[-1500:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Sample(told.pop("seconds"), told.pop("peak"), told)


def in_turn(rounds: int, works: Mapping[str, Callable[[], Sample]]) -> dict[str, Figure]:
    """Run all works one after the other, ``rounds`` times over."""
    found: dict[str, list[Sample]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, run in works.items():
            found[name].append(run())
    return {name: figure(samples) for name, samples in found.items()}


def figure(samples: Sequence[Sample]) -> Figure:
    """Samples as one figure."""
    values = tuple(sample.value for sample in samples)
    peak = max(sample.peak for sample in samples)
    return Figure(statistics.median(values), peak, values, samples[-1].told)


def environment(folder: Path, url: str = "") -> dict[str, str]:
    """The variables of a process that uses ``folder`` for everything of its own, and the server at ``url``."""
    # A variable that keeps compiled modules from being stored would measure the compiler: an installed package has them.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "BATCHTUI_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    own = {
        "BATCHTUI_DATA_DIR": str(folder / "data"),
        "BATCHTUI_CONFIG_DIR": str(folder / "config"),
        "BATCHTUI_CACHE_DIR": str(folder / "cache"),
        "ANTHROPIC_API_KEY": "demo-key",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }
    if url:
        own["ANTHROPIC_BASE_URL"] = url
    return kept | own
