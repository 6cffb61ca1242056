"""Which rows of results a verb means: by outcome, and by a filter as on the screen."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import click
import msgspec

from batchtui.domain.errors import InputError
from batchtui.domain.outcome import ALL_OUTCOMES
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.filter import EVERYTHING, Filter, parse_filter
from batchtui.results.search import select
from batchtui.results.source_order import by_source
from batchtui.results.view import View

OUTCOMES = ("succeeded", *ALL_OUTCOMES)


class RowChoice(msgspec.Struct, frozen=True):
    """Which rows of results are meant."""

    only: tuple[str, ...] = ()
    """Outcomes, none for all."""
    filter: Filter = EVERYTHING

    @property
    def options(self) -> list[str]:
        """The options that were given."""
        return [option for option, given in (("--only", self.only), ("--filter", not self.filter.empty)) if given]

    def rows(self, view: View) -> array[int] | None:
        """Their rows in the order of the source, None for all.  Raises InputError as ``filtered``."""
        if not self.options:
            return None
        kept = set(filtered(view, self.filter)) if not self.filter.empty else set(range(len(view)))
        if self.only:
            kept &= {row for name in self.only for row in select(view, parse_filter(f"is:{name}"))}
        return by_source(view, kept)


EVERY_ROW = RowChoice()


def row_options(outcomes: Sequence[str] = OUTCOMES) -> Callable[[Any], Any]:
    """The options of which results are meant, as ``chosen``."""

    def wrap(command: Any) -> Any:
        @functools.wraps(command)
        def call(*args: Any, only: tuple[str, ...], filter_: str, case: bool, regex: bool, **given: Any) -> Any:
            return command(*args, chosen=RowChoice(only, _parsed(filter_, case, regex)), **given)

        only = click.option(
            "--only", multiple=True, type=click.Choice(outcomes), help="Only these outcomes (repeatable)."
        )
        return only(filter_options(call))

    return wrap


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


def _parsed(text: str, case: bool, regex: bool) -> Filter:
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
