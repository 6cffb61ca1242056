"""How sources are to be read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from batchtui.domain.model_rules import ModelRules
from batchtui.domain.plan import MAX_BYTES, MAX_REQUESTS, ModelInfo, UsedBefore
from batchtui.safetext import line as safe

if TYPE_CHECKING:
    from batchtui.intake.run_rows import RunSource
    from batchtui.results.requests_again import Change

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
    "chat": "chat turns, one conversation a row",
    "text": "text files, one row each",
}
"""Formats that can be asked for by name, and what they are in words."""


MAX_SKIP = 1_000_000


class TableOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a table is to be read where its content does not say it; empty fields are detected."""

    delimiter: str = ""
    """The sign between two cells; ``tab`` and ``\\t`` are a tab."""
    encoding: str = ""
    """A name Python knows, such as ``cp1251`` or ``shift_jis``."""
    skip_rows: int = 0
    """Lines before the header."""
    comment: str = ""
    """What the lines begin with that are no rows."""
    no_header: bool = False
    """True when the first row is a row like the others: the columns are column_1, column_2 and so on."""

    @property
    def sign(self) -> str:
        """The delimiter itself, "" when it is to be detected."""
        return _SIGNS.get(self.delimiter.lower(), self.delimiter)

    @property
    def words(self) -> str:
        """What is set, in words, "" for nothing."""
        rows = f"skip {self.skip_rows:,} row{'s' if self.skip_rows != 1 else ''}" if self.skip_rows else ""
        parts = (
            f"delimiter {self.delimiter}" if self.delimiter else "",
            f"encoding {self.encoding}" if self.encoding else "",
            rows,
            f"comment {self.comment}" if self.comment else "",
            "no header" if self.no_header else "",
        )
        return " · ".join(part for part in parts if part)

    def problem(self) -> str:
        """What is wrong with the options, in a sentence; "" for nothing."""
        from batchtui.intake.encodings import known

        if self.delimiter and (len(self.sign) != 1 or self.sign in '"\r\n'):
            return f"the delimiter must be one character, or tab, not {safe(self.delimiter, 30)!r}"
        if self.encoding and not known(self.encoding):
            return f"unknown encoding {safe(self.encoding, 40)!r}: such as utf-8, cp1252, cp1251, shift_jis, gb18030"
        if not 0 <= self.skip_rows <= MAX_SKIP:
            return f"the rows to skip must be a number from 0 to {MAX_SKIP:,}"
        if self.comment and ("\n" in self.comment or not self.comment.strip() or '"' in self.comment):
            return "the sign of comment lines must be visible, such as #"
        return ""


_SIGNS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


class RunChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a run are taken."""

    only: tuple[str, ...] = ()
    """States as ``--only`` names them; none: the usable ones."""
    filter: str = ""
    """As it is typed in the filter line."""
    case: bool = False
    regex: bool = False
    ids: frozenset[str] | None = None
    """custom_ids of the rows that are meant, None for all."""
    words: str = ""
    """What ``ids`` are, in words: ``12 marked rows``."""


class IntakeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what a plan becomes, besides its sources."""

    format: str | None = None
    """One of FORMATS; None tells it from the content."""
    template: Path | None = None
    template_text: str | None = None
    """A template that is not (yet) a file; it goes before ``template``."""
    template_name: str = "template"
    """What ``template_text`` is called in problems."""
    table: TableOptions = TableOptions()
    """How tables are to be read, and the encoding of any source."""
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
    """What the API tells about its models, by id; None when it was not asked."""
    rules: Mapping[str, ModelRules] | None = None
    """What each model takes, by full name; None for the built-in table."""
    history: Callable[[str], UsedBefore | None] | None = None
    """What earlier runs of the same template used with a model."""
    runs: Mapping[str, RunSource] = {}
    """Sources that are runs, by how they are given (``run:ID``)."""
    choice: RunChoice = RunChoice()
    """Which rows are taken of them."""
    made_from: tuple[str, ...] = ()
    """Local ids of the runs that this one is made from, besides those among its sources."""
    set: Mapping[str, str] = {}
    """``changes`` as they were given, with those of the run it is made from."""
    changes: tuple[Change, ...] = ()
    """What is changed in every request before it is checked."""
    today: date = msgspec.field(default_factory=lambda: datetime.now(UTC).date())

    @property
    def any_model(self) -> str:
        """The model for requests that name none; "" when there is none."""
        return self.default_model or self.fallback_model or ""

    @property
    def has_template(self) -> bool:
        """Whether rows are to become requests."""
        return self.template is not None or self.template_text is not None
