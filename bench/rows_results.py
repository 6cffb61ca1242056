"""With the results here: open, page, search, export."""

from __future__ import annotations

import importlib.util
import os
import statistics
from collections.abc import Callable
from pathlib import Path

from bench import data
from bench.measure import Figure, Sample, command, environment, figure, in_turn, work
from bench.rows import Bench, Line, beside
from bench.rows_start import APP, BARE, paint
from bench.serving import scratch
from bench.terminal import Terminal

PAGE_DOWN, END, FIRST, ENTER = b"\x1b[6~", b"G", b"g", b"\r"
PAGES = 4
"""Pages down from the top; a list of 100 has no more."""
ROW = b"req-0"


def stored(folder: Path, count: int) -> tuple[str, str]:
    """A data folder in ``folder`` with stored and indexed results; the folder and the batch's local id."""
    own = str(folder / "data")
    told = work(
        "bench.prepare:stored",
        env=environment(folder),
        data=own,
        requests=str(data.requests(count)),
        results=str(data.results(count)),
    )
    return own, str(told.told["local_id"])


def _opened(folder: Path) -> Sample:
    """Seconds from Enter on home to the first rows of the results."""
    with Terminal(APP, environment(folder, "http://127.0.0.1:9")) as shown:
        shown.until(b"nightly-")
        shown.settle()
        pressed = shown.press(ENTER)
        return Sample(shown.until(ROW) - pressed, shown.peak)


def open_(bench: Bench) -> list[Line]:
    """Open results to the first rows, the index there."""
    with scratch("open") as folder:
        stored(folder, bench.count)
        found = in_turn(
            bench.rounds * 2,
            {
                "a bare Textual app": lambda: paint(BARE, folder, b"bare app"),
                "ours": lambda: _opened(folder),
            },
        )
    what = f"open {bench.count:,} results to the first rows"
    return beside(
        what, found.pop("ours"), found, [("a bare Textual app", 1.2)], "Enter to rows; the app's start to paint"
    )


def _paged(folder: Path) -> tuple[Sample, Sample]:
    """Seconds of a page down and of a jump to the end."""
    pages, jumps = [], []
    with Terminal(APP, environment(folder, "http://127.0.0.1:9")) as shown:
        shown.until(b"nightly-")
        shown.settle()
        shown.press(ENTER)
        shown.until(ROW)
        shown.settle()
        for _ in range(6):
            pages += [shown.answer(PAGE_DOWN) for _ in range(PAGES)]
            jumps.append(shown.answer(END))
            shown.answer(FIRST)
        return Sample(statistics.median(pages), shown.peak), Sample(statistics.median(jumps), shown.peak)


def page(bench: Bench) -> list[Line]:
    """Page down and jump to the end, in many results and in 100."""
    found: dict[str, list[tuple[Sample, Sample]]] = {"many": [], "few": []}
    with scratch("page") as folder:
        stored(folder / "many", bench.count)
        stored(folder / "few", 100)
        for _ in range(bench.rounds):
            for name, samples in found.items():
                samples.append(_paged(folder / name))
    lines = []
    for number, what in enumerate(("page down", "jump to the end")):
        many, few = (figure([pair[number] for pair in found[name]]) for name in ("many", "few"))
        peers = {"the same with 100 results": few}
        lines += beside(f"{what} in {bench.count:,} results", many, peers, [("the same with 100 results", 1.2)])
    return lines


def search(bench: Bench) -> list[Line]:
    """Find a text in the answers."""
    results = data.results(bench.count)
    with scratch("search") as folder:
        own, local_id = stored(folder, bench.count)
        env = environment(folder)
        given = {"data": own, "local_id": local_id, "text": data.NEEDLE}
        works: dict[str, Callable[[], Sample]] = {
            "ours": lambda: work("bench.ours:search", env=env, **given),
            "any case": lambda: work("bench.ours:search", env=env, **given, case=False),
        }
        for program, flags in (("rg", ["-F", "-c"]), ("grep", ["-c", "-F"])):
            if bench.has(program):
                argv = [program, *flags, data.NEEDLE, str(results)]
                works[" ".join(argv[:3])] = lambda argv=argv: command(argv, env=env)  # type: ignore[misc]
                works[" ".join([*argv[:3], "-i"])] = lambda argv=argv: command([*argv, "-i"], env=env)  # type: ignore[misc]
        found = in_turn(bench.rounds, works)
    what = f"substring search over {data.megabytes(results):.0f} MB"
    note = f"{found['ours'].told['found']} found"
    exact: Figure = found["ours"]
    return [
        *beside(what, exact, found, [("rg -F -c", 3.0), ("grep -c -F", 1.2)], note),
        *beside(f"{what}, any case", found["any case"], found, [("rg -F -c -i", None), ("grep -c -F -i", None)]),
    ]


def export(bench: Bench) -> list[Line]:
    """All results as CSV."""
    with scratch("export") as folder:
        own, local_id = stored(folder, bench.count)
        env = environment(folder)
        found = in_turn(
            bench.rounds,
            {
                "json + csv loop": lambda: work(
                    "bench.peers:export_loop",
                    env=env,
                    results=str(data.results(bench.count)),
                    dest=str(folder / "peer.csv"),
                ),
                "ours": lambda: work(
                    "bench.ours:export", env=env, data=own, local_id=local_id, dest=str(folder / "ours.csv")
                ),
            },
        )
    return beside(f"export {bench.count:,} to CSV", found.pop("ours"), found, [("json + csv loop", 0.7)])


def fields(bench: Bench) -> list[Line]:
    """The fields of JSON answers, read, checked and counted."""
    lines: list[Line] = []
    env = environment(data.DATA)
    for long in (False, True):
        folder = data.answers(bench.count, long=long)
        results = str(folder / "results.jsonl")
        works: dict[str, Callable[[], Sample]] = {
            "ours": lambda folder=folder: work("bench.ours:fields", env=env, folder=str(folder)),
            "checked": lambda folder=folder: work(
                "bench.ours:checked_fields", env=env, folder=str(data.adopted(folder)), schema=data.ANSWER_SCHEMA
            ),
            "index": lambda folder=folder: work("bench.ours:checked_index", env=env, folder=str(folder)),
            "pause": lambda folder=folder: work("bench.ours:fields_beside_a_loop", env=env, folder=str(folder)),
            "count": lambda folder=folder: work("bench.ours:counted", env=env, folder=str(folder)),
            "json.loads loop": lambda results=results: work("bench.peers:answers_loop", env=env, results=results),
        }
        if importlib.util.find_spec("duckdb") is not None:
            for name, threads in (("DuckDB read_json", os.cpu_count() or 1), ("DuckDB read_json, one core", 1)):
                works[name] = lambda results=results, threads=threads: work(  # type: ignore[misc]
                    "bench.peers:duckdb_fields", env=env, results=results, threads=threads
                )
        else:
            bench.missing.add("duckdb")
        found = in_turn(bench.rounds, works)
        what = f"fields of {bench.count:,} JSON answers, {data.megabytes(folder / 'results.jsonl'):.0f} MB"
        peers = [("json.loads loop", 0.6), ("DuckDB read_json", 1.0), ("DuckDB read_json, one core", 1.0)]
        lines += beside(what, found["ours"], found, peers)
        lines += beside(f"{what}, each checked", found["checked"], found, [("json.loads loop", 0.8)])
        indexed = f"index of the same {bench.count:,}, each checked as they are fetched"
        lines += beside(indexed, found["index"], found, [("json.loads loop", 0.8)])
        both = found["ours"].peak + found["ours"].told["second"]
        lines.append(Line(f"memory of {what}, both processes", both, "MB", target=150))
        lines.append(Line(f"a loop's worst pause beside {what}", 1_000 * found["pause"].value, "ms", target=50))
        lines.append(Line(f"count a field, {what}", 1_000 * found["count"].value, "ms", target=50))
    return lines


TABLE = {
    "count": ("count a field", 50),
    "cross": ("cross two fields", 50),
    "numbers": ("quartiles and histogram of a field", 50),
    "filter": ("filter by two fields", 100),
    "sort": ("sort by a field", 100),
    "score": ("score a field against a column", None),
    "compare": ("compare a field of two runs, with gold", None),
}
"""What is done with fields once they are read, and how many milliseconds it may take where that is bounded."""


def table(bench: Bench) -> list[Line]:
    """Count, cross, filter, sort, score and compare by fields that are read, beside pandas over a frame that is there."""
    lines: list[Line] = []
    env = environment(data.DATA)
    folder, other = data.answers(bench.count), data.answers(bench.count, seed=14)
    pandas = importlib.util.find_spec("pandas") is not None
    if not pandas:
        bench.missing.add("pandas")
    for what, (done, most) in TABLE.items():
        works: dict[str, Callable[[], Sample]] = {
            "ours": lambda what=what: work("bench.ours:table", env=env, folder=str(folder), what=what, other=str(other))
        }
        if pandas:
            given = {"results": str(folder / "results.jsonl"), "other": str(other / "results.jsonl")}
            works["pandas"] = lambda what=what, given=given: work(
                "bench.peers:pandas_table", env=env, what=what, **given
            )
        found = in_turn(bench.rounds, works)
        words = f"{done}, {bench.count:,} rows"
        lines.append(Line(words, 1_000 * found["ours"].value, "ms", target=most))
        lines += beside(f"{words}, beside", found["ours"], found, [("pandas", None)])
    return lines
