"""Parts on record, each sent exactly once.

One part after the other is sent under the send lock: intent on disk, create, id on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from batchtui import safetext
from batchtui.domain.batch import BatchRecord, RemoteBatch, Status
from batchtui.domain.errors import (
    BatchtuiError,
    InputError,
    LockBusy,
    NoKey,
    NoNetwork,
    RateLimited,
    SpendLimit,
    StoreError,
    Unconfirmed,
    WrongKey,
)
from batchtui.domain.plan import Progress
from batchtui.poller import ripe
from batchtui.service import events
from batchtui.service.committing import Committer
from batchtui.service.context import Context, Throttle
from batchtui.store import files
from batchtui.store.history import REQUESTS, lock
from batchtui.store.results import index_requests

replace = msgspec.structs.replace
_RETRIES = 5
_INDEX_FROM = 10_000
"""Requests from which on indexing them ahead saves a wait when the results come."""
_STEPS: tuple[Status, ...] = ("in_progress", "canceling", "ended")


class Sender:
    """Sends what waits."""

    def __init__(self, context: Context, committer: Committer) -> None:
        self.context = context
        self.committer = committer
        self._one_at_a_time = asyncio.Lock()
        self.hold: dict[str, datetime] = {}
        """When to try again, for records whose intent could not be written."""

    def lock_path(self) -> Path:
        """One submit of a data folder at a time per profile sends."""
        return self.context.data / f"sending-{safetext.filename(self.context.profile.name)}.lock"

    @contextlib.asynccontextmanager
    async def sending(self, timeout: float) -> AsyncIterator[None]:
        """Hold the send lock against other tasks and other programs; raises StoreError when it is taken too long."""
        busy = "another batchtui is sending batches of this profile"
        until = time.monotonic() + timeout
        while self._one_at_a_time.locked():
            if time.monotonic() >= until:
                raise LockBusy("batches of this profile are being sent", advice="wait until they are sent")
            await asyncio.sleep(0.05)
        async with self._one_at_a_time:
            await asyncio.to_thread(files.make_private_dir, self.context.data)
            with contextlib.ExitStack() as held:
                # Asked again and again: a thread that waits for a lock could not be canceled, and would take it later.
                while True:
                    try:
                        held.enter_context(lock(self.lock_path(), 0.0, busy))
                        break
                    except LockBusy:
                        if time.monotonic() >= until:
                            raise
                    await asyncio.sleep(0.05)
                yield

    async def recover(self) -> None:
        """Finish what a kill interrupted: records not yet made, and creates whose answer nobody waits for any more."""
        try:
            async with self.sending(timeout=0.1):
                await asyncio.to_thread(self.committer.unpack_all)
                self._find_lost()
        except LockBusy:
            return

    def _stranded(self) -> list[BatchRecord]:
        """Records that were being sent; while the send lock is held here, nobody waits for their answers any more."""
        return [
            r for r in self.context.history.all() if r.status == "submitting" and not r.waiting and self.context.mine(r)
        ]

    def _find_lost(self) -> None:
        for record in self._stranded():
            self._lost(record, "batchtui was ended, or could not write, while it was being sent")

    def _lost(self, record: BatchRecord, why: str) -> BatchRecord:
        now = self.context.clock()
        return self.context.change(
            record.local_id,
            lambda r: (
                replace(r, status="unconfirmed", lost_at=now, error=why, looks=0, next_try_at=now)
                if r.status == "submitting"
                else r
            ),
        )

    def room(self) -> int | None:
        """Requests that the processing queue has room for; None without a limit."""
        limit = self.context.profile.queue_limit or self.context.config.limits.queue
        if not limit:
            return None
        busy = [
            r for r in self.context.history.all() if self.context.mine(r) and r.active and not (r.waiting or r.unknown)
        ]
        return limit if not busy else max(0, limit - sum(r.requests for r in busy))

    async def send_waiting(self, *, timeout: float = 0.1) -> None:
        """Send the parts that wait, oldest first, as far as the queue has room; raises StoreError when another program sends."""
        if not self._stranded() and not any(r.waiting and self.context.mine(r) for r in self.context.history.all()):
            return
        async with self.sending(timeout):
            self._find_lost()
            now = self.context.clock()
            waiting = [r for r in self.context.history.all() if r.waiting and self.context.mine(r)]
            for record in sorted(waiting, key=lambda r: (r.run, r.attempt, r.part)):
                room = self.room()
                if (
                    room is not None
                    and record.requests > room
                    and room != (self.context.profile.queue_limit or self.context.config.limits.queue)
                ):
                    break
                if not ripe(record.next_try_at, now) or not ripe(self.hold.get(record.local_id), now):
                    continue
                fresh = self.context.history.get(record.local_id)
                if fresh is not None and fresh.waiting:
                    await self._send(fresh)

    async def _send(self, record: BatchRecord) -> None:
        """Send one part, once; every way it can end is put on record."""
        for tries in range(_RETRIES):
            try:
                return await self._send_once(record)
            except (NoKey, WrongKey, SpendLimit) as error:
                self._refuse_run(record, error)
                return
            except RateLimited as error:
                wait = error.retry_after if error.retry_after is not None else 2.0**tries
                if tries + 1 == _RETRIES or wait > 30:
                    self._wait_longer(record, str(error), wait)
                    return
                self._wait_longer(record, str(error), wait)
                await asyncio.sleep(wait)
            except NoNetwork as error:
                if tries + 1 >= 3:
                    self._refuse_run(record, error)
                    return
                await asyncio.sleep(1.0 + tries)
            except StoreError as error:
                self.hold[record.local_id] = self.context.clock() + timedelta(seconds=15)
                self.context.trouble(error, record.local_id)
                return
            except BatchtuiError as error:
                self._refuse(record, error)
                return

    async def _send_once(self, record: BatchRecord) -> None:
        local_id = record.local_id
        now = self.context.clock()
        requests = self.context.history.folder(local_id) / REQUESTS
        if not requests.exists():
            raise InputError("its requests.jsonl is not there any more", advice="submit the source again")
        await self.context.gateway.ready()
        url = self.context.gateway.base_url
        after = self.context.change(
            local_id,
            lambda r: replace(r, intent_at=now, base_url=url, error="", next_try_at=None) if r.waiting else r,
        )
        if after.status != "submitting" or after.intent_at != now:
            return  # Canceled in the meantime.
        whole = False

        def on_sent(done: int, total: int) -> None:
            nonlocal whole
            whole = done + 1 >= total
            throttle(Progress("upload", done + 1, total))

        throttle = Throttle(lambda p: self.context.emit(events.Transfer(local_id, p)))
        try:
            remote = await self.context.gateway.create(requests, record.betas, on_sent, record.api_version)
        except Unconfirmed as error:
            self._lost(record, str(error))
            return
        except asyncio.CancelledError:
            if whole:
                self._lost(record, "batchtui was ended before the answer came")
            else:
                self._unsend(local_id)
            raise
        except BatchtuiError:
            self._unsend(local_id)
            raise
        finally:
            self.context.emit(events.Transfer(local_id, None))
        self._made(local_id, remote)

    def _unsend(self, local_id: str) -> None:
        self.context.change(local_id, lambda r: replace(r, intent_at=None) if r.status == "submitting" else r)

    def _made(self, local_id: str, remote: RemoteBatch) -> None:
        made = self.context.change(local_id, lambda r: taken_up(r, remote, self.context))
        if made.requests >= _INDEX_FROM:
            folder = self.context.history.folder(local_id)
            asyncio.get_running_loop().run_in_executor(None, index_requests, folder, self.context.prices)

    def _wait_longer(self, record: BatchRecord, why: str, seconds: float) -> None:
        at = self.context.clock() + timedelta(seconds=seconds)
        self.context.change(
            record.local_id,
            lambda r: replace(r, error=why, next_try_at=at, intent_at=None) if r.status == "submitting" else r,
        )

    def _refuse(self, record: BatchRecord, error: BatchtuiError) -> None:
        advice = (
            "nothing was sent: retry it when there is a connection" if isinstance(error, NoNetwork) else error.advice
        )
        demo = " --demo" if self.context.is_demo else ""
        words = (
            f"{error}" + (f"; {advice}" if advice else "") + f"; batchtui retry {record.local_id}{demo} sends it again"
        )
        self.context.change(
            record.local_id, lambda r: replace(r, status="refused", error=words, next_try_at=None) if r.waiting else r
        )
        self.context.trouble(error, record.local_id)

    def _refuse_run(self, record: BatchRecord, error: BatchtuiError) -> None:
        """Refuse this part and those of its run that wait: they would fare the same."""
        for each in self.context.history.all():
            if each.run == record.run and each.waiting:
                self._refuse(each, error)


def taken_up(record: BatchRecord, remote: RemoteBatch, context: Context) -> BatchRecord:
    """A record with its batch at the service: what the service said of it, taken over."""
    return seen(replace(record, id=remote.id, error="", looks=0, next_try_at=None, candidates=()), remote, context)


def seen(record: BatchRecord, remote: RemoteBatch, context: Context) -> BatchRecord:
    """A record after the service told of its batch; only facts, so an unchanged batch gives an equal record."""
    told = remote.processing_status if remote.processing_status in _STEPS else "in_progress"
    if record.status in _STEPS and _STEPS.index(told) < _STEPS.index(record.status):
        # A reply that was overtaken by a later one: a batch never goes back.
        return record
    return replace(
        record,
        status=told,
        # What a reply leaves out, or says unbelievably, is not unlearned.
        counts=remote.request_counts if remote.request_counts.total else record.counts,
        requests=record.requests or remote.request_counts.total,
        created_at=remote.created_at or record.created_at,
        expires_at=remote.expires_at or record.expires_at,
        ended_at=remote.ended_at or record.ended_at,
        cancel_initiated_at=remote.cancel_initiated_at,
        archived_at=remote.archived_at,
        seen_at=record.seen_at or context.clock(),
    )
