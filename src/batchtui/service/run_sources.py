"""Runs as sources: ``run:ID`` is found in the history and opened, its rows chosen."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError
from batchtui.domain.work import UNWATCHED, Work
from batchtui.intake.options import IntakeOptions, RunChoice
from batchtui.intake.run_rows import USABLE, RunSource
from batchtui.results.filter import parse_filter
from batchtui.results.review import Review
from batchtui.results.row_ids import Place
from batchtui.results.run_view import open_run
from batchtui.results.search import select
from batchtui.results.view import Rows, View
from batchtui.service.lineage import title

if TYPE_CHECKING:
    from batchtui.service.context import Context

PREFIX = "run:"


def is_run(source: str) -> bool:
    """Whether a source names a run; a file of that name is given as ``./run:x``."""
    return source.startswith(PREFIX)


def record_of(context: Context, source: str) -> BatchRecord:
    """The first batch of the run that ``run:ID`` names; raises InputError."""
    text = source.removeprefix(PREFIX)
    try:
        found = context.history.resolve(text)
    except InputError as error:
        advice = f"{error.advice}; a file of that name is ./{source}"
        raise InputError(str(error), advice=advice) from error
    return context.history.of_run(found.run)[0]


def opened(context: Context, record: BatchRecord, work: Work = UNWATCHED) -> View:
    """A run's batches merged, their results as far as they are here, else their requests.  Raises StoreError, Stopped."""
    run = context.history.of_run(record.run)
    return open_run([(context.history.folder(r.local_id), r.attempt) for r in run], context.prices, work)


@contextlib.contextmanager
def with_runs(
    context: Context, sources: Sequence[str], options: IntakeOptions, work: Work
) -> Iterator[tuple[tuple[str, ...], IntakeOptions]]:
    """The sources with each run by its local id, and the options with the runs opened; closed in the end.

    Raises InputError, StoreError and Stopped.
    """
    runs: dict[str, RunSource] = dict(options.runs)
    named = []
    with contextlib.ExitStack() as stack:
        for held in runs.values():
            stack.callback(held.close)
        for source in sources:
            if source in runs or not is_run(source):
                named.append(source)
                continue
            record = record_of(context, source)
            name = f"{PREFIX}{record.run}"
            named.append(name)
            if name not in runs:
                runs[name] = answers_of(context, record, options.choice, work)
                stack.callback(runs[name].close)
        yield tuple(named), msgspec.structs.replace(options, runs=runs)


def answers_of(
    context: Context,
    record: BatchRecord,
    choice: RunChoice = RunChoice(),  # noqa: B008
    work: Work = UNWATCHED,
    where: Callable[[Place], bool] | None = None,
) -> RunSource:
    """A run's rows with their answers; raises InputError when none is downloaded, StoreError, Stopped."""
    run = context.history.of_run(record.run)
    if not any(r.results in ("stored", "partial") or r.have for r in run):
        advice = "batchtui sync downloads them once they have ended"
        raise InputError(f"no results of {title(record)} are downloaded", advice=advice)
    view = opened(context, record, work)
    try:
        return RunSource(
            view,
            run=record.run,
            name=f"{PREFIX}{title(record)}",
            only=choice.only or USABLE,
            among=_among(view, choice, work),
            where=where,
            reviewed=reviewed(context, record),
        )
    except BaseException:
        view.close()
        raise


def _among(view: View, choice: RunChoice, work: Work) -> Rows | None:
    """The rows that a choice means, None for all; raises InputError."""
    found: set[int] | None = None
    if choice.filter:
        wanted = parse_filter(choice.filter, case=choice.case, regex=choice.regex)
        if wanted.problem:
            raise InputError(f"--filter {wanted.problem}", advice="batchtui help filters lists fields and values")
        found = set(select(view, wanted, work))
    if choice.ids is not None:
        ids = choice.ids
        chosen = {row for row, name in enumerate(view.ids()) if name in ids}
        found = chosen if found is None else found & chosen
    return None if found is None else array("I", sorted(found))


def reviewed(context: Context, record: BatchRecord) -> Callable[[str], dict[str, Any]] | None:
    """What you said of a run's rows, by row identity: ``verdict``, ``right_value`` and ``note``, each empty where there is
    none, and by field where several fields were reviewed; None without a verdict.  Raises StoreError.
    """
    review = Review(context.history.run_folder(record.run))
    fields = review.names()

    def said(row: str) -> dict[str, Any]:
        held = {name: review.of(row, field) for name, field in fields.items()}
        told = {
            key: {name: getattr(each, attribute, None) or "" for name, each in held.items()}
            for key, attribute in (("verdict", "verdict"), ("right_value", "value"), ("note", "note"))
        }
        return told if len(fields) > 1 else {key: next(iter(by_field.values())) for key, by_field in told.items()}

    return said if fields else None
