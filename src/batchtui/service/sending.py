"""From a confirmed plan to batches, each sent exactly once.

A plan is used up by one rename of its folder, so that a second submit of it finds nothing.  Then every part gets its
record, then one part after the other is sent under the send lock: intent on disk, create, id on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from batchtui import safetext
from batchtui.domain.batch import BatchRecord, RemoteBatch, Status, new_local_id
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
from batchtui.domain.plan import Plan, Progress
from batchtui.poller import ripe
from batchtui.service import events
from batchtui.service.context import Context, Throttle
from batchtui.store import files
from batchtui.store.history import IDS, REQUESTS, lock

replace = msgspec.structs.replace
_GO = ".go"
_MANIFEST = "manifest.json"
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_RETRIES = 5
_STEPS: tuple[Status, ...] = ("in_progress", "canceling", "ended")


class _Staged(msgspec.Struct):
    record: BatchRecord
    requests: str
    ids: str | None = None


def random_name(length: int = 6) -> str:
    """Random characters for a local id, none that look alike."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class Sender:
    """Makes records of a plan's parts and sends what waits."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.plans = context.data / "plans"
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

    def _unpacking(self) -> contextlib.AbstractContextManager[None]:
        """Plans become records under a lock, so that two programs never make the same ones."""
        return lock(self.context.data / "unpacking.lock", 60.0, "another batchtui is putting a plan on record")

    def commit(
        self,
        plan: Plan,
        *,
        title: str,
        note: str,
        retry_of: BatchRecord | None,
        guard: Callable[[], None] | None = None,
    ) -> list[BatchRecord]:
        """Use the plan up and make the records of its parts, all waiting; raises InputError when it was used already.

        ``guard`` is asked while no other program can put a plan on record; it raises what speaks against this one.
        """
        if plan.staging is None or not plan.ok:
            raise InputError("this plan can't be sent", advice="check the source again")
        staged = self._records(plan, title, note, retry_of)
        go = plan.staging.with_name(plan.staging.name + _GO)
        files.make_private_dir(self.context.data)
        with self._unpacking():
            if guard is not None and plan.staging.exists():
                guard()
            try:
                files.write_atomic(plan.staging / _MANIFEST, msgspec.json.encode(staged))
                plan.staging.rename(go)
                files.fsync_dir(go.parent)
            except FileNotFoundError:
                raise InputError("this plan was submitted already", advice="batchtui list shows its batches") from None
            except StoreError:
                if not plan.staging.exists():
                    raise InputError(
                        "this plan was submitted already", advice="batchtui list shows its batches"
                    ) from None
                raise
            except OSError as error:
                raise files.explain(error, "can't put the plan on record") from error
            try:
                return self._unpack(go)
            except StoreError as error:
                # From the rename on it will be sent: whoever submits it again would pay twice.
                raise StoreError(
                    f"the plan is on record, its batches are not all made yet: {error}",
                    advice=f"{error.advice}; batchtui sync goes on with it: do not submit it again",
                ) from error

    def pending(self) -> list[BatchRecord]:
        """Records of plans that were confirmed and whose folders are not made yet."""
        found: list[BatchRecord] = []
        with contextlib.suppress(OSError):
            for go in sorted(self.plans.glob(f"*{_GO}")):
                with contextlib.suppress(OSError, msgspec.DecodeError):
                    found += [each.record for each in _manifest(go)]
        return found

    def _records(self, plan: Plan, title: str, note: str, retry_of: BatchRecord | None) -> list[_Staged]:
        now = self.context.clock()
        run = retry_of.run if retry_of else new_local_id(now, random_name())
        attempt = (
            1 + max((r.attempt for r in self.context.history.all() if r.run == run), default=-1) if retry_of else 0
        )
        staged = []
        for number, part in enumerate(plan.parts, 1):
            if part.path is None:
                raise InputError("this plan was only checked, not kept", advice="check the source again")
            local_id = (
                run
                if number == 1 and retry_of is None
                else new_local_id(now + timedelta(seconds=number - 1), random_name())
            )
            record = BatchRecord(
                local_id=local_id,
                run=run,
                attempt=attempt,
                part=number,
                parts=len(plan.parts),
                title=title or (retry_of.title if retry_of else ""),
                note=note,
                profile=self.context.profile.name,
                base_url=self.context.gateway.base_url,
                requests=part.requests,
                bytes=part.bytes,
                fingerprint=part.fingerprint,
                models=dict(part.models),
                betas=tuple(part.betas),
                api_version=retry_of.api_version if retry_of else self.context.profile.api_version,
                source=plan.source,
                estimate=part.estimate,
                ids_kept=part.ids_path is not None,
            )
            staged.append(_Staged(record, part.path.name, part.ids_path.name if part.ids_path else None))
        return staged

    def _unpack(self, go: Path) -> list[BatchRecord]:
        try:
            staged = _manifest(go)
        except OSError as error:
            raise files.explain(error, f"can't read {go}") from error
        except msgspec.DecodeError as error:
            raise StoreError(
                f"the plan in {go} can't be read: {error}",
                advice="update batchtui, or check and submit the source again",
            ) from error
        records = []
        for each in staged:
            moves = {REQUESTS: go / each.requests}
            if each.ids:
                moves[IDS] = go / each.ids
            self.context.history.create(each.record, moves)
            records.append(each.record)
            self.context.noticed(each.record)
        self.discard(go)
        return records

    @staticmethod
    def discard(folder: Path) -> None:
        """Throw a plan's folder away."""
        import shutil

        shutil.rmtree(folder, ignore_errors=True)

    async def recover(self) -> None:
        """Finish what a kill interrupted: records not yet made, and creates whose answer nobody waits for any more."""
        try:
            async with self.sending(timeout=0.1):
                await asyncio.to_thread(self._unpack_all)
                self._find_lost()
        except LockBusy:
            return

    def _unpack_all(self) -> None:
        if not self.plans.is_dir():
            return
        with self._unpacking():
            for go in sorted(self.plans.glob(f"*{_GO}")):
                try:
                    self._unpack(go)
                except StoreError as error:
                    self.context.trouble(error)

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
        busy = [r for r in self.context.history.all() if self.context.mine(r) and r.active and not r.waiting]
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
        self.context.change(local_id, lambda r: taken_up(r, remote, self.context))

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
        words = f"{error}" + (f"; {advice}" if advice else "")
        self.context.change(
            record.local_id, lambda r: replace(r, status="refused", error=words, next_try_at=None) if r.waiting else r
        )
        self.context.trouble(error, record.local_id)

    def _refuse_run(self, record: BatchRecord, error: BatchtuiError) -> None:
        """Refuse this part and those of its run that wait: they would fare the same."""
        for each in self.context.history.all():
            if each.run == record.run and each.waiting:
                self._refuse(each, error)


def _manifest(go: Path) -> list[_Staged]:
    return msgspec.json.decode((go / _MANIFEST).read_bytes(), type=list[_Staged])


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
        counts=remote.request_counts,
        requests=record.requests or remote.request_counts.total,
        created_at=remote.created_at,
        expires_at=remote.expires_at,
        ended_at=remote.ended_at,
        cancel_initiated_at=remote.cancel_initiated_at,
        archived_at=remote.archived_at,
        seen_at=record.seen_at or context.clock(),
    )
