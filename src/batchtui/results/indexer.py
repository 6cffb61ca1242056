"""Indexes a stream of result lines: one row of columns per line, matched to its request, counted and priced."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import accumulate
from operator import sub

import msgspec

from batchtui.domain.batch import Tally
from batchtui.domain.money import PriceTable
from batchtui.domain.outcome import (
    CANCELED,
    ERRORED,
    EXPIRED,
    FLAWS,
    INVALID,
    MISSING,
    OUTCOMES,
    SUCCEEDED,
    UNKNOWN,
    UNREADABLE,
    WAITING,
    normalize,
)
from batchtui.domain.work import Work
from batchtui.results.answer_check import AnswerChecker
from batchtui.results.answer_parts import content_parts, parts_of
from batchtui.results.asked import NOT_KEPT, Asked
from batchtui.results.costs import CostSum
from batchtui.results.index import (
    AT_LEAST,
    DUPLICATE,
    LAYOUT,
    NOTHING,
    UNEXPECTED,
    Columns,
    GroupKey,
    Header,
    Index,
    Stamp,
    price_marks,
)
from batchtui.results.line import RAN_CODE, AnswerMessage, Plain, ResultLine, decode_block, plain_lines, read_line
from batchtui.results.line_lenient import ID_LIMIT, LineFacts
from batchtui.results.line_splitter import LineSplitter, line_ends
from batchtui.results.request_matcher import Found, RequestMatcher
from batchtui.results.text import WHOLE_LIMIT

_MAX_NAMES = 60_000
_MAX_GROUPS = 2_000
_OTHER = "(many different messages)"


class Names(dict[str, int]):
    """Small numbers for names that come again and again; all share one when there are far too many."""

    def __init__(self) -> None:
        super().__init__({"": 0})

    def __missing__(self, name: str) -> int:
        return self.setdefault(name[:ID_LIMIT] if len(self) < _MAX_NAMES else "(other)", len(self))

    def all_of(self, names: list[str]) -> Iterable[int]:
        """The numbers of many names, most often of one that is the same for all."""
        if names.count(names[0]) == len(names):
            return [self[names[0]]] * len(names)
        return map(self.__getitem__, names)

    def all(self) -> tuple[str, ...]:
        """The names in the order of their numbers."""
        return tuple(self)


def _flawed(flaw: int, why: str = "") -> GroupKey:
    """The group of succeeded answers that are not usable; ``why`` says what is wrong with an invalid one."""
    return GroupKey(SUCCEEDED, FLAWS[flaw], why if flaw == INVALID else "")


class Groups:
    """Numbers from 1 for the ways in which results ended without a usable answer."""

    def __init__(self) -> None:
        self._numbers: dict[GroupKey, int] = {}

    def of(self, facts: LineFacts) -> int:
        """The group of a line, 0 when its answer is good."""
        if facts.outcome == SUCCEEDED:
            return self.number(_flawed(facts.cut, facts.message)) if facts.cut else 0
        if facts.outcome in (CANCELED, EXPIRED):
            return self.number(GroupKey(facts.outcome, OUTCOMES[facts.outcome]))
        kind = facts.kind[:ID_LIMIT] or OUTCOMES[facts.outcome]
        return self.number(GroupKey(facts.outcome, kind, normalize(facts.message), facts.code[:ID_LIMIT]))

    def number(self, key: GroupKey) -> int:
        """A group's number; all of an outcome share one when there are far too many."""
        found = self._numbers.get(key)
        if found is None:
            if len(self._numbers) >= _MAX_GROUPS:
                key = GroupKey(key.outcome, OUTCOMES[key.outcome], _OTHER)
            found = self._numbers.setdefault(key, len(self._numbers) + 1)
        return found

    def all(self) -> tuple[GroupKey, ...]:
        """The groups in the order of their numbers."""
        return tuple(self._numbers)


_U32 = 0xFFFF_FFFF
_GATHERED = 512
"""Rows gathered before they go into the columns: many at once costs half of one by one."""
_FACTS = ("outcome", "cut", "stop", "model", "group", "cost", "input", "output", "cache_write", "cache_read")
_GATHERED_AS = ("offset", "length", "line", "id_end", "seq", *_FACTS)


def waiting_index(known: Iterable[Found], requests: Stamp, prices: PriceTable, work: Work) -> Index:
    """The index of a batch without any result: its requests, as rows that wait.  Raises OSError, Stopped."""
    columns, size = Columns(), 0
    for ids, offsets, lengths in known:
        work.check("stopped while reading the requests")
        kept = [custom_id[:ID_LIMIT].encode("utf-8", "replace") for custom_id in ids]
        columns.id_end.extend([size := size + len(each) for each in kept])
        columns.ids += b"".join(kept)
        columns.request_offset.extend(offsets)
        columns.request_length.extend([min(length, _U32) for length in lengths])
    count = len(columns.id_end)
    _extend_without_lines(columns, count, WAITING, 1)
    columns.seq.extend(range(count))
    header = Header(
        results=NOTHING,
        requests=requests,
        rows=count,
        lines=0,
        blank=0,
        stops=("",),
        models=("",),
        groups=(GroupKey(WAITING, OUTCOMES[WAITING]),) if count else (),
        tally=Tally(cost_usd=Decimal(0), standard_usd=Decimal(0)),
        prices=price_marks(prices, ("",)),
    )
    return Index(header, columns)


def _extend_without_lines(columns: Columns, count: int, outcome: int, group: int) -> None:
    """Add to the columns rows of requests without a line; their ids and requests are added by who knows them."""
    fixed = {"offset": -1, "outcome": outcome, "group": group}
    for name, kind in LAYOUT:
        if name not in ("id_end", "seq", "request_offset", "request_length"):
            getattr(columns, name).extend(array(kind, [fixed.get(name, 0)]) * count)


class Indexer:
    """Takes the bytes of results.jsonl in order and in any pieces (``feed``); ``finish`` ends it.

    ``fd`` gives the open file's descriptor with all fed bytes written, to read a very long line back.
    """

    def __init__(
        self,
        prices: PriceTable,
        fd: Callable[[], int],
        matcher: RequestMatcher,
        checker: AnswerChecker | None = None,
    ) -> None:
        self._prices = prices
        self._checker = checker or AnswerChecker(Asked())
        self._matcher = matcher
        self.splitter = LineSplitter(fd, self._take_one, self._take_all)
        self.feed = self.splitter.feed
        self.lines = 0
        """Lines so far that are not blank."""
        self._columns = Columns()
        self._stops = Names()
        self._models = Names()
        self._groups = Groups()
        self._costs = CostSum(prices)
        self._gathered: list[tuple[int, ...]] = []
        self._ids: list[bytes] = []
        self._ids_size = 0
        self._at_least: list[int] = []
        """Rows whose cost is not known whole."""

    def tail_is_whole(self) -> bool:
        """True when nothing is left after the last newline, or what is left is a whole result without its newline."""
        with self.splitter.tail_view() as line:
            blank = not line or (isinstance(line, bytes) and line.isspace())
            return blank or read_line(line).outcome != UNREADABLE

    def _take_all(self, chunk: bytes, start: int, end: int) -> int:
        """Take whole lines decoded in one call, column by column; those that did not plainly succeed are read again."""
        if chunk.find(RAN_CODE, start, end) >= 0:
            return 0
        ends = line_ends(chunk, start, end)
        decoded = decode_block(memoryview(chunk)[start:end], len(ends))
        plain = plain_lines(decoded) if decoded is not None else None
        if decoded is None or plain is None:
            return 0
        self._settle()
        first, count, begin, columns = self.lines, len(ends), self.splitter.offset - start, self._columns
        starts = [start, *[end + 1 for end in ends[:-1]]]
        columns.offset.extend([begin + start for start in starts])
        columns.length.extend(map(sub, ends, starts))
        columns.line.extend(range(self.splitter.number + 1, self.splitter.number + 1 + count))
        self._number_all([each.custom_id for each in decoded])
        why = self._check(decoded, plain, first) if self._checker.needed else {}
        columns.outcome.frombytes(bytes((SUCCEEDED,)) * count)
        columns.cut.extend(plain.cuts)
        columns.stop.extend(self._stops.all_of(plain.stops))
        columns.model.extend(self._models.all_of(plain.models))
        columns.input.extend(plain.read)
        columns.output.extend(plain.written)
        if any(plain.cuts):
            number = self._groups.number
            columns.group.extend(
                [number(_flawed(cut, why.get(place, ""))) if cut else 0 for place, cut in enumerate(plain.cuts)]
            )
        else:
            columns.group.frombytes(bytes(count * columns.group.itemsize))
        if plain.cached is None:
            for column in (columns.cache_write, columns.cache_read):
                column.frombytes(bytes(count * column.itemsize))
        else:
            columns.cache_write.extend([min(short + hour, _U32) for _, _, short, hour, _ in plain.cached])
            columns.cache_read.extend([each[4] for each in plain.cached])
        columns.cost.extend(self._costs.add_all(plain))
        for odd in plain.odd:
            line = chunk[starts[odd] : ends[odd]]
            facts = self._facts(self._checked(read_line(line), line, columns.seq[first + odd]), first + odd)
            for name, value in zip(_FACTS, facts, strict=True):
                getattr(columns, name)[first + odd] = value
        return count

    def _check(self, decoded: Sequence[ResultLine[AnswerMessage]], plain: Plain, first: int) -> dict[int, str]:
        """Find the invalid among answers that are whole, by place, and put them down in ``plain.cuts``; why they are."""
        found: dict[int, str] = {}
        odd, seqs, checker = set(plain.odd), self._columns.seq, self._checker
        for place, (line, cut) in enumerate(zip(decoded, plain.cuts, strict=True)):
            seq = seqs[first + place]
            if cut or place in odd or not checker.asks(seq) or line.result.message is None:
                continue
            flaw = checker.flaw(seq, content_parts(line.result.message.content))
            if flaw is not None:
                found[place] = flaw.group
                plain.cuts[place] = INVALID
        return found

    def _checked(self, facts: LineFacts, line: bytes | memoryview, seq: int) -> LineFacts:
        """The facts of a line, invalid when its answer is whole and not what was asked for."""
        whole = facts.outcome == SUCCEEDED and not facts.cut
        if whole and self._checker.asks(seq) and len(line) <= WHOLE_LIMIT:
            flaw = self._checker.flaw(seq, parts_of(bytes(line)))
            if flaw is not None:
                facts.cut, facts.message = INVALID, flaw.group
        return facts

    def _number_all(self, ids: list[str]) -> None:
        """Give lines the next rows; nothing else is waiting to go into the columns."""
        row, columns = self.lines, self._columns
        text, sizes = "".join(ids), [*map(len, ids)]
        if text.isascii() and max(sizes) <= ID_LIMIT:
            columns.seq.extend(self._matcher.find(ids, row))
            sizes[0] += self._ids_size
            columns.id_end.extend(accumulate(sizes))
            columns.ids += text.encode("ascii")
            self._ids_size += len(text)
            self.lines = row + len(ids)
            return
        for custom_id in ids:
            columns.seq.append(self._number(custom_id))
            columns.id_end.append(self._ids_size)
        self._settle()

    def _number(self, custom_id: str) -> int:
        """Give a line's custom_id the next row; returns the place of its request."""
        row = self.lines
        self.lines = row + 1
        if len(custom_id) > ID_LIMIT:
            custom_id = custom_id[:ID_LIMIT]
        held = custom_id.encode("utf-8", "replace")
        self._ids.append(held)
        self._ids_size += len(held)
        return self._matcher.find([custom_id], row)[0]

    def _take_one(self, line: bytes | memoryview) -> None:
        self._take(line, self.splitter.offset, self.splitter.number)
        if len(self._gathered) >= _GATHERED:
            self._settle()

    def _take(self, line: bytes | memoryview, offset: int, number: int) -> None:
        facts = read_line(line)
        seq = self._number(facts.custom_id)
        made = self._facts(self._checked(facts, line, seq), self.lines - 1)
        self._gathered.append((offset, min(len(line), _U32), number, self._ids_size, seq, *made))

    def _facts(self, facts: LineFacts, row: int) -> tuple[int, ...]:
        """A line's values for the columns ``_FACTS``."""
        if facts.missing:
            self._at_least.append(row)
        tokens = facts.usage.all
        return (
            facts.outcome,
            facts.cut,
            self._stops[facts.stop],
            self._models[facts.model],
            self._groups.of(facts),
            self._costs.add(facts),
            min(tokens[0], _U32),
            min(tokens[1], _U32),
            min(tokens[2] + tokens[3], _U32),
            min(tokens[4], _U32),
        )

    def _settle(self) -> None:
        """Put the gathered rows into the columns."""
        for name, values in zip(_GATHERED_AS, zip(*self._gathered, strict=True), strict=False):
            getattr(self._columns, name).extend(values)
        self._gathered.clear()
        self._columns.ids += b"".join(self._ids)
        self._ids.clear()

    def finish(
        self,
        results: Stamp,
        requests: Stamp,
        schemas: Stamp = NOTHING,
        asked: msgspec.Raw = NOT_KEPT,
        *,
        waiting: bool = False,
    ) -> Index:
        """The index of what was fed, made from files with these stamps; ``asked`` is kept with it.

        Requests without a line become rows of their own: missing, or ``waiting`` when lines are still to come.
        """
        self._settle()
        columns, matcher = self._columns, self._matcher
        columns.flags.frombytes(bytes(self.lines))
        repeats, lost = matcher.compare(columns.seq)
        unexpected = matcher.unexpected()
        for rows, flag in ((repeats, DUPLICATE), (unexpected, UNEXPECTED), (self._at_least, AT_LEAST)):
            for row in rows:
                columns.flags[row] |= flag
        self._add_absent(lost, WAITING if waiting else MISSING)
        columns.request_offset, columns.request_length = matcher.stretches(columns.seq)
        models = self._models.all()
        header = Header(
            results=results,
            requests=requests,
            schemas=schemas,
            asked=asked,
            rows=len(columns),
            lines=self.lines,
            blank=self.splitter.blank,
            stops=self._stops.all(),
            models=models,
            groups=self._groups.all(),
            tally=self._tally(len(repeats), len(unexpected)),
            prices=price_marks(self._prices, models),
        )
        return Index(header, columns)

    def _add_absent(self, lost: list[tuple[str, int]], outcome: int) -> None:
        if not lost:
            return
        columns = self._columns
        _extend_without_lines(columns, len(lost), outcome, self._groups.number(GroupKey(outcome, OUTCOMES[outcome])))
        for custom_id, seq in lost:
            columns.ids += custom_id[:ID_LIMIT].encode("utf-8", "replace")
            columns.id_end.append(len(columns.ids))
            columns.seq.append(seq)

    def _tally(self, repeats: int, unexpected: int) -> Tally:
        columns = self._columns
        counts = Counter(columns.outcome)
        cost, standard = self._costs.sums(counts[SUCCEEDED])
        return Tally(
            lines=self.lines,
            succeeded=counts[SUCCEEDED],
            errored=counts[ERRORED],
            canceled=counts[CANCELED],
            expired=counts[EXPIRED],
            unknown=counts[UNKNOWN],
            unreadable=counts[UNREADABLE],
            cut_short=len(columns) - columns.cut.count(0) - columns.cut.count(INVALID),
            invalid=columns.cut.count(INVALID),
            missing=counts[MISSING],
            unexpected=unexpected,
            duplicates=repeats,
            input_tokens=sum(columns.input),
            output_tokens=sum(columns.output),
            cache_write_tokens=sum(columns.cache_write),
            cache_read_tokens=sum(columns.cache_read),
            cost_usd=cost,
            standard_usd=standard,
            unpriced=tuple(sorted(self._costs.unpriced)),
            cost_missing=tuple(sorted(self._costs.missing)),
        )
