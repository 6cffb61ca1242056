"""Opens downloaded results, of one batch or of a run merged."""

from __future__ import annotations

import contextlib
import threading

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.memory import give_back
from batchtui.results.storage import open_results
from batchtui.results.view import ResultSet, View
from batchtui.service.context import Context
from batchtui.service.events import Tell
from batchtui.store.records import PART, RESULTS


def run_records(context: Context, run: str) -> list[BatchRecord]:
    """All records of a run in the order of attempt and part."""
    return sorted((r for r in context.history.all() if r.run == run), key=lambda r: (r.attempt, r.part, r.local_id))


def open_view(context: Context, local_id: str, *, run: bool, progress: Tell, stop: threading.Event | None) -> View:
    """A batch's results, or its run's, where what was not sent or has not ended is a request that waits."""
    record = context.history.resolve(local_id)
    records = run_records(context, record.run) if run else [record]
    if not any(has_results(context, r) or (run and r.status == "refused") for r in records):
        raise InputError(f"no results of {record.local_id} are downloaded", advice=_why(record))
    if not run:
        opened = open_results(context.history.folder(record.local_id), context.prices, progress=progress, stop=stop)
        give_back(len(opened))
        _agree(context, record, opened)
        return opened
    from batchtui.results.run_view import open_run

    members = [(context.history.folder(r.local_id), r.attempt) for r in records]
    merged = open_run(members, context.prices, progress=progress, stop=stop)
    by_name = {r.local_id: r for r in records}
    for member in merged.members:
        _agree(context, by_name[member.folder.name], member)
    return merged


def _agree(context: Context, record: BatchRecord, opened: ResultSet) -> None:
    """Have the record say what its results cost now: prices may have changed since they were stored."""
    tally = opened.tally
    if record.results != "stored" or opened.partial or tally == record.tally:
        return
    cost = None if tally.unpriced else tally.cost_usd
    with contextlib.suppress(BatchtuiError):
        context.change(
            record.local_id,
            lambda r: msgspec.structs.replace(r, tally=tally, cost_usd=cost) if r.results == "stored" else r,
        )


def has_results(context: Context, record: BatchRecord) -> bool:
    """True when there is something to read: stored results, or a part of them."""
    folder = context.history.folder(record.local_id)
    return (folder / RESULTS).exists() or (record.results in ("partial", "gone") and (folder / PART).exists())


def _why(record: BatchRecord) -> str:
    if record.status != "ended":
        return f"the batch is {record.status.replace('_', ' ')}"
    if record.results == "gone":
        return "the API deleted them 29 days after the batch was created"
    return "batchtui sync downloads them"
