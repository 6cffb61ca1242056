"""The search of the results screen: what is looked for, in which order, and the thread that tells rows while it looks."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from textual.message import Message

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.outcome import ErrorGroup
from batchtui.domain.work import Work
from batchtui.present import scores as present
from batchtui.present.cells import dot
from batchtui.present.filters import elsewhere
from batchtui.present.symbols import GLYPHS
from batchtui.results.filter import (
    EVERYTHING,
    Filter,
    drop_unknown,
    group_filter,
    parse_filter,
    reads_answers,
    sort,
    tells_answers,
)
from batchtui.results.search import find
from batchtui.results.view import Rows, View
from batchtui.tui.results.rows import in_tab

if TYPE_CHECKING:
    from batchtui.tui.results.score import ScoreScreen

EVERY = 0.2
"""Seconds between two tellings of a search that runs."""


@dataclass(frozen=True, slots=True)
class Order:
    """By which key the rows are sorted; ``source`` is the order of the source."""

    key: str
    reverse: bool
    last: frozenset[int] = frozenset()
    """Rows that come last, as those without a value do."""


_AS_IN_SOURCE = Order("source", False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter as the person has it: what was typed, how it is read, and the error group it is within."""

    text: str = ""
    case: bool = False
    regex: bool = False
    group: ErrorGroup | None = None

    def filter(self) -> Filter:
        """As the store understands it."""
        read = parse_filter(self.text, case=self.case, regex=self.regex)
        return read if self.group is None else msgspec.structs.replace(read, groups=group_filter(self.group).groups)


@dataclass(frozen=True, slots=True)
class OnlyRows:
    """Rows that are looked within, in their order."""

    what: str
    """What they are, as it is shown."""
    rows: Rows
    score: ScoreScreen | None = None
    """The score that they are from."""


class RowsFound(Message):
    """Rows that a search found so far; ``done`` when there will be no more."""

    def __init__(self, number: int, rows: Rows, *, done: bool, problem: str = "", elsewhere: str = "") -> None:
        super().__init__()
        self.number = number
        self.rows = rows
        self.done = done
        self.problem = problem
        self.elsewhere = elsewhere
        """Where the words stand that no row has in its id or answer, and the filter that finds them there."""


@dataclass(frozen=True)
class _Job:
    """What one search looks for, and in which order."""

    view: View
    tab: str
    wanted: Wanted
    order: Order
    among: Rows | None
    """Rows that are only put in order."""
    only: Rows | None
    """Rows that are looked within; None for all."""
    hidden: frozenset[int]

    @cached_property
    def places(self) -> Mapping[int, int] | None:
        """The rows that are looked within, each with its place."""
        return {row: place for place, row in enumerate(self.only)} if self.only is not None else None

    def within(self, rows: Rows) -> Rows:
        """Those of the rows that are looked within."""
        places = self.places
        return rows if places is None else array("I", [row for row in rows if row in places])

    def ordered(self, rows: Rows) -> Rows:
        """The rows in the order that is asked for."""
        order = self.order
        if order.key == "source" and self.places is not None:
            return array("I", sorted(rows, key=self.places.__getitem__, reverse=order.reverse))
        if not order.last:
            return sort(self.view, rows, order.key, reverse=order.reverse)
        sorted_rows = sort(self.view, (row for row in rows if row not in order.last), order.key, reverse=order.reverse)
        return array("I", [*sorted_rows, *(row for row in rows if row in order.last)])


class Search:
    """One search at a time, in a thread; starting another stops the one that runs."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        self.order = _AS_IN_SOURCE
        self.case = self.regex = False
        self.group: ErrorGroup | None = None
        """The error group that is looked within."""
        self.only: OnlyRows | None = None
        """Rows that are looked within."""
        self.number = 0
        self.running = False
        self._post = post
        self._work = Work()

    @property
    def narrowed(self) -> bool:
        """Whether an error group, or some rows, are looked within."""
        return self.group is not None or self.only is not None

    def widen(self) -> None:
        """Look in all rows again."""
        self.group = self.only = None

    def sign(self, *, filtering: bool) -> str:
        """What stands before the filter: how its words are read, and the rows it is within, set off from a filter that is
        there or begun.
        """
        group = safetext.line(self.group.title, 40) if self.group is not None else ""
        within = dot(group, safetext.line(self.only.what, 60) if self.only is not None else "")
        end = f" {GLYPHS.dot}" if within and filtering else ""
        return " ".join(filter(None, ("/" + "Aa" * self.case + ".*" * self.regex, within))) + end

    def sort_by(self, key: str, *, number: bool = False) -> None:
        """Order by a column, what is large first where it is a number; the same column once more turns the order round."""
        order = self.order
        self.order = Order(key, not order.reverse if key == order.key else number)

    def start(
        self,
        view: View,
        tab: str,
        text: str,
        among: Rows | None = None,
        *,
        every: Rows | None = None,
        hidden: frozenset[int] = frozenset(),
    ) -> None:
        """Look for the rows of a tab that the filter ``text`` lets through; with ``among`` only put these in order.

        Answers of ``hidden`` rows are not looked at: a filter that reads answers leaves those rows out, an order puts
        them last.  Where ``every`` row is wanted as the source has them, these need not be looked for.
        """
        self.stop()
        self.number += 1
        if every is not None and tab == "all" and not (text or self.narrowed) and self.order == _AS_IN_SOURCE:
            self._tell(self.number, every, done=True)
            return
        self._work = Work()
        self.running = True
        wanted = Wanted(text, self.case, self.regex, self.group)
        only = self.only.rows if self.only is not None else None
        arguments = (self.number, _Job(view, tab, wanted, self.order, among, only, hidden), self._work)
        threading.Thread(target=self._run, args=arguments, name="batchtui-search", daemon=True).start()

    def keep(self) -> None:
        """Stop looking and keep what was found."""
        self._work.stop()

    def stop(self) -> None:
        """Stop looking; what it still tells is of an old number."""
        self._work.stop()
        self.number += 1
        self.running = False

    def _run(self, number: int, job: _Job, work: Work) -> None:
        rows, problem, chosen = array("I"), "", EVERYTHING
        try:
            chosen = drop_unknown(job.view, job.wanted.filter(), work)
            problem = chosen.problem
            if job.hidden and tells_answers(job.view, job.order.key):
                job = replace(job, order=replace(job.order, last=job.hidden))
            out: frozenset[int] = frozenset()
            if job.hidden and not chosen.empty and reads_answers(job.view, chosen):
                problem = problem or f"{present.hidden(len(job.hidden))}; this filter leaves them out"
                out = job.hidden
            if job.among is not None:
                rows = job.among
            elif chosen.empty:
                rows = job.within(in_tab(job.view, job.tab))
            else:
                last = time.monotonic()
                for some in find(job.view, chosen, work):
                    rows.extend(row for row in job.within(in_tab(job.view, job.tab, some)) if row not in out)
                    if time.monotonic() - last >= EVERY:
                        self._tell(number, job.ordered(rows), done=False)
                        last = time.monotonic()
            rows = job.ordered(rows)
        except BatchtuiError as error:
            problem = error.with_advice
        self._tell(number, rows, done=True, problem=problem)
        if not (rows or problem or work.stopped):
            with suppress(BatchtuiError):
                found = self._elsewhere(job, chosen, work)
                if found and not work.stopped:
                    self._tell(number, rows, done=True, elsewhere=found)

    @staticmethod
    def _elsewhere(job: _Job, chosen: Filter, work: Work) -> str:
        """Which filter finds the words of ``chosen`` in an own column; "" where none does."""
        from batchtui.results.word_columns import column_with

        found = column_with(job.view, chosen, work)
        if found is None or not (rows := job.within(in_tab(job.view, job.tab, found.rows))):
            return ""
        here = job.tab != "all" or job.only is not None
        return elsewhere([word.text for word in chosen.words], found.filter, len(rows), here=here)

    def _tell(self, number: int, rows: Rows, *, done: bool, problem: str = "", elsewhere: str = "") -> None:
        if number == self.number:
            self.running = not done
            self._post(RowsFound(number, rows, done=done, problem=problem, elsewhere=elsewhere))
