"""To the service and back: submit, fetch, and the look at many batches."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import data
from bench.measure import Sample, command, environment, in_turn, work
from bench.rows import Bench, Line, beside
from bench.serving import scratch, server

CREATE, RESULTS, RETRIEVE = "SDK batches.create", "SDK batches.results loop", "SDK retrieve calls"
RAW = "httpx2 to a file, no more"
HEADERS = ["-H", "x-api-key: demo-key", "-H", "anthropic-version: 2026-10-21"]


def fresh(run: Callable[[Path, str], Sample]) -> Sample:
    """Run against a server of its own: what the last batch left behind disturbs no other."""
    with scratch("submit") as folder, server(folder / "server", duration=3_600.0) as url:
        return run(folder, url)


def submit_ours(source: Path) -> Sample:
    """One submit."""
    return fresh(
        lambda folder, url: work(
            "bench.ours:submit", env=environment(folder, url), source=str(source), data=str(folder / "data")
        )
    )


def _curl_upload(body: Path) -> Sample:
    def run(folder: Path, url: str) -> Sample:
        argv = ["curl", "-sS", "-f", "-X", "POST", "-T", str(body), "-H", "Expect:", *HEADERS]
        return command([*argv, "-H", "content-type: application/json", f"{url}/v1/messages/batches"])

    return fresh(run)


def submit(bench: Bench) -> list[Line]:
    """Send a batch as large as one may be."""
    source = data.requests(bench.count)
    body = data.body(source)
    works: dict[str, Callable[[], Sample]] = {"ours": lambda: submit_ours(source)}
    if bench.has("curl"):
        works["curl -T"] = lambda: _curl_upload(body)
    works[CREATE] = lambda: fresh(
        lambda folder, url: work("bench.peers:sdk_create", env=environment(folder, url), source=str(source))
    )
    found = in_turn(bench.rounds, works)
    ours = found.pop("ours")
    what = f"submit {data.megabytes(source):.0f} MB to the demo server"
    lines = beside(what, ours, found, [("curl -T", 1.5), (CREATE, 0.05)])
    sdk = found[CREATE]
    if curl := found.get("curl -T"):
        lines[1] = replace(lines[1], note=f"curl itself takes {curl.value / sdk.value:.3f} of it")
    memory = Line("peak memory of that", ours.peak, "MB", CREATE, sdk.peak, 0.05, ours.peak, sdk.peak)
    return [*lines, memory]


def fetch_ours(folder: Path, url: str, batch: dict[str, object], requests: Path, turn: int) -> Sample:
    """One fetch into a data folder of its own."""
    env, own = environment(folder, url), str(folder / f"data-{turn}")
    made = work(
        "bench.prepare:results_due",
        env=env,
        data=own,
        batch_id=batch["id"],
        counts=batch["counts"],
        requests=str(requests),
    )
    return away(Path(own), lambda: work("bench.ours:fetch", env=env, data=own, local_id=made.told["local_id"]))


def away(written: Path, run: Callable[[], Sample]) -> Sample:
    """Run what writes a file or folder, then remove it: all write what was not there, with as much memory free."""
    try:
        return run()
    finally:
        if written.is_dir():
            shutil.rmtree(written)
        else:
            written.unlink(missing_ok=True)


def fetch(bench: Bench) -> list[Line]:
    """Fetch results, count and index them."""
    results, requests = data.results(bench.count), data.requests(bench.count)
    turns = iter(range(1_000))
    with scratch("fetch") as folder:
        at_server = str(folder / "server")
        batch = dict(work("bench.prepare:ended_at_server", data=at_server, results=str(results)).told)
        with server(folder / "server") as url:
            env = environment(folder, url)
            path = f"{url}/v1/messages/batches/{batch['id']}/results"
            works = {"ours": lambda: fetch_ours(folder, url, batch, requests, next(turns))}
            if bench.has("curl"):
                dest = folder / "curl.jsonl"
                argv = ["curl", "-sS", "-f", "-o", str(dest), *HEADERS, path]
                works["curl -o"] = lambda: away(dest, lambda: command(argv))
            works[RESULTS] = lambda: work("bench.peers:sdk_results", env=env, batch_id=batch["id"])
            raw = folder / "raw.jsonl"
            works[RAW] = lambda: away(raw, lambda: work("bench.peers:raw_results", env=env, url=path, dest=str(raw)))
            found = in_turn(bench.rounds, works)
    what = f"fetch and index {bench.count:,} results, {data.megabytes(results):.0f} MB"
    return beside(what, found.pop("ours"), found, [("curl -o", 2.0), (RESULTS, 0.15), (RAW, None)])


def look(bench: Bench) -> list[Line]:
    """One look at many active batches."""
    count = bench.scaled(1_000)
    with scratch("look") as folder:
        told = work("bench.prepare:running_at_server", data=str(folder / "server"), count=count)
        ids = list(told.told["ids"])
        with server(folder / "server") as url:
            env, own = environment(folder, url), str(folder / "data")
            work("bench.prepare:running_records", env=env, data=own, ids=ids)
            # The first look takes over the service's times into every record; after it nothing changes.
            work("bench.ours:look", env=env, data=own, count=count)
            found = in_turn(
                bench.rounds,
                {
                    "ours": lambda: work("bench.ours:look", env=env, data=own, count=count),
                    RETRIEVE: lambda: work("bench.peers:sdk_retrieves", env=env, ids=ids),
                },
            )
    return beside(f"one look at {count:,} active batches", found.pop("ours"), found, [(RETRIEVE, 0.1)])
