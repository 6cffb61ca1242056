"""Chooses the requests of a retry: never what has a usable answer by now, and never what is in progress."""

from __future__ import annotations

import contextlib
import threading
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError, StoreError
from batchtui.domain.outcome import MISSING, SUCCEEDED, UNREADABLE, WAITING
from batchtui.domain.plan import Plan
from batchtui.results.requests_again import choose, difference, write_requests
from batchtui.results.row_ids import lines_again
from batchtui.results.run_view import RunView, open_run
from batchtui.results.storage import open_results
from batchtui.service.context import Context
from batchtui.service.events import Selection, Tell
from batchtui.service.reading import run_records
from batchtui.service.reconcile import RESEND_AFTER
from batchtui.store import files

_NOT_HERE = frozenset({WAITING, MISSING, UNREADABLE})


def _chosen(context: Context, records: Sequence[BatchRecord], chosen: Selection) -> tuple[RunView, array[int]]:
    """The run merged, and its rows to send again."""
    run = run_records(context, records[0].run)
    view = open_run([(context.history.folder(r.local_id), r.attempt) for r in run], context.prices)
    under_way = _ids(context, [r for r in run if r.active]) | _expected(context, [r for r in run if r.results_due])
    picked = {r.local_id for r in records}
    among = None if picked >= {r.local_id for r in run if not r.active} else _ids(context, records)
    if chosen.custom_ids is not None:
        rows = choose(view, custom_ids=chosen.custom_ids)
    else:
        rows = choose(view, chosen.only)
        if chosen.only == Selection().only:
            over = [r for r in records if r.status == "refused" or r.results == "gone"]
            rows = array("I", sorted({*rows, *_never_sent(context, view, over)}))
    keep = (row for row in rows if (name := view.id(row)) not in under_way and (among is None or name in among))
    return view, array("I", keep)


def _never_sent(context: Context, view: RunView, over: Sequence[BatchRecord]) -> array[int]:
    """Rows of batches that were refused, or whose results are gone, that no other batch of the run has an outcome for."""
    names = _ids(context, over)
    if not names:
        return array("I")
    waiting = set(choose_waiting(view))
    return array("I", (row for row in choose(view, custom_ids=names) if row in waiting))


def choose_waiting(view: RunView) -> array[int]:
    """Rows without any outcome."""
    return array("I", (row for row in range(len(view)) if view.row(row).outcome in ("waiting", "missing")))


def _expected(context: Context, records: Sequence[BatchRecord]) -> set[str]:
    """Requests of ended batches whose results are still downloaded again: to send them now could pay twice."""
    found: set[str] = set()
    for record in records:
        # A batch made elsewhere has no requests here, and nothing of it may have come yet.
        with contextlib.suppress(StoreError):
            opened = open_results(context.history.folder(record.local_id), context.prices)
            found.update(opened.id(row) for row, outcome in enumerate(opened.columns.outcome) if outcome in _NOT_HERE)
            opened.close()
    return found


def _ids(context: Context, records: Sequence[BatchRecord]) -> set[str]:
    found: set[str] = set()
    for record in records:
        opened = open_results(context.history.folder(record.local_id), context.prices)
        found.update(opened.ids())
        opened.close()
    return found


def write_source(
    context: Context,
    records: Sequence[BatchRecord],
    chosen: Selection,
    changes: Mapping[str, str],
    path: Path,
    progress: Tell,
    stop: threading.Event | None,
) -> dict[str, int]:
    """Write the requests to send again as JSONL; the batches they were in, and how many failed ones of each.

    Raises InputError when there are none.
    """
    if len({r.betas for r in records}) > 1:
        raise InputError("these batches were sent with different betas", advice="retry them one at a time")
    view, rows = _chosen(context, records, chosen)
    try:
        written = write_requests(view, rows, path, changes, progress=progress, stop=stop)
        holders = dict.fromkeys((view.members[member].folder.name for member in view.holders(rows)), 0)
        failed = Counter(view.place(row)[0] for row in rows if view.column("outcome")[row] != SUCCEEDED)
        holders |= {view.members[member].folder.name: count for member, count in failed.items()}
    finally:
        view.close()
    if written.requests:
        return holders
    if written.without:
        raise InputError(
            "the requests of this batch are not here: it was made elsewhere", advice="submit its source instead"
        )
    if any(r.results_due for r in records):
        raise InputError(
            "there is nothing to retry yet: the results of this batch are not all downloaded",
            advice="batchtui fetch downloads them again; what stays missing can be retried after some hours",
        )
    raise InputError(
        "there is nothing to retry", advice="every request has an answer, or is under way again; see --only"
    )


def carry_ids(context: Context, plan: Plan, run: str) -> Plan:
    """The plan of a run's retry with what the run's first batches know of the rows that its requests were made from.

    Its custom_ids were made here when all those of the batches that its requests were in were.
    """
    assert plan.staging is not None
    if not plan.ok:  # Of what can't be sent nothing is staged.
        return plan
    records = run_records(context, run)
    first = [r for r in records if r.attempt == 0 and r.ids_kept]
    kept = [context.history.folder(r.local_id) for r in first]
    again = [r for r in records if r.local_id in plan.retry_of]
    made = bool(again) and all(r.ids_made for r in again)
    parts = []
    for number, part in enumerate(plan.parts, 1):
        dest = plan.staging / f"ids-{number:03}.jsonl"
        assert part.path is not None
        with files.atomic(dest) as out:
            out.writelines(lines_again(part.path, kept))
        parts.append(msgspec.structs.replace(part, ids_path=dest, ids_made=made))
    return msgspec.structs.replace(plan, parts=tuple(parts))


def lately_lost(context: Context, records: Sequence[BatchRecord]) -> list[str]:
    """A warning for each batch that went out a short while ago: a list that lags longer than that would hide it."""
    return [line for record in records for line in _lately_lost(context, record)]


def _lately_lost(context: Context, record: BatchRecord) -> list[str]:
    # The API's own no is another matter than no answer.
    unclear = record.status == "refused" and record.posted and not record.answer_status and not record.given_up
    if not unclear or record.lost_at is None:
        return []
    safer = record.lost_at + timedelta(seconds=RESEND_AFTER * context.config.settle.seconds)
    if not record.lost_at <= context.clock() < safer:
        return []
    return [
        f"{record.local_id} went out at {record.lost_at:%H:%M} UTC. If the list of batches lags, it may have been "
        f"created all the same, and a retry would be paid twice. To be safer, retry after {safer:%H:%M} UTC."
    ]


def notes(context: Context, records: Sequence[BatchRecord], chosen: Selection, changes: Mapping[str, str]) -> list[str]:
    """What should be known before sending again: groups that sending again won't help, and what the changes change."""
    view, rows = _chosen(context, records, chosen)
    try:
        lines = [f"warning: {line}" for line in lately_lost(context, records)]
        if not changes:
            for group in view.groups(rows):
                # What waits among the rows was never sent: its batch was refused.
                if not group.retry_helps and group.kind != "waiting":
                    text = safetext.line(group.title, 160)
                    lines.append(
                        f"warning: {group.count:,} × {text}: sending it again as it is won't help; {group.advice}"
                    )
        expected = len(_expected(context, [r for r in records if r.results_due]))
        if expected:
            lines.append(f"{expected:,} requests whose results are still downloaded again are not sent")
        raw = view.request_raw(rows[0]) if len(rows) and changes else None
        if raw is not None:
            lines += [safetext.line(line, 200) for line in difference(raw, changes)]
        return lines
    finally:
        view.close()
