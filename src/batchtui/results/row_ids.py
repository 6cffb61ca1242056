"""ids.jsonl: which row of which source each request of a batch was made from.

Three kinds of lines stand in it.  A request made from a row, or with an id made here, has a line of its own:
``{"custom_id", "row_id", "source", "number", "row"}``, where ``row_id`` is the row's own id ("" when it has none), ``number``
its line or item in the source, and ``row`` its columns.  Requests sent under ids of their own share a line a stretch:
``{"first", "last", "source", "number"}``: requests ``first`` to ``last`` of the batch, counted from 1, are those from
line ``number`` of the source on, and each custom_id is its row's own id.  A source has a line at the end:
``{"source", "name", "sha256"}``, its hash empty where every row has an id of its own.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from batchtui import plainfile
from batchtui.results.request_matcher import read_requests
from batchtui.store.records import IDS, REQUESTS

_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
_Source = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]


class IdLine(msgspec.Struct, gc=False):
    """A line of ids.jsonl, of whichever kind."""

    custom_id: str = ""
    row_id: str = ""
    source: _Source = 0
    """The source's number in its plan, from 1; 0 in files of 0.1.0, which say no source."""
    number: _Number = 0
    row: msgspec.Raw = msgspec.Raw()
    """The row's own columns as JSON."""
    first: _Number = 0
    last: _Number = 0
    name: str = ""
    sha256: str = ""


class OwnColumns(msgspec.Struct, gc=False):
    """The columns of the row that a request was made from."""

    row: dict[str, object] = {}


class OwnNames(msgspec.Struct, gc=False):
    """The names of these columns."""

    row: dict[str, msgspec.Raw] = {}


class OwnRow(msgspec.Struct, gc=False):
    """The row that a request was made from, as its line holds it."""

    row_id: str = ""
    row: msgspec.Raw = msgspec.Raw()
    """Its columns as JSON."""


Line = TypeVar("Line", bound=msgspec.Struct)


class SourceMark(msgspec.Struct, frozen=True):
    """A source of a plan."""

    number: int
    name: str
    sha256: str = ""
    """Of its bytes as they were read (unpacked); empty when it was not needed."""


_decoder = msgspec.json.Decoder(IdLine)
decode = _decoder.decode
_encode = msgspec.json.Encoder().encode
_BLOCK = 256 * 1024
"""Bytes of lines that are decoded at once."""


def read_lines(path: Path) -> Iterator[tuple[list[bytes], Sequence[IdLine | None]]]:
    """The lines of a file in blocks, with what each holds, None for one that can't be read; none without a file.

    Raises OSError.
    """
    with suppress(FileNotFoundError), plainfile.opened(path) as file:
        while lines := file.readlines(_BLOCK):
            yield lines, decode_each(_decoder, lines)


def decode_block(decoder: msgspec.json.Decoder[Line], block: bytes, count: int) -> list[Line] | None:
    """What ``count`` lines hold; None when a line is odd."""
    try:
        found = decoder.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return found if len(found) == count else None


def decode_each(decoder: msgspec.json.Decoder[Line], lines: list[bytes]) -> Sequence[Line | None]:
    """What each line holds, None for one that can't be read."""
    found = decode_block(decoder, b"".join(lines), len(lines))
    if found is not None:
        return found
    apart: list[Line | None] = []
    for line in lines:
        try:
            apart.append(decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            apart.append(None)
    return apart


def row_line(custom_id: str, row_id: str, source: int, number: int, row: object) -> bytes:
    """The line of a request that was made from a row, or (``row`` None) that has a made id only."""
    if row is None:
        return _encode({"custom_id": custom_id, "row_id": row_id, "source": source, "number": number})
    return _encode({"custom_id": custom_id, "row_id": row_id, "source": source, "number": number, "row": row})


def stretch_line(first: int, last: int, source: int, number: int) -> bytes:
    """The line of requests that were sent under ids of their own."""
    return _encode({"first": first, "last": last, "source": source, "number": number})


def source_line(mark: SourceMark) -> bytes:
    """The line of a source."""
    return _encode({"source": mark.number, "name": mark.name, "sha256": mark.sha256})


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a request comes from."""

    row_id: str
    """The row's own id, "" when it has none."""
    source: int
    """0 when it isn't known."""
    number: int
    sha256: str = ""
    """Of the source; "" when it isn't known or not needed."""

    @property
    def key(self) -> str:
        """The row identity: the row's own id, or the source's fingerprint and the row's number."""
        return row_key(self.row_id, self.sha256, self.number)


def row_key(row_id: str, sha256: str, number: int) -> str:
    """The row identity of a row with this own id, or of this number in the source with this hash."""
    return f"id:{row_id}" if row_id else f"at:{sha256}:{number}"


class RowStretches:
    """Stretches of requests with ids of their own, found by a request's number."""

    def __init__(self, lines: Iterable[IdLine]) -> None:
        self._lines = sorted(lines, key=lambda each: each.first)
        self._firsts = [each.first for each in self._lines]

    def at(self, number: int) -> tuple[int, int] | None:
        """Source and number of the row that the request with this number, from 1, is from; None when none says it."""
        place = bisect_right(self._firsts, number) - 1
        if place < 0 or number > self._lines[place].last:
            return None
        found = self._lines[place]
        return found.source, found.number + number - found.first

    def all(self, count: int) -> tuple[array[int], array[int]]:
        """The same of the first ``count`` requests, and of none as the last: sources and numbers, 0 where none says it."""
        sources, numbers = array("I", [0]) * (count + 1), array("Q", [0]) * (count + 1)
        for line, end in zip(self._lines, [*self._firsts[1:], count + 1], strict=True):
            rows = range(line.first, min(line.last, end - 1, count) + 1)
            if rows:
                here = slice(line.first - 1, line.first - 1 + len(rows))
                sources[here] = array("I", [line.source]) * len(rows)
                numbers[here] = array("Q", range(line.number, line.number + len(rows)))
        return sources, numbers


def old_line_place(custom_id: str, row_id: str) -> Place:
    """The place of a request of 0.1.0, which wrote a row's number as its id when it had none of its own."""
    if row_id.isdecimal() and custom_id == f"row-{row_id}":
        return Place("", 0, int(row_id))
    return Place(row_id or custom_id, 0, 0)


def old_place(custom_id: str, seq: int) -> Place:
    """The place of a request of 0.1.0 without a line: its custom_id is its own, or was made of its number."""
    number = custom_id.removeprefix("request-")
    if number != custom_id and number.isdecimal():
        return Place("", 0, int(number))
    return Place(custom_id, 0, seq + 1)


def lines_again(requests: Path, folders: Iterable[Path]) -> Iterator[bytes]:
    """The lines of ids.jsonl, newlines with them, for requests that are sent again; ``folders`` are where they were first.

    Raises OSError.
    """
    wanted = {custom_id: number for number, custom_id in enumerate(_ids_of(requests), 1)}
    own: dict[int, tuple[int, int]] = {}
    marks: dict[int, bytes] = {}
    for folder in folders:
        stretches = []
        with plainfile.opened(folder / IDS) as file:
            for line in file:
                with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                    found = decode(line)
                    if found.custom_id in wanted:
                        yield line
                    elif found.first:
                        stretches.append(found)
                    elif not found.custom_id and found.source:
                        marks[found.source] = line
        if not stretches:
            continue
        placed = RowStretches(stretches)
        for number, custom_id in enumerate(_ids_of(folder / REQUESTS), 1):
            place = placed.at(number) if custom_id in wanted else None
            if place is not None:
                own[wanted[custom_id]] = place
    yield from (line + b"\n" for line in _joined(own))
    yield from marks.values()


def _ids_of(requests: Path) -> Iterator[str]:
    for ids, _, _ in read_requests(requests):
        yield from ids


def _joined(own: dict[int, tuple[int, int]]) -> Iterator[bytes]:
    """Lines of stretches, as few as can be, for requests given by number with their source and row."""
    first = last = source = number = 0
    for here in sorted(own):
        if (source, number + here - first) == own[here] and here == last + 1 and first:
            last = here
            continue
        if first:
            yield stretch_line(first, last, source, number)
        first = last = here
        source, number = own[here]
    if first:
        yield stretch_line(first, last, source, number)
