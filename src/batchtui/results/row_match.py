"""Rows of two views matched by row identity, and the identities of a view's rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

from batchtui.results.row_places import places_of
from batchtui.results.view import View


def identities(view: View) -> list[str]:
    """The row identity of each row; one that several requests have is numbered in the order of the source.

    Raises StoreError.
    """
    return _Side(view).keys


def match(left: View, right: View) -> list[int]:
    """For each row of the left view the row of the right one that is from the same row of the source, -1 for none.

    Rows are the same by their own ids, or by their source's fingerprint and their number there; of several with one id
    those of one place come first.  Where a batch of 0.1.0 says nothing of its rows, the custom_id counts, or, of ids made
    then, the order of the requests.  Raises StoreError.
    """
    one, other = _Side(left), _Side(right)
    found = _by(one.keys, other.keys)
    if one.repeated or other.repeated:
        in_place = _by(one.spots_of(other.repeated), other.spots_of(one.repeated))
        _fill(in_place, found)
        found = in_place
    if -1 not in found:
        return found
    _fill(found, _by(one.spots(), other.spots()))
    if one.old or other.old:
        by_id = _by(one.ids, other.ids)
        _fill(found, [to if to >= 0 and (one.is_old(row) or other.is_old(to)) else -1 for row, to in enumerate(by_id)])
        if len(one.ids) == len(other.ids):
            _fill(found, _by_order(one, other))
    return found


def matched(left: View, right: View) -> list[tuple[int, int]]:
    """The rows that both views have, as ``match`` says it, in the order of the source.  Raises StoreError."""
    found = match(left, right)
    return [(row, found[row]) for row in places_of(left).order if found[row] >= 0]


class _Side:
    """One of two views that are matched."""

    def __init__(self, view: View) -> None:
        self._places = places_of(view)
        self.ids = view.ids()
        self.row_ids = self._places.row_ids(self.ids)
        self.keys = self._places.keys(self.row_ids)
        if "" in self.ids:
            self.keys = [key if name else "" for key, name in zip(self.keys, self.ids, strict=True)]
        self.repeated = self._tell_apart(self.keys)
        """Row identities that several requests have."""
        self.old = 0 in self._places.sources

    def is_old(self, row: int) -> bool:
        return not self._places.sources[row]

    def is_old_number(self, row: int) -> bool:
        """Whether a row has an id that 0.1.0 made of its number."""
        return self.is_old(row) and not self.row_ids[row]

    def numbered(self) -> list[int]:
        """The rows by their sources and their numbers there."""
        sources, numbers = self._places.sources, self._places.numbers
        return sorted(range(len(sources)), key=lambda row: (sources[row], numbers[row]))

    def spots(self) -> list[str]:
        """The rows' numbers in sources with a fingerprint, "" for others; sources with the same bytes are told apart."""
        places = zip(self._places.hashes(), self._places.numbers, strict=True)
        found = [f"{sha256}:{number}" if sha256 else "" for sha256, number in places]
        self._tell_apart(found)
        return found

    def spots_of(self, repeated: set[str]) -> list[str]:
        """The spots of rows with an identity that several here or ``repeated`` ones have, "" for others."""
        asked = self.repeated | repeated
        rows = zip(self._places.keys(self.row_ids), self.spots(), strict=True)
        return [f"{key} {spot}" if spot and key in asked else "" for key, spot in rows]

    def _tell_apart(self, keys: list[str]) -> set[str]:
        """Number the keys that several requests have in the order of the source; returns what these were."""
        repeated: set[str] = set()
        different = len(set(keys))
        if different == len(keys) or len(set(zip(keys, self.ids, strict=True))) == different:
            return repeated
        seen: dict[str, dict[str, int]] = {}
        for row in self._places.sort(range(len(keys))):
            same = seen.setdefault(keys[row], {})
            number = same.setdefault(self.ids[row], len(same))
            if number and keys[row]:
                repeated.add(keys[row])
                keys[row] += f"#{number}"
        return repeated


def _by(left: Sequence[str], right: Sequence[str]) -> list[int]:
    there = dict(zip(reversed(right), reversed(range(len(right))), strict=True))
    there.pop("", None)
    return [*map(there.get, left, repeat(-1))]


def _by_order(one: _Side, other: _Side) -> list[int]:
    found = [-1] * len(one.ids)
    for row, to in zip(one.numbered(), other.numbered(), strict=True):
        if one.is_old_number(row) or other.is_old_number(to):
            found[row] = to
    return found


def _fill(found: list[int], more: Sequence[int]) -> None:
    """Take over what is matched for rows that have no match yet, with rows that are no one's match yet."""
    taken = set(found)
    for row, to in enumerate(more):
        if found[row] < 0 <= to and to not in taken:
            found[row] = to
