"""recipe.toml: what a run was made from, kept in the folder of its first batch so that the run can be made again.

Retries, batches that were adopted, and runs of batchtui 0.1.0 have none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from batchtui import plainfile, safetext, tomltext
from batchtui.domain.errors import StoreError
from batchtui.domain.plan import Origin, Plan

RECIPE = "recipe.toml"
SCHEMA = 1
MAX_RECIPE = 16_000_000
"""Bytes of its file."""

Made = Literal["files", "composed", "run", "again"]


class RecipeSource(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder as it was read."""

    name: str
    """Its path, as it was opened."""
    size: int
    """Bytes."""
    modified_at: datetime
    sha256: str
    """Of its bytes; of a folder, of its files' names and hashes."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run was made from."""

    schema: int = SCHEMA
    made_from: Made = "files"
    given: tuple[str, ...] = ()
    """The sources: whole paths, ``run:`` with a run's local id, ``-`` for standard input."""
    format: str = ""
    """The format that was asked for, "" when it was detected."""
    model: str = ""
    """The model for requests that name none, "" when none was given."""
    cache_prefix: bool = False
    close_schemas: bool = False
    """True when ``additionalProperties: false`` was added to schemas."""
    delimiter: str = ""
    encoding: str = ""
    skip_rows: int = 0
    comment: str = ""
    no_header: bool = False
    """How a table was said to be written."""
    skip_errors: bool = False
    """True when requests with errors were skipped."""
    betas: tuple[str, ...] = ()
    api_version: str = ""
    sources: tuple[RecipeSource, ...] = ()
    template: str = ""
    """The template's path, "" when it was written in the program or there was none."""
    template_text: str = ""
    """The whole template as it was."""
    changes: dict[str, str] = {}
    """What was changed in every request, as ``--set`` takes it."""
    made_of: tuple[str, ...] = msgspec.field(default=(), name="from")
    """Local ids of the runs that this one was made from."""
    runs: tuple[str, ...] = ()
    """Local ids of the runs among its sources."""
    kind: str = ""
    """What was taken of them: ``answers`` (rows with their answers), ``rows`` or ``requests``."""
    only: tuple[str, ...] = ()
    """The states that were taken of a run, as ``--only`` names them; none: the usable ones."""
    filter: str = ""
    """The filter on its rows."""

    @property
    def has_template(self) -> bool:
        """True when rows became requests by a template."""
        return bool(self.template_text)


def recipe_of(plan: Plan, *, api_version: str) -> Recipe | None:
    """The recipe of a plan that is about to be sent; None of a retry."""
    if plan.retry_of or plan.origin is None:
        return None
    origin = plan.origin
    return Recipe(
        made_from=_made(origin),
        changes=origin.changes,
        made_of=origin.made_from,
        runs=origin.runs,
        kind=origin.kind,
        only=origin.only,
        filter=origin.filter,
        given=tuple(_whole(each, origin) for each in origin.given),
        format=origin.format,
        model=origin.model,
        cache_prefix=origin.cache_prefix,
        close_schemas=origin.close_schemas,
        delimiter=origin.delimiter,
        encoding=origin.encoding,
        skip_rows=origin.skip_rows,
        comment=origin.comment,
        no_header=origin.no_header,
        skip_errors=origin.skip_bad,
        betas=tuple(sorted({beta for part in plan.parts for beta in part.betas})),
        api_version=api_version,
        sources=_sources(origin),
        template=origin.template,
        template_text=origin.template_text,
    )


def _whole(given: str, origin: Origin) -> str:
    """A source by a name that means the same in every folder."""
    if given == "-" or given.removeprefix("run:") in origin.runs:
        return given
    return str(Path(given).expanduser().absolute())


def _made(origin: Origin) -> Made:
    """Which way a run is made: a run among its sources whose answers are not taken is the run it repeats."""
    if set(origin.made_from) - set(origin.runs) or origin.kind in ("rows", "requests"):
        return "again"
    if origin.runs:
        return "run"
    return "composed" if origin.given == ("-",) and not origin.template_text and not origin.sources else "files"


def _sources(origin: Origin) -> tuple[RecipeSource, ...]:
    return tuple(
        RecipeSource(
            name=each.name,
            size=each.size,
            modified_at=datetime.fromtimestamp(each.mtime_ns // 1_000_000_000, UTC),
            sha256=each.fingerprint,
        )
        for each in origin.sources
    )


def encode(recipe: Recipe) -> bytes:
    """The recipe as TOML; what is no text in a name is replaced."""
    kept = {"schema": recipe.schema, **msgspec.to_builtins(recipe, builtin_types=(datetime,))}
    import tomli_w  # Read by every start, written by a submit alone.

    text = tomli_w.dumps(kept)
    # A string over several lines would lose its carriage returns.
    return (text if "\\r" in text else tomli_w.dumps(kept, multiline_strings=True)).encode("utf-8", "replace")


def read(folder: Path) -> Recipe | None:
    """The recipe in a batch's folder, None when there is none.  Raises StoreError when it can't be read."""
    path = folder / RECIPE
    try:
        found = _decoded(plainfile.read(path, MAX_RECIPE))
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as bad:
        raise StoreError(
            f"{path} can't be read: {safetext.line(str(bad), 200)}",
            advice="the requests and results are kept without it; fix it in an editor, or remove it",
        ) from bad
    if found.schema > SCHEMA:
        raise StoreError(f"{path} was written by a newer batchtui", advice="update batchtui to use it")
    return found


class _Version(msgspec.Struct):
    schema: int = SCHEMA


def _decoded(text: bytes) -> Recipe:
    """A recipe; of one of a newer schema, whose values may be none of ours, the schema alone."""
    try:
        return tomltext.decode(text, Recipe)
    except msgspec.ValidationError:
        schema = tomltext.decode(text, _Version).schema
        if schema <= SCHEMA:
            raise
        return Recipe(schema=schema)
