"""Pieces of work as batchtui does them; each runs in a process of its own and returns its seconds."""

from __future__ import annotations

import asyncio
import resource
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from batchtui.intake.options import IntakeOptions
from batchtui.service import Service


def plan(sources: list[str], data: str, keep: bool, template: str = "") -> dict[str, Any]:
    """Check and plan; with ``keep`` the requests are staged as they will be sent."""

    import_module("batchtui.intake.plan")  # Imports are a row of their own, for the peer too.
    service = Service(Path(data))
    options = IntakeOptions(template=Path(template) if template else None)
    began = time.perf_counter()
    made = service.plan(sources, options, keep=keep)
    seconds = time.perf_counter() - began
    if not made.ok:
        raise SystemExit(f"the plan is not sound: {made.problems[:3]}")
    service.discard(made)
    marks = [part.fingerprint for part in made.parts]
    return {"seconds": seconds, "requests": made.requests, "bytes": made.bytes, "fingerprints": marks}


def submit(source: str, data: str) -> dict[str, Any]:
    """Send a planned batch: the time is from the yes to the id on disk."""

    async def send() -> float:
        await service.gateway.ready()
        began = time.perf_counter()
        records = await service.submit(made)
        seconds = time.perf_counter() - began
        if any(record.status != "in_progress" for record in records):
            raise SystemExit(f"not sent: {records[0].status}: {records[0].error}")
        await service.close()
        return seconds

    service = Service(Path(data))
    made = service.plan([source], IntakeOptions(), keep=True)
    return {"seconds": asyncio.run(send()), "bytes": made.bytes}


def fetch(data: str, local_id: str) -> dict[str, Any]:
    """Fetch results, store, count and index them."""

    async def bring() -> float:
        await service.gateway.ready()
        began = time.perf_counter()
        record = await service.fetch(local_id)
        seconds = time.perf_counter() - began
        if record.results != "stored":
            raise SystemExit(f"not stored: {record.error}")
        await service.close()
        return seconds

    service = Service(Path(data))
    service.records()
    return {"seconds": asyncio.run(bring())}


def look(data: str, count: int) -> dict[str, Any]:
    """One look at all active batches."""

    async def once() -> float:
        await service.gateway.ready()
        service.context.reread()
        began = time.perf_counter()
        state = await service.refresh()
        seconds = time.perf_counter() - began
        if state.blind_since is not None:
            raise SystemExit(state.error)
        await service.close()
        return seconds

    service = Service(Path(data))
    if sum(record.active for record in service.records()) != count:
        raise SystemExit("not all of them are active")
    return {"seconds": asyncio.run(once())}


def open_(data: str, local_id: str) -> dict[str, Any]:
    """Open stored results through their index and read the first rows."""

    service = Service(Path(data))
    service.records()
    began = time.perf_counter()
    view = service.open_results(local_id)
    for number in range(min(40, len(view))):
        view.row(number)
        view.first_words(number)
    return {"seconds": time.perf_counter() - began, "rows": len(view)}


def search(data: str, local_id: str, text: str, case: bool = True) -> dict[str, Any]:
    """Find a text in all answers."""
    from batchtui.results.filter import parse_filter
    from batchtui.results.search import select

    view = Service(Path(data)).open_results(local_id)
    wanted = parse_filter(f'"{text}"', case=case)
    began = time.perf_counter()
    found = select(view, wanted)
    return {"seconds": time.perf_counter() - began, "found": len(found)}


def export(data: str, local_id: str, dest: str) -> dict[str, Any]:
    """Write all results as CSV."""
    service = Service(Path(data))
    view = service.open_results(local_id)
    began = time.perf_counter()
    rows = service.export(view, None, "csv", Path(dest))
    return {"seconds": time.perf_counter() - began, "rows": rows}


def fields(folder: str) -> dict[str, Any]:
    """Read the fields of indexed results and keep them; ``second`` is the second process's peak in MB, at most."""
    from batchtui.domain.money import load_prices
    from batchtui.results.fields import view_fields
    from batchtui.results.storage import open_results

    view = open_results(Path(folder), load_prices())
    (Path(folder) / "results.fields").unlink(missing_ok=True)
    began = time.perf_counter()
    found = view_fields(view)
    seconds = time.perf_counter() - began
    second = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    return {"seconds": seconds, "fields": len(found.names), "second": second}


def checked_fields(folder: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The same, and every answer checked by a schema in the same pass, as ``results --schema`` does."""
    from batchtui.domain.money import load_prices
    from batchtui.results.answer_check import Schema
    from batchtui.results.fields import check_answers, view_fields
    from batchtui.results.storage import open_results

    view = open_results(Path(folder), load_prices())
    (Path(folder) / "results.fields").unlink(missing_ok=True)
    import_module("jsonschema_rs")
    began = time.perf_counter()
    check_answers(view, Schema(schema))
    found = view_fields(view)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "fields": len(found.names), "invalid": view.tally.invalid}


def checked_index(folder: str) -> dict[str, Any]:
    """Index results whose requests are indexed, every answer checked by its own request's schema, as a fetch does."""
    from batchtui.domain.money import load_prices
    from batchtui.results.storage import index_requests, open_results

    results, away = Path(folder) / "results.jsonl", Path(folder) / "away.jsonl"
    (Path(folder) / "results.index").unlink(missing_ok=True)
    results.rename(away)
    index_requests(Path(folder), load_prices())
    away.rename(results)
    import_module("jsonschema_rs")
    began = time.perf_counter()
    view = open_results(Path(folder), load_prices())
    seconds = time.perf_counter() - began
    if not view.asked.checks:
        raise SystemExit("nothing was checked")
    return {"seconds": seconds, "invalid": view.tally.invalid}


def counted(folder: str) -> dict[str, Any]:
    """Count the values of a field, the fields there."""
    from batchtui.domain.money import load_prices
    from batchtui.results.column_counts import count
    from batchtui.results.names import names_of
    from batchtui.results.storage import open_results

    view = open_results(Path(folder), load_prices())
    names = names_of(view)
    names.column(names.resolve("sentiment"))
    began = time.perf_counter()
    counts = count(view, names, "sentiment")
    return {"seconds": time.perf_counter() - began, "values": len(counts.groups)}


def fields_beside_a_loop(folder: str) -> dict[str, Any]:
    """The worst pause of an event loop while fields are read in a thread beside it, in seconds."""
    from batchtui.domain.money import load_prices
    from batchtui.results.fields import view_fields
    from batchtui.results.storage import open_results

    view = open_results(Path(folder), load_prices())
    (Path(folder) / "results.fields").unlink(missing_ok=True)

    async def watch() -> float:
        worst, reading = 0.0, asyncio.create_task(asyncio.to_thread(view_fields, view))
        while not reading.done():
            asked = time.perf_counter()
            await asyncio.sleep(0.005)
            worst = max(worst, time.perf_counter() - asked - 0.005)
        await reading
        return worst

    return {"seconds": asyncio.run(watch())}


def table(folder: str, what: str, other: str) -> dict[str, Any]:
    """Count a field, cross it, filter or sort by it, score it or compare it with that of a run of the same rows, its
    fields read; the best of five, in seconds."""
    from batchtui.domain.money import load_prices
    from batchtui.results.column_counts import count
    from batchtui.results.field_scores import compare_field, score_field
    from batchtui.results.filter import parse_filter, sort
    from batchtui.results.gold import gold_column
    from batchtui.results.names import names_of
    from batchtui.results.search import select
    from batchtui.results.storage import open_results

    view = open_results(Path(folder), load_prices())
    names = names_of(view)
    beside = open_results(Path(other), load_prices()) if what == "compare" else view
    both = names, names_of(beside)
    field = names.resolve("sentiment"), both[1].resolve("sentiment")
    gold = gold_column(names, names.resolve("gold"))
    works: dict[str, Any] = {
        "count": lambda: count(view, names, "sentiment"),
        "cross": lambda: count(view, names, "sentiment", "urgency"),
        "numbers": lambda: count(view, names, "urgency"),
        "filter": lambda: select(view, parse_filter("urgency>3 sentiment:negative")),
        "sort": lambda: sort(view, range(len(view)), "answer.urgency"),
        "score": lambda: score_field(view, names, field[0], gold),
        "compare": lambda: compare_field((view, beside), both, field, gold),
    }
    for name in ("sentiment", "urgency"):
        names.column(names.resolve(name))
    return {"seconds": min(_timed(works[what]) for _ in range(5)), "rows": len(view)}


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
