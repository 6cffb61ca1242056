"""How sources are to be read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from batchtui.domain.model_rules import ModelRules
from batchtui.domain.plan import MAX_BYTES, MAX_REQUESTS, ModelInfo, UsedBefore

API_VERSION = "2026-10-21"
"""The ``anthropic-version`` the official SDK 2.x speaks."""

FORMATS: Mapping[str, str] = {
    "native": "requests, one per line",
    "json": "requests in one JSON array or body",
    "params": "Messages params, one per line",
    "openai": "an OpenAI batch",
    "csv": "rows of CSV",
    "tsv": "rows of TSV",
    "rows": "rows of JSON lines",
    "parquet": "rows of Parquet",
    "text": "text files, one row each",
}
"""Formats that can be asked for by name, and what they are in words."""


class IntakeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what a plan becomes, besides its sources."""

    format: str | None = None
    """One of FORMATS; None tells it from the content."""
    template: Path | None = None
    template_text: str | None = None
    """A template that is not (yet) a file; it goes before ``template``."""
    template_name: str = "template"
    """What ``template_text`` is called in problems."""
    max_requests: int = MAX_REQUESTS
    max_bytes: int = MAX_BYTES
    """Limits of one batch; bytes are those of the create's body."""
    api_version: str = API_VERSION
    skip_bad: bool = False
    """Leave bad requests out, and keep them beside the staged parts."""
    skipped_path: Path | None = None
    """Where bad requests are written as they were given, too."""
    mark: str = ""
    """What made custom_ids begin with; empty takes a new one for each plan that is staged."""
    cache_prefix: bool = False
    """Put the system prompt and the tools under a 1-hour cache."""
    close_schemas: bool = False
    """Add ``additionalProperties: false`` to every object of schemas that the API is to obey."""
    default_model: str | None = None
    """For requests without a model, and in place of a template's or another maker's."""
    fallback_model: str | None = None
    """The same by the profile: it replaces no template's model."""
    default_max_tokens: int = 4096
    """For translated requests that name no limit."""
    betas: tuple[str, ...] = ()
    """Betas of every request, beside those its own params name."""
    models: Mapping[str, ModelInfo] | None = None
    """What the service tells about its models, by id; None when it was not asked."""
    rules: Mapping[str, ModelRules] | None = None
    """What each model takes, by full name; None for the built-in table."""
    history: Callable[[str], UsedBefore | None] | None = None
    """What earlier runs of the same template used with a model."""
    today: date = msgspec.field(default_factory=lambda: datetime.now(UTC).date())

    @property
    def any_model(self) -> str:
        """The model for requests that name none; "" when there is none."""
        return self.default_model or self.fallback_model or ""

    @property
    def has_template(self) -> bool:
        """Whether rows are to become requests."""
        return self.template is not None or self.template_text is not None
