"""Results as rows with named columns: the source row's own, then the fields of the answers, then what we say of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from batchtui.domain.outcome import ended
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.field_columns import ABSENT, Json, ValueColumn, as_text
from batchtui.results.fields import Field
from batchtui.results.names import REVIEWED, FieldList, Name, Scope, ValueNames, names_of
from batchtui.results.review_columns import review_of
from batchtui.results.row_columns import RowColumns
from batchtui.results.skipped import SkippedRow
from batchtui.results.text import Answer, raw_content, read_answer, tool_calls
from batchtui.results.view import ResultRow, View

MAX_COLUMNS = 1_900
"""Own columns, or fields, beyond so many are in one column of JSON: SQLite takes 2,000 a table."""

Kind: TypeAlias = Literal["text", "integer", "number", "boolean", "money", "value"]
"""What a column holds; ``value`` is anything."""

SAID: dict[str, Kind] = {
    "custom_id": "text",
    "outcome": "text",
    "answer": "text",
    "tool_calls": "text",
    "compaction": "text",
    "stop_reason": "text",
    "stop_details": "text",
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
ON_REQUEST: dict[str, Kind] = {
    "attempt": "integer",
    "thinking": "text",
    "content": "text",
    "review": "text",
    "review_value": "text",
    "review_note": "text",
}
"""What is written only when it is named; reviews also where there are any."""
_PLACES = {key: place for place, key in enumerate((*SAID, *ON_REQUEST))}
NOT_SENT, NO_ANSWER = "not sent", "no answer"
"""Outcomes of rows that were skipped, and that no result is here for, where all rows are asked for."""
_UNANSWERED = frozenset({"missing", "waiting"})

Items: TypeAlias = "Sequence[int | SkippedRow]"
"""Row numbers of a view, and among them what was skipped."""
_encode = msgspec.json.Encoder(decimal_format="number").encode


class NoFields:
    """Answers that aren't looked into."""

    names: Sequence[Field] = ()
    notes: Sequence[str] = ()

    def column(self, path: str) -> ValueColumn:
        """There are none."""
        raise KeyError(path)


class ExportColumn(msgspec.Struct, frozen=True):
    """A column of a table."""

    name: str
    """As it stands in the header."""
    scope: Scope | Literal["joined"]
    key: str
    """Its name in its scope; "" for the column that holds, as JSON, those that are too many."""
    kind: Kind = "value"


class JoinedColumns(Protocol):
    """Another run's columns by the view's row."""

    columns: list[tuple[str, Kind, Callable[[int], object]]]


class Table:
    """A view's rows with named columns: all, or those of ``columns`` in that order.

    Raises InputError for an unknown name, StoreError.
    """

    def __init__(
        self,
        view: View,
        rows: Items,
        *,
        fields: FieldList | None = None,
        columns: Sequence[str] = (),
        every: bool = False,
        joined: Sequence[JoinedColumns] = (),
    ) -> None:
        self._joined = {name: (kind, value) for each in joined for name, kind, value in each.columns}
        self._view = view
        self._every = every
        """Whether all rows of the source are asked for, answered or not."""
        self._fields: FieldList = fields if fields is not None else NoFields()
        skipped = (row.row for row in rows if isinstance(row, SkippedRow) and row.row) if every else ()
        self._own = RowColumns(view, chain.from_iterable(skipped))
        try:
            self._names = ValueNames(view, fields=self._fields, rows=self._own)
            self.columns = unique(self._chosen(columns) if columns else self._usual())
            self._lay_out()
        except BaseException:
            self._own.close()
            raise

    def _usual(self) -> list[ExportColumn]:
        """All columns, those that are too many in one."""
        names = self._names
        found = [ExportColumn(name.bare, "row", name.key) for name in names.own[:MAX_COLUMNS]]
        found += [ExportColumn("other_columns", "row", "")] if names.own[MAX_COLUMNS:] else []
        found += [self._column(name) for name in names.answers[:MAX_COLUMNS]]
        found += [ExportColumn("other_fields", "answer", "")] if names.answers[MAX_COLUMNS:] else []
        bare = {name.key: name.bare for name in names.run}
        said = dict(SAID)
        if review_of(self._view) is not None:
            said |= {key: ON_REQUEST[key] for key in REVIEWED}
        found += [ExportColumn(bare[key], "run", key, kind) for key, kind in said.items()]
        return [*found, *(ExportColumn(name, "joined", name, kind) for name, (kind, _) in self._joined.items())]

    def _chosen(self, columns: Sequence[str]) -> list[ExportColumn]:
        return [
            ExportColumn(each, "joined", each, self._joined[each][0])
            if each in self._joined
            else self._column(self._names.resolve(each, self._joined))
            for each in columns
        ]

    def _column(self, name: Name) -> ExportColumn:
        kind: Kind = "value"
        if name.scope == "run":
            kind = SAID.get(name.key) or ON_REQUEST[name.key]
        elif name.scope == "answer":
            kind = kind_of(self._fields, name.key)
        return ExportColumn(name.bare, name.scope, name.key, kind)

    def _lay_out(self) -> None:
        """How the values that are read scope by scope come into the columns."""
        names = self._names
        by_scope = {
            scope: [c for c in self.columns if c.scope == scope] for scope in ("row", "answer", "run", "joined")
        }
        self._own_keys = [column.key for column in by_scope["row"]]
        self._rest_own = [name.key for name in names.own[MAX_COLUMNS:]] if "" in self._own_keys else []
        self._values = [self._value_of(column.key) for column in by_scope["answer"]]
        self._said_keys = [column.key for column in by_scope["run"]]
        self._said = _picker([_PLACES[key] for key in self._said_keys])
        self._on_request = any(key in ON_REQUEST for key in self._said_keys)
        self._outcomes = (self._view.column("outcome"), self._view.column("cut"))
        self._others = [self._joined[column.key][1] for column in by_scope["joined"]]
        grouped = [*by_scope["row"], *by_scope["answer"], *by_scope["run"], *by_scope["joined"]]
        places = {column: place for place, column in enumerate(grouped)}
        order = [places[column] for column in self.columns]
        self._order = None if order == sorted(order) else _picker(order)
        self._money = next((place for place, column in enumerate(self.columns) if column.kind == "money"), None)

    def _value_of(self, path: str) -> Callable[[int], object]:
        if path:
            return self._fields.column(path).__getitem__
        rest = [(name.key, self._fields.column(name.key)) for name in self._names.answers[MAX_COLUMNS:]]

        def others(row: int) -> object:
            found = ((key, column[row]) for key, column in rest)
            return {key: _as_raw(value) for key, value in found if value is not ABSENT} or None

        return others

    @property
    def header(self) -> list[str]:
        """All column names in order."""
        return [column.name for column in self.columns]

    def values(self, item: int | SkippedRow) -> Sequence[object]:
        """A row's values in the order of the columns; None for what is absent or null."""
        if isinstance(item, SkippedRow):
            said = {"custom_id": item.custom_id, "outcome": NOT_SENT, "error_message": item.why}
            found = self._own_of(item.row or {})
            found += [None] * len(self._values)
            found += [said.get(key) for key in self._said_keys]
            found += [None] * len(self._others)
            return found if self._order is None else self._order(found)
        row = self._view.row(item)
        found = self._own_of(self._own.of(item)) if self._own_keys else []
        for value_of in self._values:
            value = value_of(item)
            found.append(None if value is ABSENT else value)
        if self._said_keys:
            found += self._said(self._say(row))
        found += [value_of(item) for value_of in self._others]
        return found if self._order is None else self._order(found)

    def _own_of(self, own: dict[str, object]) -> list[object]:
        found = [own.get(key) for key in self._own_keys]
        if self._rest_own:
            rest = {key: own[key] for key in self._rest_own if key in own}
            found[self._own_keys.index("")] = rest or None
        return found

    def _say(self, row: ResultRow) -> tuple[object, ...]:
        line = self._view.raw(row.number) if row.offset >= 0 else b""
        answer = read_answer(line) if line else Answer(None)
        outcomes, flaws = self._outcomes
        outcome = ended(outcomes[row.number], flaws[row.number])
        beside = not answer.only_text
        sent = bool(line)
        said = (
            row.custom_id,
            NO_ANSWER if self._every and outcome in _UNANSWERED else outcome,
            answer.text,
            tool_calls(line, answer) if beside else "",
            answer.compaction if beside else "",
            row.stop_reason,
            answer.stop_details,
            answer.error if answer.error != row.outcome else "",
            answer.message if not row.invalid else self._view.why_invalid(row.number),
            row.model,
            row.input_tokens if sent else None,
            row.output_tokens if sent else None,
            row.cache_write_tokens if sent else None,
            row.cache_read_tokens if sent else None,
            row.cost_usd if sent else None,
        )
        if not self._on_request:
            return said
        reviewed = (self._reviewed(key, row.number) for key in REVIEWED)
        attempt = self._view.attempt_of(row.member) + 1
        return (*said, attempt, answer.thinking, raw_content(line) if line else "", *reviewed)

    def _reviewed(self, key: str, row: int) -> object:
        name = self._names.find(f"run.{key}")
        found = self._names.column(name)[row] if name is not None else ABSENT
        return None if found is ABSENT else found

    def flat(self, item: int | SkippedRow) -> list[str]:
        """The same as texts; what is absent, null or unknown is empty."""
        found = self.values(item)
        texts = [value if value.__class__ is str else _FLAT.get(value.__class__, flat_text)(value) for value in found]
        if self._money is not None:
            texts[self._money] = _money(found[self._money])
        return texts

    def close(self) -> None:
        """Give the files back."""
        self._own.close()


def column_names(view: View, work: Work = UNWATCHED) -> list[Name]:
    """All names that columns of a view can have, in a list; for a thread.  Raises StoreError, Stopped."""
    return list(names_of(view, work))


def unique(columns: Iterable[ExportColumn]) -> list[ExportColumn]:
    """The columns without repetition; one whose name another has is numbered."""
    taken: set[str] = set()
    found = []
    for column in dict.fromkeys(columns):
        found.append(msgspec.structs.replace(column, name=free_name(column.name, taken)))
    return found


def free_name(name: str, taken: set[str], *, joint: str = "_", fold: Callable[[str], str] = str) -> str:
    """The name, numbered where another has it, and added to ``taken``; names that ``fold`` makes equal are the same."""
    found, number = name, 1
    while fold(found) in taken:
        number += 1
        found = f"{name}{joint}{number}"
    taken.add(fold(found))
    return found


_EXACT = 1 << 53
_KINDS: dict[str, Kind] = {"text": "text", "integer": "integer", "number": "number", "boolean": "boolean"}


def kind_of(fields: FieldList, path: str) -> Kind:
    """What all values of a field are; ``value`` for mixed ones, JSON, and numbers that data frames can't hold exactly."""
    field = next(field for field in fields.names if field.path == path)
    kind = _KINDS.get(field.kind, "value")
    if kind in ("integer", "number"):
        held = [value for value in fields.column(path).entries if isinstance(value, int | Decimal)]
        limit = 1 << 63 if kind == "integer" else _EXACT
        if not all(-limit <= v < limit if isinstance(v, int) else exact_float(v) is not None for v in held):
            return "value"
    return kind


def exact_float(value: Decimal) -> float | None:
    """The float whose shortest text is this number; None when there is none."""
    near = float(value) if abs(value.adjusted()) < 330 else None
    return near if near is not None and Decimal(repr(near)) == value else None


def flat_text(value: object) -> str:
    """A value as the text of a cell: text as it is, others as JSON; empty for null and what is absent."""
    if value is None:
        return ""
    if isinstance(value, str | int | Decimal | Json):
        return as_text(value)
    return _encode(value).decode("utf-8", "replace")


_FLAT: dict[type, Callable[[Any], str]] = {int: str, Decimal: str, type(None): lambda value: ""}
"""What is most common, without asking twice."""


def _as_raw(value: object) -> object:
    return msgspec.Raw(value.text.encode()) if isinstance(value, Json) else value


def _money(value: object) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else ""


def _picker(places: Sequence[int]) -> Callable[[Any], tuple[object, ...]]:
    """What picks those places out of a sequence."""
    if len(places) == 1:
        only = places[0]
        return lambda found: (found[only],)
    return itemgetter(*places) if places else lambda found: ()
