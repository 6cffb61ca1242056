"""Before a verb reads results: a look at the API, and the download of what has ended."""

from __future__ import annotations

from collections.abc import Sequence

from batchtui.cli.output import say
from batchtui.cli.session import Session
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, IncompleteResults, ServiceError
from batchtui.present import batch
from batchtui.service import Service


def downloaded(session: Session, service: Service, record: BatchRecord, *, run: bool) -> list[BatchRecord]:
    """The batch, or all of its run, with what has ended downloaded.  Raises as ``download`` does."""
    records = service.run_of(record) if run else [record]
    if any(r.active or r.results_due for r in records):
        session.run(lambda: download(service, records), service)
        return [service.resolve(r.local_id) for r in records]
    return records


def download_due(session: Session, service: Service, records: Sequence[BatchRecord]) -> None:
    """Download the results of those that have ended and are not here.  Raises as ``download`` does."""
    due = [r for r in records if r.results_due and r.id]
    if due:
        session.run(lambda: download(service, due), service)


def download_ended(session: Session, service: Service, records: Sequence[BatchRecord]) -> None:
    """Ask after those in progress, and after nothing else, and download the results of those that have ended.

    Nothing that waits is sent; what can't be had now is said.
    """
    if any(r.active or (r.results_due and r.id) for r in records):
        try:
            session.run(lambda: _download_ended(service, records), service)
        except BatchtuiError as error:
            say(f"warning: {error}", error.advice)


def download_joined(session: Session, service: Service, firsts: Sequence[BatchRecord]) -> None:
    """The same for runs whose columns stand beside others; those without results are said."""
    download_ended(session, service, [record for first in firsts for record in service.run_of(first)])
    for first in firsts:
        if not any(r.results in ("stored", "partial") or r.have for r in service.run_of(first)):
            say(f"warning: no results of {batch.name(first)} are downloaded: its columns are empty")


async def download(service: Service, records: Sequence[BatchRecord]) -> None:
    """Look, and fetch what has ended; a batch that is still running is an error of its own only when it is the only one."""
    await look(service, records)
    await _fetch_ended(service, records)
    if len(records) == 1:
        fresh = service.resolve(records[0].local_id)
        if fresh.status != "ended":
            raise no_results_yet(fresh)


async def _download_ended(service: Service, records: Sequence[BatchRecord]) -> None:
    for record in records:
        if record.active and record.id:
            await service.ask_after(record.local_id)
    await _fetch_ended(service, records)


async def _fetch_ended(service: Service, records: Sequence[BatchRecord]) -> None:
    for record in records:
        fresh = service.resolve(record.local_id)
        if fresh.results_due and fresh.id:
            try:
                await service.fetch(fresh.local_id)
            except IncompleteResults as error:
                if not service.resolve(fresh.local_id).have:
                    raise
                # What is here can be had; what lacks is said and counts in the exit code.
                say(f"warning: {fresh.local_id}: {error}", error.advice)


async def look(service: Service, records: Sequence[BatchRecord]) -> None:
    """Check with the API how those in progress stand; raises ServiceError when it can't be reached."""
    if any(r.active for r in records):
        state = await service.refresh()
        if state.blind_since is not None:
            raise ServiceError(state.error, advice=state.advice)


def no_results_yet(record: BatchRecord) -> ServiceError:
    """What is wrong when the results of a batch that has not ended are asked for."""
    return ServiceError(
        f"{batch.full_name(record)} has no results yet: it is {batch.status(record)}",
        advice=f"batchtui watch {record.local_id} follows it until it ends",
    )
