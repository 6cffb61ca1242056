"""Rows in the order of their source."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter

from batchtui.domain.errors import StoreError
from batchtui.results.row_ids import IdLine, read_lines
from batchtui.results.row_places import places_of
from batchtui.results.skipped import SkippedRow, skipped_of
from batchtui.results.view import ResultSet, Rows, View, as_sent
from batchtui.store.records import IDS


def in_source_order(view: View) -> Rows:
    """A view's rows in the order of the source; where that is not known, in the order of the requests, else as received.

    It is kept with the view: not to be changed.
    """
    kept = view.kept.get("source_order")
    if isinstance(kept, array):
        return kept
    order = as_sent(view)
    if "places" in view.kept or len(view.members) != 1 or not _told_as_sent(view.members[0]):
        try:
            order = places_of(view).order
        except StoreError:
            return order
    view.kept["source_order"] = order
    return order


def by_source(view: View, rows: Iterable[int], *, reverse: bool = False) -> Rows:
    """Some rows of a view, each once, in the order of the source."""
    wanted = bytearray(len(view))
    for row in rows:
        wanted[row] = 1
    order = in_source_order(view)
    found = order[:] if all(wanted) else array("I", [row for row in order if wanted[row]])
    if reverse:
        found.reverse()
    return found


def with_skipped(view: View) -> list[int | SkippedRow]:
    """All rows in the order of the source, and among them what was skipped since it had errors.  Raises StoreError."""
    places = places_of(view)
    rows: Iterable[tuple[int, int | SkippedRow]] = ((places.spot(row), row) for row in places.order)
    skipped = [(each.source << 64 | each.number, each) for each in skipped_of(view)]
    found = merge(rows, sorted(skipped, key=itemgetter(0)), key=itemgetter(0))
    return [each for _, each in found]


def _told_as_sent(member: ResultSet) -> bool:
    """Whether ids.jsonl says that the requests are in the order of their sources, and says it in their order.

    It is what batchtui writes, and found out several times as fast as where each row is from.
    """
    names = None
    lines: list[tuple[int, int]] = []
    stretches: list[IdLine] = []
    try:
        for _, held in read_lines(member.folder / IDS):
            own = [each for each in held if each is not None and each.custom_id]
            stretches += [each for each in held if each is not None and not each.custom_id and each.first]
            if own:
                names = names or member.columns.ids_of(as_sent(member))
                lines = [*lines[-1:], *((each.source, each.number) for each in own)]
                if [each.custom_id for each in own] != [*islice(names, len(own))]:
                    return False
                if lines != sorted(lines) or not lines[0][0]:
                    return False
    except OSError:
        return False
    return not stretches if lines else _follow(stretches)


def _follow(stretches: Sequence[IdLine]) -> bool:
    """Whether stretches follow one another, from the first request on, among the requests and in the sources."""
    told, before = 0, (0, 0)
    for each in sorted(stretches, key=lambda each: each.first):
        if each.first != told + 1 or not each.source or (each.source, each.number) < before:
            return False
        told, before = each.last, (each.source, each.number + each.last - each.first)
    return True
