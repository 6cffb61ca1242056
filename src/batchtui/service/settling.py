"""Finds out whether an unconfirmed batch was made, before anything would ever be sent again.

Candidates are the batches created since the intent (with leeway for clocks) with as many requests that no other record
owns.  Exactly one is adopted, and verified when its results come; none after enough looks over enough time means it
never arrived; several are put to the person.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from batchtui.domain.batch import GIVEN_UP, BatchRecord, Candidate, RemoteBatch
from batchtui.domain.errors import BatchtuiError, InputError, Unavailable
from batchtui.poller import SETTLE_FARTHEST, ripe, settle_delay
from batchtui.service.context import Context
from batchtui.service.sending import taken_up

replace = msgspec.structs.replace
_LONGEST_SEND = timedelta(hours=1)
"""A send of another profile that began longer ago is not under way any more."""


class Settler:
    """Settles unconfirmed records by looking at what the workspace holds."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def due(self, now: datetime) -> list[BatchRecord]:
        """Unconfirmed records of this profile whose time to be looked for has come."""
        return [
            r
            for r in self.context.history.all()
            if r.status == "unconfirmed"
            and not r.candidates
            and self.context.mine(r)
            and ripe(r.next_try_at, now, SETTLE_FARTHEST)
        ]

    async def until_settled(self, local_ids: Sequence[str]) -> None:
        """Look for these batches until each is adopted, refused, or has several candidates."""
        while True:
            doubtful = [
                r
                for i in local_ids
                if (r := self.context.history.get(i)) and r.status == "unconfirmed" and not r.candidates
            ]
            if not doubtful:
                return
            for record in doubtful:
                with contextlib.suppress(BatchtuiError):
                    await self.settle(record)
            await asyncio.sleep(1.0)

    async def settle(self, record: BatchRecord) -> BatchRecord:
        """One look for an unconfirmed batch; returns its record afterwards.  Raises service errors."""
        record = self.context.history.get(record.local_id) or record
        peers = self._peers(record)
        if record.local_id not in {r.local_id for r in peers}:
            return record  # Settled in the meantime.
        found = await self._candidates(peers)
        possible = [b for b in found if b.id not in record.not_ours]
        now = self.context.clock()
        if possible and self._being_sent(record, now):
            # What was found may be the batch whose answer that send is waiting for.
            return self.context.change(
                record.local_id, lambda r: replace(r, next_try_at=now + timedelta(seconds=settle_delay(r.looks)))
            )
        if possible and len(found) <= len(peers):
            mine = self._assigned(record, peers, found)
            if mine is not None:
                return self.adopt(record.local_id, mine)
            possible = []
        if possible:
            listed = tuple(Candidate(b.id, b.created_at or now, b.request_counts.total) for b in possible)
            why = f"{len(possible)} batches at the service could be this one: choose"
            return self.context.change(
                record.local_id, lambda r: replace(r, candidates=listed, error=why) if r.status == "unconfirmed" else r
            )
        return self.context.change(record.local_id, lambda r: self._not_found(r, now))

    def _peers(self, record: BatchRecord) -> list[BatchRecord]:
        """Unconfirmed records that one batch could equally be, in the order they were sent."""
        alike = [
            r
            for r in self.context.history.all()
            if r.status == "unconfirmed" and r.requests == record.requests and r.intent_at and self.context.mine(r)
        ]
        return sorted(alike, key=lambda r: (r.intent_at, r.run, r.part))

    def _being_sent(self, record: BatchRecord, now: datetime) -> bool:
        """True while a batch of as many requests is on its way to the same address."""
        return any(
            r.status == "submitting"
            and r.intent_at is not None
            and r.requests == record.requests
            and r.base_url == record.base_url
            and (r.profile == record.profile or abs(now - r.intent_at) < _LONGEST_SEND)
            for r in self.context.history.all()
        )

    def _apart(self, record: BatchRecord, batch: RemoteBatch) -> float:
        """Seconds from the time a record was being sent, by the service's clock, to when a batch was made."""
        assert record.intent_at is not None and batch.created_at is not None
        began = self.context.service_time(record.intent_at)
        lost = self.context.service_time(record.lost_at or record.intent_at)
        return max(0.0, (began - batch.created_at).total_seconds(), (batch.created_at - lost).total_seconds())

    def _assigned(self, record: BatchRecord, peers: list[BatchRecord], found: list[RemoteBatch]) -> RemoteBatch | None:
        """The batch that is this record's: sends never overlap, so batches were made in the order of the intents."""
        if len(found) == len(peers) and not any(b.id in r.not_ours for r in peers for b in found):
            return found[[r.local_id for r in peers].index(record.local_id)]
        for batch in found:
            distances = {r.local_id: self._apart(r, batch) for r in peers if batch.id not in r.not_ours}
            if distances and min(distances, key=lambda name: distances[name]) == record.local_id:
                return batch
        return None

    def _undecided(self, record: BatchRecord) -> bool:
        """True while a batch adopted for a like record, not verified yet, could still turn out to be this one."""
        return any(
            r.requests == record.requests and not r.verified and r.id not in record.not_ours and self.context.mine(r)
            for r in self.context.history.all()
            if r.local_id != record.local_id
        )

    def _not_found(self, record: BatchRecord, now: datetime) -> BatchRecord:
        if record.status != "unconfirmed":
            return record
        looks = record.looks + 1
        rule = self.context.config.settle
        since = record.lost_at or record.intent_at or now
        if since > now:
            # The clock was set back: the time to be sure begins anew, by the clock as it is.
            at = now + timedelta(seconds=settle_delay(looks))
            return replace(record, looks=looks, lost_at=now, next_try_at=at)
        undecided = self._undecided(record)
        if not undecided and looks >= rule.looks and (now - since).total_seconds() >= rule.seconds:
            words = (
                f"never arrived: {looks} looks since {since:%Y-%m-%d %H:%M:%S} UTC found no such batch; "
                "nothing was made, retry sends it again"
            )
            return replace(record, status="refused", error=words, looks=looks, next_try_at=None)
        return replace(record, looks=looks, next_try_at=now + timedelta(seconds=settle_delay(looks)))

    async def _candidates(self, peers: list[BatchRecord]) -> list[RemoteBatch]:
        """Batches at the service that one of ``peers`` could be, oldest first."""
        leeway, now = timedelta(seconds=self.context.config.settle.leeway_seconds), self.context.clock()
        found: list[RemoteBatch] = []
        async for page in self.context.gateway.pages():
            times = [b.created_at for b in page.data if b.created_at]
            if page.refused or len(times) < len(page.data):
                raise Unavailable("the list of batches can't be read whole", advice="it is looked for again")
            # Each reply says how far the service's clock is from ours now; it may have been set since the intent.
            began = min(r.intent_at for r in peers if r.intent_at)
            lost = max(r.lost_at or r.intent_at for r in peers if r.intent_at)
            first = min(began, self.context.service_time(began)) - leeway
            last = max(lost, self.context.service_time(lost)) + leeway
            owned = {r.id for r in self.context.history.all() if r.id}
            # What turned out not to be one of them may be another.
            owned |= set(peers[0].not_ours).intersection(*(r.not_ours for r in peers))
            found += [
                b
                for b in page.data
                if b.created_at
                and first <= b.created_at <= last
                and b.request_counts.total == peers[0].requests
                and b.id not in owned
            ]
            if not times or times[-1] < first:
                break
        return sorted(found, key=lambda b: (b.created_at or now, b.id))

    def adopt(self, local_id: str, remote: RemoteBatch) -> BatchRecord:
        """Take a batch at the service as this record's; verified when its results come."""
        with self.context.owning():
            if any(r.id == remote.id and r.local_id != local_id for r in self.context.history.all()):
                raise InputError(f"{remote.id} belongs to another record already")
            return self.context.change(
                local_id,
                lambda r: (
                    replace(taken_up(r, remote, self.context), verified=False) if r.status == "unconfirmed" else r
                ),
            )

    async def choose(self, local_id: str, remote_id: str) -> BatchRecord:
        """The person says which candidate it is."""
        remote = await self.context.gateway.retrieve(remote_id)
        return self.adopt(local_id, remote)

    def give_up(self, local_id: str) -> BatchRecord:
        """The person says it never arrived."""
        return self.context.change(
            local_id,
            lambda r: (
                replace(
                    r,
                    status="refused",
                    candidates=(),
                    error=GIVEN_UP,
                    next_try_at=None,
                )
                if r.status == "unconfirmed"
                else r
            ),
        )

    def disown(self, record: BatchRecord) -> BatchRecord:
        """The results' custom_ids are not ours: this was another batch, and ours is unconfirmed again."""
        other = record.id or ""
        now = self.context.clock()
        return self.context.change(
            record.local_id,
            lambda r: replace(
                r,
                id=None,
                status="unconfirmed",
                verified=True,
                results="none",
                tally=None,
                cost_usd=None,
                counts=type(r.counts)(),
                created_at=None,
                expires_at=None,
                ended_at=None,
                not_ours=(*r.not_ours, other),
                looks=0,
                next_try_at=now,
                error=f"{other} turned out to be another batch (its custom_ids differ); looking on",
            ),
        )
