"""Results, from the service to the disk: whole and counted, or tried again for as long as they can be had."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from batchtui import unexpected
from batchtui.api.download import Download
from batchtui.domain.batch import BatchRecord, Tally
from batchtui.domain.errors import (
    BatchtuiError,
    IncompleteResults,
    InputError,
    LockBusy,
    NotFound,
    Rejected,
    StoreError,
)
from batchtui.domain.plan import Progress
from batchtui.memory import give_back
from batchtui.poller import fetch_delay, ripe
from batchtui.service import events
from batchtui.service.context import Context, Throttle
from batchtui.service.settling import Settler
from batchtui.store.history import INDEX, PART, RESULTS, lock
from batchtui.store.results import ResultSink, complete, open_results

replace = msgspec.structs.replace
_DOUBTS = 3
"""How often results that are only partly ours are fetched again before their batch is given back."""
OVERLAP = 64 * 1024
"""Bytes fetched twice when resuming, which must be equal to prove that it is the same file."""


class Fetcher:
    """Fetches results of ended batches, two at a time."""

    def __init__(self, context: Context, settler: Settler) -> None:
        self.context = context
        self.settler = settler
        self._slots = asyncio.Semaphore(2)
        self._under_way: dict[str, asyncio.Task[BatchRecord]] = {}
        self._whole_only: set[str] = set()
        """Batches whose partial results are of no use: the next fetch begins at the beginning."""
        self.brought: set[str] = set()
        """Batches whose results were stored by this program since it began."""
        self.next_try: dict[str, datetime] = {}
        """When to try again, for records that could not be written."""

    def due(self, now: datetime) -> list[BatchRecord]:
        """Ended batches of this profile whose results are not stored and whose time to be fetched has come."""
        return [
            r
            for r in self.context.history.all()
            if r.owed and r.id and self.context.mine(r) and not self.busy(r.local_id, now) and ripe(r.next_try_at, now)
        ]

    def busy(self, local_id: str, now: datetime) -> bool:
        """True while a batch's results are being fetched here, or wait for a time that is kept in memory only."""
        return local_id in self._under_way or not ripe(self.next_try.get(local_id), now)

    def begin(self, local_id: str) -> asyncio.Task[BatchRecord]:
        """Fetch in the background; a fetch that is under way is joined."""
        task = self._under_way.get(local_id)
        if task is None:
            task = asyncio.create_task(self._fetch(local_id), name=f"fetch-{local_id}")
            self._under_way[local_id] = task
            task.add_done_callback(lambda done: self._over(local_id, done))
        return task

    def _over(self, local_id: str, task: asyncio.Task[BatchRecord]) -> None:
        self._under_way.pop(local_id, None)
        if not task.cancelled():
            task.exception()

    async def fetch(self, local_id: str) -> BatchRecord:
        """A batch's results, stored, counted and indexed; raises what stood in the way."""
        return await asyncio.shield(self.begin(local_id))

    async def _fetch(self, local_id: str) -> BatchRecord:
        async with self._slots:
            record = self.context.history.get(local_id)
            if record is None:
                raise InputError(f"there is no batch {local_id}")
            if record.results == "stored":
                return record
            if record.id is None or record.status != "ended":
                raise InputError("this batch has no results yet", advice="wait until it has ended")
            busy = "its results are being fetched by another batchtui"
            try:
                with lock(self.context.history.folder(local_id) / ".fetch.lock", 0.05, busy):
                    return await self._locked_fetch(record)
            except LockBusy:
                self.next_try[local_id] = self.context.clock() + timedelta(seconds=5)
                raise

    async def _locked_fetch(self, record: BatchRecord) -> BatchRecord:
        try:
            tally = await asyncio.to_thread(self._here_already, record) or await self._download(record)
            stored = self._stored(record, tally)
            self.brought.add(record.local_id)
            await asyncio.to_thread(give_back, record.requests)
            return stored
        except BatchtuiError as error:
            self._failed(record, error)
            raise
        except Exception as error:
            # Without a time to try again on record the same download would begin anew every second.
            found = unexpected.note(error, "downloading results")
            ours = StoreError(f"downloading met an unexpected error: {found.title}", advice=unexpected.GOES_ON)
            self._failed(record, ours)
            raise ours from error
        finally:
            self.context.emit(events.Transfer(record.local_id, None))

    def _here_already(self, record: BatchRecord) -> Tally | None:
        """The tally of results that came whole before a kill, or a full disk, kept the record from saying so."""
        folder = self.context.history.folder(record.local_id)
        if not (folder / RESULTS).exists():
            return None
        held = open_results(folder, self.context.prices)
        held.close()
        return held.tally if complete(held.tally, record.counts.total or record.requests) else None

    async def _download(self, record: BatchRecord) -> Tally:
        if record.local_id not in self._whole_only:
            with contextlib.suppress(_NotProven):
                return await self._go_on(record)
        download = await self.context.gateway.results(record.id or "")
        try:
            sink = await self._sink(record, resume=False)
        except BaseException:
            await download.close()
            raise
        try:
            tally = await self._receive(record, download, sink, sink.write)
        except IncompleteResults as error:
            # Going on from there brings no more: all that follows was sent.
            if error.lines >= error.expected:
                self._whole_only.add(record.local_id)
            raise
        self._whole_only.discard(record.local_id)
        return tally

    async def _sink(self, record: BatchRecord, *, resume: bool) -> ResultSink:
        folder, expected = self.context.history.folder(record.local_id), record.counts.total or record.requests
        return await asyncio.to_thread(ResultSink, folder, expected=expected, prices=self.context.prices, resume=resume)

    async def _receive(
        self, record: BatchRecord, download: Download, sink: ResultSink, take: Callable[[bytes], None], start: int = 0
    ) -> Tally:
        loop, total = asyncio.get_running_loop(), start + (download.length or 0)

        def on_loop(progress: Progress) -> None:
            loop.call_soon_threadsafe(self.context.emit, events.Transfer(record.local_id, progress))

        tell = Throttle(on_loop)

        def took(piece: bytes) -> None:
            take(piece)
            tell(Progress("results", sink.bytes, total))

        try:
            await download.receive(took)
            return await asyncio.to_thread(sink.finish)
        except IncompleteResults:
            raise
        except BaseException:
            sink.abandon()
            raise
        finally:
            await download.close()

    async def _go_on(self, record: BatchRecord) -> Tally:
        """Take up a partial file where it ends; raises _NotProven until the service proved that it sends the same bytes on."""
        part = self.context.history.folder(record.local_id) / PART
        if not part.exists() or part.stat().st_size < OVERLAP:
            raise _NotProven
        sink = await self._sink(record, resume=True)
        start = max(0, sink.bytes - OVERLAP)
        proof = _Proof(sink.write)
        try:
            proof.wanted = await asyncio.to_thread(_slice, part, start, sink.bytes)
            download = await self.context.gateway.results(record.id or "", start=start)
            said = re.match(r"bytes (\d+)-", download.headers.get("content-range", ""))
            if download.status != 206 or not said or int(said.group(1)) != start:
                await download.close()
                raise _NotProven
            return await self._receive(record, download, sink, proof, start)
        except IncompleteResults as error:
            if not proof.given:
                raise _NotProven from error
            # What is held may not be the service's.
            self._whole_only.add(record.local_id)
            raise
        except (BatchtuiError, OSError) as error:
            if not proof.given:
                raise _NotProven from error
            raise
        finally:
            sink.abandon()

    def _failed(self, record: BatchRecord, error: BatchtuiError) -> None:
        """Put a failed fetch on record: what is partial is kept, and when to try again."""
        now = self.context.clock()

        def change(r: BatchRecord) -> BatchRecord:
            if r.results in ("stored", "gone"):
                return r
            over = r.archived_at is not None or (r.gone_at is not None and self.context.service_time(now) >= r.gone_at)
            if over and isinstance(error, NotFound | Rejected):
                kept = (
                    "; what came of them is kept" if (self.context.history.folder(r.local_id) / PART).exists() else ""
                )
                return replace(
                    r,
                    results="gone",
                    error=f"the service has thrown the results away (29 days are over){kept}",
                    next_try_at=None,
                )
            partial = (self.context.history.folder(r.local_id) / PART).exists()
            words = f"results: {error}"
            at = now + timedelta(seconds=fetch_delay(r.looks))
            return replace(r, results="partial" if partial else "none", error=words, looks=r.looks + 1, next_try_at=at)

        try:
            self.context.change(record.local_id, change)
        except BatchtuiError:
            # The disk that is full for results may be full for the record too; the retry time is then kept in memory only.
            self.next_try[record.local_id] = now + timedelta(seconds=30)
        if isinstance(error, StoreError) and not isinstance(error, IncompleteResults):
            self.context.trouble(error, record.local_id)

    def _stored(self, record: BatchRecord, tally: Tally) -> BatchRecord:
        if not record.verified and tally.unexpected:
            folder = self.context.history.folder(record.local_id)
            for name in (RESULTS, INDEX):
                (folder / name).unlink(missing_ok=True)
            if tally.unexpected * 2 <= tally.lines and record.looks < _DOUBTS:
                raise IncompleteResults(
                    f"{tally.unexpected:,} of {tally.lines:,} results have a custom_id that was not sent",
                    advice="they are fetched again before this batch is taken for another's",
                )
            return self.settler.disown(record)
        cost = None if tally.unpriced else tally.cost_usd
        return self.context.change(
            record.local_id,
            lambda r: replace(
                r,
                results="stored",
                tally=tally,
                cost_usd=cost,
                verified=True,
                error="",
                looks=0,
                next_try_at=None,
                requests=r.requests or tally.lines,
            ),
        )


def _slice(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)


class _NotProven(Exception):
    """A partial file can't be gone on with."""


class _Proof:
    """Hands bytes on once those ``wanted`` came first; raises _NotProven at the first that differ."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self.wanted = b""
        self.given = False

    def __call__(self, piece: bytes) -> None:
        if not self.given:
            same = min(len(piece), len(self.wanted))
            if piece[:same] != self.wanted[:same]:
                raise _NotProven
            self.wanted, piece = self.wanted[same:], piece[same:]
            self.given = not self.wanted
        if piece:
            self._take(piece)
