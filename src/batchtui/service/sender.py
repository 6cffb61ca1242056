"""Parts on record, each sent exactly once.

One part after the other is sent under the send lock: intent on disk, create, id on disk.  The states of a part:

    waiting → intent on disk → posted → in progress
                                  ├─ the API's own no (400, 401, 403, 413 …) → refused; a retry looks first
                                  ├─ the API's own 429 → unconfirmed, sent again by itself once looks found nothing
                                  └─ anything else → unconfirmed
    unconfirmed → looked for (settling) → adopted | proven absent: refused, or waiting again | put to the person

What certainly never left this machine goes back to waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from batchtui import safetext
from batchtui.domain.batch import NOT_NEEDED, BatchRecord, RemoteBatch, Status, made_by_name
from batchtui.domain.errors import (
    BatchtuiError,
    InputError,
    LockBusy,
    NoKey,
    NoNetwork,
    RateLimited,
    ServiceError,
    SpendLimit,
    StoreError,
    Unconfirmed,
    WrongKey,
)
from batchtui.domain.schedule import resend_delay, ripe, settle_delay
from batchtui.domain.work import Work
from batchtui.results.storage import index_requests
from batchtui.service import events
from batchtui.service.context import Context, lock_soon
from batchtui.service.plan_commit import PlanCommitter
from batchtui.store import files
from batchtui.store.records import REQUESTS

if TYPE_CHECKING:
    from batchtui.service.reconcile import Reconciler

replace = msgspec.structs.replace
ASK_AFTER = 5
"""After so many times ``settle.seconds`` without proof the person is asked."""
_TRIES = 3
"""How often a connection is tried for that never came about."""
_TRY_AFTER = 1.0
"""Seconds, times the tries so far, until the next."""
_INDEX_FROM = 10_000
"""Requests from which on indexing them ahead saves a wait when the results come."""
_STEPS: tuple[Status, ...] = ("in_progress", "canceling", "ended")


class Sender:
    """Sends what waits."""

    def __init__(self, context: Context, committer: PlanCommitter, reconciler: Reconciler) -> None:
        self.context = context
        self.committer = committer
        self.reconciler = reconciler
        self._one_at_a_time = asyncio.Lock()
        self.hold: dict[str, datetime] = {}
        """When to try again, for records whose intent could not be written."""
        self.pause: datetime | None = None
        """Until when the API asked to send nothing more."""

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
            async with lock_soon(self.lock_path(), until, busy):
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
            self._lost(record, "batchtui ended, or could not write, while the batch was being sent")

    def _lost(self, record: BatchRecord, why: str) -> BatchRecord:
        now = self.context.clock()
        return self.context.change(
            record.local_id,
            lambda r: (
                replace(
                    r,
                    status="unconfirmed",
                    lost_at=now,
                    error=why,
                    looks=0,
                    unproven=0,
                    next_try_at=now,
                    posts=max(1, r.posts),
                    organization=r.organization or self.context.gateway.organization,
                )
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
                if not ripe(self.pause, self.context.clock()):
                    break
                fresh = self.context.history.get(record.local_id)
                if fresh is not None and fresh.waiting and await self._cleared(fresh):
                    await self._send(fresh)

    def _alike(self, record: BatchRecord) -> list[BatchRecord]:
        """Other batches whose requests would go out again with this one."""
        return self.reconciler.prior(record.retry_of, [record.fingerprint], but=record.local_id)

    def _prior(self, record: BatchRecord) -> list[BatchRecord]:
        """Refused batches whose requests went out, and would go out again with this one."""
        return [r for r in self._alike(record) if r.status == "refused" and r.intent_at and not r.said_not_created]

    def _found_since(self, record: BatchRecord) -> BatchRecord | None:
        """A batch with these requests that was lost or refused, and found only after they were to be sent again."""
        began = made_by_name(record.local_id)
        return next((r for r in self._alike(record) if r.id and r.lost_at and r.seen_at and r.seen_at >= began), None)

    async def _cleared(self, record: BatchRecord) -> bool:
        """True when nothing speaks against sending: what was sent of it before was looked for and not found."""
        found_since = self._found_since(record)
        if found_since is not None:
            self._drop(record, found_since)
            return False
        for prior in self._prior(record):
            at = self.reconciler.provable_at(prior, record)
            if at is not None:
                words = f"will be sent at {at:%H:%M:%S} UTC, once the list shows that {prior.local_id} was not created"
                self._wait(record, words, at)
                return False
            try:
                found = await self.reconciler.found_after_all(prior)
            except BatchtuiError as error:
                found = f"the list of batches can't be read: {error}"
            if isinstance(found, BatchRecord):
                self._drop(record, found)
                return False
            if found is not None:
                self._look_later(record, prior, found)
                return False
        return True

    def _wait(self, record: BatchRecord, why: str, until: datetime) -> None:
        self.context.change(record.local_id, lambda r: replace(r, error=why, next_try_at=until) if r.waiting else r)

    def _drop(self, record: BatchRecord, made: BatchRecord) -> None:
        """What was to be sent again was created after all."""
        words = f"{NOT_NEEDED}{made.local_id} was created after all, as {made.id}; retry what does not succeed there"
        self.context.change(
            record.local_id, lambda r: replace(r, status="refused", error=words, next_try_at=None) if r.waiting else r
        )

    def _look_later(self, record: BatchRecord, prior: BatchRecord, why: str) -> None:
        """Wait with a part until it is known that its requests were not created before; others go on."""
        now = self.context.clock()

        def change(r: BatchRecord) -> BatchRecord:
            if not r.waiting:
                return r
            since = r.asked_at or now
            over = (now - since).total_seconds() > ASK_AFTER * self.context.config.settle.seconds
            if over and r.unproven >= self.context.config.settle.looks:
                words = (
                    f"not sent, since {prior.local_id} may have been created: {why}; batchtui retry {r.local_id} looks "
                    f"again; if you know that it was not created: batchtui adopt {prior.local_id} --none, then retry"
                )
                return replace(r, status="refused", error=words, next_try_at=None, asked_at=None)
            later = now + timedelta(seconds=settle_delay(r.unproven))
            words = f"waits until it is known whether {prior.local_id} was created: {why}"
            return replace(r, error=words, next_try_at=later, unproven=r.unproven + 1, asked_at=since)

        self.context.change(record.local_id, change)

    async def _send(self, record: BatchRecord) -> None:
        """Send one part, once; every way it can end is put on record."""
        for tries in range(1, _TRIES + 1):
            try:
                return await self._send_once(record)
            except (NoKey, WrongKey, SpendLimit) as error:
                self._refuse_run(record, error)
                return
            except RateLimited as error:
                self._busy(record, error)
                return
            except NoNetwork as error:
                if tries == _TRIES:
                    self._refuse_run(record, error)
                    return
                await self.context.sleep(tries * _TRY_AFTER)
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
            raise InputError("its requests.jsonl no longer exists", advice="submit the source again")
        await self.context.gateway.ready()
        after = self.context.change(local_id, lambda r: self._intended(r, now))
        if after.status != "submitting" or after.intent_at != now:
            return  # Canceled in the meantime.
        whole = False

        def on_sent(done: int, total: int) -> None:
            nonlocal whole
            whole = done + 1 >= total
            work.tell("upload", done + 1, total)

        work = Work(lambda progress: self.context.emit(events.Transfer(local_id, progress)))
        try:
            remote = await self.context.gateway.create(requests, record.betas, on_sent, record.api_version)
        except Unconfirmed as error:
            self._lost(record, str(error))
            return
        except asyncio.CancelledError:
            if whole:
                self._lost(record, "batchtui ended before the reply came")
            else:
                self._unsend(local_id)
            raise
        except BatchtuiError as error:
            if not _answered(error):
                self._unsend(local_id)
            raise
        finally:
            self.context.emit(events.Transfer(local_id, None))
        await self._made(local_id, remote)

    def _intended(self, record: BatchRecord, now: datetime) -> BatchRecord:
        """A waiting record about to be sent, with whose key it is and how the clocks stand."""
        if not record.waiting:
            return record
        gateway = self.context.gateway
        return replace(
            record, intent_at=now, base_url=gateway.base_url, error="", next_try_at=None, posts=record.posts + 1,
            answer_status=0, unproven=0, asked_at=None, key_mark=self.context.key_mark(),
            organization=gateway.organization, clock_offset=gateway.clock_offset,
        )  # fmt: skip

    def _unsend(self, local_id: str) -> None:
        """What certainly never left is not counted as sent."""
        self.context.change(
            local_id,
            lambda r: (
                replace(r, intent_at=None, posts=max(0, r.posts - 1)) if r.status == "submitting" and r.intent_at else r
            ),
        )

    async def _made(self, local_id: str, remote: RemoteBatch) -> None:
        """Write down what a create's reply says was created, unless it can't be the answer to this create."""
        async with self.context.owning_soon():
            record = self.context.history.get(local_id)
            why = self._not_the_answer(record, remote) if record is not None else ""
            if record is not None and why:
                self._lost(record, why)
                return
            organization = self.context.gateway.organization
            made = self.context.change(
                local_id,
                lambda r: replace(taken_up(r, remote, self.context), organization=organization, id_seen=False),
            )
        if made.requests >= _INDEX_FROM:
            folder = self.context.history.folder(local_id)
            asyncio.get_running_loop().run_in_executor(None, index_requests, folder, self.context.prices)

    def _not_the_answer(self, record: BatchRecord, remote: RemoteBatch) -> str:
        """Why a create's reply names a batch that this create can't have created, as a cache's reply does; "" otherwise."""
        owner = next(
            (r for r in self.context.history.all() if r.id == remote.id and r.local_id != record.local_id), None
        )
        if owner is not None:
            return f"the reply names {remote.id}, which is {owner.local_id}'s"
        if remote.request_counts.total not in (0, record.requests):
            return f"the reply names {remote.id}, which has {remote.request_counts.total:,} requests"
        leeway = timedelta(seconds=self.context.config.settle.leeway_seconds)
        began = record.intent_at
        first = min(began, self.context.service_time(began)) - leeway if began is not None else None
        if first is not None and remote.created_at is not None and remote.created_at < first:
            return f"the reply names {remote.id}, which was created earlier"
        return ""

    def _busy(self, record: BatchRecord, error: RateLimited) -> None:
        """The API was too busy: a status alone is no proof, so the part is looked for before it is sent again."""
        now = self.context.clock()

        def change(r: BatchRecord) -> BatchRecord:
            if r.status != "submitting":
                return r
            asked = error.retry_after if error.retry_after is not None else 0.0
            at = now + timedelta(seconds=max(asked, resend_delay(r.posts)))
            return replace(
                r, status="unconfirmed", lost_at=now, error=str(error), looks=0, unproven=0, resend_at=at,
                answer_status=error.status, next_try_at=now, organization=self.context.gateway.organization,
            )  # fmt: skip

        self.pause = self.context.change(record.local_id, change).resend_at

    def _refuse(self, record: BatchRecord, error: BatchtuiError) -> None:
        advice = (
            "nothing was sent: retry it when there is a connection" if isinstance(error, NoNetwork) else error.advice
        )
        demo = " --demo" if self.context.is_demo else ""
        words = (
            f"{error}" + (f"; {advice}" if advice else "") + f"; batchtui retry {record.local_id}{demo} sends it again"
        )
        now, status = self.context.clock(), _answered(error)

        def change(r: BatchRecord) -> BatchRecord:
            if r.status != "submitting":
                return r
            lost = now if r.intent_at is not None else r.lost_at
            return replace(r, status="refused", error=words, next_try_at=None, answer_status=status, lost_at=lost)

        self.context.change(record.local_id, change)
        self.context.trouble(error, record.local_id)

    def _refuse_run(self, record: BatchRecord, error: BatchtuiError) -> None:
        """Refuse this part and those of its run that wait: they would fare the same."""
        for each in self.context.history.all():
            if each.run == record.run and (each.waiting or each.local_id == record.local_id):
                self._refuse(each, error)


def _answered(error: BatchtuiError) -> int:
    """The HTTP status when an error is a reply to what went out, else 0."""
    return error.status if isinstance(error, ServiceError) else 0


def taken_up(record: BatchRecord, remote: RemoteBatch, context: Context) -> BatchRecord:
    """A record with its batch at the API: what the API said of it, taken over."""
    record = replace(
        record, id=remote.id, error="", looks=0, unproven=0, next_try_at=None, candidates=(), doubts=(), asked_at=None,
        resend_at=None, answer_status=0, id_seen=True,
    )  # fmt: skip
    return seen(record, remote, context)


def seen(record: BatchRecord, remote: RemoteBatch, context: Context) -> BatchRecord:
    """A record after the API told of its batch; only facts, so an unchanged batch gives an equal record."""
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
