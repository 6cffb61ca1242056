"""Results, from the API to the disk: whole and counted, or tried again for as long as they can be had."""

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
from batchtui.domain.batch import BatchRecord, RemoteBatch, Tally
from batchtui.domain.errors import (
    BatchtuiError,
    IncompleteResults,
    InputError,
    LockBusy,
    NotFound,
    Rejected,
    StoreError,
)
from batchtui.domain.schedule import fetch_delay, ripe
from batchtui.domain.work import Progress, Work
from batchtui.memory import give_back
from batchtui.results.storage import ResultSink, held_in, keep_better, take_short
from batchtui.service import events, presence
from batchtui.service.context import Context
from batchtui.service.fetch_slots import Slots
from batchtui.service.reconcile import Reconciler
from batchtui.store.records import INDEX, NEWER, PART, RESULTS, lock

replace = msgspec.structs.replace
_DOUBTS = 3
"""Downloads in a row that hold mostly another batch's results before an adopted batch is given back."""
_ANY_SIZE, _A_RESULT = 256_000_000, 8_000_000
"""Bytes that results may have, whatever they are, and for each request more."""
MISSING_AFTER = timedelta(hours=6)
MISSING_LOOKS = 8
"""Results that do not come count as missing after so many whole downloads over so long."""
OVERLAP = 64 * 1024
"""Bytes fetched twice when resuming, which must be equal to prove that it is the same file."""


class Fetcher:
    """Fetches results of ended batches, two at a time beside those that all but stand still."""

    def __init__(self, context: Context, reconciler: Reconciler) -> None:
        self.context = context
        self.reconciler = reconciler
        self._slots = Slots()
        self._received: dict[str, int] = {}
        """Bytes that came in the downloads in progress."""
        self._under_way: dict[str, asyncio.Task[BatchRecord]] = {}
        self._whole_only: set[str] = set()
        """Batches whose partial results are of no use: the next fetch begins at the beginning."""
        self.fetched: set[str] = set()
        """Batches whose results were stored by this program since it began."""
        self.next_try: dict[str, datetime] = {}
        """When to try again, for records that could not be written."""

    def due(self, now: datetime) -> list[BatchRecord]:
        """Ended batches of this profile whose results are not stored and whose time to be fetched has come."""
        return [
            r
            for r in self.context.history.all()
            if r.results_due
            and r.id
            and self.context.mine(r)
            and not self.busy(r.local_id, now)
            and ripe(r.next_try_at, now)
        ]

    def busy(self, local_id: str, now: datetime) -> bool:
        """True while a batch's results are being fetched here, or wait for a time that is kept in memory only."""
        return local_id in self._under_way or not ripe(self.next_try.get(local_id), now)

    def begin(self, local_id: str, *, again: bool = False) -> asyncio.Task[BatchRecord]:
        """Fetch in the background; a fetch that is under way is joined.

        ``again`` downloads what is stored, or gone, once more: it replaces what is here only when it holds more.
        """
        task = self._under_way.get(local_id)
        if task is None:
            task = asyncio.create_task(self._fetch(local_id, again), name=f"fetch-{local_id}")
            self._under_way[local_id] = task
            task.add_done_callback(lambda done: self._over(local_id, done))
        return task

    def _over(self, local_id: str, task: asyncio.Task[BatchRecord]) -> None:
        self._under_way.pop(local_id, None)
        self._received.pop(local_id, None)
        if not task.cancelled():
            task.exception()

    async def fetch(self, local_id: str, *, again: bool = False) -> BatchRecord:
        """A batch's results, stored, counted and indexed; raises what stood in the way.  ``again`` as in ``begin``."""
        return await asyncio.shield(self.begin(local_id, again=again))

    async def _fetch(self, local_id: str, again: bool) -> BatchRecord:
        async with self._slots.held(lambda: self._received.get(local_id, 0)):
            record = self.context.history.get(local_id)
            if record is None:
                raise InputError(f"there is no batch {local_id}")
            if record.results == "stored" and not again:
                return record
            if record.id is None or record.status != "ended":
                raise InputError("this batch has no results yet", advice="wait until it has ended")
            busy = "its results are being downloaded by another batchtui"
            try:
                with lock(self.context.history.folder(local_id) / ".fetch.lock", 0.05, busy):
                    return await self._locked_fetch(record, again)
            except LockBusy:
                self.next_try[local_id] = self.context.clock() + timedelta(seconds=5)
                raise

    async def _locked_fetch(self, record: BatchRecord, again: bool) -> BatchRecord:
        try:
            tally = await self._fetched(record, again)
            stored = self._stored(record, tally)
            self.fetched.add(record.local_id)
            await asyncio.to_thread(give_back, record.requests)
            return stored
        except IncompleteResults as error:
            short = await asyncio.to_thread(self._short, record, error)
            if short is None:
                raise
            return short
        except (NotFound, Rejected) as error:
            self._not_there(record, error, await self._asked_after(record))
            raise
        except BatchtuiError as error:
            self._failed(record, error)
            raise
        except Exception as error:
            # Without a time to try again on record the same download would begin anew every second.
            found = unexpected.note(error, "downloading results")
            ours = StoreError(f"unexpected error while downloading: {found.title}", advice=unexpected.GOES_ON)
            self._failed(record, ours)
            raise ours from error
        finally:
            self.context.emit(events.Transfer(record.local_id, None))

    async def _fetched(self, record: BatchRecord, again: bool) -> Tally:
        """The tally of whole results, downloaded unless they are here already; raises IncompleteResults."""
        folder = self.context.history.folder(record.local_id)
        # A kill may have come between a download and the comparison with what was here.
        await asyncio.to_thread(keep_better, folder, self.context.prices)
        here = None if again else await asyncio.to_thread(self._here_already, record)
        return here or await self._download(record)

    def _here_already(self, record: BatchRecord) -> Tally | None:
        """The tally of results that came whole before a kill, or a full disk, kept the record from saying so."""
        folder = self.context.history.folder(record.local_id)
        held = held_in(folder, RESULTS, self.context.prices)
        if held is None or not held.whole(record.sent_or_counted):
            return None
        return take_short(folder, self.context.prices)

    async def _download(self, record: BatchRecord) -> Tally:
        folder = self.context.history.folder(record.local_id)
        stored = (folder / RESULTS).exists()
        # What a second download lacks as well is not after the end of the first.
        if record.local_id not in self._whole_only and not stored and record.short_looks < 2:
            with contextlib.suppress(_NotProven):
                return await self._go_on(record)
        download = await self.context.gateway.results(record.id or "")
        # What was received once is not written over before what comes now is known to be more.
        beside = stored or (folder / PART).exists()
        try:
            sink = await self._sink(record, beside=beside)
        except BaseException:
            await download.close()
            raise
        try:
            tally = await self._receive(record, download, sink, sink.write)
        except IncompleteResults as error:
            # Going on from there brings no more: all that follows was sent.
            if not error.torn and error.lines >= error.expected:
                self._whole_only.add(record.local_id)
            raise
        finally:
            if beside:
                await asyncio.to_thread(keep_better, folder, self.context.prices)
        self._whole_only.discard(record.local_id)
        return tally

    async def _sink(self, record: BatchRecord, *, resume: bool = False, beside: bool = False) -> ResultSink:
        return await asyncio.to_thread(
            ResultSink,
            self.context.history.folder(record.local_id),
            expected=record.sent_or_counted,
            prices=self.context.prices,
            resume=resume,
            beside=beside,
        )

    async def _receive(
        self, record: BatchRecord, download: Download, sink: ResultSink, take: Callable[[bytes], None], start: int = 0
    ) -> Tally:
        loop, total = asyncio.get_running_loop(), start + (download.length or 0)

        def on_loop(progress: Progress) -> None:
            loop.call_soon_threadsafe(self.context.emit, events.Transfer(record.local_id, progress))

        work = Work(on_loop)

        def took(piece: bytes) -> None:
            self._received[record.local_id] = self._received.get(record.local_id, 0) + len(piece)
            take(piece)
            work.tell("results", sink.bytes, total)

        try:
            await download.receive(took, _ANY_SIZE + _A_RESULT * record.requests if record.requests else None)
            return await asyncio.to_thread(sink.finish)
        except IncompleteResults:
            raise
        except BaseException:
            sink.abandon()
            raise
        finally:
            await download.close()

    async def _go_on(self, record: BatchRecord) -> Tally:
        """Take up a partial file where it ends; raises _NotProven until the API proved that it sends the same bytes on."""
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
            # What is held may not be the API's.
            self._whole_only.add(record.local_id)
            raise
        except (BatchtuiError, OSError) as error:
            if not proof.given:
                raise _NotProven from error
            raise
        finally:
            sink.abandon()

    async def _asked_after(self, record: BatchRecord) -> RemoteBatch | NotFound | None:
        """What the API says of a batch whose results it refused; None when it can't be asked."""
        try:
            return await self.context.gateway.retrieve(record.id or "")
        except NotFound as error:
            return error
        except BatchtuiError:
            return None

    def _not_there(self, record: BatchRecord, error: BatchtuiError, told: RemoteBatch | NotFound | None) -> None:
        """Put on record that the results were refused; they are gone only once looks over a day agree on it."""
        now = self.context.clock()
        service_now = self.context.service_time(now)

        def change(r: BatchRecord) -> BatchRecord:
            if r.results == "stored" or r.id != record.id:
                return r
            if isinstance(told, NotFound):
                r = r if r.results == "gone" else presence.not_known(r, now)
                if r.id is None:
                    return r
            elif told is not None:
                r = presence.known(r, told, self.context)
            return presence.refused_results(r, now, service_now, f"results: {error}", partial=self._partial(r))

        self._put_on_record(record, change, now)

    def _partial(self, record: BatchRecord) -> bool:
        return (self.context.history.folder(record.local_id) / PART).exists()

    def _failed(self, record: BatchRecord, error: BatchtuiError) -> None:
        """Put a failed fetch on record: what is partial is kept, and when to try again."""
        now = self.context.clock()

        def change(r: BatchRecord) -> BatchRecord:
            if r.results in ("stored", "gone"):
                return r
            at = now + timedelta(seconds=fetch_delay(r.looks))
            results = "partial" if self._partial(r) else "none"
            return replace(r, results=results, error=f"results: {error}", looks=r.looks + 1, next_try_at=at)

        self._put_on_record(record, change, now)
        if isinstance(error, StoreError) and not isinstance(error, IncompleteResults):
            self.context.trouble(error, record.local_id)

    def _put_on_record(
        self, record: BatchRecord, change: Callable[[BatchRecord], BatchRecord], now: datetime
    ) -> BatchRecord | None:
        try:
            return self.context.change(record.local_id, change)
        except BatchtuiError:
            # The disk that is full for results may be full for the record too; the retry time is then kept in memory only.
            self.next_try[record.local_id] = now + timedelta(seconds=30)
            return None

    def _short(self, record: BatchRecord, error: IncompleteResults) -> BatchRecord | None:
        """Put a download that lacks results on record; the record when that settles it, None when the error is to be told.

        What lacks is downloaded again over hours before it counts as missing, and an adopted batch is given back only when
        several downloads held mostly results of another.
        """
        now, folder = self.context.clock(), self.context.history.folder(record.local_id)
        held = held_in(folder, RESULTS, self.context.prices) or held_in(folder, PART, self.context.prices)
        have = held.ours if held is not None else 0
        foreign = error.strangers * 2 > error.lines
        fresh = self.context.history.get(record.local_id) or record
        if fresh.results == "stored":
            return self._not_better(fresh, error, have)
        if foreign and not record.verified and fresh.short_looks + 1 >= _DOUBTS:
            for name in (RESULTS, INDEX, PART, NEWER):
                (folder / name).unlink(missing_ok=True)
            return self.reconciler.disown(record)

        def change(r: BatchRecord) -> BatchRecord:
            since = r.short_since if r.short_since is not None and r.short_since <= now else now
            at = now + timedelta(seconds=fetch_delay(r.looks))
            return replace(
                r,
                results="partial",
                have=have,
                short_looks=r.short_looks + (not error.torn),
                short_since=since,
                gone_looks=0,
                gone_since=None,
                error=f"results: {error}",
                looks=r.looks + 1,
                next_try_at=at,
            )

        after = self._put_on_record(record, change, now)
        if after is None or foreign or error.torn or after.short_since is None:
            return None
        if after.short_looks < MISSING_LOOKS or now - after.short_since < MISSING_AFTER:
            return None
        tally = take_short(folder, self.context.prices)
        words = (
            f"{tally.missing:,} of {after.sent_or_counted:,} results are missing: {after.short_looks} downloads since "
            f"{after.short_since:%Y-%m-%d %H:%M} UTC did not contain them; batchtui fetch {after.local_id} downloads again"
        )
        return self._stored(after, tally, words if tally.missing else "")

    def _not_better(self, record: BatchRecord, error: IncompleteResults, have: int) -> BatchRecord | None:
        """After a download again of stored results: the record when it holds more now, None when what is here stays."""
        before = record.tally
        if before is None or have <= record.requests - before.missing - before.unreadable:
            error.advice = "the results downloaded before were kept"
            return None
        return self._stored(
            record, take_short(self.context.history.folder(record.local_id), self.context.prices), record.error
        )

    def _stored(self, record: BatchRecord, tally: Tally, words: str = "") -> BatchRecord:
        cost = None if tally.unpriced else tally.cost_usd
        return self.context.change(
            record.local_id,
            lambda r: replace(
                r,
                results="stored",
                tally=tally,
                cost_usd=cost,
                verified=True,
                error=words,
                looks=0,
                next_try_at=None,
                have=0,
                short_looks=0,
                short_since=None,
                gone_looks=0,
                gone_since=None,
                unknown_looks=0,
                unknown_since=None,
                unknown_at=None,
                marked_gone=None,
                id_seen=True,
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
