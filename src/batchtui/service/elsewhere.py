"""Batches made elsewhere: seen, adopted, deleted; and the one call that harvests everything (``sync``)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec

from batchtui import plainfile
from batchtui.domain.batch import BatchRecord, RemoteBatch, new_local_id
from batchtui.domain.errors import BatchtuiError, NotFound
from batchtui.domain.plan import Progress
from batchtui.poller import ripe
from batchtui.service.committing import random_name
from batchtui.service.context import Context
from batchtui.service.fetching import Fetcher
from batchtui.service.looking import Looker
from batchtui.service.presence import notice
from batchtui.service.sending import seen, taken_up
from batchtui.service.values import SyncReport
from batchtui.store import files

replace = msgspec.structs.replace
_FORGOTTEN = "forgotten.txt"
_MAX_FORGOTTEN = 64_000_000
"""Bytes of it."""
_MOST_PAGES = 1_000


class Elsewhere:
    """What the workspace holds beyond our records."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def take(self, local_id: str, remote: RemoteBatch) -> BatchRecord:
        """Take over what the service just said of a record's batch."""
        return self.context.change(local_id, lambda r: seen(r, remote, self.context))

    async def delete(self, record: BatchRecord) -> None:
        """Delete a batch at the service; one that is not there any more is fine."""
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
            return set(
                plainfile.read(self.context.data / _FORGOTTEN, _MAX_FORGOTTEN).decode("utf-8", "replace").split()
            )
        except OSError:
            return set()

    async def page(self, after_id: str | None = None, limit: int = 50) -> tuple[list[RemoteBatch], str | None]:
        """A page of batches that no record of ours owns, and the cursor of the next page (None: no more)."""
        page = await self.context.gateway.page(limit, after_id)
        notice(self.context, page.data)
        leeway = timedelta(seconds=self.context.config.settle.leeway_seconds)
        records = self.context.history.all()
        ours = {r.id for r in records if r.id} | {c.id for r in records for c in r.candidates}
        open_ones = [r for r in records if r.status in ("unconfirmed", "submitting") and r.intent_at]
        more = page.last_id or (page.data[-1].id if page.data else None)
        return [
            b for b in page.data if b.id not in ours and not any(self._may_be(r, b, leeway) for r in open_ones)
        ], more if page.has_more else None

    def _may_be(self, record: BatchRecord, batch: RemoteBatch, leeway: timedelta) -> bool:
        """True when a record that is unconfirmed, or being sent just now, may turn out to be this batch."""
        return (
            record.requests == batch.request_counts.total
            and record.intent_at is not None
            and batch.id not in record.not_ours
            and (
                batch.created_at is None
                or min(record.intent_at, self.context.service_time(record.intent_at)) - leeway <= batch.created_at
            )
        )

    def adopt(self, remote: RemoteBatch, title: str = "", note: str = "") -> BatchRecord:
        """Make a record for a batch made elsewhere; one that a record of ours owns already is left with it."""
        with self.context.owning():
            return self._adopt(remote, title, note)

    def _adopt(self, remote: RemoteBatch, title: str, note: str) -> BatchRecord:
        for record in self.context.history.all():
            if record.id == remote.id:
                return record
        local_id = new_local_id(remote.created_at or self.context.clock(), random_name())
        blank = BatchRecord(
            local_id=local_id,
            run=local_id,
            title=title or "made elsewhere",
            note=note,
            profile=self.context.profile.name,
            base_url=self.context.gateway.base_url,
            source="made elsewhere",
            foreign=True,
            told=remote.ended_at is not None,
        )
        record = taken_up(blank, remote, self.context)
        if record.archived_at is not None and record.gone_at is not None and self.context.clock() >= record.gone_at:
            record = replace(record, results="gone")
        self.context.history.create(record)
        self.context.noticed(record)
        return record

    async def sync(
        self, looker: Looker, fetcher: Fetcher, tell: Callable[[Progress], None] | None = None
    ) -> SyncReport:
        """Look, settle, send, adopt, fetch; one failure stops no other."""
        waiting = {r.local_id for r in self.context.history.all() if r.waiting}
        brought = set(fetcher.brought)
        state = await looker.look()
        if state.blind_since is not None:
            return SyncReport(
                error=f"{state.error}; {state.advice}" if state.advice else state.error, unconfirmed=self._unconfirmed()
            )
        error = ""
        adopted: list[str] = []
        try:
            await self._adopt_all(adopted)
        except BatchtuiError as trouble:
            error = f"not all batches made elsewhere could be adopted: {trouble}" + (
                f"; {trouble.advice}" if trouble.advice else ""
            )
        failed: dict[str, str] = {}
        owed = [
            r
            for r in self.context.history.all()
            if r.owed
            and r.id
            and self.context.mine(r)
            and (r.unknown_at is None or ripe(r.next_try_at, self.context.clock()))
        ]
        for number, record in enumerate(owed, 1):
            if tell is not None:
                tell(Progress("fetch", number, len(owed), "batches", record.local_id))
            try:
                await fetcher.fetch(record.local_id)
            except BatchtuiError as trouble:
                failed[record.local_id] = str(trouble)
        after = self.context.history.all()
        stored = {r.local_id for r in after if r.results == "stored"}
        return SyncReport(
            # The look begins fetches of its own, which may be done before their turn comes here.
            fetched=tuple(r.local_id for r in after if r.local_id in fetcher.brought - brought),
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
            if r.unknown_looks and (r.active or r.owed) and self.context.mine(r)
        }

    async def _adopt_all(self, adopted: list[str]) -> None:
        after: str | None = None
        forgotten = self._forgotten()
        asked: set[str | None] = set()
        while after not in asked and len(asked) < _MOST_PAGES:
            asked.add(after)
            batches, after = await self.page(after, 1000)
            for batch in batches:
                if batch.id in forgotten:
                    continue
                adopted.append(self.adopt(batch).local_id)
            if after is None:
                return
