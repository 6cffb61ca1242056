"""What a batch is: our record of one Message Batch, and the service's own view of it."""

from __future__ import annotations

import re
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
GIVEN_UP = "never arrived, you said; retry sends it again"
"""What the records say that a person gave up."""
EARLIEST = datetime.min.replace(tzinfo=UTC)
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")

Status = Literal["submitting", "in_progress", "canceling", "ended", "refused", "unconfirmed"]
Results = Literal["none", "partial", "stored", "gone"]
ACTIVE: frozenset[str] = frozenset({"submitting", "in_progress", "canceling", "unconfirmed"})


class Counts(msgspec.Struct, frozen=True):
    """The service's ``request_counts``."""

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
    """A MessageBatch as the service tells it; unknown fields are ignored, absent ones are None."""

    id: str
    processing_status: str
    request_counts: Counts = Counts()
    created_at: datetime
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    archived_at: datetime | None = None
    results_url: str | None = None


class RemotePage(msgspec.Struct, frozen=True):
    """One page of the list call, newest first."""

    data: tuple[RemoteBatch, ...]
    has_more: bool = False
    last_id: str | None = None


class Candidate(msgspec.Struct, frozen=True):
    """A batch at the service that an unconfirmed record may be."""

    id: str
    created_at: datetime
    requests: int


class Sighting(msgspec.Struct, frozen=True):
    """A batch at the service whose counts or time don't tell yet whether an unconfirmed record is it."""

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

    @property
    def good(self) -> int:
        """Requests with an answer that is usable as it stands."""
        return self.succeeded - self.cut_short

    @property
    def all_good(self) -> bool:
        """True when every request has a usable answer."""
        return self.good == self.lines and not self.missing


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
    """sha256 of requests.jsonl, to tell a second submit of the same requests."""
    models: dict[str, int] = {}
    """Requests by model."""
    betas: tuple[str, ...] = ()
    api_version: str = ""
    """The anthropic-version it is sent under; empty is the SDK's own."""
    source: str = ""
    intent_at: datetime | None = None
    """When we were about to send it, by our clock; None while it waits to be sent."""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    archived_at: datetime | None = None
    seen_at: datetime | None = None
    """When the service last told us about it."""
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
    """True when ids.jsonl maps made ids to the source's own rows."""
    error: str = ""
    """The last refusal or failure, in words."""
    told: bool = False
    """True once the person was told that it ended."""
    lost_at: datetime | None = None
    """When the last create's answer failed to come, was unclear or said no, by our clock."""
    not_ours: tuple[str, ...] = ()
    """Batches at the service that this record was found not to be."""
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
    ids_made: bool = False
    """True when all its custom_ids were made here and carry the plan's mark."""

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
    def asks(self) -> bool:
        """True when only a person can say whether it was created."""
        return self.status == "unconfirmed" and (bool(self.candidates) or self.asked_at is not None)

    @property
    def gone_at(self) -> datetime | None:
        """When the service throws the results away; None when created_at is unknown."""
        return self.created_at + RESULTS_KEPT if self.created_at else None

    @property
    def made_at(self) -> datetime:
        """When it was made, or was to be: what ages and sorts it; a local id that tells nothing is the oldest."""
        return self.created_at or self.intent_at or _moment(self.local_id)

    @property
    def given_up(self) -> bool:
        """True when a person said that it is not to be sent, or that it never arrived."""
        return self.status == "refused" and (
            self.error in (CANCELED_UNSENT, GIVEN_UP) or self.error.startswith(NOT_NEEDED)
        )

    @property
    def owed(self) -> bool:
        """True when it ended and its results are not all here, and can still be had."""
        return self.status == "ended" and self.results in ("none", "partial")

    @property
    def needs_retry(self) -> int:
        """Requests without a usable answer, as far as is known."""
        if self.status != "ended":
            return 0
        if self.tally is not None:
            return self.requests - self.tally.good
        return self.counts.failed


def new_local_id(now: datetime, random: str) -> str:
    """A local id such as ``20261122T061500Z-k3f9x2`` from an aware UTC time and six random characters."""
    return f"{now:%Y%m%dT%H%M%SZ}-{random}"


def _moment(local_id: str) -> datetime:
    try:
        return datetime.strptime(local_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return EARLIEST
