"""While the screen is open: the pauses of its event loop, and the bytes it sends to the terminal."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from bench import data
from bench.measure import Sample, environment, work
from bench.rows import PYTHON, Bench, Line
from bench.rows_start import APP
from bench.serving import calls, scratch, server
from bench.terminal import Terminal

PHASES = ("upload", "fetch", "index", "search")


def _lag(bench: Bench, folder: Path) -> dict[str, float]:
    """The worst pause of the screen's event loop in each phase, in milliseconds."""
    results, requests = data.results(bench.count), data.requests(bench.count)
    at_server = folder / "server"
    batch = work("bench.prepare:ended_at_server", data=str(at_server), results=str(results)).told
    with server(at_server, duration=3_600.0) as url:
        env, own = environment(folder, url), str(folder / "data")
        made = work(
            "bench.prepare:results_due",
            env=env,
            data=own,
            batch_id=batch["id"],
            counts=batch["counts"],
            requests=str(requests),
            wait=3_600.0,
        )
        told = folder / "lag.json"
        given = {"data": own, "local_id": made.told["local_id"], "source": str(requests), "told": str(told)}
        argv = [PYTHON, "-m", "bench.lagging", json.dumps({**given, "text": data.NEEDLE})]
        with Terminal(argv, env) as shown:
            shown.until(b"lag measured", limit=300)
            found = json.loads(told.read_bytes())
            return {**found, "peak": shown.peak}


def lag(bench: Bench) -> list[Line]:
    """The worst pause of the event loop while much goes on beside it."""
    rounds = []
    for _ in range(bench.rounds):
        with scratch("lag") as folder:
            rounds.append(_lag(bench, folder))
    lines = []
    for phase in PHASES:
        values = tuple(found[phase] for found in rounds)
        peak = max(found["peak"] for found in rounds)
        what = f"event-loop lag during {phase}, the worst pause of all rounds"
        lines.append(Line(what, max(values), "ms", target=50.0, peak=peak, rounds=values))
    return lines


def _unchanged(bench: Bench, found: dict[str, Sample]) -> None:
    """Ten running batches that do not change, really looked at."""
    with scratch("unchanged") as folder:
        ids = work("bench.prepare:running_at_server", data=str(folder / "server"), count=10, minutes=1).told["ids"]
        with server(folder / "server") as url:
            env = environment(folder, url)
            work("bench.prepare:running_records", env=env, data=str(folder / "data"), ids=ids, minutes=1.5)
            with Terminal(APP, env) as shown:
                shown.until(b"nightly-")
                shown.settle(1.0)
                before = calls(url).get("list", 0)
                sent = shown.run(bench.idle)
                looks = calls(url).get("list", 0) - before
                found["unchanged"] = Sample(sent, shown.peak, {"looks": looks})


def _changing(bench: Bench, found: dict[str, Sample]) -> None:
    """200 batches of which 20 that are seen change every 5 s."""
    with scratch("changing") as folder:
        env, own = environment(folder, "http://127.0.0.1:9"), str(folder / "data")
        ids = [f"msgbatch_01elsewhere{number:08}" for number in range(200)]
        away = environment(folder, "http://192.0.2.1")
        work("bench.prepare:running_records", env=away, data=own, ids=ids, requests=5_000, minutes=30)
        with Terminal(APP, env) as shown:
            shown.until(b"nightly-")
            shown.settle(1.0)
            given = {"data": own, "count": 20, "every": 5.0, "seconds": bench.idle}
            stirring = threading.Thread(target=lambda: work("bench.prepare:stir", env=away, **given), daemon=True)
            stirring.start()
            found["changing"] = Sample(shown.run(bench.idle), shown.peak)
            stirring.join(30)


def _htop(bench: Bench, found: dict[str, Sample]) -> None:
    with scratch("htop") as folder, Terminal(["htop"], environment(folder)) as shown:
        shown.settle(0.5, 2.0)
        found["htop"] = Sample(shown.run(bench.idle), shown.peak)


def wire(bench: Bench) -> list[Line]:
    """Bytes to the terminal in a minute; counted at the same time, since counting takes no time from anyone."""
    found: dict[str, Sample] = {}
    watched = [_unchanged, _changing] + ([_htop] if bench.has("htop") else [])
    threads = [threading.Thread(target=each, args=(bench, found)) for each in watched]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = []
    htop = found.get("htop")
    span = f"{bench.idle:.0f} s"
    still, moving = found["unchanged"], found["changing"]
    looks = int(still.told["looks"])
    note = f"{still.value:,.0f} B in {span}, {looks} looks"
    per_look = still.value / max(1, looks)
    lines.append(
        Line(
            "bytes to the terminal a look, 10 running batches", per_look, "B", target=300.0, peak=still.peak, note=note
        )
    )
    what = f"bytes to the terminal in {span}, 20 of 200 rows change every 5 s"
    limit = 20_000 * bench.idle / 60
    lines.append(Line(what, moving.value, "B", target=limit, peak=moving.peak))
    for name, sample in (("10 running batches", still), ("20 of 200 rows change", moving)):
        lines.append(
            Line(
                f"bytes to the terminal in {span}, {name}",
                sample.value,
                "B",
                "htop",
                htop.value if htop else None,
                peak=sample.peak,
                peer_peak=htop.peak if htop else 0.0,
                note="" if htop else "peer not on this machine",
            )
        )
    return lines
