"""Finds out whether an unconfirmed batch was created, before anything would ever be sent again.

A look counts only when it saw the whole list, by the key that the batch was sent with.  Candidates are the batches
created while it was sent (with leeway for clocks) with as many requests that no other record owns.  Exactly one is
adopted, and verified when its results come; none after enough looks over enough time means that it was not created;
what can't be told is put to the person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from batchtui.domain.batch import (
    CANCELED_UNSENT,
    GIVEN_UP,
    BatchRecord,
    Candidate,
    RemoteBatch,
    Sighting,
    made_by_name,
)
from batchtui.domain.errors import InputError
from batchtui.domain.schedule import SETTLE_FARTHEST, ripe, settle_delay
from batchtui.service.batch_list import Look, look_back
from batchtui.service.context import Context
from batchtui.service.presence import notice
from batchtui.service.sender import ASK_AFTER, taken_up

replace = msgspec.structs.replace
_LONGEST_SEND = timedelta(hours=1)
"""A send of another profile that began longer ago is not in progress any more."""
RESEND_AFTER = 5
"""After so many times ``settle.seconds`` in which no look found a part it is sent again by itself."""
MOST_POSTS = 24
"""How often a part is sent by itself; beyond that a person decides."""
_STEADY_SHARE = 6
"""Of ``settle.seconds``: how long a number of requests must stand still to be believed."""
_INSIDE = 2.0
"""Seconds by which a batch of ours may seem to be created outside of its sending: a Date has whole seconds."""
_SLOW = 60.0
"""Seconds by which the API may create a batch later than we gave its answer up."""
_MOST_DOUBTS = 20
"""How many batches in doubt a record names."""

Fit = Literal["yes", "perhaps", "no"]


class Unclear(msgspec.Struct, frozen=True):
    """A batch that was sent a short while ago without a clear reply, which a list that lags might still hide."""

    local_id: str
    lost_at: datetime
    safe_at: datetime
    """When its requests can be sent again without that risk."""


class Reconciler:
    """Settles unconfirmed records by looking at what the workspace holds."""

    def __init__(self, context: Context) -> None:
        self.context = context

    # When to look.

    def due(self, now: datetime) -> list[BatchRecord]:
        """Unconfirmed records of this profile whose time to be looked for has come."""
        return [
            r
            for r in self.context.history.all()
            if r.status == "unconfirmed"
            and (not r.candidates or r.asked_at is not None)
            and self.context.mine(r)
            and ripe(r.next_try_at, now, SETTLE_FARTHEST)
        ]

    async def settle_due(self, now: datetime) -> bool:
        """One look for all that are due; False when nothing was, so that the API was not called."""
        records = self.due(now)
        if not records:
            return False
        look = await self._look(records)
        for record in records:
            self._settle(record.local_id, look)
        return True

    async def settle(self, record: BatchRecord) -> BatchRecord:
        """One look for an unconfirmed batch; returns its record afterwards.  Raises errors of the API."""
        return self._settle(record.local_id, await self._look([record]))

    async def _look(self, records: Sequence[BatchRecord]) -> Look:
        """The list back to when the first of ``records``, or one that a batch could equally be, was sent."""
        await self.context.gateway.ready()
        running = self._running()
        peers = [p for r in records for p in (r, *self._peers(r))]

        def since() -> datetime | None:
            if self.context.gateway.clock_offset is None:
                return None
            return min((self._window(p)[0] for p in peers), default=None)

        look = await look_back(self.context.gateway, since)
        notice(self.context, look.batches)
        # A list that seems whole is not when a batch of ours that must be in it is missing.
        ids, first = look.ids, since()
        missing = (b for b, made in running.items() if b not in ids and (first is None or made >= first))
        name = "" if look.flaw else next(missing, "")
        return replace(look, flaw=f"the list lacks {name}, which is in progress") if name else look

    def _running(self) -> dict[str, datetime]:
        """Batches in progress that were created with the key in use, with when."""
        mark = self.context.key_mark()
        return {
            r.id: r.created_at
            for r in self.context.history.all()
            if r.id and r.created_at and r.status in ("in_progress", "canceling")
            if mark and r.key_mark == mark and self._same_place(r)
        }

    # What a look says of a record.

    def _settle(self, local_id: str, look: Look) -> BatchRecord:
        record = self.context.history.get(local_id)
        if record is None:
            raise InputError(f"there is no batch {local_id} in this data folder")
        if record.status != "unconfirmed" or record.intent_at is None:
            return record  # Settled in the meantime.
        now, offset = self.context.clock(), self.context.gateway.clock_offset
        if record.clock_offset is None and offset is not None:
            # Our clock may be set later: what is told closest to the sending holds for it.
            record = self.context.change(local_id, lambda r: replace(r, clock_offset=offset))
        flaw = self.flaw(record, look)
        if flaw:
            return self._unproven(record, flaw, self._possible(record, look), now)
        peers = self._peers(record)
        unowned = self._unowned(look)
        certain = [b for b in unowned if self._fit(record, b, now) == "yes"]
        doubts = [b for b in unowned if self._fit(record, b, now) == "perhaps"]
        if (certain or doubts) and self._being_sent(record, now):
            # What was found may be the batch whose answer that send is waiting for.
            return self.context.change(
                local_id, lambda r: replace(r, next_try_at=now + timedelta(seconds=settle_delay(r.looks)))
            )
        rival = self._rival(record, [*certain, *doubts], now)
        if rival is not None:
            return self._unproven(record, _rivaled(rival), [*certain, *doubts], now)
        if doubts:
            why = f"{_batches(len(doubts))} in the list may be this one; counts and times don't tell yet"
            return self._unproven(record, why, [*certain, *doubts], now)
        if certain:
            return self._found(record, peers, certain, unowned, now)
        return self.context.change(local_id, lambda r: self._not_found(r, now))

    def _found(
        self,
        record: BatchRecord,
        peers: list[BatchRecord],
        certain: list[RemoteBatch],
        unowned: list[RemoteBatch],
        now: datetime,
    ) -> BatchRecord:
        """Adopt the one batch that it is, or ask the person which."""
        found = [b for b in unowned if any(self._fit(p, b, now) == "yes" for p in peers)]
        if len(found) <= len(peers):
            mine = self._assigned(record, peers, found)
            if mine is None:
                return self.context.change(record.local_id, lambda r: self._not_found(r, now))
            if self._sure(record, peers, mine):
                try:
                    return self.adopt(record.local_id, mine)
                except InputError:
                    return record  # Another record took it meanwhile: the next look goes by that.
        listed = tuple(Candidate(b.id, b.created_at or now, b.request_counts.total) for b in certain)
        why = f"{_batches(len(certain))} at the API may be this one: choose"
        return self.context.change(
            record.local_id,
            lambda r: (
                replace(r, candidates=listed, error=why, doubts=(), asked_at=None) if r.status == "unconfirmed" else r
            ),
        )

    def flaw(self, record: BatchRecord, look: Look) -> str:
        """Why a look says nothing of a record: it is not whole, or not by the key that the record was sent with."""
        if look.flaw:
            return look.flaw
        gateway = self.context.gateway
        if record.organization and gateway.organization and record.organization != gateway.organization:
            return "the key in use belongs to another organization than the one it was sent with"
        mark = self.context.key_mark()
        if not record.key_mark or not mark or record.key_mark == mark:
            return ""
        # Another key sees the same workspace when it sees what was created with the first one.
        if any(r.id in look.ids for r in self.context.history.all() if r.id and r.key_mark == record.key_mark):
            return ""
        return "the key in use is not the one it was sent with: it may be for another workspace"

    def _same_place(self, record: BatchRecord) -> bool:
        return record.base_url in ("", self.context.gateway.base_url)

    def _window(self, record: BatchRecord) -> tuple[datetime, datetime]:
        """From when to when a record's batch can have been created, by the API's clock, leeway included."""
        leeway = timedelta(seconds=self.context.config.settle.leeway_seconds)
        spans = self._spans(record)
        return min(began for began, _ in spans) - leeway, max(lost for _, lost in spans) + leeway

    def _spans(self, record: BatchRecord) -> list[tuple[datetime, datetime]]:
        """When a record was being sent, by the API's clock.

        Our clock may have been set since, and a Date may be wrong: what was told then and now, and none, is allowed for.
        """
        assert record.intent_at is not None
        offsets = {0.0, record.clock_offset or 0.0, self.context.gateway.clock_offset or 0.0}
        answered = record.seen_at if record.doubtful_id else None
        lost = record.lost_at or answered or record.intent_at
        return [(record.intent_at + timedelta(seconds=o), lost + timedelta(seconds=o)) for o in sorted(offsets)]

    def _fit(self, record: BatchRecord, batch: RemoteBatch, now: datetime) -> Fit:
        """Whether a batch that no record owns can be a record's, by its size and its time."""
        if batch.id in record.not_ours:
            return "no"
        size = self._size(record, batch, now)
        first, last = self._window(record)
        if batch.created_at is None:
            return "no" if size == "no" else "perhaps"
        if size == "no" or first <= batch.created_at <= last:
            return size
        # Without a Date nobody knows how our clock stands to the API's.
        return "perhaps" if self.context.gateway.clock_offset is None else "no"

    def _size(self, record: BatchRecord, batch: RemoteBatch, now: datetime) -> Fit:
        total = batch.request_counts.total
        if total == record.requests:
            return "yes"
        if total > record.requests or (total and batch.processing_status == "ended"):
            return "no"
        steady = timedelta(seconds=self.context.config.settle.seconds / _STEADY_SHARE)
        held = next((s for s in record.doubts if s.id == batch.id and s.requests == total), None)
        return "no" if total and held is not None and now - held.since >= steady else "perhaps"

    def _unowned(self, look: Look) -> list[RemoteBatch]:
        """The batches that no record owns, oldest first."""
        owned = {r.id for r in self.context.history.all() if r.id}
        return [b for b in reversed(look.batches) if b.id not in owned]

    def _possible(self, record: BatchRecord, look: Look) -> list[RemoteBatch]:
        now = self.context.clock()
        return [b for b in self._unowned(look) if self._fit(record, b, now) != "no"]

    def _peers(self, record: BatchRecord) -> list[BatchRecord]:
        """Unconfirmed records that one batch could equally be, itself included, in the order they were sent."""
        alike = [
            r
            for r in self.context.history.all()
            if r.status == "unconfirmed"
            and r.requests == record.requests
            and r.intent_at
            and r.base_url == record.base_url
            and (not r.key_mark or not record.key_mark or r.key_mark == record.key_mark)
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

    def _rival(self, record: BatchRecord, found: Sequence[RemoteBatch], now: datetime) -> BatchRecord | None:
        """A batch whose id nothing but its create's reply has named: what was found may be that one."""
        return next(
            (
                r
                for r in self.context.history.all()
                if r.doubtful_id
                and r.local_id != record.local_id
                and self._same_place(r)
                and any(self._fit(r, b, now) != "no" for b in found)
            ),
            None,
        )

    def _apart(self, record: BatchRecord, batch: RemoteBatch) -> float:
        """Seconds from the time a record was being sent, by the API's clock, to when a batch was created."""
        made = batch.created_at
        if made is None:
            return float("inf")
        return min(
            max(0.0, (began - made).total_seconds(), (made - lost).total_seconds())
            for began, lost in self._spans(record)
        )

    def _assigned(self, record: BatchRecord, peers: list[BatchRecord], found: list[RemoteBatch]) -> RemoteBatch | None:
        """The batch that is this record's: sends never overlap, so batches were created in the order of the intents."""
        if len(found) == len(peers) and not any(b.id in r.not_ours for r in peers for b in found):
            return found[[r.local_id for r in peers].index(record.local_id)]
        for batch in found:
            distances = {r.local_id: self._apart(r, batch) for r in peers if batch.id not in r.not_ours}
            if distances and min(distances, key=lambda name: distances[name]) == record.local_id:
                return batch
        return None

    def _sure(self, record: BatchRecord, peers: list[BatchRecord], batch: RemoteBatch) -> bool:
        """True when a batch may be adopted without asking: its results tell whose it is, or nothing else can be it.

        ids that were made here tell it, and so do those of one run; a person's own may be the same in another batch.
        """
        if record.ids_made:
            return True
        fitting = [r for r in peers if batch.id not in r.not_ours]
        if len({r.run for r in fitting}) == 1:
            return any(self._inside(r, batch, _SLOW) for r in fitting)
        return [r.local_id for r in fitting if self._inside(r, batch, _INSIDE)] == [record.local_id]

    def _inside(self, record: BatchRecord, batch: RemoteBatch, slow: float) -> bool:
        """True when a batch was created while a record was being sent, or up to ``slow`` seconds later."""
        before, after, made = timedelta(seconds=_INSIDE), timedelta(seconds=slow), batch.created_at
        return made is not None and any(began - before <= made <= lost + after for began, lost in self._spans(record))

    def _undecided(self, record: BatchRecord) -> bool:
        """True while a batch adopted for a like record, not verified yet, could still turn out to be this one."""
        return any(
            r.requests == record.requests
            and not r.verified
            and r.id not in record.not_ours
            and self._same_place(r)
            and r.created_at is not None
            and self._window(record)[0] <= r.created_at <= self._window(record)[1]
            for r in self.context.history.all()
            if r.local_id != record.local_id
        )

    def _not_found(self, record: BatchRecord, now: datetime) -> BatchRecord:
        """The record after a whole look in which it was not."""
        if record.status != "unconfirmed":
            return record
        looks = record.looks + 1
        rule = self.context.config.settle
        since = record.lost_at or record.intent_at or now
        later = now + timedelta(seconds=settle_delay(looks))
        record = replace(record, looks=looks, unproven=0, doubts=(), asked_at=None, candidates=(), next_try_at=later)
        if since > now:
            # The clock was set back: the time to be sure begins anew, by the clock as it is.
            return replace(record, lost_at=now)
        looked = (now - since).total_seconds()
        if self._undecided(record) or looks < rule.looks or looked < rule.seconds:
            return record
        if record.resend_at is not None and record.posts < MOST_POSTS:
            surely = since + timedelta(seconds=RESEND_AFTER * rule.seconds)
            if now < surely:
                # Nobody asked for this: a list may lag longer than those who ask are made to wait.
                words = f"the API was too busy (HTTP {record.answer_status}); sent again at {surely:%H:%M} UTC"
                return replace(record, error=f"{words} if the list does not show it by then")
            wait = record.resend_at if record.resend_at > now else None
            return replace(
                record, status="submitting", intent_at=None, next_try_at=wait, resend_at=None, looks=0, lost_at=None
            )
        proof = f"{looks} checks since {since:%Y-%m-%d %H:%M:%S} UTC found no such batch"
        words = f"was not created: {proof}; retry sends it again"
        if record.resend_at is not None:
            words = f"was refused {record.posts} times (HTTP {record.answer_status}) and {words}"
        elif record.error.startswith(CANCELED_UNSENT):
            words = CANCELED_UNSENT
        return replace(record, status="refused", error=words, next_try_at=None, resend_at=None)

    def _unproven(self, record: BatchRecord, why: str, possible: Sequence[RemoteBatch], now: datetime) -> BatchRecord:
        """Put a look on record that proved nothing; after a while the person is asked."""

        def change(r: BatchRecord) -> BatchRecord:
            if r.status != "unconfirmed":
                return r
            held = {(s.id, s.requests): s for s in r.doubts}
            doubts = tuple(
                held.get((b.id, b.request_counts.total))
                or Sighting(b.id, b.created_at or now, b.request_counts.total, now)
                for b in possible[:_MOST_DOUBTS]
            )
            since = r.lost_at or r.intent_at or now
            asked = r.asked_at
            if asked is None and (now - since).total_seconds() >= ASK_AFTER * self.context.config.settle.seconds:
                asked = now
            listed = tuple(Candidate(s.id, s.created_at, s.requests) for s in doubts) if asked else ()
            later = now + timedelta(seconds=settle_delay(r.looks + r.unproven))
            words = r.error if r.error.startswith(CANCELED_UNSENT) else f"can't be confirmed yet: {why}"
            return replace(
                r, doubts=doubts, unproven=r.unproven + 1, asked_at=asked, candidates=listed, next_try_at=later,
                error=words,
            )  # fmt: skip

        return self.context.change(record.local_id, change)

    # Before something is sent again.

    def provable_at(self, prior: BatchRecord, again: BatchRecord) -> datetime | None:
        """When a look can first prove that a refused batch was not created; None when it can by now.

        A refusal proves no more than a lost reply does, so a list may lag as long behind it.  Where nothing but the list
        says no it is given longer, unless a person wants ``again``, which has the requests now, to be sent at once.
        """
        if self._refused_key(prior):
            return None
        now = self.context.clock()
        answered = prior.lost_at or prior.intent_at or now
        if answered > now:  # The clock was set back: the time to be sure begins with what is to be sent.
            answered = made_by_name(again.local_id)
        times = RESEND_AFTER if prior.unclear and not again.send_now else 1
        at = answered + timedelta(seconds=times * self.context.config.settle.seconds)
        return at if answered <= now < at else None

    def prior(self, retry_of: Iterable[str], fingerprints: Iterable[str], but: str = "") -> list[BatchRecord]:
        """Batches whose requests would go out again with a retry of ``retry_of``, or with these fingerprints.

        A batch that was to retry another leads to that one too.
        """
        prints, names, wanted = frozenset(filter(None, fingerprints)), set[str](), set(retry_of)
        known = {r.local_id: r for r in self.context.history.all()}
        wanted |= {r.local_id for r in known.values() if r.fingerprint in prints}
        while wanted:
            names |= wanted
            wanted = {n for name in wanted if name in known for n in known[name].retry_of} - names
        return [r for r in known.values() if r.local_id in names - {but} and self.context.in_reach(r)]

    def unclear(self, retry_of: Iterable[str], fingerprints: Iterable[str]) -> list[Unclear]:
        """The batches with these requests that a list which lags might still hide, oldest first."""
        now, found = self.context.clock(), []
        for record in self.prior(retry_of, fingerprints):
            since = record.lost_at or record.intent_at
            if record.unclear and since is not None and not self._refused_key(record):
                since = min(since, now)
                safe = since + timedelta(seconds=RESEND_AFTER * self.context.config.settle.seconds)
                found += [Unclear(record.local_id, since, safe)] if now < safe else []
        return sorted(found, key=lambda each: each.lost_at)

    def _refused_key(self, prior: BatchRecord) -> bool:
        """True when a record was refused for its key, and another key is in use now: the first one creates nothing."""
        return prior.answer_status == 401 and prior.key_mark != self.context.key_mark()

    async def found_after_all(self, prior: BatchRecord) -> BatchRecord | str | None:
        """Look for a refused batch that was sent, before its requests are sent again.

        None when it was not created, its record when it was (it is adopted), or why that can't be told yet.  Raises
        errors of the API.
        """
        now = self.context.clock()
        look = await self._look([prior])
        flaw = self.flaw(prior, look)
        if flaw and (look.flaw or not self._refused_key(prior)):
            return flaw
        unowned = self._unowned(look)
        fits = [fit for b in unowned if (fit := self._fit(prior, b, now)) != "no"]
        if not fits:
            undecided = "it may be a batch that another record was given, which its results will tell"
            return undecided if self._undecided(prior) else None
        rival = self._rival(prior, unowned, now)
        if rival is not None:
            return _rivaled(rival)
        peers = sorted(
            (r for r in self._refused() if r.requests == prior.requests), key=lambda r: (r.intent_at, r.part)
        )
        found = [b for b in unowned if any(self._fit(p, b, now) == "yes" for p in peers)]
        mine = self._assigned(prior, peers, found) if len(found) <= len(peers) else None
        fitting = mine is not None and self._fit(prior, mine, now) == "yes"
        if "perhaps" in fits or mine is None or not (fitting and self._sure(prior, peers, mine)):
            return f"{_batches(len(fits))} in the list may be {prior.local_id}"
        return self.adopt(prior.local_id, mine)

    def is_open(self, record: BatchRecord) -> bool:
        """True for a record that was sent, whoever's profile it is, and has no batch of its own for sure.

        Two addresses may lead to one workspace, unless they name different organizations.
        """
        sent = record.status in ("submitting", "unconfirmed") and record.intent_at is not None
        here, there = self.context.gateway.organization, record.organization
        return (sent or record.doubtful_id) and (self._same_place(record) or not (here and there) or here == there)

    def may_be(self, record: BatchRecord, batch: RemoteBatch) -> bool:
        """True when a batch was created while an open record was sent, as far as clocks tell."""
        if batch.id in record.not_ours:
            return False
        if self.context.gateway.clock_offset is None or batch.created_at is None:
            return True
        first, last = self._window(record)
        return first <= batch.created_at and (record.status == "submitting" or batch.created_at <= last)

    def looks_like(self, record: BatchRecord, batch: RemoteBatch) -> bool:
        """True when a batch has the size of an open record, and was created while it was sent."""
        return self._fit(record, batch, self.context.clock()) == "yes"

    def late(self, batch: RemoteBatch) -> tuple[BatchRecord | None, bool]:
        """The refused record that a batch which the list gave too late is for sure, and whether it may be one at all."""
        now = self.context.clock()
        fits = [(r, fit) for r in self._refused() if (fit := self._fit(r, batch, now)) != "no"]
        fitting = [r for r, fit in fits if fit == "yes"]
        near = [r for r in fitting if r.ids_made or self._inside(r, batch, _SLOW)]
        sure = sorted(
            (r for r in near if self._sure(r, near, batch)), key=lambda r: (self._apart(r, batch), r.intent_at)
        )
        if sure or len(near) == 1:
            return [*sure, *near][0], True
        return None, bool(near) or len(fits) > len(fitting)

    def _refused(self) -> list[BatchRecord]:
        """Refused records whose requests went out, and of which nobody said that they were not created."""
        return [
            r
            for r in self.context.history.all()
            if r.status == "refused"
            and r.intent_at is not None
            and r.id is None
            and not r.said_not_created
            and self.context.in_reach(r)
        ]

    # What is decided.

    def adopt(self, local_id: str, remote: RemoteBatch) -> BatchRecord:
        """Take a batch at the API as this record's; verified when its results come."""

        def take(r: BatchRecord) -> BatchRecord:
            if r.status != "unconfirmed" and not (r.status == "refused" and r.posted and r.id is None):
                return r
            return replace(taken_up(r, remote, self.context), verified=False)

        with self.context.owning():
            self.context.must_be_free(remote.id, local_id)
            return self.context.change(local_id, take)

    async def choose(self, local_id: str, remote_id: str) -> BatchRecord:
        """The person says which candidate it is."""
        remote = await self.context.gateway.retrieve(remote_id)
        return self.adopt(local_id, remote)

    def give_up(self, local_id: str) -> BatchRecord:
        """The person marks it as not created."""

        def change(r: BatchRecord) -> BatchRecord:
            if r.status != "unconfirmed" and not (r.status == "refused" and r.posted):
                return r
            others = (*r.not_ours, *(c.id for c in r.candidates if c.id not in r.not_ours))
            return replace(
                r, status="refused", candidates=(), doubts=(), not_ours=others, asked_at=None, resend_at=None,
                error=GIVEN_UP, next_try_at=None,
            )  # fmt: skip

        return self.context.change(local_id, change)

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
                error=f"{other} turned out to be another batch (its custom_ids differ); checking again",
            ),
        )


def _rivaled(rival: BatchRecord) -> str:
    return f"a batch in the list may be {rival.local_id}, whose id {rival.id} is not confirmed yet"


def _batches(count: int) -> str:
    return f"{count} batch" if count == 1 else f"{count} batches"
