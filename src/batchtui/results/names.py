"""Names of values: one resolver for the columns of a row, the fields of an answer, and what we say of a request.

``row.x`` is a column of the source row, ``answer.x`` a field, ``run.x`` what we say of a request.  A bare name is the
column of that name, else the field, else ours.
"""

from __future__ import annotations

import difflib
import re
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from batchtui.domain.errors import InputError
from batchtui.domain.outcome import OUTCOMES, ended
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.field_columns import ABSENT, FIRST, Absent, Value, ValueColumn, column_of, quoted
from batchtui.results.fields import Field, view_fields
from batchtui.results.index import UNPRICED, dollars
from batchtui.results.review_columns import review_column
from batchtui.results.row_columns import RowColumns
from batchtui.results.text import Answer, raw_content, read_answer, tool_calls
from batchtui.results.view import View

Scope = Literal["row", "answer", "run"]
SCOPES: tuple[Scope, ...] = ("row", "answer", "run")
RUN = (
    "custom_id",
    "outcome",
    "answer",
    "model",
    "stop_reason",
    "error",
    "error_message",
    "input_tokens",
    "output_tokens",
    "cache_write_tokens",
    "cache_read_tokens",
    "cost_usd",
    "attempt",
    "tool_calls",
    "compaction",
    "stop_details",
    "thinking",
    "content",
    "review",
    "review_value",
    "review_note",
)
"""What we say of a request, by name; from ``tool_calls`` on what an answer holds beside its text, ``content`` all of it;
from ``review`` on what you said of it."""
IN_LINES = frozenset({"answer", "error_message", "tool_calls", "compaction", "stop_details", "thinking", "content"})
"""Those that stand in the lines only."""
REVIEWED = ("review", "review_value", "review_note")
"""What you said of an answer."""
_TOKENS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_write_tokens": "cache_write",
    "cache_read_tokens": "cache_read",
}


class Name(msgspec.Struct, frozen=True):
    """A value that every row of a view may have."""

    scope: Scope
    key: str
    """The column's own name, the field's path, or one of RUN."""
    bare: str
    """As it stands in headers and menus: without its scope where that name is free.  A column's is always its own name."""

    @property
    def full(self) -> str:
        """With its scope, as it can always be typed."""
        return f"{self.scope}.{quoted(self.key) if self.scope == 'row' else self.key}"


class FieldList(Protocol):
    """What is known of the fields of a view's answers."""

    @property
    def names(self) -> Sequence[Field]:
        """All fields."""

    @property
    def notes(self) -> Sequence[str]:
        """What was left out since there is too much of it, as sentences."""

    def column(self, path: str) -> ValueColumn:
        """A field's values by the view's row; raises KeyError when there is no such field."""


class ValueNames:
    """All names of one view, and their values by the view's row.

    Raises StoreError, and Stopped; call it in a thread: it reads the fields and the source rows
    where nobody did before.
    """

    def __init__(
        self,
        view: View,
        *,
        fields: FieldList | None = None,
        rows: RowColumns | None = None,
        work: Work = UNWATCHED,
    ) -> None:
        self._view = view
        self.rows = rows if rows is not None else RowColumns(view)
        if rows is None:
            self.rows.read_values(work)
        self.fields: FieldList = fields if fields is not None else view_fields(view, work)
        own = set(self.rows.names)
        paths = {field.path for field in self.fields.names}
        self.own = [Name("row", name, name) for name in self.rows.names]
        self.answers = [
            Name("answer", path, path if path not in own and not _scoped(path) else f"answer.{path}")
            for path in (field.path for field in self.fields.names)
        ]
        self.run = [Name("run", key, key if key not in own and key not in paths else f"run.{key}") for key in RUN]
        self._bare = {name.bare: name for name in self}
        self._full = {name.full: name for name in self}
        self._columns: dict[Name, ValueColumn] = {}

    @property
    def notes(self) -> Sequence[str]:
        """What of the answers is not in the fields, as sentences."""
        return self.fields.notes

    def __iter__(self) -> Iterator[Name]:
        """All names: columns, then fields, then ours."""
        return iter((*self.own, *self.answers, *self.run))

    def find(self, text: str) -> Name | None:
        """The name that a text is, with or without its scope, odd keys quoted or not; None when there is none."""
        text = text.strip()
        if text in self._full:
            return self._full[text]
        if text in self._bare:
            return self._bare[text]
        scope, point, rest = text.partition(".")
        if point and scope in SCOPES:
            return next((name for name in self if name.scope == scope and rest in (name.key, quoted(name.key))), None)
        return next((name for name in self if text in (quoted(name.key), name.key)), None)

    def resolve(self, text: str, others: Iterable[str] = ()) -> Name:
        """The name that a text is; raises InputError with names that are near, of ``others`` too."""
        found = self.find(text)
        if found is not None:
            return found
        close = difflib.get_close_matches(text, [*self._bare, *self._full, *others], 4, 0.6)
        meant: dict[Name | str, str] = {}
        for each in close:
            meant.setdefault(self._bare.get(each) or self._full.get(each) or each, each)
        near = [*meant.values()][:2]
        if not near:
            tail = text.rpartition(".")[2]
            near = [name.bare for name in self if name.key.rpartition(".")[2] == tail][:2]
        names = ", ".join(name.bare for name in (*self.own, *self.answers)) or "no columns and no fields"
        advice = (
            f"did you mean {' or '.join(near)}?" if near else f"there are {_short(names)}, and {', '.join(RUN[:4])} …"
        )
        advice = " ".join((advice, *self.notes))
        shown = text if len(text) <= 120 else f"{text[:120]}…"
        raise InputError(f"there is no column or field {shown!r}", advice=advice)

    def column(self, name: Name) -> ValueColumn:
        """A name's values by the view's row; what stands in the lines only, as ``run.answer``, reads them.  Raises StoreError."""
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._made(name)
        return found

    def forget_review(self) -> None:
        """Read what was said of answers anew when it is asked for."""
        for name in [name for name in self._columns if name.scope == "run" and name.key in REVIEWED]:
            del self._columns[name]

    def _made(self, name: Name) -> ValueColumn:
        if name.scope == "row":
            return self.rows.column(name.key)
        if name.scope == "answer":
            return self.fields.column(name.key)
        return run_column(self._view, name.key)


_building = threading.Lock()


def names_of(view: View, work: Work = UNWATCHED) -> ValueNames:
    """A view's names, made when first asked for and kept with it; for a thread.  Raises StoreError, and Stopped."""
    with _building:
        found = view.kept.get("names")
        if not isinstance(found, ValueNames):
            found = view.kept["names"] = ValueNames(view, work=work)
        return found


def _scoped(path: str) -> bool:
    return path.partition(".")[0] in SCOPES and "." in path


def _short(names: str) -> str:
    return names if len(names) <= 120 else names[:120].rpartition(",")[0] + " …"


_LISTED = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"|[^,"])*)\s*(?:,|\Z)')


def split_names(text: str) -> list[str]:
    """The names in a list with commas; a quoted key may hold one."""
    parts: list[str] = []
    read = 0
    for each in _LISTED.finditer(text):
        if each.start() != read:  # A quote that is open, or stands within a name, quotes nothing.
            parts = text.split(",")
            break
        read = each.end()
        parts.append(each.group(1))
    return [name for part in parts if (name := part.strip())]


_Made: TypeAlias = "tuple[Sequence[int], Callable[[int], Value | Absent]]"


def run_column(view: View, key: str) -> ValueColumn:
    """What we say of each request, by the view's row: ``key`` is one of RUN.  Raises StoreError, KeyError for any other."""
    if key in REVIEWED:
        return review_column(view, key)
    if key in IN_LINES:
        return column_of(_from_lines(view, key))
    if key == "custom_id":
        return column_of(view.ids())
    codes, value = _from_index(view, key)
    numbers: dict[int, int] = {}
    entries: list[Value] = []
    for code in dict.fromkeys(codes):
        said = value(code)
        if said is not ABSENT:
            numbers[code] = FIRST + len(entries)
            entries.append(said)
    return _joined(array("I", [numbers.get(code, 0) for code in codes]), entries)


def _joined(codes: Sequence[int], entries: list[Value]) -> ValueColumn:
    """A column in which equal values have one code."""
    if len(set(map(repr, entries))) == len(entries):
        return ValueColumn(codes, entries)
    return column_of(entries[code - FIRST] if code >= FIRST else ABSENT for code in codes)


def _from_index(view: View, key: str) -> _Made:
    """A column of the index, and what its numbers mean; raises KeyError for a name that the index knows nothing of."""
    if key in _TOKENS:
        has_line = view.column("line")
        held = view.column(_TOKENS[key])
        return [each if line else -1 for each, line in zip(held, has_line, strict=True)], _or_absent
    if key == "cost_usd":
        return view.column("cost"), lambda code: ABSENT if code == UNPRICED else dollars(code)
    if key == "model":
        return view.column("model"), lambda code: view.models[code] or ABSENT
    if key == "stop_reason":
        return view.column("stop"), lambda code: view.stops[code] or ABSENT
    if key == "attempt":
        return [view.attempt_of(view.place(row)[0]) + 1 for row in range(len(view))], _itself
    if key == "outcome":
        pairs = [outcome << 8 | flaw for outcome, flaw in zip(view.column("outcome"), view.column("cut"), strict=True)]
        return pairs, lambda code: ended(code >> 8, code & 255)
    if key == "error":
        groups, failed = view.column("group"), view.column("outcome")
        numbers = [group if outcome else 0 for group, outcome in zip(groups, failed, strict=True)]
        return numbers, lambda code: _error(view, code)
    raise KeyError(key)


def _error(view: View, group: int) -> Value | Absent:
    key = view.group_keys[group - 1] if group else None
    return ABSENT if key is None or key.kind == OUTCOMES[key.outcome] else key.kind


def _itself(code: int) -> int:
    return code


def _or_absent(code: int) -> Value | Absent:
    return ABSENT if code < 0 else code


def _from_lines(view: View, key: str) -> Iterable[Value | Absent]:
    for row in range(len(view)):
        line = view.raw(row)
        if key == "answer":
            text = read_answer(line).text
            yield ABSENT if text is None else text
        else:
            yield (view.why_invalid(row) if key == "error_message" else "") or said_beside(line, key) or ABSENT


def said_beside(line: bytes, key: str, answer: Answer | None = None) -> str:
    """What a line says beside its answer's text, by its name in RUN; '' when it says nothing.

    ``answer`` is the line's answer where it was read before.
    """
    if key == "content":
        return raw_content(line)
    found = answer or read_answer(line)
    if key == "tool_calls":
        return tool_calls(line, found)
    return {
        "error_message": found.message,
        "compaction": found.compaction,
        "stop_details": found.stop_details,
        "thinking": found.thinking,
    }[key]
