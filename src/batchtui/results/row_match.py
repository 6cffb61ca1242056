"""Rows of results by row identity: where each is from, in the order of the source, and matched between two views."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from operator import itemgetter

from batchtui.domain.errors import StoreError
from batchtui.results.row_ids import Place, RowIds, column_names
from batchtui.results.skipped import SkippedRow, read_skipped
from batchtui.results.view import ResultSet, Rows, View, as_sent
from batchtui.store import files
from batchtui.store.records import IDS, SKIPPED

_LAST = 1 << 40
"""Sorts behind every row."""


def places(view: View) -> list[Place]:
    """Where each row's request is from.  Raises StoreError."""
    return _places(view, [_row_ids(member) for member in view.members])


def _row_ids(member: ResultSet) -> RowIds:
    path = member.folder / IDS
    try:
        return RowIds(path)
    except OSError as error:
        raise files.explain(error, f"can't read {path}") from error


def _places(view: View, known: Sequence[RowIds]) -> list[Place]:
    by_member = [
        [*ids.places(zip(member.ids(), member.columns.seq, strict=True))]
        for ids, member in zip(known, view.members, strict=True)
    ]
    return [by_member[member][place] for member, place in map(view.place, range(len(view)))]


def _spot(place: Place) -> tuple[int, int]:
    """What sorts rows as they stand in their sources; those that no source is known of stay as they are, at the end."""
    return (place.source, place.number) if place.source else (_LAST, 0)


def own_column_names(view: View) -> list[str]:
    """The names of all own columns of a view's rows.  Raises StoreError."""
    names: dict[str, None] = {}
    for member in view.members:
        path = member.folder / IDS
        try:
            names.update(dict.fromkeys(column_names(path)))
        except OSError as error:
            raise files.explain(error, f"can't read {path}") from error
    return list(names)


def in_source_order(view: View) -> Rows:
    """A view's rows in the order of the source; where that is not known, in the order of the requests, else as received.

    It is kept with the view: not to be changed.
    """
    kept = view.kept.get("source_order")
    if isinstance(kept, array):
        return kept
    order = as_sent(view)
    try:
        known = [_row_ids(member) for member in view.members]
        if len(known) != 1 or not known[0].as_sent:
            found = _places(view, known)
            order = array("I", sorted(order, key=lambda row: _spot(found[row])))
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


def skipped_of(view: View) -> list[SkippedRow]:
    """What was skipped since it had errors, as the view's batches keep it.  Raises StoreError."""
    return [each for member in view.members for each in read_skipped(member.folder / SKIPPED)]


def with_skipped(view: View) -> list[int | SkippedRow]:
    """All rows in the order of the source, and among them what was skipped since it had errors.  Raises StoreError."""
    found = places(view)
    rows: list[tuple[tuple[int, int], int | SkippedRow]] = [(_spot(found[row]), row) for row in as_sent(view)]
    rows += [((each.source, each.number), each) for each in skipped_of(view)]
    return [row for _, row in sorted(rows, key=itemgetter(0))]


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
    return _match(_Side(left), _Side(right))


def matched(left: View, right: View) -> list[tuple[int, int]]:
    """The rows that both views have, as ``match`` says it, in the order of the source.  Raises StoreError."""
    one = _Side(left)
    found = _match(one, _Side(right))
    places = one.places
    ordered = sorted(as_sent(left), key=lambda row: _spot(places[row]))
    return [(row, found[row]) for row in ordered if found[row] >= 0]


def _match(one: _Side, other: _Side) -> list[int]:
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


class _Side:
    """One of two views that are matched."""

    def __init__(self, view: View) -> None:
        self.places = places(view)
        self.ids = view.ids()
        self.keys = [place.key if name else "" for place, name in zip(self.places, self.ids, strict=True)]
        self.repeated = self._tell_apart(self.keys)
        """Row identities that several requests have."""
        self.old = any(place.source == 0 for place in self.places)

    def is_old(self, row: int) -> bool:
        return self.places[row].source == 0

    def is_old_number(self, row: int) -> bool:
        """Whether a row has an id that 0.1.0 made of its number."""
        return self.places[row].source == 0 and not self.places[row].row_id

    def spots(self) -> list[str]:
        """The rows' numbers in sources with a fingerprint, "" for others; sources with the same bytes are told apart."""
        found = [f"{place.sha256}:{place.number}" if place.sha256 else "" for place in self.places]
        self._tell_apart(found)
        return found

    def spots_of(self, repeated: set[str]) -> list[str]:
        """The spots of rows with an identity that several here or ``repeated`` ones have, "" for others."""
        asked = self.repeated | repeated
        rows = zip(self.places, self.spots(), strict=True)
        return [f"{place.key} {spot}" if spot and place.key in asked else "" for place, spot in rows]

    def _tell_apart(self, keys: list[str]) -> set[str]:
        """Number the keys that several requests have in the order of the source; returns what these were."""
        repeated: set[str] = set()
        if len(set(zip(keys, self.ids, strict=True))) == len(set(keys)):
            return repeated
        seen: dict[str, dict[str, int]] = {}
        for row in sorted(range(len(keys)), key=lambda row: _spot(self.places[row])):
            same = seen.setdefault(keys[row], {})
            number = same.setdefault(self.ids[row], len(same))
            if number and keys[row]:
                repeated.add(keys[row])
                keys[row] += f"#{number}"
        return repeated


def _by(left: Sequence[str], right: Sequence[str]) -> list[int]:
    there = {key: row for row, key in reversed(list(enumerate(right))) if key}
    return [there.get(key, -1) for key in left]


def _by_order(one: _Side, other: _Side) -> list[int]:
    found = [-1] * len(one.ids)
    for row, to in zip(_numbered(one), _numbered(other), strict=True):
        if one.is_old_number(row) or other.is_old_number(to):
            found[row] = to
    return found


def _numbered(side: _Side) -> list[int]:
    return sorted(range(len(side.places)), key=lambda row: (side.places[row].source, side.places[row].number))


def _fill(found: list[int], more: Sequence[int]) -> None:
    """Take over what is matched for rows that have no match yet, with rows that are no one's match yet."""
    taken = set(found)
    for row, to in enumerate(more):
        if found[row] < 0 <= to and to not in taken:
            found[row] = to
