"""Whether a batch and its results are still to be had: nothing is given up on one reply, and all of it can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from batchtui.domain.batch import BatchRecord, RemoteBatch
from batchtui.domain.schedule import fetch_delay, unknown_delay
from batchtui.service.sender import seen

if TYPE_CHECKING:
    from batchtui.service.context import Context

replace = msgspec.structs.replace
GONE_AFTER = timedelta(hours=24)
GONE_LOOKS = 4
"""Results count as gone after so many looks in a row over so long, by our own clock."""
UNKNOWN_AFTER = timedelta(minutes=2)
UNKNOWN_LOOKS = 3
"""A batch counts as unknown after so many looks in a row over so long, or past its expires_at: passing 404s are known."""
_COUNTED = 1_000
"""More looks are not counted: each would be a write to disk."""


def not_known(record: BatchRecord, now: datetime) -> BatchRecord:
    """A record after a look at which the API did not know its batch (404)."""
    if record.marked_gone is not None:
        return record
    looks = min(record.unknown_looks + 1, _COUNTED)
    since = record.unknown_since if record.unknown_since is not None and record.unknown_since <= now else now
    over = record.expires_at is not None and now >= record.expires_at
    sure = looks >= UNKNOWN_LOOKS and (over or now - since >= UNKNOWN_AFTER)
    at = record.unknown_at or (now if sure else None)
    words = f"the API does not know {record.id} (404, check {looks})"
    if at is not None and record.doubtful_id:
        return _without_id(record, now)
    if at is not None:
        words += (
            ": it may have been deleted, or the key is for another workspace; "
            f"if it is gone: batchtui adopt {record.local_id} --gone"
        )
    return replace(
        record,
        unknown_looks=looks,
        unknown_since=since,
        unknown_at=at,
        error=words,
        next_try_at=now + timedelta(seconds=unknown_delay(looks)),
    )


def _without_id(record: BatchRecord, now: datetime) -> BatchRecord:
    """A record whose id only the create's reply ever named, and the API does not know: its batch is looked for.

    The id is not ruled out: should the list name it after all, it is the one.
    """
    return replace(
        record,
        id=None,
        id_seen=True,
        status="unconfirmed",
        results="none",
        counts=type(record.counts)(),
        created_at=None,
        expires_at=None,
        ended_at=None,
        cancel_initiated_at=None,
        archived_at=None,
        # The reply came then, so the batch was created before.
        lost_at=record.seen_at or now,
        seen_at=None,
        looks=0,
        unproven=0,
        unknown_looks=0,
        unknown_since=None,
        unknown_at=None,
        gone_looks=0,
        gone_since=None,
        next_try_at=now,
        error=f"the API does not know {record.id}, which only the reply to the create named; checking the list of batches",
    )


def known(record: BatchRecord, remote: RemoteBatch, context: Context) -> BatchRecord:
    """A record after the API told of its batch: doubts about it, and a mark as gone, are over."""
    if not record.id_seen:
        record = replace(record, id_seen=True)
    if record.marked_gone is not None:
        record = replace(
            record, status=record.marked_gone, marked_gone=None, results="none", error="", next_try_at=None
        )
    elif record.results == "gone" and remote.archived_at is None and remote.has_results:
        record = replace(record, results="none", gone_looks=0, gone_since=None, error="", looks=0, next_try_at=None)
    if record.unknown_looks:
        record = replace(
            record, unknown_looks=0, unknown_since=None, unknown_at=None, error="", looks=0, next_try_at=None
        )
    return seen(record, remote, context)


def update_record(context: Context, record: BatchRecord, remote: RemoteBatch) -> None:
    """Take over what the API just told of a record's batch."""
    if known(record, remote, context) != record:
        context.change(record.local_id, lambda r: known(r, remote, context) if r.id == remote.id else r)


def notice(context: Context, told: Iterable[RemoteBatch]) -> None:
    """See whether a list names batches of ours that were given up as gone or not known, or that only a create named."""
    doubtful = {
        r.id: r for r in context.history.all() if r.id and (r.results == "gone" or r.unknown_looks or not r.id_seen)
    }
    for remote in told if doubtful else ():
        record = doubtful.get(remote.id)
        if record is not None and context.mine(record):
            update_record(context, record, remote)


def refused_results(
    record: BatchRecord, now: datetime, service_now: datetime, words: str, *, partial: bool
) -> BatchRecord:
    """A record after its results were refused (404 or 400): tried again, or gone.

    Gone are results that the API calls archived, or that are older than it keeps them by its clock and by ours, when
    enough looks over a day agree on it.
    """
    if record.results == "gone":
        return record
    aged = record.gone_at is not None and min(now, service_now) >= record.gone_at
    later = replace(
        record,
        results="partial" if partial else "none",
        error=record.error if record.unknown_at is not None else words,
        looks=record.looks + 1,
        next_try_at=now + timedelta(seconds=fetch_delay(record.looks)),
    )
    if not aged and record.archived_at is None:
        return replace(later, gone_looks=0, gone_since=None)
    since = record.gone_since if record.gone_since is not None and record.gone_since <= now else now
    looks = record.gone_looks + 1
    if looks < GONE_LOOKS or now - since < GONE_AFTER:
        return replace(later, gone_looks=looks, gone_since=since)
    kept = "; what was downloaded of them is kept" if partial else ""
    return replace(
        later,
        results="gone",
        error=f"the API keeps results for 29 days and no longer has them ({looks} checks since {since:%Y-%m-%d %H:%M} UTC)"
        f"{kept}; batchtui fetch {record.local_id} tries again",
        gone_looks=looks,
        gone_since=since,
        next_try_at=None,
    )


def mark_gone(record: BatchRecord) -> BatchRecord:
    """A record whose batch the person says is gone; undone when the API knows it again."""
    if not record.unknown:
        return record
    return replace(
        record,
        marked_gone=record.status,
        status="ended",
        results="gone",
        error="marked as gone: the API does not know it any more; retry sends its requests as a new batch",
        next_try_at=None,
        told=True,
    )
