"""Where each row of a view is from, and where its own columns stand: kept in arrays, a few bytes a row."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain, islice

from batchtui.results.index import texts_in
from batchtui.results.row_ids import IdLine, Place, RowStretches, old_line_place, old_place, read_lines, row_key
from batchtui.results.view import ResultSet, Rows, View, as_sent
from batchtui.store import files
from batchtui.store.records import IDS

_MOST = (1 << 64) - 1
_LAST = 1 << 128
"""Sorts behind every row."""
_EMPTY = 2
"""Bytes of an object without columns."""

_NONE, _SAME, _OTHER = range(3)
"""What a row's own id is: it has none, it is the custom_id, or another."""


class MemberPlaces:
    """Where the rows of one batch are from, by what its ids.jsonl says; lines are numbered from 1.

    Raises StoreError, unless it is ``lenient``: then a file that can't be read says nothing.
    """

    def __init__(self, member: ResultSet, *, lenient: bool = False) -> None:
        self._path = member.folder / IDS
        self._lenient = lenient
        self.sources = array("I", [0])
        self.numbers = array("Q", [0])
        self.offsets = array("Q", [0])
        self.sizes = array("I", [0])
        """Of lines with own columns, their newlines with them; 0 for others."""
        self._kinds = bytearray([_SAME])
        self._others = array("I")
        """Lines with another id, and where each ends in the text of them all."""
        self._ends = array("Q", [0])
        self._text = bytearray()
        self.hashes: dict[int, str] = {}
        self.names: dict[int, str] = {}
        """Hashes and names of the sources."""
        self.stretches: list[IdLine] = []
        """Of requests that were sent under own ids."""
        self._offset = 0
        self._by_id: dict[str, int] | None = None
        matcher = _Matcher(member)
        self._read(matcher)
        self.lines = matcher.finish() or array("I", [self.line(name) for name in member.ids()])
        """The line of each of the batch's rows, 0 for one without."""

    def _blocks(self) -> Iterator[tuple[Sequence[bytes], Sequence[IdLine | None]]]:
        """The lines in blocks, with what each holds."""
        try:
            yield from read_lines(self._path)
        except OSError as error:
            if not self._lenient:
                raise files.explain(error, f"can't read {self._path}") from error

    def _read(self, matcher: _Matcher) -> None:
        for lines, held in self._blocks():
            sizes = [*map(len, lines)]
            offsets = [*accumulate(sizes, initial=self._offset)]
            self._offset = offsets.pop()
            ids = [each.custom_id if each is not None else "" for each in held]
            if all(ids):
                self._take(held, ids, offsets, sizes)
            else:
                self._take_others([each for each in held if each is not None and not each.custom_id])
                kept = [place for place, each in enumerate(ids) if each]
                ids = [ids[place] for place in kept]
                offsets = [offsets[place] for place in kept]
                self._take([held[place] for place in kept], ids, offsets, [sizes[place] for place in kept])
            matcher.match(ids)

    def _take(self, found: Sequence[IdLine | None], ids: list[str], offsets: list[int], sizes: list[int]) -> None:
        lines = [each for each in found if each is not None]
        self.sources.extend([each.source for each in lines])
        self.numbers.extend([each.number for each in lines])
        self.offsets.extend(offsets)
        own_sizes = zip([len(each.row) for each in lines], sizes, strict=True)
        self.sizes.extend([size if own > _EMPTY else 0 for own, size in own_sizes])
        own, first = [each.row_id for each in lines], len(self._kinds)
        kinds = [
            _OTHER if row_id and row_id != name else _SAME if row_id else _NONE
            for row_id, name in zip(own, ids, strict=True)
        ]
        self._kinds += bytes(kinds)
        if _OTHER in kinds:
            others = [row_id.encode() for row_id, kind in zip(own, kinds, strict=True) if kind == _OTHER]
            self._others.extend([line for line, kind in enumerate(kinds, first) if kind == _OTHER])
            self._ends.extend([*accumulate(map(len, others), initial=len(self._text))][1:])
            self._text += b"".join(others)

    def _take_others(self, lines: Sequence[IdLine]) -> None:
        """Lines of stretches and of sources."""
        for line in lines:
            if line.first:
                self.stretches.append(line)
            elif line.source:
                self.hashes[line.source] = line.sha256
                self.names[line.source] = line.name

    def line(self, custom_id: str) -> int:
        """The line of a request, 0 when it has none."""
        if self._by_id is None:
            ids = [
                each.custom_id for _, found in self._blocks() for each in found if each is not None and each.custom_id
            ]
            self._by_id = {each: line for line, each in enumerate(ids, 1)}
        return self._by_id.get(custom_id, 0)

    def forget_lines(self) -> None:
        """Let go of what the lines say, once it is known of each row."""
        self.lines, self.sources, self.numbers = array("I"), array("I"), array("Q")
        self.offsets, self.sizes = array("Q"), array("I")
        self._by_id = None

    def in_stretches(self, seq: Rows) -> tuple[Rows, Rows]:
        """Sources and numbers of rows by the stretch that their request stands in, given by its number from 0; 0 for none."""
        if not self.stretches:
            return array("I", [0]) * len(seq), array("Q", [0]) * len(seq)
        sources, numbers = RowStretches(self.stretches).all(max(seq, default=-1) + 1)
        if seq == array("i", range(len(seq))):
            return sources[:-1], numbers[:-1]
        return array("I", map(sources.__getitem__, seq)), array("Q", map(numbers.__getitem__, seq))

    def row_id(self, line: int, custom_id: str) -> str:
        """The id that a line says its row has; without a line (0) the custom_id."""
        kind = self._kinds[line]
        if kind != _OTHER:
            return custom_id if kind == _SAME else ""
        place = bisect_left(self._others, line)
        return self._text[self._ends[place] : self._ends[place + 1]].decode()

    def row_ids(self) -> Sequence[str | None]:
        """The same by line, None for the custom_id."""
        others = iter(texts_in(self._text, self._ends[1:]))
        return [None if kind == _SAME else next(others) if kind == _OTHER else "" for kind in self._kinds]


class _Matcher:
    """Finds the line of each row of a batch: lines and requests are in the same order, unless another program wrote them."""

    def __init__(self, member: ResultSet) -> None:
        self._member = member
        self._lines = array("I", [0]) * len(member)
        self._wanted: Iterator[tuple[int, str]] | None = None
        """Rows in the order of their requests, once it is not that of the lines."""
        self._line = 0
        self._last = ("", 0)
        self._lost = False

    @cached_property
    def _order(self) -> Rows:
        return as_sent(self._member)

    @cached_property
    def _names(self) -> Iterator[str]:
        """The custom_ids in this order."""
        return self._member.columns.ids_of(self._order)

    def match(self, ids: list[str]) -> None:
        """The next lines are of these requests."""
        if self._lost or not ids:
            return
        if self._wanted is None:
            rows, names = self._order[self._line : self._line + len(ids)], [*islice(self._names, len(ids))]
            if names == ids:
                for line, row in enumerate(rows, self._line + 1):
                    self._lines[row] = line
            else:
                rest = zip(self._order[self._line + len(names) :], self._names, strict=True)
                self._wanted = chain(zip(rows, names, strict=True), rest)
        if self._wanted is not None:
            self._search(self._wanted, ids)
        self._line += len(ids)
        self._last = (ids[-1], self._line)

    def _search(self, wanted: Iterator[tuple[int, str]], ids: list[str]) -> None:
        """The same where requests without lines stand between those with one, or two results have one custom_id."""
        last, line = self._last
        for number, custom_id in enumerate(ids, self._line + 1):
            for row, name in wanted:
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
        if self._lost or not self._line:
            return None if self._lost else self._lines
        last, line = self._last
        for row, name in self._wanted or zip(self._order[self._line :], self._names, strict=True):
            if name != last:
                break
            self._lines[row] = line
        return self._lines


class Places:
    """Where each row of a view is from: a ``Place`` is made as it is asked for.  Raises StoreError, unless ``lenient``."""

    def __init__(self, view: View, *, lenient: bool = False) -> None:
        self._view = view
        self._members, self._rows = view.spots()
        self._held = [MemberPlaces(member, lenient=lenient) for member in view.members]
        self.names = {number: name for held in self._held for number, name in held.names.items()}
        """Names of the sources by number."""
        self._lines = self._by_row("I", [held.lines for held in self._held])
        self.sources = self._by_line("I", [held.sources for held in self._held])
        """The source of each row, 0 where none is known."""
        self._numbers = self._by_line("Q", [held.numbers for held in self._held])
        self.owners, self.offsets, self.sizes = self._columns()
        """Where each row's own columns stand: in which batch's ids.jsonl, from which byte on, and how many; 0 for none."""
        self._place_requests()
        self._complete = 0 not in self.sources
        """Whether the numbers of rows that no source is known of are told."""
        for held in self._held:
            held.forget_lines()

    def _by_row(self, kind: str, parts: Sequence[Rows]) -> Rows:
        """What is told of each row, given by member and row there."""
        if len(parts) == 1:
            return parts[0] if isinstance(self._rows, range) else array(kind, map(parts[0].__getitem__, self._rows))
        return array(kind, [parts[member][row] for member, row in zip(self._members, self._rows, strict=True)])

    def _by_line(self, kind: str, parts: Sequence[Rows]) -> Rows:
        """What each row's line holds, given by member and line."""
        if max(map(len, parts), default=1) == 1:
            return array(kind, [0]) * len(self._lines)
        if len(parts) == 1:
            if self._lines == array("I", range(1, len(parts[0]))):
                return parts[0][1:]
            return array(kind, map(parts[0].__getitem__, self._lines))
        return array(kind, [parts[member][line] for member, line in zip(self._members, self._lines, strict=True)])

    def _columns(self) -> tuple[Rows, Rows, Rows]:
        """Where the rows' own columns stand: in the row's own batch, or else in another."""
        offsets = self._by_line("Q", [held.offsets for held in self._held])
        sizes = self._by_line("I", [held.sizes for held in self._held])
        if len(self._held) == 1 or 0 not in sizes or not any(any(held.sizes) for held in self._held):
            return self._members, offsets, sizes
        owners = array("I", self._members)
        for row in [row for row, size in enumerate(sizes) if not size]:
            custom_id = self._view.id(row)
            for number, held in enumerate(self._held):
                line = held.line(custom_id)
                if held.sizes[line]:
                    owners[row], offsets[row], sizes[row] = number, held.offsets[line], held.sizes[line]
                    break
        return owners, offsets, sizes

    def _place_requests(self) -> None:
        """Find the sources of rows without a line, which are told by the place of their requests."""
        if not any(held.stretches for held in self._held):
            return
        told = [
            held.in_stretches(member.columns.seq) for held, member in zip(self._held, self._view.members, strict=True)
        ]
        sources = self._by_row("I", [each for each, _ in told])
        numbers = self._by_row("Q", [each for _, each in told])
        if any(self._lines):
            for row in [row for row, line in enumerate(self._lines) if line]:
                sources[row], numbers[row] = self.sources[row], self._numbers[row]
        self.sources, self._numbers = sources, numbers

    def said_by_line(self, row: int) -> bool:
        """Whether the line with a row's own columns says where it is from."""
        return bool(self._lines[row] and self.sources[row]) and self.owners[row] == self._members[row]

    @cached_property
    def plain(self) -> bool:
        """Whether each row's columns stand in the line that says where it is from."""
        return 0 not in self.sources and 0 not in self._lines and self.owners == self._members

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[Place]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, row: int) -> Place:
        custom_id, line, source = self._view.id(row), self._lines[row], self.sources[row]
        if not source:
            return self._old_place(row, custom_id)
        held = self._held[self._members[row]]
        return Place(
            held.row_id(line, custom_id), source, self._numbers[row], held.hashes.get(source, "") if line else ""
        )

    def _old_place(self, row: int, custom_id: str) -> Place:
        """The place of a row that no source is known of."""
        member, line = self._members[row], self._lines[row]
        if line:
            return old_line_place(custom_id, self._held[member].row_id(line, custom_id))
        return old_place(custom_id, self._view.members[member].columns.seq[self._rows[row]])

    @property
    def numbers(self) -> Rows:
        """The number of each row in its source, from 1; 0 where it is not known."""
        if not self._complete:
            self.row_ids(self._view.ids())
        return self._numbers

    def row_ids(self, ids: Sequence[str]) -> list[str]:
        """The rows' own ids, "" for rows without one; ``ids`` are the view's."""
        parts = [held.row_ids() for held in self._held]
        if len(parts) == 1:
            told = [*map(parts[0].__getitem__, self._lines)]
        else:
            told = [parts[member][line] for member, line in zip(self._members, self._lines, strict=True)]
        found = [name if own is None else own for own, name in zip(told, ids, strict=True)]
        for row in [row for row, source in enumerate(self.sources) if not source]:
            place = self._old_place(row, ids[row])
            found[row], self._numbers[row] = place.row_id, min(place.number, _MOST)
        self._complete = True
        return found

    def keys(self, row_ids: Sequence[str]) -> list[str]:
        """The rows' identities, as ``Place.key`` has them; ``row_ids`` are their own ids."""
        return [*map(row_key, row_ids, self.hashes(), self.numbers)]

    def hashes(self) -> list[str]:
        """The hash of each row's source, "" where it is not known or not needed."""
        pairs = set(zip(self._members, self.sources, strict=True))
        found = {(member, source): self._held[member].hashes.get(source, "") for member, source in pairs}
        if not any(found.values()):
            return [""] * len(self)
        rows = zip(zip(self._members, self.sources, strict=True), self._lines, strict=True)
        return [found[pair] if line else "" for pair, line in rows]

    def stretches(self, rows: Rows) -> Iterator[tuple[int, tuple[int, str]]]:
        """How far each stretch of these rows goes that is of one source, which is told by its number and its hash."""
        members, sources = self._members, self.sources
        last: tuple[int, int] | None = None
        mark: tuple[int, str] | None = None
        if rows and len(set(sources)) == 1 and len(self._held) == 1:
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
        return source, self._held[member].hashes.get(source, "")

    def spot(self, row: int) -> int:
        """What sorts rows as they stand in their sources; those that no source is known of are alike, and last."""
        return self.sources[row] << 64 | self._numbers[row] if self.sources[row] else _LAST

    def sort(self, rows: Sequence[int]) -> Sequence[int]:
        """Rows as they stand in their sources; those that no source is known of stay as they are, at the end."""
        one = len(set(self.sources)) == 1 and self.sources[0]
        of: Callable[[int], int] = self._numbers.__getitem__ if one else self.spot
        spots = [*map(of, rows)]
        return rows if spots == sorted(spots) else sorted(rows, key=of)

    @cached_property
    def order(self) -> Rows:
        """All rows as they stand in their sources, else in the order of the requests; not to be changed."""
        rows = as_sent(self._view)
        return array("I", self.sort(rows)) if any(self.sources) else rows


def places_of(view: View) -> Places:
    """Where a view's rows are from, read when first asked for and kept with it.  Raises StoreError."""
    found = view.kept.get("places")
    if not isinstance(found, Places):
        found = view.kept["places"] = Places(view)
    return found
