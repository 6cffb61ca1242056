"""The one poller: looks at all active batches, fetches what ended, settles what is open, sends what waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Literal

import msgspec

from batchtui import unexpected
from batchtui.domain.batch import BatchRecord, RemoteBatch
from batchtui.domain.errors import BatchtuiError, LockBusy, NoKey, NoNetwork, NotFound, Rejected, StoreError, WrongKey
from batchtui.domain.schedule import LookState, after_failure, next_look, ripe
from batchtui.service import events, presence
from batchtui.service.context import Context, EndAnnouncer
from batchtui.service.fetcher import Fetcher
from batchtui.service.presence import notice, update_record
from batchtui.service.reconcile import Reconciler
from batchtui.service.sender import Sender

replace = msgspec.structs.replace
DISK_EVERY = 3.0
_SINGLE = 8
_JUMP = timedelta(seconds=30)
_OTHERS = 50
"""Batches asked for to say how many others the workspace has; one page, one call."""


def _trouble(error: BatchtuiError) -> Literal["", "no key", "wrong key", "offline"]:
    if isinstance(error, NoKey):
        return "no key"
    if isinstance(error, WrongKey):
        return "wrong key"
    return "offline" if isinstance(error, NoNetwork) else ""


class Poller:
    """Holds what the last look was worth and runs the loop."""

    def __init__(
        self, context: Context, sender: Sender, reconciler: Reconciler, fetcher: Fetcher, announcer: EndAnnouncer
    ) -> None:
        self.context = context
        self.sender = sender
        self.reconciler = reconciler
        self.fetcher = fetcher
        self.announcer = announcer
        self.state = LookState()
        self._others = (0, False)
        self._wake = asyncio.Event()
        self._one = asyncio.Lock()
        self._last = self._last_turn = context.clock()

    def wake(self) -> None:
        """Have the loop think again now."""
        self._wake.set()

    async def run(self) -> None:
        """Look for ever; nothing that goes wrong ends it."""
        while True:
            try:
                await self._turn()
            except asyncio.CancelledError:
                raise
            except BatchtuiError as error:
                self.context.trouble(error)
                await self.context.sleep(1.0)
            except Exception as error:
                found = unexpected.note(error, "checking batches")
                self.context.trouble(
                    StoreError(f"unexpected error while checking batches: {found.title}", advice=unexpected.GOES_ON)
                )
                await self.context.sleep(5.0)

    async def _turn(self) -> None:
        records = await asyncio.to_thread(self.context.reread)
        mine = [r for r in records if self.context.mine(r)]
        self.announcer.tell(mine)
        now = self.context.clock()
        idle = [r for r in mine if not self.fetcher.busy(r.local_id, now)]
        due = self.state.next_at if self.state.blind_since else next_look(idle, now, self._last)
        if now < self._last_turn - _JUMP:
            due = now  # The clock was set back: what was planned by the old one would come too late.
        self._last_turn = now
        if due is not None and due != self.state.next_at:
            self._tell(replace(self.state, next_at=due))
        wait = (due - now).total_seconds() if due else DISK_EVERY
        if wait > 0:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                # Not wait_for: it can swallow a cancellation that comes with the wake-up (CPython before 3.12).
                async with asyncio.timeout(self.context.machine_seconds(min(wait, DISK_EVERY))):
                    await self._wake.wait()
            return
        await self.look()

    def _tell(self, state: LookState) -> None:
        self.state = state
        self.context.emit(events.Looked(state))

    async def look(self, *, asked: bool = False) -> LookState:
        """Look once, now; its worth is in the state.  Only a look that really asked the API counts as one.

        ``asked``: a person wants to know, so that the API is called though nothing is under way.
        """
        async with self._one:
            records = await asyncio.to_thread(self.context.reread)
            if not self.context.gateway.url_known and any(self.context.mine(r) and r.id for r in records):
                with contextlib.suppress(BatchtuiError):
                    await self.context.gateway.ready()
            records = [r for r in records if self.context.mine(r)]
            now = self.context.clock()
            running = [r for r in records if r.id and r.status in ("in_progress", "canceling")]
            active = [r for r in running if asked or not r.unknown_looks or ripe(r.next_try_at, now)]
            self._tell(replace(self.state, looking=True))
            try:
                called = await self._update(active, asked)
                called = await self.reconciler.settle_due(now) or called
            except BatchtuiError as error:
                self._tell(self._blind(error))
                return self.state
            self._fetch_due()
            await self._send_waiting()
            now = self._last = self.context.clock()
            mine = [r for r in self.context.history.all() if self.context.mine(r)]
            others, more = self._others if not mine else (0, False)
            self._tell(
                LookState(
                    last_ok=now if called else self.state.last_ok,
                    next_at=next_look(mine, now, now),
                    others=others,
                    more_others=more,
                )
            )
            return self.state

    def _blind(self, error: BatchtuiError) -> LookState:
        now = self.context.clock()
        failures = self.state.failures + 1
        wait = after_failure(error, failures)
        gone = self.context.is_demo and isinstance(error, NoNetwork)
        return LookState(
            last_ok=self.state.last_ok,
            next_at=now + timedelta(seconds=wait),
            blind_since=self.state.blind_since or now,
            error=str(error),
            advice="if the demo's server is gone, quit and start batchtui demo again" if gone else error.advice,
            trouble=_trouble(error),
            failures=failures,
        )

    async def _update(self, active: list[BatchRecord], asked: bool) -> bool:
        """Ask after the active batches; True when the API was called."""
        if not active:
            if asked or self.state.blind_since is not None:
                # The way out of blindness is an answer, and the smallest list is the cheapest.
                first = not self.context.history.all()
                page = await self.context.gateway.page(_OTHERS if first else 1)
                self._others = (len(page.data), page.has_more) if first else (0, False)
                return True
            return False
        found: dict[str, RemoteBatch] = {}
        if len(active) > 1:
            found = await self._listed(active)
        for record in active:
            assert record.id is not None
            remote = found.get(record.id)
            if remote is None:
                remote = await self._retrieved(record)
            if remote is not None:
                update_record(self.context, record, remote)
        return True

    async def _listed(self, active: list[BatchRecord]) -> dict[str, RemoteBatch]:
        """The active batches by as few list calls as serve; what is older than the pages is retrieved singly."""
        # What is not known any more stands on no page.
        wanted = {r.id for r in active if r.id and not r.unknown_looks}
        found: dict[str, RemoteBatch] = {}
        limit = 1000 if len(active) > 20 else 100
        async for page in self.context.gateway.pages(limit, limit):
            found |= {b.id: b for b in page.data if b.id in wanted}
            notice(self.context, page.data)
            if len(wanted) - len(found) <= _SINGLE:
                break
        return found

    async def _retrieved(self, record: BatchRecord) -> RemoteBatch | None:
        assert record.id is not None
        try:
            return await self.context.gateway.retrieve(record.id)
        except Rejected as error:
            # What is wrong with one batch must not keep us from seeing the others.
            words = f"checking batches: {error}"
            self.context.change(record.local_id, lambda r: replace(r, error=words))
            return None
        except NotFound:
            now = self.context.clock()
            self.context.change(record.local_id, lambda r: presence.not_known(r, now) if r.id == record.id else r)
            return None

    async def look_at(self, record: BatchRecord) -> BatchRecord:
        """Ask after one batch, also one that was given up as gone; raises what the API said."""
        try:
            remote = await self.context.gateway.retrieve(record.id or "")
        except NotFound:
            now = self.context.clock()
            self.context.change(
                record.local_id,
                lambda r: r if r.results == "gone" or r.id != record.id else presence.not_known(r, now),
            )
            raise
        update_record(self.context, record, remote)
        return self.context.history.get(record.local_id) or record

    def _fetch_due(self) -> None:
        for record in self.fetcher.due(self.context.clock()):
            task = self.fetcher.begin(record.local_id)
            task.add_done_callback(lambda _: self.wake())

    async def _send_waiting(self) -> None:
        try:
            await self.sender.send_waiting()
        except LockBusy:
            return
        except BatchtuiError as error:
            self.context.trouble(error)

    async def until(self, local_ids: Iterable[str], *, tick: float = 1.0) -> None:
        """Wait until batches have ended with their results stored, or can't be had."""
        wanted = set(local_ids)
        while True:
            records = [r for r in await asyncio.to_thread(self.context.reread) if r.local_id in wanted]
            if not any(((r.active and not r.asks) or r.results_due) and not r.unknown for r in records):
                return
            await self.context.sleep(tick)

    async def until_clear(self, local_ids: Iterable[str], *, tick: float = 1.0) -> None:
        """Look for these batches, and send those that wait for a look, until none is in doubt or a person is asked."""
        wanted = set(local_ids)
        while True:
            records = [r for r in await asyncio.to_thread(self.context.reread) if r.local_id in wanted]
            doubtful = [r for r in records if r.status == "unconfirmed" and not r.asks]
            if not doubtful and not any(r.waiting and r.next_try_at is not None for r in records):
                return
            with contextlib.suppress(BatchtuiError):
                await self.reconciler.settle_due(self.context.clock())
                await self.sender.send_waiting()
            await self.context.sleep(tick)
