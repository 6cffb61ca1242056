"""What a person does to batches: submit, cancel, delete; each is put on record before and after."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec

from batchtui.domain.batch import CANCELED_UNSENT, BatchRecord
from batchtui.domain.errors import BatchtuiError, InputError, StoreError
from batchtui.domain.plan import Plan
from batchtui.service.context import Context
from batchtui.service.plan_commit import PlanCommitter
from batchtui.service.poll_loop import Poller
from batchtui.service.sender import Sender
from batchtui.service.sync import RemoteBatches

T = TypeVar("T")
replace = msgspec.structs.replace


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Work that a cancellation waits for: whoever interrupts it is told what is on record, and nothing comes after."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _not_again(record: BatchRecord) -> BatchRecord:
    """A part that would be sent again by itself, once looks found nothing, is not."""
    if record.status != "unconfirmed" or record.resend_at is None:
        return record
    words = f"{CANCELED_UNSENT} again; checking whether it was created"
    return replace(record, resend_at=None, error=words)


class Changer:
    """Changes batches, here and at the service."""

    def __init__(
        self, context: Context, committer: PlanCommitter, sender: Sender, looker: Poller, elsewhere: RemoteBatches
    ) -> None:
        self.context = context
        self.committer = committer
        self.sender = sender
        self.looker = looker
        self.elsewhere = elsewhere

    async def submit(
        self, plan: Plan, *, title: str, note: str, retry_of: BatchRecord | None, again: bool, lock_timeout: float
    ) -> list[BatchRecord]:
        """Send a plan's batches; ``again`` sends what is under way already once more.  See Service.submit."""
        guard = None if again else lambda: self._refuse_twin(plan)
        if guard is not None:
            guard()
        await self.context.gateway.ready()
        records = await _to_its_end(
            asyncio.to_thread(self.committer.commit, plan, title=title, note=note, retry_of=retry_of, guard=guard)
        )
        try:
            await self.sender.send_waiting(timeout=lock_timeout)
        except StoreError as error:
            # They are on record and wait: an error here would say that nothing was sent, and never will be.
            self.context.trouble(error, records[0].local_id)
        self.looker.wake()
        wanted = {r.local_id for r in records}
        return sorted((r for r in self.context.history.all() if r.local_id in wanted), key=lambda r: r.part)

    def duplicate_of(self, plan: Plan) -> BatchRecord | None:
        """A batch that is under way with the same requests, if any."""
        prints = {p.fingerprint for p in plan.parts if p.fingerprint}
        known = [*self.context.history.all(), *self.committer.pending()]
        return next((r for r in known if r.active and r.fingerprint in prints and self.context.in_reach(r)), None)

    def _refuse_twin(self, plan: Plan) -> None:
        twin = self.duplicate_of(plan)
        if twin is not None:
            raise InputError(
                f"the same requests are in progress as {twin.local_id} ({twin.status})",
                advice="use --allow-duplicate to send them twice",
            )

    async def cancel(self, local_id: str) -> BatchRecord | BatchtuiError:
        """Cancel one batch; a part that still waits is simply not sent.  An error is returned, not raised."""
        try:
            record = self.context.history.resolve(local_id)
            await self.context.ready_for(record)
            if record.waiting:
                record = self._drop(record)
                if record.status == "refused":
                    return record
            if record.status == "unconfirmed" and record.resend_at is not None:
                return self.context.change(record.local_id, _not_again)
            if record.id is None or record.status != "in_progress":
                raise InputError(f"{record.local_id} is {record.status}: there is nothing to cancel")
            remote = await self.context.gateway.cancel(record.id)
            after = self.elsewhere.take(record.local_id, remote)
            self.looker.wake()
            return after
        except BatchtuiError as error:
            return error

    def _drop(self, record: BatchRecord) -> BatchRecord:
        """Take a part that waits out of the queue; the record tells whether its sending had begun before that."""
        return self.context.change(
            record.local_id,
            lambda r: replace(r, status="refused", error=CANCELED_UNSENT, next_try_at=None) if r.waiting else r,
        )

    async def delete(self, local_id: str, *, here: bool, there: bool) -> BatchtuiError | None:
        """Delete one batch at the service (``there``, only once ended) and its folder (``here``); an error is returned."""
        try:
            record = self.context.history.resolve(local_id)
            if record.waiting:
                record = self._drop(record)
            if record.active:
                raise InputError(
                    f"{record.local_id} is {record.status}", advice="cancel it first, and wait until it has ended"
                )
            if there and record.id is not None:
                await self.context.ready_for(record)
                await self.elsewhere.delete(record)
                if record.results_due:
                    # Nobody is to ask for hours after results that were deleted on purpose.
                    self.context.change(
                        record.local_id,
                        lambda r: replace(
                            r, results="gone", error="deleted at the API, not downloaded", next_try_at=None
                        ),
                    )
            if here:
                if not there and record.id is not None:
                    self.elsewhere.forget(record.id)
                self.context.history.delete(record.local_id)
                self.context.removed(record.local_id)
            return None
        except BatchtuiError as error:
            return error
