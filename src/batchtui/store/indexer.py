"""Makes an index from result lines as they come, in one pass, and matches them with the requests."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Callable
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
from batchtui.store.lines import ID_LIMIT, charged, decode_block, plain_cut, read_line
from batchtui.store.numbering import Groups, Names
from batchtui.store.requests import read_requests
from batchtui.store.till import Till

_U32 = 0xFFFF_FFFF
_GATHERED = 512
"""Rows gathered before they go into the columns: many at once costs half of one by one."""
_FROM_LINES = ("offset", "length", "line", "outcome", "cut", "stop", "model", "group", "cost", "id_end")
_FROM_USAGE = ("input", "output", "cache_write", "cache_read")


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
        self._used: list[tuple[int, ...]] = []
        self._ids: list[bytes] = []
        self._ids_size = 0

    def tail_is_whole(self) -> bool:
        """True when nothing is left after the last newline, or what is left is a whole result without its newline."""
        with self.cutter.tail_view() as line:
            blank = not line or (isinstance(line, bytes) and line.isspace())
            return blank or read_line(line).outcome != UNREADABLE

    def _take_all(self, block: bytes) -> int:
        """Take whole lines decoded in one call; those that succeeded take a short way, the others that of ``_take``."""
        ends = list(line_ends(block))
        decoded = decode_block(block, len(ends))
        if decoded is None:
            return 0
        begin, number, start = self.cutter.offset, self.cutter.number, 0
        for end, each in zip(ends, decoded, strict=True):
            number += 1
            message, cut = each.result.message, plain_cut(each)
            if cut is None or message is None:
                self._take(block[start:end], begin + start, number)
            else:
                self._number(each.custom_id)
                stop, model, tokens = message.stop_reason or "", message.model, charged(message.usage)
                read, written, short, hour, cached = tokens
                self._gathered.append(
                    (
                        begin + start,
                        end - start,
                        number,
                        SUCCEEDED,
                        cut,
                        self._stops.number(stop),
                        self._models.number(model),
                        self._groups.number(GroupKey(SUCCEEDED, CUT_SHORT[cut])) if cut else 0,
                        self._till.ring_tokens(model, message.usage.inference_geo or "", tokens),
                        self._ids_size,
                    )
                )
                self._used.append((read, written, min(short + hour, _U32), cached))
            start = end + 1
        if len(self._gathered) >= _GATHERED:
            self._settle()
        return len(ends)

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
        self._gathered.append(
            (
                offset,
                min(len(line), _U32),
                number,
                facts.outcome,
                facts.cut,
                self._stops.number(facts.stop),
                self._models.number(facts.model),
                self._groups.of(facts),
                self._till.ring(facts),
                self._ids_size,
            )
        )
        usage = facts.usage
        written = min(usage.cache_write_5m + usage.cache_write_1h, _U32)
        self._used.append((usage.input_tokens, usage.output_tokens, written, usage.cache_read))

    def _settle(self) -> None:
        """Put the gathered rows into the columns."""
        for names, rows in ((_FROM_LINES, self._gathered), (_FROM_USAGE, self._used)):
            for name, values in zip(names, zip(*rows, strict=True), strict=False):
                getattr(self._columns, name).extend(values)
            rows.clear()
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
        columns, rows = self._columns, self._rows
        seqs, offsets, lengths = columns.seq, columns.request_offset, columns.request_length
        lost: list[tuple[str, int, int, int]] = []
        for seq, (custom_id, offset, length) in enumerate(read_requests(path)):
            if stop is not None and not seq % 1000 and stop.is_set():
                raise Stopped("stopped while matching the results with their requests")
            row = rows.get(custom_id) if custom_id else None
            if row is None:
                lost.append((custom_id, seq, offset, length))
            elif seqs[row] < 0:
                seqs[row], offsets[row], lengths[row] = seq, offset, min(length, _U32)
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
