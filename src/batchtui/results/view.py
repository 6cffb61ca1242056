"""What a screen, an export or a retry sees of results: rows by number, whether of one batch or of a whole run."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import msgspec

from batchtui import plainfile
from batchtui.domain.batch import Tally
from batchtui.domain.errors import StoreError
from batchtui.domain.outcome import (
    CODES,
    FLAWS,
    INVALID,
    OUTCOMES,
    SUCCEEDED,
    UNKNOWN,
    ErrorGroup,
    meaning_of,
    standing,
)
from batchtui.results.answer_check import AnswerChecker, Schema
from batchtui.results.answer_parts import parts_of
from batchtui.results.asked import Asked, AskedFor, read_asked, taken
from batchtui.results.index import AT_LEAST, DUPLICATE, UNEXPECTED, UNPRICED, GroupKey, Index, dollars, stamp
from batchtui.results.text import first_words
from batchtui.store import files
from batchtui.store.records import ANSWER, REQUESTS

Rows: TypeAlias = "array[int]"
"""Row numbers of a view, array type I."""


class ResultRow(msgspec.Struct, frozen=True, kw_only=True):
    """One request's result, as far as the index knows it."""

    number: int
    """The row's number in its view."""
    custom_id: str
    outcome: str
    flaw: str
    """Why a succeeded answer is not usable (one of ``outcome.FLAWS``), '' when it is or when it did not succeed."""
    stop_reason: str
    group: int
    """Number of its ErrorGroup, 0 when the answer is good."""
    error: str
    """The error's type for errored rows, '' otherwise."""
    model: str
    input_tokens: int
    output_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    cost_usd: Decimal | None
    """Batch price; None when it is unpriced."""
    at_least: bool = False
    """True when the cost is not known whole: it is at least ``cost_usd``."""
    size: int
    """Bytes of its line."""
    offset: int
    """Where its line begins in results.jsonl, -1 when there is none."""
    line: int
    """Line number in results.jsonl from 1, 0 when there is none."""
    source: int
    """Its place among the requests from 0, -1 when it matches none."""
    duplicate: bool = False
    unexpected: bool = False
    member: int = 0
    """Which batch of the view it is from."""
    attempt: int = 0
    older: int = 0
    """How many other results the run has for the same request."""

    @property
    def good(self) -> bool:
        """True when the answer is usable as it stands."""
        return self.outcome == "succeeded" and not self.flaw

    @property
    def invalid(self) -> bool:
        """True when the answer is whole and not what was asked for."""
        return self.flaw == "invalid"

    @property
    def cut_short(self) -> str:
        """Why the answer is cut short, '' when it is not."""
        return "" if self.invalid else self.flaw

    @property
    def state(self) -> str:
        """How it ended, as ``--only`` names it."""
        return standing(CODES[self.outcome], FLAWS.index(self.flaw)).name

    @property
    def tokens(self) -> int:
        """All tokens in and out, cached ones included."""
        return self.input_tokens + self.output_tokens + self.cache_write_tokens + self.cache_read_tokens


class Unchecked(msgspec.Struct, frozen=True):
    """Answers that can't be checked by the schema that their requests asked for."""

    count: int = 0
    why: str = ""
    """Of most of them; safe to show."""


class View(ABC):
    """Results by row number; rows are numbered from 0 in the view's own order."""

    stops: tuple[str, ...]
    models: tuple[str, ...]
    group_keys: tuple[GroupKey, ...]
    members: tuple[ResultSet, ...]
    """The batches it is made of."""

    @cached_property
    def kept(self) -> dict[str, object]:
        """What others made of it and keep with it."""
        return {}

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def close(self) -> None:
        """Give the files back."""

    @property
    @abstractmethod
    def tally(self) -> Tally:
        """Counts and real costs; a run's costs are of everything that was paid, its counts of what holds now."""

    @abstractmethod
    def column(self, name: str) -> Sequence[int]:
        """A column of the index by row number; names are those of ``index.LAYOUT``."""

    @abstractmethod
    def id(self, row: int) -> str:
        """A row's custom_id."""

    @abstractmethod
    def ids(self) -> list[str]:
        """All custom_ids in the order of the rows."""

    @abstractmethod
    def place(self, row: int) -> tuple[int, int]:
        """A row's member and its row number there."""

    @abstractmethod
    def spots(self) -> tuple[Rows, Sequence[int]]:
        """The same of all rows: their members, and their row numbers there."""

    @abstractmethod
    def row_of(self, member: int, row: int) -> int:
        """The view's row that shows a member's row now, -1 when none does."""

    def row(self, number: int) -> ResultRow:
        """A row; cheap enough to be asked for each time it is drawn."""
        member, place = self.place(number)
        columns = self.members[member].columns
        group = self.column("group")[number]
        outcome = columns.outcome[place]
        flags = columns.flags[place]
        cost = columns.cost[place]
        return ResultRow(
            number=number,
            custom_id=columns.id(place),
            outcome=OUTCOMES[outcome],
            flaw=FLAWS[columns.cut[place]],
            stop_reason=self.members[member].stops[columns.stop[place]],
            group=group,
            error=self.group_keys[group - 1].kind if group and outcome else "",
            model=self.members[member].models[columns.model[place]],
            input_tokens=columns.input[place],
            output_tokens=columns.output[place],
            cache_write_tokens=columns.cache_write[place],
            cache_read_tokens=columns.cache_read[place],
            cost_usd=None if cost == UNPRICED else dollars(cost),
            at_least=bool(flags & AT_LEAST),
            size=columns.length[place],
            offset=columns.offset[place],
            line=columns.line[place],
            source=columns.seq[place],
            duplicate=bool(flags & DUPLICATE),
            unexpected=bool(flags & UNEXPECTED),
            member=member,
            attempt=self.attempt_of(member),
            older=self.older_count(number),
        )

    def attempt_of(self, member: int) -> int:
        """Which attempt of the run a member was, 0 for the first."""
        return 0

    def older_count(self, row: int) -> int:
        """How many other results there are for the row's request."""
        return 0

    def older(self, row: int) -> list[tuple[int, int]]:
        """The other results for the row's request as (member, row there), the latest first."""
        return []

    def good_after(self) -> list[tuple[int, int]]:
        """For each attempt of a run, how many requests had a good answer after it; empty for one batch."""
        return []

    def raw(self, row: int) -> bytes:
        """A row's line as received, without its newline; empty when there is none.  Raises StoreError."""
        member, place = self.place(row)
        return self.members[member].read(place)

    def raws(self, rows: Sequence[int]) -> list[bytes]:
        """The lines of several rows, as ``raw`` has them.  Raises StoreError."""
        places = [*map(self.place, rows)]
        if len({member for member, _ in places}) != 1:
            return [self.members[member].read(place) for member, place in places]
        return self.members[places[0][0]].read_lines([place for _, place in places])

    def block(self, rows: Sequence[int]) -> bytes | None:
        """The lines of several rows with the newlines between them; None unless they follow one another in one file.

        Raises StoreError.
        """
        places = [*map(self.place, rows)]
        if len({member for member, _ in places}) != 1:
            return None
        return self.members[places[0][0]].read_block([place for _, place in places])

    def request_raw(self, row: int) -> bytes | None:
        """The row's request as sent, one JSON line; None when it is not known.  Raises StoreError."""
        member, place = self.place(row)
        return self.members[member].read_request(place)

    def wanted(self, row: int) -> AskedFor:
        """What the row's request asked its answer to be.  Raises StoreError."""
        member, place = self.place(row)
        held = self.members[member]
        return held.asked.of(held.columns.seq[place])

    def cost_of(self, rows: Iterable[int]) -> Decimal | None:
        """What these rows' answers cost at batch price, in dollars; None when one has no price."""
        column = self.column("cost")
        costs = [column[row] for row in rows]
        return None if UNPRICED in costs else dollars(sum(costs))

    def first_words(self, row: int, limit: int = 120) -> str:
        """The beginning of the answer's text or of the error's message, on one line; not yet safe to show."""
        member, place = self.place(row)
        found = first_words(self.members[member].read(place, 4096), limit)
        if not found and self.members[member].columns.length[place] > 4096:
            found = first_words(self.members[member].read(place, 262_144), limit)
        return found

    def groups(self, rows: Iterable[int] | None = None) -> list[ErrorGroup]:
        """The results without a usable answer, grouped by how they ended, largest first; of ``rows`` or of all."""
        column = self.column("group")
        counts = Counter(column if rows is None else (column[row] for row in rows))
        counts.pop(0, None)
        found = []
        for number, count in counts.most_common():
            key = self.group_keys[number - 1]
            odd = key.outcome == UNKNOWN
            meaning = meaning_of("unknown") if odd else meaning_of(key.kind, key.message, key.code)
            found.append(
                ErrorGroup(
                    number=number,
                    outcome=OUTCOMES[key.outcome],
                    kind=key.kind,
                    message=key.message,
                    code=key.code,
                    count=count,
                    meaning=meaning.meaning,
                    advice=meaning.advice,
                    retry=meaning.retry,
                )
            )
        return found

    def counts(self, rows: Sequence[int] | None = None) -> dict[str, int]:
        """Rows by how they ended (``outcome.STANDINGS``), which add up; and ``all``, ``succeeded``, ``good`` (usable).

        Of ``rows``, or of all.
        """
        outcomes, flaws = (
            bytes(column if rows is None else map(column.__getitem__, rows))
            for column in (self.column("outcome"), self.column("cut"))
        )
        found = {name: outcomes.count(code) for code, name in enumerate(OUTCOMES)}
        invalid = flaws.count(INVALID)
        cut = len(flaws) - flaws.count(0) - invalid
        usable = found["succeeded"] - cut - invalid
        ended = {"usable": usable, "cut_short": cut, "invalid": invalid}
        return {"all": len(flaws), "good": usable, **ended, **found}

    @cached_property
    def unchecked(self) -> Unchecked:
        """The answers that nothing checked though a schema was asked for: it can't be compiled.  Raises StoreError."""
        odd = [member.not_compiled() for member in self.members]
        if not any(odd):
            return Unchecked()
        outcome, flaw = self.column("outcome"), self.column("cut")
        reasons: Counter[str] = Counter()
        for row in range(len(self)):
            member, place = self.place(row)
            if odd[member] and outcome[row] == SUCCEEDED and not flaw[row]:
                held = self.members[member]
                reasons[odd[member].get(held.asked.number_of(held.columns.seq[place]), "")] += 1
        reasons.pop("", None)
        return Unchecked(reasons.total(), reasons.most_common(1)[0][0]) if reasons else Unchecked()

    def repeats(self, rows: Iterable[int] | None = None) -> int:
        """How many of ``rows``, or of all, are results that were received a second time."""
        flags = self.column("flags")
        return sum(bool(flags[row] & DUPLICATE) for row in (range(len(self)) if rows is None else rows))

    def checked_by_other(self) -> tuple[int, int, int]:
        """Results that the other schema checks, the invalid ones of these, and results that are checked by their own.

        Raises StoreError.
        """
        line, flaw = self.column("line"), self.column("cut")
        results = invalid = others = 0
        for row in range(len(self)):
            member, place = self.place(row)
            held = self.members[member]
            if not line[row]:
                continue
            if held.checker.own(held.columns.seq[place]):
                others += 1
            else:
                results += 1
                invalid += flaw[row] == INVALID
        return results, invalid, others

    def why_invalid(self, row: int) -> str:
        """Why a row's answer is invalid, in words; '' when it is not.  Raises StoreError."""
        member, place = self.place(row)
        return self.members[member].why_invalid_here(place)


class ResultSet(View):
    """One batch's stored results, or its requests alone while the results are not here."""

    def __init__(self, folder: Path, made: Index, fd: int | None, *, partial: bool = False) -> None:
        self.folder = folder
        self.partial = partial
        """True while only a part of the results came: requests without a line wait."""
        self.header = made.header
        self.columns = made.columns
        self.stops = made.header.stops
        self.models = made.header.models
        self.group_keys = made.header.groups
        self.members = (self,)
        self._fd = fd
        self._lines: plainfile.ReadAhead | None = None
        self._asked: Asked | None = None
        self._checker: AnswerChecker | None = None
        self._other: Schema | None = None
        self._request_fd: int | None = None
        self._ids: list[str] | None = None

    def __len__(self) -> int:
        return len(self.columns)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the files back; reading a row afterwards raises StoreError."""
        for fd in (self._fd, self._request_fd):
            if fd is not None:
                with suppress(OSError):
                    os.close(fd)
        self._fd = self._request_fd = None

    def why_invalid_here(self, row: int) -> str:
        """Why the answer of a row of this batch is invalid, in words; '' when it is not."""
        if self.columns.cut[row] != INVALID:
            return ""
        flaw = self.checker.flaw(self.columns.seq[row], parts_of(self.read(row)))
        return flaw.text if flaw is not None else self.group_keys[self.columns.group[row] - 1].message

    @property
    def checker(self) -> AnswerChecker:
        """What answers are checked by; ``check_by`` adds a schema for those of requests without one."""
        if self._checker is None:
            self._checker = AnswerChecker(self.asked, self._other)
        return self._checker

    def not_compiled(self) -> dict[int, str]:
        """What was asked for by a schema that can't be compiled, by its place in ``asked.wanted``, and why."""
        if self._other is not None or not self.asked.checks:
            return {}
        return self.checker.not_compiled()

    def check_by(self, schema: Schema) -> None:
        """Take this schema for the answers that nothing else checks; ``fields.check_answers`` checks them."""
        self._other, self._checker = schema, None

    def find_invalid(self, why: dict[int, str]) -> None:
        """Count these rows as invalid, in memory only; ``why`` says for each what groups it with others."""
        columns = self.columns
        keys = {key: number for number, key in enumerate(self.group_keys, 1)}
        for row, group in why.items():
            columns.cut[row] = INVALID
            columns.group[row] = keys.setdefault(GroupKey(SUCCEEDED, FLAWS[INVALID], group), len(keys) + 1)
        self.group_keys = tuple(keys)
        invalid = columns.cut.count(INVALID)
        tally = msgspec.structs.replace(self.header.tally, invalid=invalid)
        self.header = msgspec.structs.replace(self.header, tally=tally)

    @property
    def asked(self) -> Asked:
        """What the requests asked for, read when first needed; raises StoreError."""
        if self._asked is None:
            fits = self.header.schemas == stamp(self.folder / ANSWER)
            self._asked = taken(self.header.asked) if fits else None
        if self._asked is None:
            try:
                self._asked = read_asked(self.folder)
            except OSError as error:
                raise files.explain(error, f"can't read {self.folder / REQUESTS}") from error
        return self._asked

    @property
    def stored(self) -> bool:
        """False while there are only requests."""
        return self.header.results != (0, 0)

    @property
    def tally(self) -> Tally:
        """Counts and real costs."""
        return self.header.tally

    def column(self, name: str) -> Sequence[int]:
        """A column of the index."""
        found: Sequence[int] = getattr(self.columns, name)
        return found

    def id(self, row: int) -> str:
        """A row's custom_id."""
        return self.columns.id(row)

    def ids(self) -> list[str]:
        """All custom_ids, made on each call: not for keeping."""
        return self.columns.id_texts()

    def place(self, row: int) -> tuple[int, int]:
        """This batch, and the row itself."""
        return 0, row

    def spots(self) -> tuple[Rows, Sequence[int]]:
        """This batch, and the rows themselves."""
        return array("I", bytes(4 * len(self))), range(len(self))

    def row_of(self, member: int, row: int) -> int:
        """The row itself."""
        return row

    def read(self, row: int, limit: int | None = None) -> bytes:
        """A row's line, or its first ``limit`` bytes; empty when it has none.  Raises StoreError."""
        offset, length = self.columns.offset[row], self.columns.length[row]
        if offset < 0:
            return b""
        return self.read_stretch(offset, length if limit is None else min(length, limit))

    def read_lines(self, rows: Sequence[int]) -> list[bytes]:
        """The lines of several rows, empty for those without one.  Raises StoreError."""
        offsets, lengths = self.columns.offset, self.columns.length
        places = [(offsets[row], lengths[row]) for row in rows]
        if any(offset < 0 for offset, _ in places):
            return [self.read(row) for row in rows]
        try:
            found = self._results().read_all(places)
        except OSError as error:
            raise files.explain(error, f"can't read the results in {self.folder}") from error
        if [*map(len, found)] != [length for _, length in places]:
            raise self._shorter()
        return found

    def read_block(self, rows: Sequence[int]) -> bytes | None:
        """The lines of several rows with the newlines between them; None unless they follow one another.

        Raises StoreError.
        """
        offsets, lengths = self.columns.offset, self.columns.length
        if offsets[rows[0]] < 0:
            return None
        try:
            return self._results().block([offsets[row] for row in rows], [lengths[row] for row in rows])
        except OSError as error:
            raise files.explain(error, f"can't read the results in {self.folder}") from error

    def read_stretch(self, offset: int, length: int) -> bytes:
        """So many bytes of the results from ``offset`` on.  Raises StoreError."""
        return self._read_at(self._results(), offset, length)

    def _results(self) -> plainfile.ReadAhead:
        fd = self.results_fd()
        if self._lines is None:
            self._lines = plainfile.ReadAhead(fd)
        return self._lines

    def read_request(self, row: int) -> bytes | None:
        """A row's request; None when it is not known.  Raises StoreError."""
        offset, length = self.columns.request_offset[row], self.columns.request_length[row]
        return None if offset < 0 else self._read_at(plainfile.ReadAhead(self.requests_fd()), offset, length)

    def results_fd(self) -> int:
        """The open results.jsonl; raises StoreError once closed."""
        if self._fd is None:
            raise StoreError("these results are closed", advice="open the batch again")
        return self._fd

    def requests_fd(self) -> int:
        """The open requests.jsonl; raises StoreError."""
        if self._request_fd is None:
            path = self.folder / REQUESTS
            try:
                self._request_fd = plainfile.open_fd(path)[0]
            except OSError as error:
                raise files.explain(error, f"can't read {path}") from error
        return self._request_fd

    def _read_at(self, file: plainfile.ReadAhead, offset: int, length: int) -> bytes:
        try:
            found = file.read(offset, length)
        except OSError as error:
            raise files.explain(error, f"can't read the results in {self.folder}") from error
        if len(found) < length:
            raise self._shorter()
        return found

    def _shorter(self) -> StoreError:
        return StoreError(f"the results in {self.folder} are shorter than they were", advice="open them again")


_BEHIND = 1 << 40
"""Sorts behind every request."""
_NOTHING = (1 << 32) - 1
"""A place that no row took."""


def as_sent(view: View) -> Rows:
    """A view's rows in the order of the requests, those of no request at the end."""
    seq = view.column("seq")
    if isinstance(seq, range):
        return array("I", seq)
    # As many places as rows: each row goes where it belongs, one of no request (-1) to the last, unless two want the same.
    rows = array("I", [_NOTHING]) * len(view)
    with suppress(IndexError):
        for row, place in enumerate(seq):
            rows[place] = row
        if _NOTHING not in rows:
            return rows
    return array("I", sorted(range(len(view)), key=lambda row: seq[row] if seq[row] >= 0 else _BEHIND))
