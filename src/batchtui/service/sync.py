"""Other batches in this workspace: listed, adopted, deleted; and ``sync``, the one call that does all that is due.

What may be ours is not adopted: nothing on one look, and nothing created while a batch of ours was sent that is not
confirmed yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from batchtui import plainfile
from batchtui.domain.batch import BatchRecord, RemoteBatch, new_local_id
from batchtui.domain.errors import BatchtuiError, InputError, NotFound
from batchtui.domain.schedule import ripe
from batchtui.domain.work import Work
from batchtui.service.batch_list import look_back
from batchtui.service.context import Context
from batchtui.service.events import SyncReport
from batchtui.service.fetcher import Fetcher
from batchtui.service.plan_commit import random_name
from batchtui.service.poll_loop import Poller
from batchtui.service.presence import known, notice
from batchtui.service.reconcile import Reconciler
from batchtui.service.sender import taken_up
from batchtui.store import files

replace = msgspec.structs.replace
_FORGOTTEN = "forgotten.txt"
_SEEN = "elsewhere.json"
_MOST = 64_000_000
"""Bytes of either."""
_YOUNG = timedelta(hours=1)
"""A younger batch is adopted only when it looks the same after ``settle.seconds``."""


class _First(msgspec.Struct, frozen=True):
    """When a batch made elsewhere was first seen with that many requests."""

    at: datetime
    requests: int


class RemoteBatches:
    """What the workspace holds beyond our records."""

    def __init__(self, context: Context, reconciler: Reconciler) -> None:
        self.context = context
        self.reconciler = reconciler

    def take(self, local_id: str, remote: RemoteBatch) -> BatchRecord:
        """Take over what the API just said of a record's batch."""
        return self.context.change(local_id, lambda r: known(r, remote, self.context))

    async def delete(self, record: BatchRecord) -> None:
        """Delete a batch at the API; one that is not there any more is fine."""
        assert record.id is not None
        try:
            await self.context.gateway.delete(record.id)
        except NotFound:
            return

    def forget(self, batch_id: str) -> None:
        """Remember that a batch was deleted here alone, so that ``sync`` does not bring it back; raises StoreError."""
        path = self.context.data / _FORGOTTEN
        try:
            with files.open_private(path, "ab") as file:
                file.write(batch_id.encode() + b"\n")
        except OSError as error:
            raise files.explain(error, f"can't write {path}") from error

    def _forgotten(self) -> set[str]:
        try:
            return set(plainfile.read(self.context.data / _FORGOTTEN, _MOST).decode("utf-8", "replace").split())
        except OSError:
            return set()

    async def page(self, after_id: str | None = None, limit: int = 50) -> tuple[list[RemoteBatch], str | None]:
        """A page of batches that no record of ours owns, and the cursor of the next page (None: no more)."""
        page = await self.context.gateway.page(limit, after_id)
        notice(self.context, page.data)
        more = page.data[-1].id if page.data else page.last_id
        return self._not_ours(page.data), more if page.has_more and more != after_id else None

    def _not_ours(self, batches: Iterable[RemoteBatch]) -> list[RemoteBatch]:
        """Batches that no record of ours owns, nor may turn out to be."""
        records = self.context.history.all()
        ours = {r.id for r in records if r.id} | {c.id for r in records for c in r.candidates}
        open_ones = [r for r in records if self.reconciler.is_open(r)]
        return [b for b in batches if b.id not in ours and not any(self.reconciler.may_be(r, b) for r in open_ones)]

    def adopt(self, remote: RemoteBatch, title: str = "", note: str = "", *, by_hand: bool = False) -> BatchRecord:
        """Make a record for a batch made elsewhere; one that a record of ours owns already is left with it.

        Raises InputError for a batch that may be one of ours, which is not confirmed yet; ``by_hand``, when a person
        chose it, only for one that looks like ours.
        """
        may_be = self.reconciler.looks_like if by_hand else self.reconciler.may_be
        with self.context.owning():
            for record in self.context.history.all():
                if record.id != remote.id and self.reconciler.is_open(record) and may_be(record, remote):
                    raise InputError(
                        f"{remote.id} may be {record.local_id}, which is not confirmed yet",
                        advice=f"wait until it is confirmed; if you know that it is this one: "
                        f"batchtui adopt {record.local_id} {remote.id}",
                    )
            return self._adopt(remote, title, note)

    def _adopt(self, remote: RemoteBatch, title: str, note: str) -> BatchRecord:
        for record in self.context.history.all():
            if record.id == remote.id:
                return record
        local_id = new_local_id(remote.created_at or self.context.clock(), random_name())
        blank = BatchRecord(
            local_id=local_id,
            run=local_id,
            title=title,
            note=note,
            profile=self.context.profile.name,
            base_url=self.context.gateway.base_url,
            foreign=True,
            key_mark=self.context.key_mark(),
            told=remote.ended_at is not None,
        )
        record = taken_up(blank, remote, self.context)
        if record.archived_at is not None and record.gone_at is not None and self.context.clock() >= record.gone_at:
            record = replace(record, results="gone")
        self.context.history.create(record)
        self.context.noticed(record)
        return record

    async def sync(self, poller: Poller, fetcher: Fetcher, work: Work) -> SyncReport:
        """Look, settle, send, adopt, fetch; one failure stops no other."""
        waiting = {r.local_id for r in self.context.history.all() if r.waiting}
        before = set(fetcher.fetched)
        state = await poller.look()
        if state.blind_since is not None:
            return SyncReport(
                error=f"{state.error}; {state.advice}" if state.advice else state.error, unconfirmed=self._unconfirmed()
            )
        error = ""
        adopted: list[str] = []
        try:
            await self._adopt_all(adopted)
        except BatchtuiError as trouble:
            error = f"not all other batches in this workspace could be adopted: {trouble}" + (
                f"; {trouble.advice}" if trouble.advice else ""
            )
        failed: dict[str, str] = {}
        due = [
            r
            for r in self.context.history.all()
            if r.results_due
            and r.id
            and self.context.mine(r)
            and (r.unknown_at is None or ripe(r.next_try_at, self.context.clock()))
        ]
        for number, record in enumerate(due, 1):
            work.tell("fetch", number, len(due), "batches", note=record.local_id)
            try:
                await fetcher.fetch(record.local_id)
            except BatchtuiError as trouble:
                failed[record.local_id] = str(trouble)
        after = self.context.history.all()
        stored = {r.local_id for r in after if r.results == "stored"}
        return SyncReport(
            # The look begins fetches of its own, which may be done before their turn comes here.
            fetched=tuple(r.local_id for r in after if r.local_id in fetcher.fetched - before),
            adopted=tuple(adopted),
            sent=tuple(r.local_id for r in after if r.local_id in waiting and not r.waiting),
            failed={local_id: why for local_id, why in failed.items() if local_id not in stored},
            unconfirmed=self._unconfirmed(),
            unknown=self._unknown(),
            error=error,
        )

    def _unconfirmed(self) -> tuple[str, ...]:
        return tuple(
            r.local_id for r in self.context.history.all() if r.status == "unconfirmed" and self.context.mine(r)
        )

    def _unknown(self) -> dict[str, str]:
        return {
            r.local_id: r.error
            for r in self.context.history.all()
            if r.unknown_looks and (r.active or r.results_due) and self.context.mine(r)
        }

    async def _adopt_all(self, adopted: list[str]) -> None:
        """Adopt what two looks agree on; the second is made only for what could be adopted."""
        first = await self._look()
        held = self._first_seen(first)
        ripe_ones = [b for b in first if self._old_enough(b, held[b.id].at)]
        if not ripe_ones:
            return
        again = {b.id: b for b in await self._look()}
        for batch in ripe_ones:
            other = again.get(batch.id)
            if other is None or other.request_counts.total != batch.request_counts.total:
                continue
            owner, ours = self.reconciler.late(batch)
            if owner is not None:
                self.reconciler.adopt(owner.local_id, batch)
            if ours:
                continue
            with contextlib.suppress(InputError):
                adopted.append(self.adopt(batch).local_id)

    def _old_enough(self, batch: RemoteBatch, seen_at: datetime) -> bool:
        """True for a batch whose number of requests is said, and has stood still for as long as its age asks for."""
        now, wait = self.context.clock(), timedelta(seconds=self.context.config.settle.seconds)
        made = batch.created_at
        young = made is None or abs(self.context.service_time(now) - made) < _YOUNG
        return batch.request_counts.total > 0 and (not young or now - seen_at >= wait)

    async def _look(self) -> list[RemoteBatch]:
        """All batches that are not ours, nor may be, nor were deleted here."""
        look = await look_back(self.context.gateway, lambda: None)
        notice(self.context, look.batches)
        forgotten = self._forgotten()
        return [b for b in self._not_ours(look.batches) if b.id not in forgotten]

    def _first_seen(self, batches: Iterable[RemoteBatch]) -> dict[str, _First]:
        """Since when each batch has looked as it does now, kept for the next ``sync``."""
        path, now = self.context.data / _SEEN, self.context.clock()
        try:
            held = msgspec.json.decode(plainfile.read(path, _MOST), type=dict[str, _First])
        except (OSError, msgspec.DecodeError):
            held = {}
        found = {}
        for batch in batches:
            total, before = batch.request_counts.total, held.get(batch.id)
            known = before is not None and before.requests == total and before.at <= now
            found[batch.id] = before if before is not None and known else _First(now, total)
        if found != held:
            files.write_atomic(files.make_private_dir(path.parent) / path.name, msgspec.json.encode(found))
        return found
