"""Where each row of a view is from, and where its own columns stand: kept in arrays, a few bytes a row."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, chain, islice
from operator import gt
from typing import Annotated, NamedTuple, overload

import msgspec

from batchtui import plainfile
from batchtui.results.row_ids import IdLine, Place, RowStretches, each_line, old_line_place, old_place
from batchtui.results.view import ResultSet, Rows, View
from batchtui.store import files
from batchtui.store.records import IDS

_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
_Source = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]
_BLOCK = 256 * 1024
"""Bytes of lines that are decoded at once."""
_MOST = (1 << 64) - 1
_EMPTY = 2
"""Bytes of an object without columns."""


class RowLine(IdLine, gc=False):
    """A line of ids.jsonl with the row's own columns."""

    source: _Source = 0
    number: _Number = 0
    row: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(RowLine)


class _Texts:
    """Texts in one piece of memory."""

    def __init__(self) -> None:
        self._blob = bytearray()
        self._ends = array("Q", [0])

    def add_empty(self, count: int) -> None:
        self._ends.extend(array("Q", self._ends[-1:]) * count)

    def add(self, text: str) -> None:
        self._blob += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._blob))

    def __getitem__(self, place: int) -> str:
        return self._blob[self._ends[place] : self._ends[place + 1]].decode("utf-8", "surrogatepass")


_NONE, _SAME, _OTHER = range(3)
"""What a row's own id is: it has none, it is the custom_id, or another."""


class MemberPlaces:
    """Where the rows of one batch are from, by what its ids.jsonl says; lines are numbered from 1.  Raises StoreError."""

    def __init__(self, member: ResultSet) -> None:
        self._member = member
        self._path = member.folder / IDS
        self.lines = array("I")
        """The line of each of the batch's rows, 0 for one without."""
        self.sources = array("I", [0])
        self.numbers = array("Q", [0])
        self.offsets = array("Q", [0])
        self.sizes = array("I", [0])
        """Of lines with own columns, their newlines with them; 0 for others."""
        self._kinds = bytearray(1)
        self._ids = _Texts()
        self._ids.add_empty(1)
        self._hashes: dict[int, str] = {}
        self.names: dict[int, str] = {}
        """Names of the sources."""
        self._stretches: list[IdLine] = []
        self._offset = 0
        self._by_id: dict[str, int] | None = None
        matcher = _Matcher(member)
        try:
            self._read(matcher)
        except OSError as error:
            raise files.explain(error, f"can't read {self._path}") from error
        self._placed = RowStretches(self._stretches)
        self.lines = matcher.finish() or array("I", [self.line(name) for name in member.ids()])

    def _read(self, matcher: _Matcher) -> None:
        with suppress(FileNotFoundError), plainfile.opened(self._path) as file:
            while lines := file.readlines(_BLOCK):
                found = each_line(_decoder, lines)
                sizes = [*map(len, lines)]
                offsets = [*accumulate(sizes, initial=self._offset)]
                self._offset = offsets.pop()
                ids = [each.custom_id if each is not None else "" for each in found]
                if all(ids):
                    self._take(found, ids, offsets, sizes)
                else:
                    self._take_others([each for each in found if each is not None and not each.custom_id])
                    kept = [place for place, each in enumerate(ids) if each]
                    ids = [ids[place] for place in kept]
                    found, offsets = [found[place] for place in kept], [offsets[place] for place in kept]
                    self._take(found, ids, offsets, [sizes[place] for place in kept])
                matcher.match(ids)

    def _take(self, found: Sequence[RowLine | None], ids: list[str], offsets: list[int], sizes: list[int]) -> None:
        lines = [each for each in found if each is not None]
        self.sources.extend([each.source for each in lines])
        self.numbers.extend([each.number for each in lines])
        self.offsets.extend(offsets)
        self.sizes.extend([size if len(each.row) > _EMPTY else 0 for each, size in zip(lines, sizes, strict=True)])
        own = [each.row_id for each in lines]
        if own == ids or not any(own):
            self._kinds += bytes([_SAME if any(own) else _NONE]) * len(own)
            self._ids.add_empty(len(own))
            return
        for custom_id, row_id in zip(ids, own, strict=True):
            self._kinds.append(_NONE if not row_id else _SAME if row_id == custom_id else _OTHER)
            self._ids.add(row_id if self._kinds[-1] == _OTHER else "")

    def _take_others(self, lines: Sequence[IdLine]) -> None:
        """Lines of stretches and of sources."""
        for line in lines:
            if line.first:
                self._stretches.append(line)
            elif line.source:
                self._hashes[line.source] = line.sha256
                self.names[line.source] = line.name

    def line(self, custom_id: str) -> int:
        """The line of a request, 0 when it has none."""
        if self._by_id is None:
            ids: list[str] = []
            with suppress(FileNotFoundError), plainfile.opened(self._path) as file:
                while lines := file.readlines(_BLOCK):
                    found = each_line(_decoder, lines)
                    ids += [each.custom_id for each in found if each is not None and each.custom_id]
            self._by_id = {each: line for line, each in enumerate(ids, 1)}
        return self._by_id.get(custom_id, 0)

    def place(self, row: int) -> Place:
        """Where a row of the batch is from."""
        line, custom_id = self.lines[row], self._member.id(row)
        if line:
            row_id = {_NONE: "", _SAME: custom_id}.get(self._kinds[line])
            row_id = self._ids[line] if row_id is None else row_id
            source = self.sources[line]
            if source:
                return Place(row_id, source, self.numbers[line], self._hashes.get(source, ""))
            return old_line_place(custom_id, row_id)
        seq = self._member.columns.seq[row]
        held = self._placed.at(seq + 1)
        return Place(custom_id, *held) if held is not None else old_place(custom_id, seq)

    def sha256(self, source: int) -> str:
        """The hash of a source, "" where it is not known."""
        return self._hashes.get(source, "")


class _Matcher:
    """Finds the line of each row of a batch: lines and requests are in the same order, unless another program wrote them."""

    def __init__(self, member: ResultSet) -> None:
        order = as_sent(member)
        self._lines = array("I", bytes(4 * len(order)))
        self._wanted: Iterator[tuple[int, str]] = zip(order, member.columns.ids_of(order), strict=True)
        self._line = 0
        self._last = ("", 0)
        self._lost = False

    def match(self, ids: list[str]) -> None:
        """The next lines are of these requests."""
        if self._lost:
            return
        mine = [*islice(self._wanted, len(ids))]
        rows, names = zip(*mine, strict=True) if mine else ((), ())
        if [*names] == ids:
            for line, row in enumerate(rows, self._line + 1):
                self._lines[row] = line
        else:
            self._wanted = chain(mine, self._wanted)
            self._search(ids)
        self._line += len(ids)
        if ids:
            self._last = (ids[-1], self._line)

    def _search(self, ids: list[str]) -> None:
        """The same where requests without lines stand between those with one, or two results have one custom_id."""
        last, line = self._last
        for number, custom_id in enumerate(ids, self._line + 1):
            for row, name in self._wanted:
                if name == custom_id:
                    self._lines[row] = number
                    break
                if name == last:
                    self._lines[row] = line
            else:
                self._lost = True
                return
            last, line = custom_id, number

    def finish(self) -> Rows | None:
        """The line of each row, 0 for one without; None where they are in another order."""
        if self._lost:
            return None
        last, line = self._last
        for row, name in self._wanted:
            if name != last:
                break
            self._lines[row] = line
        return self._lines


class Places(Sequence[Place]):
    """Where each row of a view is from, made as it is asked for.  Raises StoreError."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.members = [MemberPlaces(member) for member in view.members]
        self.names = {number: name for member in self.members for number, name in member.names.items()}
        """Names of the sources by number."""
        self.lines = self._by_row([member.lines for member in self.members])
        """The line of each row in its own batch's ids.jsonl, 0 for one without."""
        self.sources = self.of_line("I", [member.sources for member in self.members])
        """The source of each row, 0 where none is known."""
        self.numbers = self.of_line("Q", [member.numbers for member in self.members])
        self.all_placed = 0 not in self.sources
        """Whether each row has a line that says its source."""
        if not self.all_placed:
            for row in [row for row, source in enumerate(self.sources) if not source]:
                place = self[row]
                self.sources[row], self.numbers[row] = place.source, min(place.number, _MOST)

    def _by_row(self, parts: Sequence[Rows]) -> Rows:
        members, places = self._view.spots()
        if len(parts) == 1:
            return array("I", map(parts[0].__getitem__, places))
        return array("I", [parts[member][place] for member, place in zip(members, places, strict=True)])

    def of_line(self, kind: str, parts: Sequence[Rows]) -> Rows:
        """What each row's line holds, given by member and line."""
        if len(parts) == 1:
            return array(kind, map(parts[0].__getitem__, self.lines))
        members, _ = self._view.spots()
        return array(kind, [parts[member][line] for member, line in zip(members, self.lines, strict=True)])

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, row: int) -> Place: ...
    @overload
    def __getitem__(self, row: slice) -> list[Place]: ...
    def __getitem__(self, row: int | slice) -> Place | list[Place]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        member, place = self._view.place(row)
        return self.members[member].place(place)

    def stretches(self, rows: Rows) -> Iterator[tuple[int, tuple[int, str]]]:
        """How far each stretch of these rows goes that is of one source, which is told by its number and its hash."""
        members, _ = self._view.spots()
        sources = self.sources
        last: tuple[int, int] | None = None
        mark: tuple[int, str] | None = None
        if rows and len(set(sources)) == 1 and len(self.members) == 1:
            yield len(rows), self._mark(0, sources[0])
            return
        for number, row in enumerate(rows):
            here = members[row], sources[row]
            if here != last:
                last, before, mark = here, mark, self._mark(*here)
                if before is not None and before != mark:
                    yield number, before
        if mark is not None:
            yield len(rows), mark

    def _mark(self, member: int, source: int) -> tuple[int, str]:
        return source, self.members[member].sha256(source) if source else ""

    def in_order(self) -> Rows:
        """The rows as they stand in their sources; those that no source is known of stay as they are, at the end."""
        rows, sources, numbers = as_sent(self._view), self.sources, self.numbers

        def spot(row: int) -> int:
            return sources[row] << 64 | numbers[row] if sources[row] else _LAST

        one = len(set(sources)) == 1 and sources[0]
        of: Callable[[int], int] = numbers.__getitem__ if one else spot
        if any(map(gt, map(of, rows), map(of, islice(rows, 1, None)))):
            return array("I", sorted(rows, key=of))
        return rows


_LAST = 1 << 128
"""Sorts behind every row."""


class ColumnLines(NamedTuple):
    """Which line of which member's ids.jsonl has the own columns of each row, by the view's row."""

    members: Rows
    offsets: Rows
    sizes: Rows
    """Bytes, a newline with them; 0 for rows without columns."""
    strange: frozenset[int]
    """Rows whose columns another batch than their own has."""


def column_lines(view: View, places: Places) -> ColumnLines:
    """Where the rows' own columns stand: in the row's own batch, or else in another."""
    members, _ = view.spots()
    offsets = places.of_line("Q", [member.offsets for member in places.members])
    sizes = places.of_line("I", [member.sizes for member in places.members])
    if len(places.members) == 1 or 0 not in sizes or not any(any(member.sizes) for member in places.members):
        return ColumnLines(members, offsets, sizes, frozenset())
    members, strange = array("I", members), set()
    for row in [row for row, size in enumerate(sizes) if not size]:
        custom_id = view.id(row)
        for number, member in enumerate(places.members):
            line = member.line(custom_id)
            if member.sizes[line]:
                members[row], offsets[row], sizes[row] = number, member.offsets[line], member.sizes[line]
                strange.add(row)
                break
    return ColumnLines(members, offsets, sizes, frozenset(strange))


def as_sent(view: View) -> Rows:
    """A view's rows in the order of the requests, those of no request at the end."""
    seq = view.column("seq")
    if isinstance(seq, range):
        return array("I", seq)
    if min(seq, default=0) >= 0 and max(seq, default=0) < len(view):
        # As many places as rows: each row goes where it belongs, unless two want the same place.
        rows = array("q", [-1]) * len(view)
        for row, place in enumerate(seq):
            rows[place] = row
        if -1 not in rows:
            return array("I", rows)
    return array("I", sorted(range(len(view)), key=lambda row: seq[row] if seq[row] >= 0 else _LAST))
