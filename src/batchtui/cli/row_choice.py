"""Which rows of results a verb means: by outcome, and by a filter as on the screen."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import click

from batchtui.domain.errors import InputError
from batchtui.domain.outcome import ALL_OUTCOMES
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.filter import Filter, parse_filter
from batchtui.results.row_places import by_source
from batchtui.results.search import select
from batchtui.results.view import View

OUTCOMES = ("succeeded", *ALL_OUTCOMES)
ONLY = click.option("--only", multiple=True, type=click.Choice(OUTCOMES), help="Only these outcomes (repeatable).")


def filter_options(command: Any) -> Any:
    """The options that say which results are meant."""
    for option in (
        click.option("--case", is_flag=True, help="Match case in --filter."),
        click.option("--regex", is_flag=True, help="Read the words of --filter as a regular expression."),
        click.option(
            "--filter",
            "filter_",
            default="",
            metavar="FILTER",
            help='Words and fields as on the screen, e.g. "tokens>1000 stop:max_tokens".',
        ),
    ):
        command = option(command)
    return command


def wanted_filter(text: str, case: bool, regex: bool) -> Filter:
    """The filter as typed; raises InputError for what the screen would leave out."""
    found = parse_filter(text, case=case, regex=regex)
    if found.problem:
        raise InputError(f"--filter {found.problem}", advice="batchtui help filters lists fields and values")
    return found


def filtered(view: View, wanted: Filter, work: Work = UNWATCHED) -> Sequence[int]:
    """The rows that --filter lets through; raises InputError for a name or value that this view has not."""
    try:
        return select(view, wanted, work)
    except InputError as error:
        raise InputError(f"--filter: {error}", advice=error.advice) from error


def chosen_rows(view: View, only: Sequence[str], wanted: Filter) -> array[int] | None:
    """Rows by outcome and filter in the order of the source, None for all."""
    if not only and wanted.empty:
        return None
    kept = set(filtered(view, wanted)) if not wanted.empty else set(range(len(view)))
    if only:
        kept &= {row for name in only for row in select(view, parse_filter(f"is:{name}"))}
    return by_source(view, kept)
