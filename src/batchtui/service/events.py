"""Events that the service emits, and small values it takes and returns; light to import."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.domain.schedule import LookState
from batchtui.domain.work import Progress


class TryResult(msgspec.Struct, frozen=True, kw_only=True):
    """One request's answer from the plain Messages endpoint."""

    answer: bytes
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    """What the try cost, at standard price; None when the model is unpriced."""
    cost_missing: tuple[str, ...] = ()
    """What is not known of the cost; empty when it is known whole."""


class SyncReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync did: local ids, and errors in words by local id."""

    fetched: tuple[str, ...] = ()
    adopted: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    unknown: dict[str, str] = {}
    """Batches that the API did not know when it was last asked."""
    failed: dict[str, str] = {}
    error: str = ""
    """Why the API could not be asked, or not for everything; "" when it could."""


class RecordChanged(msgspec.Struct, frozen=True):
    """A record was added (``before`` is None) or really changed."""

    record: BatchRecord
    before: BatchRecord | None


class RecordRemoved(msgspec.Struct, frozen=True):
    """A record is not in the store any more."""

    local_id: str


class Looked(msgspec.Struct, frozen=True):
    """A look began or ended, well or not."""

    state: LookState


class Transfer(msgspec.Struct, frozen=True):
    """An upload or a download of a batch moved on; ``progress`` None says it is over."""

    local_id: str
    progress: Progress | None


class Ended(msgspec.Struct, frozen=True):
    """A batch ended and what can be had of it is stored; ``late`` when that was while the app was closed."""

    record: BatchRecord
    late: bool


class Trouble(msgspec.Struct, frozen=True):
    """Something the person should read."""

    message: str
    advice: str = ""
    local_id: str = ""
