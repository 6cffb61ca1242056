"""Replies of the service that are not batches, as they come."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from batchtui.domain.models import ModelInfo


class Capabilities(msgspec.Struct, frozen=True):
    """What a model can do, as far as we ask."""

    batch: bool | dict[str, Any] | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the list."""

    id: str
    display_name: str = ""
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    lifecycle: str | dict[str, Any] | None = None
    retires_at: datetime | None = None
    capabilities: Capabilities | None = None

    def info(self) -> ModelInfo:
        """The same as our value."""
        batch = self.capabilities.batch if self.capabilities else None
        return ModelInfo(
            id=self.id,
            display_name=self.display_name,
            max_input_tokens=self.max_input_tokens,
            max_tokens=self.max_tokens,
            lifecycle=self.lifecycle if isinstance(self.lifecycle, str) else "active",
            retires_at=self.retires_at,
            batch=bool(batch.get("supported")) if isinstance(batch, dict) else batch,
        )


class ModelPage(msgspec.Struct, frozen=True):
    """The list of models."""

    data: tuple[Model, ...]


class Tokens(msgspec.Struct, frozen=True):
    """The answer of count_tokens."""

    input_tokens: int
