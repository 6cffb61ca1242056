"""Results as the rows of a table: the source row's own columns, then the fields of the answers, then what we say of a request."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from operator import itemgetter
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from batchtui import plainfile
from batchtui.domain.errors import InputError
from batchtui.results.row_ids import decode_columns
from batchtui.results.skipped import SkippedRow
from batchtui.results.text import Answer, raw_content, read_answer, tool_calls
from batchtui.results.view import ResultRow, View
from batchtui.store.records import IDS

MAX_COLUMNS = 1_900
"""Own columns, or fields, beyond so many are in one column of JSON: SQLite takes 2,000 a table."""

Kind: TypeAlias = Literal["text", "integer", "money", "value"]
Group: TypeAlias = Literal["row", "answer", "run"]

SAID: dict[str, Kind] = {
    "custom_id": "text",
    "outcome": "text",
    "stop_reason": "text",
    "stop_details": "text",
    "answer": "text",
    "tool_calls": "text",
    "compaction": "text",
    "error": "text",
    "error_message": "text",
    "model": "text",
    "input_tokens": "integer",
    "output_tokens": "integer",
    "cache_write_tokens": "integer",
    "cache_read_tokens": "integer",
    "cost_usd": "money",
}
"""What we say of a request, in the order of the columns."""
ON_REQUEST: dict[str, Kind] = {"thinking": "text", "content": "text", "batch": "text", "attempt": "integer"}
"""What is written only when it is named: ``content`` is an answer's blocks as received."""
NOT_SENT, NO_ANSWER = "not sent", "no answer"
"""Outcomes of rows that were skipped, and that no result is here for, where all rows are asked for."""
_UNANSWERED = frozenset({"missing", "waiting"})

Items: TypeAlias = "Sequence[int | SkippedRow]"
"""Row numbers of a view, and among them what was skipped."""


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
        self.names = list(seen)

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


class TableColumn(msgspec.Struct, frozen=True):
    """A column of a table."""

    name: str
    """As it stands in the header."""
    group: Group
    """Whether it is of the source's row, of the answer's fields, or said of the request."""
    key: str
    """Its name in its group; "" for the column that holds, as JSON, those that are too many."""
    kind: Kind = "value"

    @property
    def key_name(self) -> str:
        """What it is called where only its group's columns are."""
        return self.key or self.name


class FieldSource(Protocol):
    """Fields of a view's answers: their paths, and the values of one by the view's rows."""

    @property
    def paths(self) -> Sequence[str]:
        """All of them in order."""

    def values(self, path: str) -> Sequence[object]:
        """Those of one field by row; what is absent is false and no null, text, number or JSON."""


class NoFields:
    """Answers that aren't looked into."""

    paths: Sequence[str] = ()

    def values(self, path: str) -> Sequence[object]:
        """There are none."""
        raise KeyError(path)


class Table:
    """A view's rows with named columns: all, or those of ``columns`` in that order.  Raises InputError for an unknown name."""

    def __init__(
        self,
        view: View,
        rows: Items,
        *,
        fields: FieldSource | None = None,
        columns: Sequence[str] = (),
        every: bool = False,
    ) -> None:
        self._view = view
        self._every = every
        """Whether all rows of the source are asked for, answered or not."""
        self._fields = fields or NoFields()
        self._own = OwnColumns(view)
        try:
            self._lay_out(rows, columns)
        except BaseException:
            self._own.close()
            raise

    def _lay_out(self, rows: Items, columns: Sequence[str]) -> None:
        skipped = [row.row or {} for row in rows if isinstance(row, SkippedRow)] if self._every else []
        own = list(dict.fromkeys([*self._own.names, *(name for row in skipped for name in row)]))
        self.names = ColumnNames(own, self._fields.paths)
        self.columns = [self.names.find(name) for name in dict.fromkeys(columns)] or self.names.usual()
        self.columns = list(dict.fromkeys(self.columns))
        by_group = {group: [c.key for c in self.columns if c.group == group] for group in ("row", "answer", "run")}
        self._own_keys, self._field_keys, self._said_keys = by_group["row"], by_group["answer"], by_group["run"]
        self._rest_own = self.names.rest_own if "" in self._own_keys else []
        self._values = [self._column(key) for key in self._field_keys]
        self._more = any(key in ON_REQUEST for key in self._said_keys)
        places = {name: number for number, name in enumerate((*SAID, *ON_REQUEST))}
        self._said: Callable[[Any], tuple[object, ...]] = _picker([places[key] for key in self._said_keys])
        grouped = [c for group in ("row", "answer", "run") for c in self.columns if c.group == group]
        order = [grouped.index(column) for column in self.columns]
        self._order = None if order == sorted(order) else _picker(order)
        self._money = next((number for number, column in enumerate(self.columns) if column.kind == "money"), None)

    def _column(self, key: str) -> Callable[[int], object]:
        if key:
            return self._fields.values(key).__getitem__
        rest = [(path, self._fields.values(path)) for path in self.names.rest_fields]

        def rest_of(row: int) -> object:
            return {path: value[row] for path, value in rest if not is_absent(value[row])} or None

        return rest_of

    @property
    def header(self) -> list[str]:
        """All column names in order."""
        return [column.name for column in self.columns]

    def values(self, item: int | SkippedRow) -> Sequence[object]:
        """A row's values in the order of the columns; None for what is absent or null."""
        if isinstance(item, SkippedRow):
            said = {"custom_id": item.custom_id, "outcome": NOT_SENT, "error_message": item.why}
            found = self._own_of(item.row or {})
            found += [None] * len(self._field_keys)
            found += [said.get(key, 0 if kind_of(key) == "integer" else None) for key in self._said_keys]
        else:
            row = self._view.row(item)
            found = self._own_of(self._own.of(row.member, row.custom_id)) if self._own_keys else []
            for value_of in self._values:
                value = value_of(item)
                found.append(None if is_absent(value) else value)
            if self._said_keys:
                found += self._said(self._say(row))
        return found if self._order is None else self._order(found)

    def _own_of(self, own: dict[str, object]) -> list[object]:
        rest = {name: own[name] for name in self._rest_own if name in own} or None
        return [own.get(key) if key else rest for key in self._own_keys]

    def _say(self, row: ResultRow) -> tuple[object, ...]:
        line = self._view.raw(row.number) if row.offset >= 0 else b""
        answer = read_answer(line) if line else Answer(None)
        outcome = row.outcome if not row.cut_short else f"succeeded ({row.cut_short})"
        beside = not answer.only_text
        said = (
            row.custom_id,
            NO_ANSWER if self._every and outcome in _UNANSWERED else outcome,
            row.stop_reason,
            answer.stop_details,
            answer.text,
            tool_calls(line, answer) if beside else "",
            answer.compaction if beside else "",
            answer.error if answer.error != row.outcome else "",
            answer.message,
            row.model,
            row.input_tokens,
            row.output_tokens,
            row.cache_write_tokens,
            row.cache_read_tokens,
            row.cost_usd,
        )
        if not self._more:
            return said
        member = self._view.members[row.member]
        return (*said, answer.thinking, raw_content(line), member.folder.name, self._view.attempt_of(row.member))

    def flat(self, item: int | SkippedRow) -> list[str]:
        """The same as texts; what is absent, null or unknown is empty."""
        found = self.values(item)
        texts = [value if isinstance(value, str) else flat_text(value) for value in found]
        if self._money is not None:
            texts[self._money] = _money(found[self._money])
        return texts

    def close(self) -> None:
        """Give the files back."""
        self._own.close()


class ColumnNames:
    """The names of a table's columns: the source's keep theirs; others are bare where that is free, else ``run.outcome``."""

    def __init__(self, own: Sequence[str], paths: Sequence[str]) -> None:
        self.rest_own, self.rest_fields = own[MAX_COLUMNS:], paths[MAX_COLUMNS:]
        self._taken: set[str] = set(own)
        kinds = {**SAID, **ON_REQUEST}
        said = {key: TableColumn(self._free(key, "run"), "run", key, kind) for key, kind in kinds.items()}
        self._said = [said[key] for key in SAID]
        self._on_request = [said[key] for key in ON_REQUEST]
        self._own = [TableColumn(name, "row", name) for name in own[:MAX_COLUMNS]]
        self._fields = [TableColumn(self._free(path, "answer"), "answer", path) for path in paths[:MAX_COLUMNS]]
        if self.rest_own:
            self._own.append(TableColumn(self._free("other_columns", "row"), "row", ""))
        if self.rest_fields:
            self._fields.append(TableColumn(self._free("other_fields", "answer"), "answer", ""))
        every = [
            *self.all(),
            *(TableColumn(name, "row", name) for name in self.rest_own),
            *(TableColumn(self._free(path, "answer"), "answer", path) for path in self.rest_fields),
        ]
        self._known = {f"{column.group}.{column.key}": column for column in every if column.key}
        self._known |= {column.name: column for column in every}

    def _free(self, name: str, group: str) -> str:
        """A name that no other column has; it is taken from now on."""
        found, number = name if name not in self._taken else f"{group}.{name}", 1
        base = found
        while found in self._taken:
            number += 1
            found = f"{base}_{number}"
        self._taken.add(found)
        return found

    def usual(self) -> list[TableColumn]:
        """Those that are written when none are named."""
        return [*self._own, *self._fields, *self._said]

    def all(self) -> list[TableColumn]:
        """Those that can be named."""
        return [*self.usual(), *self._on_request]

    def find(self, name: str) -> TableColumn:
        """The column of a name, bare or with its group; raises InputError."""
        found = self._known.get(name)
        if found is None:
            near = difflib.get_close_matches(name, list(self._known), 1)
            some = ", ".join(column.name for column in self.all()[:40])
            raise InputError(
                f"there is no column {name!r}", advice=f"did you mean {near[0]}?" if near else f"there are: {some}"
            )
        return found


def kind_of(key: str) -> Kind:
    """What kind of value we say under a name."""
    return SAID.get(key) or ON_REQUEST[key]


def is_absent(value: object) -> bool:
    """Whether a field's value is none, not even null."""
    return not value and value is not None and not isinstance(value, str | int | float | Decimal | list | dict)


def flat_text(value: object) -> str:
    """A value as the text of a cell: text as it is, others as JSON; empty for null and what is absent."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | Decimal) else _encode(value).decode("utf-8", "replace")


_encode = msgspec.json.Encoder(decimal_format="number").encode


def _money(value: object) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else ""


def _picker(places: Sequence[int]) -> Callable[[Any], tuple[object, ...]]:
    """What picks those places out of a sequence."""
    if len(places) == 1:
        only = places[0]
        return lambda found: (found[only],)
    return itemgetter(*places) if places else lambda found: ()
