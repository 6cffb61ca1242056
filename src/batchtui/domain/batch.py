"""What a batch is: our record of one Message Batch, and the API's own view of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from batchtui.domain.plan import Estimate

SCHEMA_VERSION = 2
RESULTS_KEPT = timedelta(days=29)
"""How long results can be fetched, from created_at (Message Batches documentation, October 2026)."""
CANCELED_UNSENT = "canceled before it was sent"
NOT_NEEDED = "not sent: "
"""How the error of a retry begins whose batch turned out to have been created."""
GIVEN_UP = "marked as not created; retry sends it again"
"""The error of a record that a person marked as not created."""
_GIVEN_UP_BEFORE = "never arrived, you said; retry sends it again"
"""The same, in records of 0.1.0."""
_TOO_BUSY = 429
EARLIEST = datetime.min.replace(tzinfo=UTC)
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")

Status = Literal["submitting", "in_progress", "canceling", "ended", "refused", "unconfirmed"]
Results = Literal["none", "partial", "stored", "gone"]
ACTIVE: frozenset[str] = frozenset({"submitting", "in_progress", "canceling", "unconfirmed"})


class Counts(msgspec.Struct, frozen=True):
    """The API's ``request_counts``."""

    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """All requests of the batch."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired

    @property
    def done(self) -> int:
        """Requests with an outcome."""
        return self.total - self.processing

    @property
    def failed(self) -> int:
        """Requests that ended without an answer."""
        return self.errored + self.canceled + self.expired


class RemoteBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A MessageBatch as the API tells it; a field that is absent, or was not to be believed, is None.

    Counts that were not to be believed are all 0.
    """

    id: str
    processing_status: str
    request_counts: Counts = Counts()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    archived_at: datetime | None = None
    has_results: bool = False
    """True when the API names an address of the results, whichever it is."""


class RemotePage(msgspec.Struct, frozen=True):
    """One page of the list call, newest first."""

    data: tuple[RemoteBatch, ...]
    has_more: bool = False
    last_id: str | None = None
    refused: int = 0
    """Entries that could not be read: what the page does not hold is then not proven to be absent."""


class Candidate(msgspec.Struct, frozen=True):
    """A batch at the API that an unconfirmed record may be."""

    id: str
    created_at: datetime
    requests: int


class Sighting(msgspec.Struct, frozen=True):
    """A batch at the API whose counts or time don't tell yet whether an unconfirmed record is it."""

    id: str
    created_at: datetime
    requests: int
    since: datetime
    """When that number of requests was first seen, by our clock."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What the stored results hold, counted line by line when they were indexed."""

    lines: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0
    unknown: int = 0
    unreadable: int = 0
    cut_short: int = 0
    invalid: int = 0
    """Answers that are whole and not the JSON, or not within the schema, that was asked for."""
    missing: int = 0
    unexpected: int = 0
    duplicates: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    cost_usd: Decimal | None = None
    standard_usd: Decimal | None = None
    unpriced: tuple[str, ...] = ()
    cost_missing: tuple[str, ...] = ()
    """What is not known of the cost, which is at least ``cost_usd`` then; empty when it is known whole."""

    @property
    def good(self) -> int:
        """Requests with an answer that is usable as it stands."""
        return self.succeeded - self.cut_short - self.invalid


class BatchRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Our record of one batch, stored as ``batch.json`` in its folder (see design: On disk)."""

    schema: int = SCHEMA_VERSION
    local_id: str
    id: str | None = None
    run: str
    attempt: int = 0
    """0 for what was first submitted, 1 and up for the run's retries."""
    retry_of: tuple[str, ...] = ()
    """Of a retry, the local ids of the run's batches that its requests were in; empty in records that don't say it."""
    part: int = 1
    parts: int = 1
    title: str = ""
    note: str = ""
    profile: str = "default"
    base_url: str = ""
    status: Status = "submitting"
    counts: Counts = Counts()
    requests: int = 0
    bytes: int = 0
    """Size of requests.jsonl as sent, in bytes; 0 when it was made elsewhere."""
    fingerprint: str = ""
    """sha256 of requests.jsonl, without the mark of made ids, to tell a second submit of the same requests."""
    models: dict[str, int] = {}
    """Requests by model."""
    betas: tuple[str, ...] = ()
    api_version: str = ""
    """The anthropic-version it is sent under; empty is the SDK's own."""
    source: str = ""
    template: str = ""
    """Mark of the template that made its requests; empty when there was none, and in records that don't say it."""
    intent_at: datetime | None = None
    """When we were about to send it, by our clock; None while it waits to be sent."""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    archived_at: datetime | None = None
    seen_at: datetime | None = None
    """When the API last told us about it."""
    looks: int = 0
    """Looks for an unconfirmed batch, or for results that were not there."""
    next_try_at: datetime | None = None
    """When to look or fetch again after a failure."""
    candidates: tuple[Candidate, ...] = ()
    results: Results = "none"
    tally: Tally | None = None
    """None until results are stored."""
    estimate: Estimate | None = None
    cost_usd: Decimal | None = None
    """Real cost at batch price, from the stored results' usage; None while unknown or unpriced."""
    foreign: bool = False
    """True when it was made elsewhere and adopted here: there is no requests.jsonl."""
    verified: bool = True
    """False after an adoption by count, until the results' custom_ids are checked."""
    ids_kept: bool = False
    """True when ids.jsonl says which row of which source each request was made from."""
    ids_made: bool = False
    """True when every custom_id was made by us with the plan's mark: only then they prove whose batch it is."""
    skipped: int = 0
    """Requests with errors that were skipped, kept in skipped.jsonl; of a run, its first batch says it."""
    error: str = ""
    """The last refusal or failure, in words."""
    told: bool = False
    """True once the person was told that it ended."""
    lost_at: datetime | None = None
    """When the last create's answer failed to come, was unclear or said no, by our clock."""
    not_ours: tuple[str, ...] = ()
    """Batches at the API that this record was found not to be."""
    retried: dict[str, int] = {}
    """Of a retry, how many failed requests of each batch in ``retry_of`` it sends again; empty in older records."""
    have: int = 0
    """Requests whose result is here, while others are still fetched again."""
    short_looks: int = 0
    """Downloads that came to their end without all results."""
    short_since: datetime | None = None
    """When the first of them did, by our clock."""
    gone_looks: int = 0
    """Looks that found the results no longer to be had, in a row."""
    gone_since: datetime | None = None
    """When the first of them did, by our clock."""
    unknown_looks: int = 0
    """Looks at which the API did not know the batch (404), in a row."""
    unknown_since: datetime | None = None
    """When the first of them was, by our clock."""
    unknown_at: datetime | None = None
    """When enough looks had agreed that the API does not know the batch; None while it does."""
    marked_gone: Status | None = None
    """The status it had when the person marked it as gone; None when they did not."""
    id_seen: bool = True
    """False while nothing but the create's reply has named ``id``: no list, and no reply to a question after it."""
    posts: int = 0
    """How often its requests went out."""
    answer_status: int = 0
    """HTTP status of the last create's refusal; 0 when there was none."""
    resend_at: datetime | None = None
    """When it may be sent again by itself, once looks have proven that it was not created; None when it may not."""
    key_mark: str = ""
    """Whose key it was sent with: a salted fingerprint of 8 bytes; empty when that can't be told."""
    organization: str = ""
    """The organization that the API's replies named when it was sent."""
    clock_offset: float | None = None
    """Seconds the API's clock was ahead of ours when it was sent, or first looked for; None when no reply said it."""
    unproven: int = 0
    """Looks for it that proved nothing, since the last that did."""
    doubts: tuple[Sighting, ...] = ()
    """Batches of which the last look could not tell whether they are this one."""
    asked_at: datetime | None = None
    """Since when it is put to the person, because looks can't prove whether it was created."""
    send_now: bool = False
    """True when it is to be sent though a list that lags might still hide an earlier batch with its requests."""

    @property
    def active(self) -> bool:
        """True while there is something to wait for."""
        return self.status in ACTIVE

    @property
    def waiting(self) -> bool:
        """True when it was confirmed and certainly not sent yet."""
        return self.status == "submitting" and self.intent_at is None

    @property
    def posted(self) -> bool:
        """True when its requests went out, whatever came of it."""
        return self.posts > 0 or self.intent_at is not None

    @property
    def doubtful_id(self) -> bool:
        """True while its id may be a wrong one: the batch that was created for it may then be any that nobody owns."""
        return self.id is not None and not self.id_seen and self.intent_at is not None

    @property
    def asks(self) -> bool:
        """True when only a person can say whether it was created."""
        return self.status == "unconfirmed" and (bool(self.candidates) or self.asked_at is not None)

    @property
    def gone_at(self) -> datetime | None:
        """When the API throws the results away; None when created_at is unknown."""
        return self.created_at + RESULTS_KEPT if self.created_at else None

    @property
    def made_at(self) -> datetime:
        """When it was made, or was to be: what ages and sorts it; a local id that tells nothing is the oldest."""
        return self.created_at or self.intent_at or made_by_name(self.local_id)

    @property
    def unknown(self) -> bool:
        """True when the API does not know the batch any more and nobody has marked it as gone."""
        return self.unknown_at is not None and self.marked_gone is None and (self.results_due or self.active)

    @property
    def sent_or_counted(self) -> int:
        """Results to expect: the larger of what was sent and what the API counts."""
        return max(self.requests, self.counts.total)

    @property
    def given_up(self) -> bool:
        """True when a person said that it is not to be sent, or marked it as not created."""
        return self.status == "refused" and (
            self.error in (CANCELED_UNSENT, GIVEN_UP, _GIVEN_UP_BEFORE) or self.error.startswith(NOT_NEEDED)
        )

    @property
    def said_not_created(self) -> bool:
        """True when a person marked it as not created."""
        return self.status == "refused" and self.error in (GIVEN_UP, _GIVEN_UP_BEFORE)

    @property
    def unclear(self) -> bool:
        """True when nothing but the list says that it was not created: its reply was lost, or a 429 proves no more."""
        sent = self.status == "refused" and self.intent_at is not None and self.id is None
        return sent and not self.said_not_created and self.answer_status in (0, _TOO_BUSY)

    @property
    def results_due(self) -> bool:
        """True when it ended and its results are not all here, and can still be had."""
        return self.status == "ended" and self.results in ("none", "partial")

    @property
    def partly_here(self) -> bool:
        """True when some of its results are here and others are not."""
        return self.results == "partial" or (self.results != "stored" and self.have > 0)

    @property
    def needs_retry(self) -> int:
        """Requests without a usable answer, as far as is known."""
        if self.status != "ended":
            return 0
        if self.tally is not None:
            return self.requests - self.tally.good
        return self.requests if self.results == "gone" else self.counts.failed


def not_retried(record: BatchRecord, run: Iterable[BatchRecord]) -> int:
    """Requests of a batch without a usable answer that no later batch of its run has taken up.

    A retry whose record does not say how many it took of each batch is taken to have all.
    """
    later = [
        r
        for r in run
        if r.attempt > record.attempt
        and r.status != "refused"
        and record.local_id in (r.retry_of or (record.local_id,))
    ]
    if not later:
        return record.needs_retry
    # Answers that were cut short or are invalid are sent again only when that is asked for.
    failed = record.needs_retry - (record.tally.cut_short + record.tally.invalid if record.tally else 0)
    for attempt in {r.attempt for r in later}:
        parts = [r for r in later if r.attempt == attempt]
        if parts[0].retried:
            failed -= parts[0].retried.get(record.local_id, 0)
        elif len(parts[0].retry_of) == 1:
            failed -= sum(r.requests for r in parts)
        else:
            return 0
    return max(0, failed)


def new_local_id(now: datetime, random: str) -> str:
    """A local id such as ``20261122T061500Z-k3f9x2`` from an aware UTC time and six random characters."""
    return f"{now:%Y%m%dT%H%M%SZ}-{random}"


def made_by_name(local_id: str) -> datetime:
    """When a local id was made, by its name; EARLIEST when it tells nothing."""
    try:
        return datetime.strptime(local_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return EARLIEST
