"""What stands before anything is sent: problems, the plan, and what it will cost."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

Level = Literal["error", "warning"]

MAX_REQUESTS = 100_000
MAX_BYTES = 256_000_000
"""Limits of one batch (Message Batches documentation, October 2026); both are settings."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with one request."""

    code: str
    """Stable name of the kind of problem; equal problems share code and message."""
    level: Level = "error"
    where: str
    """``file:line``, or the file, folder or row."""
    custom_id: str = ""
    message: str
    """What is wrong and what to do."""


class ProblemGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Equal problems as one, with how many there are and the first places."""

    code: str
    level: Level
    message: str
    count: int
    first: tuple[Problem, ...]

    def own(self, problem: Problem) -> str:
        """What a problem of the group says beyond the group's message, in brackets; "" when nothing."""
        return problem.message.removeprefix(self.message).strip() if problem.message.startswith(self.message) else ""


class ModelEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """One model's share of an estimate; ranges are (low, high), dollars at standard price."""

    model: str
    requests: int
    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]
    input_usd: tuple[Decimal, Decimal]
    output_usd: tuple[Decimal, Decimal]
    priced: bool = True
    """False when the model has no price; its dollars are 0 then."""
    likely_usd: Decimal | None = None
    """What it likely costs by earlier runs, at standard price; None where there were none."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan will use and cost, as ranges (low, high); dollars are Decimal."""

    input_tokens: tuple[int, int] = (0, 0)
    output_tokens: tuple[int, int] = (0, 0)
    batch_usd: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))
    standard_usd: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))
    unpriced: tuple[str, ...] = ()
    calibrated: bool = False
    """True when count_tokens on a sample corrected the rule of thumb."""
    models: tuple[ModelEstimate, ...] = ()
    """The same by model."""
    likely_usd: Decimal | None = None
    """What it likely costs at batch price, where runs of the same template and model came before."""


class UsedBefore(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier runs of a template with a model used."""

    output_tokens: float
    """Mean of all requests, those without an answer included."""
    input_factor: float = 1.0
    """What the input cost, as a share of the middle of its estimate."""


class PlanPart(msgspec.Struct, frozen=True, kw_only=True):
    """One batch to be: requests within the limits that share one set of betas."""

    requests: int
    bytes: int
    """Bytes of its requests.jsonl."""
    path: Path | None
    """The staged requests.jsonl; None when only checked."""
    fingerprint: str = ""
    """sha256 hex of the staged bytes, made ids taken without their plan's mark: equal requests have equal ones."""
    models: dict[str, int] = {}
    betas: tuple[str, ...] = ()
    estimate: Estimate = Estimate()
    ids_path: Path | None = None
    """The staged ids.jsonl: which row of which source each request was made from."""
    ids_made: bool = False
    """True when every custom_id was made here, with the plan's mark."""


class CheckedSource(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder that was given as a source, as it lay on the disk while it was read."""

    name: str
    """Its path."""
    size: int
    """Bytes, of a folder those of all its files."""
    mtime_ns: int
    """When it was written last (of a folder: its newest file), in nanoseconds since 1970."""
    state: str
    """Hex digest of names, sizes, times and inodes; equal while nothing was written.  "" when times can't tell."""
    fingerprint: str
    """sha256 hex of the file's bytes; of a folder, of its files' names and fingerprints."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan was made from; standard input and pipes leave no trace in it but their name."""

    given: tuple[str, ...]
    """The sources as they were given."""
    sources: tuple[CheckedSource, ...] = ()
    left_out: tuple[str, ...] = ()
    """Files found in a folder that hold no requests."""
    ignored: tuple[str, ...] = ()
    """Files that the check itself wrote."""
    template: str = ""
    """The template's path, "" for none."""
    template_file: CheckedSource | None = None
    """The template's file, where the template was read from it."""
    template_text: str = ""
    format: str = ""
    """The format that was asked for, "" for none."""
    delimiter: str = ""
    encoding: str = ""
    skip_rows: int = 0
    comment: str = ""
    no_header: bool = False
    """How a table was said to be written."""
    model: str = ""
    """The model for requests that name none."""
    skip_bad: bool = False
    cache_prefix: bool = False
    close_schemas: bool = False
    runs: tuple[str, ...] = ()
    """Local ids of the runs among the sources."""
    kind: str = ""
    """What was taken of them: answers, rows or requests."""
    only: tuple[str, ...] = ()
    """The states that were taken of a run, as ``--only`` names them."""
    filter: str = ""
    """The filter on its rows."""
    made_from: tuple[str, ...] = ()
    """Local ids of the runs that the new one is made from."""
    changes: dict[str, str] = {}
    """What is changed in every request."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The checked requests, split into batches, with what they will cost; nothing is sent yet."""

    source: str
    """Where it came from, in words for a record."""
    requests: int
    bytes: int
    parts: tuple[PlanPart, ...]
    problems: tuple[ProblemGroup, ...]
    errors: int
    """Problems of level error, counted one by one."""
    warnings: int
    skipped: int = 0
    """Bad requests that were left out (skip_bad)."""
    skipped_path: Path | None = None
    """Where they were written as they were given, when that was asked for."""
    skipped_kept: Path | None = None
    """The staged skipped.jsonl, which stays with the batch."""
    estimate: Estimate
    mark: str = ""
    """What its made custom_ids begin with."""
    staging: Path | None = None
    """The folder that holds the staged parts; renaming its files into a batch's folder uses the plan up."""
    retry_of: tuple[str, ...] = ()
    """Of a retry, the local ids of the batches that its requests were in."""
    retried: dict[str, int] = {}
    """Of a retry, how many failed requests of each of these batches it sends again."""
    format: str = ""
    """What the sources were taken for, in words."""
    sample: tuple[str, ...] = ()
    """The first few requests as JSON lines, for showing."""
    longest: str = ""
    """The longest request as a JSON line (cut out when over 1 MB)."""
    template: str = ""
    """Mark of the template's text, to find runs of the same; "" without a template."""
    origin: Origin | None = None
    """What it was made from; None where no file was (a retry)."""

    @property
    def ok(self) -> bool:
        """True when it may be sent."""
        return self.errors == 0 and self.requests > 0


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the API's list; what it does not tell is None."""

    id: str
    display_name: str = ""
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    """The largest ``max_tokens`` a request may ask for."""
    lifecycle: str = "active"
    """active, deprecated or retired."""
    deprecated_at: datetime | None = None
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
