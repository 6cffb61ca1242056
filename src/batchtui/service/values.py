"""What the service takes and gives beside records and plans; light to import."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests to retry: by outcome, or these custom_ids."""

    only: tuple[str, ...] = ("errored", "expired", "canceled", "missing")
    custom_ids: frozenset[str] | None = None


class TryResult(msgspec.Struct, frozen=True, kw_only=True):
    """One request's answer from the plain Messages endpoint."""

    answer: bytes
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    """What the try cost, at standard price; None when the model is unpriced."""


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
    """Why the service could not be asked, or not for everything; "" when it could."""
