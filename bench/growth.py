"""The same work at 1,000, 10,000 and 100,000 requests: time should grow with the size, memory should not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from bench import data
from bench.measure import Figure, Sample, environment, in_turn, work
from bench.rows import Bench
from bench.rows_results import stored
from bench.rows_transfer import fetch_ours, submit_ours
from bench.serving import scratch, server
from bench.show import aligned, amount

COUNTS = (1_000, 10_000, 100_000)


def growth(bench: Bench) -> list[dict[str, Any]]:
    """Measure and print the table."""
    found: dict[str, dict[int, Figure]] = {}
    for count in COUNTS:
        sys.stderr.write(f"{count:,} … ")
        sys.stderr.flush()
        for name, figure in _all(bench, count).items():
            found.setdefault(name, {})[count] = figure
    sys.stderr.write("\n")
    told = [
        {"work": name, "requests": count, "seconds": figure.value, "peak_mb": figure.peak, "rounds": figure.rounds}
        for name, figures in found.items()
        for count, figure in figures.items()
    ]
    sys.stdout.write(table(told) + "\n")
    return told


def _all(bench: Bench, count: int) -> dict[str, Figure]:
    requests, results = data.requests(count), data.results(count)
    with scratch("growth") as folder:
        own, local_id = stored(folder, count)
        env = environment(folder)
        given = {"data": own, "local_id": local_id}
        found = in_turn(
            bench.rounds,
            {
                "check": lambda: work("bench.ours:plan", env=env, sources=[str(requests)], data=own, keep=True),
                "submit": lambda: submit_ours(requests),
                "open": lambda: work("bench.ours:open_", env=env, **given),
                "search": lambda: work("bench.ours:search", env=env, text=data.NEEDLE, **given),
            },
        )
    found["fetch"] = _fetch(bench, requests, results)
    return found


def _fetch(bench: Bench, requests: Path, results: Path) -> Figure:
    turns = iter(range(1_000))
    with scratch("growth-fetch") as folder:
        batch = dict(work("bench.prepare:ended_at_server", data=str(folder / "server"), results=str(results)).told)
        with server(folder / "server") as url:

            def once() -> Sample:
                return fetch_ours(folder, url, batch, requests, next(turns))

            return in_turn(bench.rounds, {"fetch": once})["fetch"]


def table(told: list[dict[str, Any]]) -> str:
    """What ``growth`` told, as a table."""
    header = ["work"]
    for count in COUNTS:
        header += [f"{count:,}", "a request", "peak MB"]
    rows: dict[str, list[str]] = {}
    for each in told:
        cells = rows.setdefault(each["work"], [each["work"]])
        a_request = each["seconds"] / each["requests"] * 1e6
        cells += [amount(each["seconds"], "s"), f"{a_request:.1f} µs", f"{each['peak_mb']:.0f}"]
    return aligned([header, *rows.values()])
