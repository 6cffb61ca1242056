"""Looks for text in results: bytes first, then the words of the line decoded, so that no JSON key is a hit."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator

from batchtui.domain.plan import Progress
from batchtui.store import filters
from batchtui.store.filters import Filter, Word
from batchtui.store.needles import anchors
from batchtui.store.resultset import ResultSet
from batchtui.store.scan import scan
from batchtui.store.spoken import answer_text, request_text
from batchtui.store.view import Rows, View

_FEW = 1_000
"""So few rows are read one by one instead of looking through the file."""

Report = Callable[[Progress], None]


def find(
    view: View, chosen: Filter, *, stop: threading.Event | None = None, progress: Report | None = None
) -> Iterator[Rows]:
    """The rows that a filter lets through, piece by piece in the order of the files; ends early when ``stop`` is set.

    Raises StoreError, and InputError when a regular expression takes too long.
    """
    rows = filters.apply(view, chosen)
    if chosen.regex:
        from batchtui.store.regex import find_regex

        asked = _passing(
            view, rows, [word for word in chosen.words if word.in_request], chosen.case, stop=stop, progress=None
        )
        yield from find_regex(view, chosen, asked, stop=stop)
    elif chosen.words:
        yield from _passing(view, rows, list(chosen.words), chosen.case, stop=stop, progress=progress)
    else:
        yield rows


def _passing(
    view: View,
    rows: Rows,
    words: list[Word],
    case: bool,
    *,
    stop: threading.Event | None,
    progress: Report | None,
) -> Iterator[Rows]:
    wanted = [word for word in words if not word.negated]
    tests = [_Test(word, case) for word in words]
    if not words:
        yield rows
    elif not wanted or len(rows) <= _FEW:
        yield from _one_by_one(view, rows, tests, stop)
    else:
        lead = max(wanted, key=lambda word: (len(max(anchors(word.text, case), key=len)), not word.in_request))
        among = set(rows) if len(rows) < len(view) else None
        for some in _candidates(view, lead, case, stop, progress):
            passed = [row for row in some if (among is None or row in among) and _passes(view, row, tests)]
            if passed:
                yield array("I", passed)


def _one_by_one(view: View, rows: Rows, tests: list[_Test], stop: threading.Event | None) -> Iterator[Rows]:
    for start in range(0, len(rows), _FEW):
        passed: list[int] = []
        for row in rows[start : start + _FEW]:
            if stop is not None and stop.is_set():
                break
            if _passes(view, row, tests):
                passed.append(row)
        if passed:
            yield array("I", passed)
        if stop is not None and stop.is_set():
            return


class _Test:
    """A word made ready to be looked for in decoded text."""

    def __init__(self, word: Word, case: bool) -> None:
        self.word = word
        self.case = case
        self.needle = word.text if case else word.text.casefold()

    def holds(self, custom_id: str, text: Callable[[bool], str]) -> bool:
        """True when the row has the word, or for a negated one when it has it not."""
        fold = str if self.case else str.casefold
        found = not self.word.in_request and self.needle in fold(custom_id)
        return (found or self.needle in fold(text(self.word.in_request))) != self.word.negated


def _passes(view: View, row: int, tests: list[_Test]) -> bool:
    read: dict[bool, str] = {}

    def text(of_request: bool) -> str:
        if of_request not in read:
            read[of_request] = request_text(view.request_raw(row) or b"") if of_request else answer_text(view.raw(row))
        return read[of_request]

    custom_id = view.id(row)
    return all(test.holds(custom_id, text) for test in tests)


def _candidates(
    view: View, word: Word, case: bool, stop: threading.Event | None, progress: Report | None
) -> Iterator[list[int]]:
    """Rows whose bytes may say the word; each row at most once."""
    needles = anchors(word.text, case)
    for number, member in enumerate(view.members):
        if word.in_request:
            offsets = member.columns.request_offset
            order = array("I", sorted((r for r in range(len(member)) if offsets[r] >= 0), key=offsets.__getitem__))
            pieces = _scan_requests(member, needles, case, order, stop=stop, progress=progress)
        else:
            absent = range(member.header.lines, len(member))
            if absent:
                yield [row for row in (view.row_of(number, place) for place in absent) if row >= 0]
            pieces = _scan_results(member, needles, case, stop, progress)
        for places in pieces:
            rows = [view.row_of(number, place) for place in places]
            yield [row for row in rows if row >= 0]


def _scan_results(
    member: ResultSet, needles: list[bytes], case: bool, stop: threading.Event | None, progress: Report | None
) -> Iterator[list[int]]:
    if member.stored:
        starts = member.columns.offset[: member.header.lines]
        yield from scan(
            member.results_fd(), member.header.results[0], needles, case, starts, stop=stop, progress=progress
        )


def _scan_requests(
    member: ResultSet,
    needles: list[bytes],
    case: bool,
    order: Rows,
    *,
    stop: threading.Event | None,
    progress: Report | None,
) -> Iterator[list[int]]:
    if not order:
        return
    offsets = member.columns.request_offset
    starts = array("q", [offsets[row] for row in order])
    size = member.header.requests[0]
    for hits in scan(member.requests_fd(), size, needles, case, starts, stop=stop, progress=progress):
        yield [order[number] for hit in hits for number in range(bisect_left(starts, starts[hit]), hit + 1)]
