"""``python -m bench``: measures, prints one table, writes it as JSON.  See README.md here."""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import batchtui
from bench import data, readme, rows_intake, rows_results, rows_screen, rows_start, rows_transfer
from bench.rows import Bench, Line
from bench.show import table

ROWS: dict[str, Callable[[Bench], list[Line]]] = {
    "help": rows_start.help_,
    "paint": rows_start.first_paint,
    "keys": rows_start.keys,
    "check": rows_intake.check,
    "template": rows_intake.template,
    "run": rows_intake.run,
    "submit": rows_transfer.submit,
    "fetch": rows_transfer.fetch,
    "open": rows_results.open_,
    "page": rows_results.page,
    "search": rows_results.search,
    "export": rows_results.export,
    "fields": rows_results.fields,
    "table": rows_results.table,
    "look": rows_transfer.look,
    "lag": rows_screen.lag,
    "wire": rows_screen.wire,
    "list": rows_start.list_,
}
LAST = Path(__file__).parent / "last.json"


def machine(bench: Bench) -> dict[str, Any]:
    """What it ran on."""
    from importlib.metadata import version

    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "cpu": model or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("textual", "anthropic", "msgspec")},
        "load": [round(value, 2) for value in os.getloadavg()],
        "requests": bench.count,
        "rounds": bench.rounds,
    }


def measure(bench: Bench, names: list[str]) -> tuple[list[Line], dict[str, str]]:
    """All rows asked for; one that fails stops no other."""
    lines: list[Line] = []
    failed: dict[str, str] = {}
    for name in names:
        began = time.monotonic()
        sys.stderr.write(f"{name} … ")
        sys.stderr.flush()
        try:
            lines += ROWS[name](bench)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
            sys.stderr.write(traceback.format_exc())
        sys.stderr.write(f"{time.monotonic() - began:.0f} s\n")
    return lines, failed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", nargs="*", choices=list(ROWS), help="only these rows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", choices=("quick", "full"), default="full", help="quick: a tenth, for trying")
    parser.add_argument("--idle-seconds", type=float, default=60.0, help="how long bytes to the terminal are counted")
    parser.add_argument("--growth", action="store_true", help="1,000, 10,000, 100,000 requests in place of the rows")
    parser.add_argument("--million", action="store_true", help="a run of a million requests in place of the rows")
    parser.add_argument("--requests", type=int, default=1_000_000, help="how many --million sends")
    parser.add_argument("--clean", action="store_true", help="throw the made data away and end")
    return parser.parse_args()


def main() -> int:
    """Measure what is asked for; 1 when something could not be measured."""
    given = _arguments()
    if given.clean:
        shutil.rmtree(data.OUT, ignore_errors=True)
        return 0
    # As pip does when it installs; what is imported is not to be compiled anew at each start.
    for folder in (Path(batchtui.__file__).parent, Path(__file__).parent):
        if not compileall.compile_dir(folder, quiet=2):
            sys.stderr.write(f"{folder} can't be compiled beforehand: starting will look slower than it is\n")
    bench = Bench(10_000 if given.size == "quick" else 100_000, given.rounds, given.idle_seconds)
    told: dict[str, Any] = {"machine": machine(bench)}
    began = time.monotonic()
    if given.growth:
        from bench.growth import growth

        kind, told["growth"] = "growth", growth(bench)
    elif given.million:
        from bench.million import million

        kind, told["million"] = "million", million(given.requests)
    else:
        kind = "table"
        lines, told["failed"] = measure(bench, given.rows or list(ROWS))
        told["missing"] = sorted(bench.missing)
        told["rows"] = [{**asdict(line), "ratio": line.ratio, "met": line.met} for line in lines]
        sys.stdout.write(table(lines) + "\n")
        for name in told["missing"]:
            sys.stdout.write(f"not on this machine: {name}\n")
    told["seconds"] = round(time.monotonic() - began, 1)
    sys.stdout.write(f"{told['seconds']:.0f} s in all\n")
    _keep(kind, told, whole=not given.rows and given.size == "full" and given.requests == 1_000_000)
    return 1 if told.get("failed") else 0


def _keep(kind: str, told: dict[str, Any], *, whole: bool) -> None:
    """Write what was measured; a whole measurement goes into last.json and README.md beside the other kinds' last."""
    data.OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, indent=1, ensure_ascii=False)
    (data.OUT / f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json").write_text(text + "\n", encoding="utf-8")
    if whole:
        last = json.loads(LAST.read_text(encoding="utf-8")) if LAST.exists() else {}
        last[kind] = told
        LAST.write_text(json.dumps(last, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        readme.update(last)


if __name__ == "__main__":
    sys.exit(main())
