"""Opening stored results, of one batch or of a run merged."""

from __future__ import annotations

import threading

from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError
from batchtui.memory import give_back
from batchtui.service.context import Context
from batchtui.service.planning import Tell
from batchtui.store.history import PART, RESULTS
from batchtui.store.results import open_results
from batchtui.store.view import View


def run_records(context: Context, run: str) -> list[BatchRecord]:
    """All records of a run in the order of attempt and part."""
    return sorted((r for r in context.history.all() if r.run == run), key=lambda r: (r.attempt, r.part, r.local_id))


def open_view(context: Context, local_id: str, *, run: bool, progress: Tell, stop: threading.Event | None) -> View:
    """A batch's results, or its run's; a batch without stored results is left out of a run and refused alone."""
    record = context.history.resolve(local_id)
    records = run_records(context, record.run) if run else [record]
    here = [r for r in records if has_results(context, r)]
    if not here:
        raise InputError(f"there are no results of {record.local_id} here", advice=_why(record))
    if not run:
        opened = open_results(context.history.folder(record.local_id), context.prices, progress=progress, stop=stop)
        give_back(len(opened))
        return opened
    from batchtui.store.merge import open_run

    members = [(context.history.folder(r.local_id), r.attempt) for r in records if r in here or r.status != "refused"]
    return open_run(members, context.prices, progress=progress, stop=stop)


def has_results(context: Context, record: BatchRecord) -> bool:
    """True when there is something to read: stored results, or a part of them."""
    folder = context.history.folder(record.local_id)
    return (folder / RESULTS).exists() or (record.results in ("partial", "gone") and (folder / PART).exists())


def _why(record: BatchRecord) -> str:
    if record.status != "ended":
        return f"the batch is {record.status.replace('_', ' ')}"
    if record.results == "gone":
        return "the service threw them away 29 days after the batch was created"
    return "batchtui sync fetches them"
