"""Results as the rows of a table: the source row's own columns first, then what became of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal

import msgspec

from batchtui import plainfile
from batchtui.results.row_ids import decode_columns
from batchtui.results.skipped import SkippedRow
from batchtui.results.text import Answer, cell, read_answer, unfolded
from batchtui.results.view import View
from batchtui.store.records import IDS

MAX_COLUMNS = 1_000
"""More columns than this, of the source's and of unfolded answers together, are left out."""

TEXTS = ("custom_id", "outcome", "stop_reason", "text", "error_type", "error_message", "model")
NUMBERS = ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")
COST = "cost_usd"
NOT_SENT, NO_ANSWER = "not sent", "no answer"
"""Outcomes of rows that were skipped, and that no result is here for, where all rows are asked for."""
_UNANSWERED = frozenset({"missing", "waiting"})


class OwnColumns:
    """The columns of the rows that requests were made from, by member and custom_id."""

    def __init__(self, view: View) -> None:
        self.names: list[str] = []
        self._places: list[dict[str, tuple[int, int]]] = []
        self._fds: list[int] = []
        seen: dict[str, None] = {}
        for member in view.members:
            places: dict[str, tuple[int, int]] = {}
            fd = -1
            with suppress(OSError):
                fd = plainfile.open_fd(member.folder / IDS)[0]
            if fd >= 0:
                self._scan(fd, places, seen)
            self._places.append(places)
            self._fds.append(fd)
        self.names = list(seen)[:MAX_COLUMNS]

    @staticmethod
    def _scan(fd: int, places: dict[str, tuple[int, int]], seen: dict[str, None]) -> None:
        offset = 0
        with os.fdopen(os.dup(fd), "rb", buffering=1 << 20) as file:
            for line in file:
                with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                    own = decode_columns(line)
                    places[own.custom_id] = (offset, len(line))
                    seen.update(dict.fromkeys(own.row))
                offset += len(line)

    def of(self, member: int, custom_id: str) -> dict[str, object]:
        """A request's own columns, as its batch or else another of the view has them; {} when it has none."""
        for number in (member, *range(len(self._places))):
            found = self._places[number].get(custom_id)
            if found is not None:
                offset, length = found
                with suppress(OSError, msgspec.MsgspecError, UnicodeError, RecursionError):
                    return decode_columns(os.pread(self._fds[number], length, offset)).row
        return {}

    def close(self) -> None:
        """Give the files back."""
        for fd in self._fds:
            if fd >= 0:
                os.close(fd)
        self._fds = []


class Table:
    """A view's rows with their columns named: own, then TEXTS, NUMBERS and COST, then unfolded answers' fields."""

    def __init__(self, view: View, rows: Sequence[int | SkippedRow], *, unfold: bool, every: bool = False) -> None:
        self._view = view
        self._rows = rows
        self._every = every
        """Whether all rows of the source are asked for, answered or not."""
        self._own = OwnColumns(view)
        skipped = [row.row or {} for row in rows if isinstance(row, SkippedRow)] if every else []
        self._names = list(dict.fromkeys([*self._own.names, *(name for row in skipped for name in row)]))[:MAX_COLUMNS]
        taken = {*TEXTS, *NUMBERS, COST}
        self.own = [_unique(name, taken) for name in self._names]
        self._fields: list[str] = []
        self.unfolded: list[str] = []
        self._unfold = unfold

    def find_fields(self) -> Iterator[int]:
        """Read all answers once for the names of their fields, yielding how many were read."""
        seen: dict[str, None] = {}
        for number, row in enumerate(self._rows):
            text = None if isinstance(row, SkippedRow) else read_answer(self._view.raw(row)).text
            fields = unfolded(text) if text else None
            if fields and len(seen) < MAX_COLUMNS:
                seen.update(dict.fromkeys(fields))
            yield number
        self._fields = list(seen)[:MAX_COLUMNS]
        taken = {*TEXTS, *NUMBERS, COST, *self.own}
        self.unfolded = [_unique(name, taken) for name in self._fields]

    @property
    def header(self) -> list[str]:
        """All column names in order."""
        return [*self.own, *TEXTS, *NUMBERS, COST, *self.unfolded]

    def cells(
        self, number: int | SkippedRow
    ) -> tuple[list[object], list[str], list[int], Decimal | None, list[object]]:
        """A row's own values, texts, numbers, cost, and unfolded values, each in the order of the header."""
        if isinstance(number, SkippedRow):
            held = number.row or {}
            said = {"custom_id": number.custom_id, "outcome": NOT_SENT, "error_message": number.why}
            return (
                [held.get(name) for name in self._names],
                [said.get(name, "") for name in TEXTS],
                [0] * len(NUMBERS),
                None,
                [None] * len(self._fields),
            )
        row = self._view.row(number)
        own = self._own.of(row.member, row.custom_id) if self._names else {}
        answer = read_answer(self._view.raw(number)) if row.offset >= 0 else Answer(None)
        outcome = row.outcome if not row.flaw else f"succeeded ({row.flaw})"
        outcome = NO_ANSWER if self._every and outcome in _UNANSWERED else outcome
        error = answer.error if answer.error != row.outcome else ""
        texts = [row.custom_id, outcome, row.stop_reason, answer.text or "", error, answer.message, row.model]
        numbers = [row.input_tokens, row.output_tokens, row.cache_write_tokens, row.cache_read_tokens]
        fields = (unfolded(answer.text) or {}) if self._fields and answer.text else {}
        return (
            [own.get(name) for name in self._names],
            texts,
            numbers,
            row.cost_usd,
            [fields.get(name) for name in self._fields],
        )

    def flat(self, number: int | SkippedRow) -> list[str]:
        """The same as texts; an unknown cost and absent values are empty."""
        own, texts, numbers, cost, fields = self.cells(number)
        priced = "" if cost is None else f"{cost.normalize():f}"
        return [*map(cell, own), *texts, *map(str, numbers), priced, *map(cell, fields)]

    def close(self) -> None:
        """Give the files back."""
        self._own.close()


def _unique(name: str, taken: set[str]) -> str:
    """A name that none of ours has; it is taken from now on."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found
