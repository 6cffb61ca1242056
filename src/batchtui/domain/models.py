"""What the service tells about a model (``GET /v1/models``)."""

from __future__ import annotations

from datetime import datetime

import msgspec


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the service's list; what it does not tell is None."""

    id: str
    display_name: str = ""
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    """The largest ``max_tokens`` a request may ask for."""
    lifecycle: str = "active"
    """active, deprecated or retired."""
    retires_at: datetime | None = None
    batch: bool | None = None
    """Whether it may be used in a batch (``capabilities.batch``)."""
    thinking: dict[str, bool] = {}
    """``capabilities.thinking.types``: which types the model takes, as far as told."""
    efforts: tuple[str, ...] | None = None
    """``capabilities.effort``: the values it takes, empty for none; None when not told."""
    structured_outputs: bool | None = None
    image_input: bool | None = None
    pdf_input: bool | None = None
