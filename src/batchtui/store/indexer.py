"""Makes an index from result lines as they come, in one pass, and matches them with the requests."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

from batchtui.domain.batch import Tally
from batchtui.domain.errors import Stopped
from batchtui.domain.money import PriceTable
from batchtui.domain.outcome import (
    CANCELED,
    CUT_SHORT,
    ERRORED,
    EXPIRED,
    MISSING,
    OUTCOMES,
    SUCCEEDED,
    UNKNOWN,
    UNREADABLE,
    WAITING,
)
from batchtui.store.cutter import Cutter, line_ends
from batchtui.store.index import DUPLICATE, LAYOUT, UNEXPECTED, Columns, GroupKey, Header, Index, price_marks
from batchtui.store.lenient import ID_LIMIT, Facts
from batchtui.store.lines import decode_block, plain_lines, read_line
from batchtui.store.numbering import Groups, Names
from batchtui.store.requests import read_requests
from batchtui.store.till import Till

_U32 = 0xFFFF_FFFF
_GATHERED = 512
"""Rows gathered before they go into the columns: many at once costs half of one by one."""
_FACTS = ("outcome", "cut", "stop", "model", "group", "cost", "input", "output", "cache_write", "cache_read")
_GATHERED_AS = ("offset", "length", "line", "id_end", *_FACTS)


class Indexer:
    """Takes the bytes of results.jsonl in order and in any pieces (``feed``); ``match`` and ``finish`` end it.

    ``fd`` gives the open file's descriptor with all fed bytes written, to read a very long line back.
    """

    def __init__(self, prices: PriceTable, fd: Callable[[], int]) -> None:
        self._prices = prices
        self.cutter = Cutter(fd, self._take_one, self._take_all)
        self.feed = self.cutter.feed
        self.lines = 0
        """Lines so far that are not blank."""
        self._columns = Columns()
        self._rows: dict[str, int] = {}
        self._repeats: list[tuple[int, int]] = []
        """Rows whose id was seen before, with the row that had it first."""
        self._stops = Names()
        self._models = Names()
        self._groups = Groups()
        self._till = Till(prices)
        self._gathered: list[tuple[int, ...]] = []
        self._ids: list[bytes] = []
        self._ids_size = 0

    def tail_is_whole(self) -> bool:
        """True when nothing is left after the last newline, or what is left is a whole result without its newline."""
        with self.cutter.tail_view() as line:
            blank = not line or (isinstance(line, bytes) and line.isspace())
            return blank or read_line(line).outcome != UNREADABLE

    def _take_all(self, block: bytes) -> int:
        """Take whole lines decoded in one call, column by column; those that did not plainly succeed are read again."""
        ends = line_ends(block)
        decoded = decode_block(block, len(ends))
        plain = plain_lines(decoded) if decoded is not None else None
        if decoded is None or plain is None:
            return 0
        self._settle()
        first, count, begin, columns = self.lines, len(ends), self.cutter.offset, self._columns
        starts = [0, *[end + 1 for end in ends[:-1]]]
        columns.offset.extend([begin + start for start in starts])
        columns.length.extend(map(int.__sub__, ends, starts))
        columns.line.extend(range(self.cutter.number + 1, self.cutter.number + 1 + count))
        self._number_all([each.custom_id for each in decoded])
        read, written, short, hour, cached = zip(*plain.tokens, strict=True)
        columns.outcome.extend([SUCCEEDED] * count)
        columns.cut.extend(plain.cuts)
        columns.stop.extend([self._stops[stop] for stop in plain.stops])
        columns.model.extend([self._models[model] for model in plain.models])
        columns.group.extend([self._cut_group(cut) if cut else 0 for cut in plain.cuts])
        columns.cost.extend(self._till.ring_all(plain.models, plain.geos, plain.tokens))
        columns.input.extend(read)
        columns.output.extend(written)
        columns.cache_write.extend([min(sum(both), _U32) for both in zip(short, hour, strict=True)])
        columns.cache_read.extend(cached)
        for odd in plain.odd:
            facts = self._facts(read_line(block[starts[odd] : ends[odd]]))
            for name, value in zip(_FACTS, facts, strict=True):
                getattr(columns, name)[first + odd] = value
        return count

    def _cut_group(self, cut: int) -> int:
        return self._groups.number(GroupKey(SUCCEEDED, CUT_SHORT[cut]))

    def _number_all(self, ids: list[str]) -> None:
        """Give lines the next rows; nothing else is waiting to go into the columns."""
        row, columns, count = self.lines, self._columns, len(ids)
        text = "".join(ids)
        fresh = len(set(ids)) == count and self._rows.keys().isdisjoint(ids)
        if fresh and text.isascii() and all(ids) and max(map(len, ids)) <= ID_LIMIT:
            self._rows.update(zip(ids, range(row, row + count), strict=True))
            columns.id_end.extend([*accumulate(map(len, ids), initial=self._ids_size)][1:])
            columns.ids += text.encode("ascii")
            self._ids_size += len(text)
            self.lines = row + count
            return
        for custom_id in ids:
            self._number(custom_id)
            columns.id_end.append(self._ids_size)
        self._settle()

    def _number(self, custom_id: str) -> None:
        """Give a line's custom_id the next row."""
        row = self.lines
        self.lines = row + 1
        if len(custom_id) > ID_LIMIT:
            custom_id = custom_id[:ID_LIMIT]
        held = custom_id.encode("utf-8", "replace")
        self._ids.append(held)
        self._ids_size += len(held)
        if custom_id and (first := self._rows.setdefault(custom_id, row)) != row:
            self._repeats.append((row, first))

    def _take_one(self, line: bytes | memoryview) -> None:
        self._take(line, self.cutter.offset, self.cutter.number)
        if len(self._gathered) >= _GATHERED:
            self._settle()

    def _take(self, line: bytes | memoryview, offset: int, number: int) -> None:
        facts = read_line(line)
        self._number(facts.custom_id)
        self._gathered.append((offset, min(len(line), _U32), number, self._ids_size, *self._facts(facts)))

    def _facts(self, facts: Facts) -> tuple[int, ...]:
        """A line's values for the columns ``_FACTS``."""
        usage = facts.usage
        return (
            facts.outcome,
            facts.cut,
            self._stops[facts.stop],
            self._models[facts.model],
            self._groups.of(facts),
            self._till.ring(facts),
            usage.input_tokens,
            usage.output_tokens,
            min(usage.cache_write_5m + usage.cache_write_1h, _U32),
            usage.cache_read,
        )

    def _settle(self) -> None:
        """Put the gathered rows into the columns."""
        for name, values in zip(_GATHERED_AS, zip(*self._gathered, strict=True), strict=False):
            getattr(self._columns, name).extend(values)
        self._gathered.clear()
        self._columns.ids += b"".join(self._ids)
        self._ids.clear()

    def _fill(self) -> None:
        """Complete the columns that lines say nothing about."""
        self._settle()
        columns, rows = self._columns, self.lines
        columns.seq = array("i", [-1]) * rows
        columns.request_offset = array("q", [-1]) * rows
        columns.request_length = array("I", [0]) * rows
        columns.flags = array("B", bytes(rows))
        for row, _ in self._repeats:
            columns.flags[row] = DUPLICATE

    def finish(
        self,
        results: tuple[int, int],
        requests: tuple[int, int],
        path: Path | None = None,
        *,
        waiting: bool = False,
        stop: threading.Event | None = None,
    ) -> Index:
        """The index of what was fed, made from files with these stamps; ``path`` are the requests to match with.

        Requests without a line become rows of their own: missing, or ``waiting`` when lines are still to come.
        Raises OSError when the requests can't be read, Stopped when ``stop`` is set.
        """
        self._fill()
        if path is not None:
            self._match(path, WAITING if waiting else MISSING, stop)
        self._rows.clear()
        models = self._models.all()
        header = Header(
            results=results,
            requests=requests,
            rows=len(self._columns),
            lines=self.lines,
            blank=self.cutter.blank,
            stops=self._stops.all(),
            models=models,
            groups=self._groups.all(),
            tally=self._tally(),
            prices=price_marks(self._prices, models),
        )
        return Index(header, self._columns)

    def _match(self, path: Path, absent: int, stop: threading.Event | None) -> None:
        columns, find = self._columns, self._rows.get
        seqs, offsets, lengths = columns.seq, columns.request_offset, columns.request_length
        lost: list[tuple[str, int, int, int]] = []
        seq = 0
        for ids, starts, sizes in read_requests(path):
            if stop is not None and stop.is_set():
                raise Stopped("stopped while matching the results with their requests")
            for row, custom_id, offset, length in zip(map(find, ids), ids, starts, sizes, strict=True):
                if row is None:
                    lost.append((custom_id, seq, offset, length))
                elif seqs[row] < 0:
                    seqs[row], offsets[row], lengths[row] = seq, offset, min(length, _U32)
                seq += 1
        for row, first in self._repeats:
            seqs[row], offsets[row], lengths[row] = seqs[first], offsets[first], lengths[first]
        if -1 in seqs:
            for row, seq in enumerate(seqs):
                columns.flags[row] |= UNEXPECTED if seq < 0 else 0
        self._add_absent(lost, absent)

    def _add_absent(self, lost: list[tuple[str, int, int, int]], outcome: int) -> None:
        if not lost:
            return
        columns, count = self._columns, len(lost)
        fixed = {"offset": -1, "outcome": outcome, "group": self._groups.number(GroupKey(outcome, OUTCOMES[outcome]))}
        for name, kind in LAYOUT:
            if name not in ("id_end", "seq", "request_offset", "request_length"):
                getattr(columns, name).extend(array(kind, [fixed.get(name, 0)]) * count)
        for custom_id, seq, offset, length in lost:
            columns.ids += custom_id[:ID_LIMIT].encode("utf-8", "replace")
            columns.id_end.append(len(columns.ids))
            columns.seq.append(seq)
            columns.request_offset.append(offset)
            columns.request_length.append(min(length, _U32))

    def _tally(self) -> Tally:
        columns = self._columns
        counts = Counter(columns.outcome)
        cost, standard = self._till.sums(counts[SUCCEEDED])
        return Tally(
            lines=self.lines,
            succeeded=counts[SUCCEEDED],
            errored=counts[ERRORED],
            canceled=counts[CANCELED],
            expired=counts[EXPIRED],
            unknown=counts[UNKNOWN],
            unreadable=counts[UNREADABLE],
            cut_short=len(columns) - columns.cut.count(0),
            missing=counts[MISSING],
            unexpected=sum(1 for flag in columns.flags if flag & UNEXPECTED),
            duplicates=len(self._repeats),
            input_tokens=sum(columns.input),
            output_tokens=sum(columns.output),
            cache_write_tokens=sum(columns.cache_write),
            cache_read_tokens=sum(columns.cache_read),
            cost_usd=cost,
            standard_usd=standard,
            unpriced=tuple(sorted(self._till.unpriced)),
        )
