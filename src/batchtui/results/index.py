"""The index of a batch's results: one small binary file, thrown away and rebuilt at will."""

from __future__ import annotations

import os
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain
from operator import sub
from pathlib import Path

import msgspec

from batchtui import plainfile
from batchtui.domain.batch import Tally
from batchtui.domain.money import PriceTable, Usage
from batchtui.results.line_lenient import ID_LIMIT
from batchtui.store import files

MAGIC = b"batchtui-index\n\0"
VERSION = 2
"""2: answers are checked by what was asked for, and fees beside the tokens are told."""
COST_DIGITS = 12
"""Costs are kept as whole numbers of 1e-12 dollars: list prices, halved and with the geo factor, need 11 digits."""
_UNITS = 10**COST_DIGITS
UNPRICED = -1
"""A row's cost when its model has no price."""
DUPLICATE, UNEXPECTED, AT_LEAST = 1, 2, 4
"""Bits of ``flags``: the id was seen before in the file; the id is in no request; its cost is not known whole."""

LAYOUT = (
    ("offset", "q"),
    ("length", "I"),
    ("line", "I"),
    ("outcome", "B"),
    ("cut", "B"),
    ("flags", "B"),
    ("stop", "H"),
    ("model", "H"),
    ("group", "I"),
    ("input", "I"),
    ("output", "I"),
    ("cache_write", "I"),
    ("cache_read", "I"),
    ("cost", "q"),
    ("seq", "i"),
    ("request_offset", "q"),
    ("request_length", "I"),
    ("id_end", "Q"),
)
"""The columns and their array types, in the order of the file; ``ids`` (all custom_ids joined) follows them."""
KINDS = dict(LAYOUT)
"""The columns' array types by name."""
_ALL = frozenset(KINDS)
Stamp = tuple[int, int]
"""Size and mtime_ns of a file."""
NOTHING: Stamp = (0, 0)
"""The stamp of a file that isn't there."""


class GroupKey(msgspec.Struct, frozen=True):
    """What makes two results without a usable answer the same."""

    outcome: int
    kind: str
    message: str = ""
    code: str = ""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the index was made from, and its small tables."""

    version: int = VERSION
    byteorder: str = sys.byteorder
    results: Stamp
    """Of results.jsonl."""
    requests: Stamp
    """Of requests.jsonl."""
    schemas: Stamp = NOTHING
    """Of the whole schemas that answers were checked by."""
    rows: int
    lines: int
    blank: int
    stops: tuple[str, ...]
    models: tuple[str, ...]
    groups: tuple[GroupKey, ...]
    """Row group g is ``groups[g - 1]``; 0 is no group."""
    tally: Tally
    prices: tuple[str, ...]
    """What the models' prices were; see ``price_marks``."""
    asked: msgspec.Raw = msgspec.Raw(b"null")
    """What the requests asked for (``asked.Kept``), null when it is not kept; holds where ``schemas`` fits."""
    ids_size: int = 0


class Columns:
    """One array a column; row i is the i-th line that is not blank; missing ids follow in the order of requests."""

    __slots__ = (*(name for name, _ in LAYOUT), "ids")

    offset: array[int]
    length: array[int]
    line: array[int]
    outcome: array[int]
    cut: array[int]
    flags: array[int]
    stop: array[int]
    model: array[int]
    group: array[int]
    input: array[int]
    output: array[int]
    cache_write: array[int]
    cache_read: array[int]
    cost: array[int]
    seq: array[int]
    request_offset: array[int]
    request_length: array[int]
    id_end: array[int]
    ids: bytearray

    def __init__(self) -> None:
        for name, kind in LAYOUT:
            setattr(self, name, array(kind))
        self.ids = bytearray()

    def __len__(self) -> int:
        return len(self.offset)

    def id_bytes(self, row: int) -> bytes:
        """A row's custom_id as UTF-8."""
        return bytes(self.ids[self.id_end[row - 1] if row else 0 : self.id_end[row]])

    def id(self, row: int) -> str:
        """A row's custom_id; cut when longer than the index keeps."""
        return self.id_bytes(row).decode("utf-8", "replace")

    def cut_short(self) -> bool:
        """Whether an id may be longer than what is kept of it."""
        ends = self.id_end
        return max(map(sub, ends, chain((0,), ends)), default=0) >= ID_LIMIT

    def ids_of(self, rows: Iterable[int]) -> Iterator[str]:
        """The custom_ids of some rows, one after the other."""
        bounds, blob = array("Q", [0]) + self.id_end, bytes(self.ids)
        if blob.isascii():
            text = blob.decode("ascii")
            return (text[bounds[row] : bounds[row + 1]] for row in rows)
        return (blob[bounds[row] : bounds[row + 1]].decode("utf-8", "replace") for row in rows)

    def id_texts(self) -> list[str]:
        """All custom_ids in one go."""
        return texts_in(self.ids, self.id_end)


def texts_in(joined: bytearray, ends: array[int]) -> list[str]:
    """Texts that are kept as one, each given by where it ends."""
    spans = zip(chain((0,), ends), ends, strict=False)
    if joined.isascii():
        text = joined.decode("ascii")
        return [text[start:end] for start, end in spans]
    blob = bytes(joined)
    return [blob[start:end].decode("utf-8", "replace") for start, end in spans]


class Index(msgspec.Struct):
    """An index in memory."""

    header: Header
    columns: Columns


def stamp(path: Path) -> Stamp:
    """Size and mtime_ns of a file, zeros when it isn't there."""
    try:
        found = path.stat()
    except OSError:
        return NOTHING
    return (found.st_size, found.st_mtime_ns)


def price_marks(prices: PriceTable, models: tuple[str, ...]) -> tuple[str, ...]:
    """What two odd usages cost with each model: changes when any price of theirs does."""
    marks = []
    for model in models:
        for scale in (1, 100):
            probe = Usage(
                model=model,
                input_tokens=1009 * scale,
                output_tokens=2003 * scale,
                cache_write_5m=3001 * scale,
                cache_write_1h=4001 * scale,
                cache_read=5003 * scale,
                web_searches=7,
                geo="us",
            )
            marks.append(str(prices.cost(probe)))
    return tuple(marks)


def cost_units(cost: Decimal) -> int:
    """Dollars as whole units of the cost column."""
    return int(cost * _UNITS)


def dollars(units: int) -> Decimal:
    """Units of the cost column as dollars, exact whatever the size."""
    return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -COST_DIGITS))


def save(path: Path, index: Index) -> None:
    """Write an index whole; raises StoreError."""
    columns = index.columns
    head = msgspec.json.encode(msgspec.structs.replace(index.header, ids_size=len(columns.ids)))
    checksum = zlib.crc32(head)
    with files.atomic(path, lasting=False) as file:
        file.write(MAGIC + len(head).to_bytes(8, "little") + head)
        for name, _ in LAYOUT:
            column = getattr(columns, name)
            checksum = zlib.crc32(column, checksum)
            file.write(column)
        checksum = zlib.crc32(columns.ids, checksum)
        file.write(columns.ids)
        file.write(checksum.to_bytes(4, "little"))


def load(path: Path, results: Stamp, requests: Stamp, prices: PriceTable, schemas: Stamp = NOTHING) -> Index | None:
    """The index at ``path`` if it is whole, ours, and made from these very files and prices; None otherwise."""
    index = _load(path, results, requests, _ALL)
    if index is None or (results != NOTHING and index.header.schemas != schemas):
        return None
    return index if index.header.prices == price_marks(prices, index.header.models) else None


def load_requests(path: Path, requests: Stamp) -> Index | None:
    """Ids and places of the requests in an index made before any result came, if it fits them: no other column is there."""
    return _load(path, NOTHING, requests, frozenset({"request_offset", "request_length", "id_end"}))


def load_lines(path: Path, results: Stamp, requests: Stamp) -> Index | None:
    """Ids and places of the lines, and what they are matched to, if the index fits: no other column is there."""
    return _load(path, results, requests, frozenset({"offset", "length", "outcome", "seq", "id_end"}))


def _load(path: Path, results: Stamp, requests: Stamp, wanted: frozenset[str]) -> Index | None:
    try:
        with plainfile.opened(path) as file:
            index = _read(file.fileno(), wanted)
    except (OSError, ValueError, msgspec.MsgspecError, MemoryError):
        return None
    fits = index is not None and index.header.results == results and index.header.requests == requests
    return index if fits else None


def _read(fd: int, wanted: frozenset[str]) -> Index | None:
    size = os.fstat(fd).st_size
    start = len(MAGIC) + 8
    begin = os.pread(fd, start, 0)
    head_size = int.from_bytes(begin[len(MAGIC) :], "little")
    if begin[: len(MAGIC)] != MAGIC or head_size > size:
        return None
    head = os.pread(fd, head_size, start)
    header = msgspec.json.decode(head, type=Header)
    if header.version != VERSION or header.byteorder != sys.byteorder:
        return None
    columns = Columns()
    place, checksum = start + head_size, zlib.crc32(head)
    width = sum(array(kind).itemsize for _, kind in LAYOUT)
    if header.rows < 0 or size != place + header.rows * width + header.ids_size + 4:
        return None
    for name, _ in LAYOUT:
        column: array[int] = getattr(columns, name)
        part = os.pread(fd, header.rows * column.itemsize, place)
        checksum = zlib.crc32(part, checksum)
        if name in wanted:
            column.frombytes(part)
        place += len(part)
    ids = os.pread(fd, header.ids_size, place)
    columns.ids += ids
    checksum = zlib.crc32(ids, checksum)
    whole = os.pread(fd, 4, place + len(ids)) == checksum.to_bytes(4, "little")
    return Index(header, columns) if whole and len(columns.id_end) == header.rows else None
