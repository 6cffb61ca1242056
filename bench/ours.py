"""Pieces of work as batchtui does them; each runs in a process of its own and returns its seconds."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from batchtui.intake.options import IntakeOptions
from batchtui.service import Service


def plan(sources: list[str], data: str, keep: bool, template: str = "") -> dict[str, Any]:
    """Check and plan; with ``keep`` the requests are staged as they will be sent."""

    service = Service(Path(data))
    options = IntakeOptions(template=Path(template) if template else None)
    if template:
        pass
    began = time.perf_counter()
    made = service.plan(sources, options, keep=keep)
    seconds = time.perf_counter() - began
    if not made.ok:
        raise SystemExit(f"the plan is not sound: {made.problems[:3]}")
    service.discard(made)
    return {"seconds": seconds, "requests": made.requests, "bytes": made.bytes}


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
