"""Makes an index from result lines as they come, in one pass, and matches them with the requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, ALLOCATIONGRANULARITY, mmap
from pathlib import Path

from batchtui.domain.batch import Tally
from batchtui.domain.errors import Stopped
from batchtui.domain.money import PriceTable
from batchtui.domain.outcome import (
    CANCELED,
    ERRORED,
    EXPIRED,
    MISSING,
    OUTCOMES,
    SUCCEEDED,
    UNKNOWN,
    UNREADABLE,
    WAITING,
)
from batchtui.store.index import (
    DUPLICATE,
    UNEXPECTED,
    Columns,
    GroupKey,
    Header,
    Index,
    price_marks,
)
from batchtui.store.lines import ID_LIMIT, Facts, read_line
from batchtui.store.numbering import Groups, Names
from batchtui.store.requests import read_requests
from batchtui.store.till import Till

HOLD = 4_000_000
"""Longer lines are not held while they come but read back from the file, in bytes."""
_U32 = 0xFFFF_FFFF


@contextmanager
def mapped(fd: int, offset: int, length: int) -> Iterator[memoryview]:
    """A stretch of a file as memory that is not ours, for lines too long to hold."""
    start = offset - offset % ALLOCATIONGRANULARITY
    with mmap(fd, offset - start + length, offset=start, access=ACCESS_READ) as area, memoryview(area) as whole:
        part = whole[offset - start :]
        try:
            yield part
        finally:
            part.release()


class Indexer:
    """Takes the bytes of results.jsonl in order and in any pieces; see ``feed`` and ``finish``.

    ``fd`` gives the open file's descriptor with all fed bytes written, to read a very long line back.
    """

    def __init__(self, prices: PriceTable, fd: Callable[[], int]) -> None:
        self._prices = prices
        self._fd = fd
        self.columns = Columns()
        self.whole_bytes = 0
        """Bytes up to and with the last newline."""
        self.line_count = 0
        self.blank = 0
        self._pieces: list[bytes] = []
        self._held = 0
        self._stops = Names()
        self._models = Names()
        self._groups = Groups()
        self._rows: dict[str, int] = {}
        self._repeats: list[tuple[int, int]] = []
        """Rows whose id was seen before, with the row that had it first."""
        self._absent = 0
        self._till = Till(prices)

    @property
    def lines(self) -> int:
        """Whole lines so far that are not blank."""
        return len(self.columns.offset)

    @property
    def tail_bytes(self) -> int:
        """Bytes after the last newline."""
        return self._held

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; whole lines are indexed, the rest waits for more."""
        end = chunk.rfind(b"\n")
        if end < 0:
            self._hold(chunk)
            return
        start = 0
        if self._held:
            start = chunk.index(b"\n") + 1
            self._hold(chunk[: start - 1])
            self._take_held(newline=1)
        if end >= start:
            for line in chunk[start:end].split(b"\n"):
                self._take(line)
        if end + 1 < len(chunk):
            self._hold(chunk[end + 1 :])

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held <= HOLD:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _take_held(self, newline: int) -> None:
        length, self._held = self._held, 0
        if length <= HOLD:
            line = b"".join(self._pieces)
            self._pieces.clear()
            self._take(line, newline)
            return
        self._pieces.clear()
        with mapped(self._fd(), self.whole_bytes, length) as view:
            facts = read_line(view)
        self._add(facts, length, newline)

    def _take(self, line: bytes, newline: int = 1) -> None:
        if not line or line.isspace():
            self.blank += 1
            self.line_count += 1
            self.whole_bytes += len(line) + newline
            return
        self._add(read_line(line), len(line), newline)

    def tail_is_whole(self) -> bool:
        """True when nothing is left after the last newline, or what is left is a whole result without its newline."""
        if not self._held:
            return True
        if self._held > HOLD:
            with mapped(self._fd(), self.whole_bytes, self._held) as view:
                return read_line(view).outcome != UNREADABLE
        line = b"".join(self._pieces)
        return line.isspace() or read_line(line).outcome != UNREADABLE

    def drop_tail(self) -> None:
        """Forget what is left after the last newline."""
        self._pieces.clear()
        self._held = 0

    def take_tail(self) -> None:
        """Index what is left after the last newline as a line of its own."""
        if self._held:
            self._take_held(newline=0)

    def _add(self, facts: Facts, length: int, newline: int) -> None:
        columns = self.columns
        row = len(columns.offset)
        self.line_count += 1
        columns.offset.append(self.whole_bytes)
        columns.length.append(length)
        columns.line.append(self.line_count)
        self.whole_bytes += length + newline
        columns.outcome.append(facts.outcome)
        columns.cut.append(facts.cut)
        columns.stop.append(self._stops.number(facts.stop))
        columns.model.append(self._models.number(facts.model))
        columns.group.append(self._groups.of(facts))
        columns.cost.append(self._till.ring(facts))
        self._count_tokens(facts)
        custom_id = facts.custom_id[:ID_LIMIT]
        columns.ids += custom_id.encode("utf-8", "replace")
        columns.id_end.append(len(columns.ids))
        columns.seq.append(-1)
        columns.request_offset.append(-1)
        columns.request_length.append(0)
        first = self._rows.setdefault(custom_id, row) if custom_id else row
        columns.flags.append(DUPLICATE if first != row else 0)
        if first != row:
            self._repeats.append((row, first))

    def _count_tokens(self, facts: Facts) -> None:
        columns = self.columns
        written = facts.cache_write_5m + facts.cache_write_1h
        try:
            columns.input.append(facts.input_tokens)
            columns.output.append(facts.output_tokens)
            columns.cache_write.append(written)
            columns.cache_read.append(facts.cache_read)
        except OverflowError:
            amounts = (facts.input_tokens, facts.output_tokens, written, facts.cache_read)
            rows = len(columns.offset)
            for column, amount in zip(
                (columns.input, columns.output, columns.cache_write, columns.cache_read), amounts, strict=True
            ):
                del column[rows - 1 :]
                column.append(min(max(amount, 0), _U32))

    def match(self, requests: Path, *, waiting: bool = False, stop: threading.Event | None = None) -> None:
        """Find each row's request; requests without a row become rows of their own (missing, or waiting).

        Raises OSError when the file can't be read, Stopped when ``stop`` is set.
        """
        columns = self.columns
        outcome = WAITING if waiting else MISSING
        seen = 0
        for seq, (custom_id, offset, length) in enumerate(read_requests(requests)):
            if stop is not None and not seq % 1000 and stop.is_set():
                raise Stopped("stopped while matching the results with their requests")
            row = self._rows.get(custom_id) if custom_id else None
            if row is not None and columns.seq[row] < 0:
                columns.seq[row] = seq
                columns.request_offset[row] = offset
                columns.request_length[row] = min(length, _U32)
                seen += 1
            elif row is None:
                self._add_absent(custom_id, outcome, seq, offset, length)
        for row, first in self._repeats:
            for column in (columns.seq, columns.request_offset, columns.request_length):
                column[row] = column[first]
        for row in range(self.lines_with_bytes):
            if columns.seq[row] < 0:
                columns.flags[row] |= UNEXPECTED

    @property
    def lines_with_bytes(self) -> int:
        """Rows that are lines of the file; the rows after them are requests without one."""
        return len(self.columns.offset) - self._absent

    def _add_absent(self, custom_id: str, outcome: int, seq: int, offset: int, length: int) -> None:
        columns = self.columns
        self._absent += 1
        group = self._groups.number(GroupKey(outcome, OUTCOMES[outcome]))
        values = {
            "offset": -1,
            "outcome": outcome,
            "group": group,
            "seq": seq,
            "request_offset": offset,
            "request_length": min(length, _U32),
        }
        columns.ids += custom_id[:ID_LIMIT].encode("utf-8", "replace")
        for name in Columns.__slots__:
            if name not in ("ids", "id_end"):
                getattr(columns, name).append(values.get(name, 0))
        columns.id_end.append(len(columns.ids))

    def finish(self, results: tuple[int, int], requests: tuple[int, int]) -> Index:
        """The index of what was fed, made from files with these stamps."""
        models = self._models.all()
        header = Header(
            results=results,
            requests=requests,
            rows=len(self.columns),
            lines=self.lines_with_bytes,
            blank=self.blank,
            stops=self._stops.all(),
            models=models,
            groups=self._groups.all(),
            tally=self._tally(),
            prices=price_marks(self._prices, models),
        )
        return Index(header, self.columns)

    def _tally(self) -> Tally:
        columns = self.columns
        counts = [0] * len(OUTCOMES)
        for outcome in columns.outcome:
            counts[outcome] += 1
        cost, standard = self._till.sums(counts[SUCCEEDED])
        return Tally(
            lines=self.lines_with_bytes,
            succeeded=counts[SUCCEEDED],
            errored=counts[ERRORED],
            canceled=counts[CANCELED],
            expired=counts[EXPIRED],
            unknown=counts[UNKNOWN],
            unreadable=counts[UNREADABLE],
            cut_short=sum(1 for cut in columns.cut if cut),
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
