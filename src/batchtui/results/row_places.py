"""Where each row of a view is from, and where its own columns stand: kept in arrays, a few bytes a row."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, chain, islice
from operator import gt
from typing import Annotated, overload

import msgspec

from batchtui import plainfile
from batchtui.results.row_ids import IdLine, Place, RowStretches, each_line, old_line_place, old_place
from batchtui.results.view import ResultSet, Rows, View, as_sent
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
        self._others = array("I")
        """Lines with another id, and where each ends in the text of them all."""
        self._ends = array("Q", [0])
        self._text = bytearray()
        self._hashes: dict[int, str] = {}
        self.names: dict[int, str] = {}
        """Names of the sources."""
        self._stretches: list[IdLine] = []
        self._offset = 0
        self._by_id: dict[str, int] | None = None
        matcher = _Matcher(member)
        self._read(matcher)
        self._placed = RowStretches(self._stretches)
        self.lines = matcher.finish() or array("I", [self.line(name) for name in member.ids()])

    def _blocks(self) -> Iterator[tuple[Sequence[bytes], Sequence[RowLine | None]]]:
        """The lines in blocks, with what each holds; raises StoreError."""
        try:
            with suppress(FileNotFoundError), plainfile.opened(self._path) as file:
                while lines := file.readlines(_BLOCK):
                    yield lines, each_line(_decoder, lines)
        except OSError as error:
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

    def _take(self, found: Sequence[RowLine | None], ids: list[str], offsets: list[int], sizes: list[int]) -> None:
        lines = [each for each in found if each is not None]
        self.sources.extend([each.source for each in lines])
        self.numbers.extend([each.number for each in lines])
        self.offsets.extend(offsets)
        self.sizes.extend([size if len(each.row) > _EMPTY else 0 for each, size in zip(lines, sizes, strict=True)])
        own = [each.row_id for each in lines]
        if own == ids or not any(own):
            self._kinds += bytes([_SAME if any(own) else _NONE]) * len(own)
            return
        for custom_id, row_id in zip(ids, own, strict=True):
            kind = _NONE if not row_id else _SAME if row_id == custom_id else _OTHER
            if kind == _OTHER:
                self._others.append(len(self._kinds))
                self._text += row_id.encode("utf-8")
                self._ends.append(len(self._text))
            self._kinds.append(kind)

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

    def _row_id(self, line: int, custom_id: str) -> str:
        """The id that a line says its row has."""
        kind = self._kinds[line]
        if kind != _OTHER:
            return custom_id if kind == _SAME else ""
        place = bisect_left(self._others, line)
        return self._text[self._ends[place] : self._ends[place + 1]].decode("utf-8")

    def place(self, row: int, line: int, source: int, number: int) -> Place:
        """Where a row of the batch is from, which has this line and, as that says, is from there."""
        custom_id = self._member.id(row)
        if line and source:
            return Place(self._row_id(line, custom_id), source, number, self.sha256(source))
        if line:
            return old_line_place(custom_id, self._row_id(line, custom_id))
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
        self.sources = self._by_line("I", [member.sources for member in self.members])
        """The source of each row, 0 where none is known."""
        self.numbers = self._by_line("Q", [member.numbers for member in self.members])
        """The number of each row in its source, from 1; 0 where it is not known."""
        self.owners, self.offsets, self.sizes = self._columns()
        """Where each row's own columns stand: in which batch's ids.jsonl, from which byte on, and how many; 0 for none."""
        self.plain = 0 not in self.sources and self.owners == view.spots()[0]
        """Whether each row's columns stand in the line that says where it is from."""
        for member in self.members:
            member.forget_lines()
        if 0 in self.sources:
            for row in [row for row, source in enumerate(self.sources) if not source]:
                place = self[row]
                self.sources[row], self.numbers[row] = place.source, min(place.number, _MOST)

    def _by_row(self, parts: Sequence[Rows]) -> Rows:
        members, places = self._view.spots()
        if len(parts) == 1:
            return array("I", map(parts[0].__getitem__, places))
        return array("I", [parts[member][place] for member, place in zip(members, places, strict=True)])

    def _by_line(self, kind: str, parts: Sequence[Rows]) -> Rows:
        """What each row's line holds, given by member and line."""
        if len(parts) == 1:
            return array(kind, map(parts[0].__getitem__, self.lines))
        members, _ = self._view.spots()
        return array(kind, [parts[member][line] for member, line in zip(members, self.lines, strict=True)])

    def _columns(self) -> tuple[Rows, Rows, Rows]:
        """Where the rows' own columns stand: in the row's own batch, or else in another."""
        members, _ = self._view.spots()
        offsets = self._by_line("Q", [member.offsets for member in self.members])
        sizes = self._by_line("I", [member.sizes for member in self.members])
        if len(self.members) == 1 or 0 not in sizes or not any(any(member.sizes) for member in self.members):
            return members, offsets, sizes
        members = array("I", members)
        for row in [row for row, size in enumerate(sizes) if not size]:
            custom_id = self._view.id(row)
            for number, member in enumerate(self.members):
                line = member.line(custom_id)
                if member.sizes[line]:
                    members[row], offsets[row], sizes[row] = number, member.offsets[line], member.sizes[line]
                    break
        return members, offsets, sizes

    def said_by_line(self, row: int) -> bool:
        """Whether the line with a row's own columns says where it is from."""
        return bool(self.lines[row] and self.sources[row]) and self.owners[row] == self._view.place(row)[0]

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
        return self.members[member].place(place, self.lines[row], self.sources[row], self.numbers[row])

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
