"""Fields: the values inside a batch's answers by path, kept in ``results.fields``, thrown away and rebuilt at will.

A path is the keys from the answer's outermost object joined by points, odd ones quoted as TOML quotes keys.  The bare
paths are those of one value an answer: the JSON in its text, or the input of the tool call that was asked for; inputs of
other calls are under ``tool[N].``.  An array is a value; an answer that is an array is the field ``value``.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from batchtui.domain.errors import StoreError
from batchtui.domain.outcome import SUCCEEDED
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results import field_file
from batchtui.results.answer_check import Schema
from batchtui.results.answer_parts import AnswerParts
from batchtui.results.field_builder import FieldBuilder, Judge, read_value
from batchtui.results.field_columns import ABSENT, FIRST, KINDS, Absent, Value, ValueColumn, entry_key
from batchtui.results.field_file import FieldsFile, FieldsHeader, Read, StoredColumn
from batchtui.results.field_process import FieldProcess, second_share
from batchtui.results.view import ResultSet, View
from batchtui.store.records import FIELDS


class Field(msgspec.Struct, frozen=True):
    """One path, and what is at it."""

    path: str
    rows: int
    """Answers that have it."""
    kinds: dict[str, int]
    """How many of its values are of each kind (``field_columns.KINDS``)."""
    distinct: int
    """Different values, without long ones."""
    long: int = 0
    """Values that are read from their line when asked for."""

    @property
    def kind(self) -> str:
        """The kind of all values that are not null, ``mixed`` when there are several."""
        real = [kind for kind in self.kinds if kind != "null"]
        if set(real) == {"integer", "number"}:
            return "number"
        return real[0] if len(real) == 1 else "mixed" if real else "null"


class Fields:
    """The fields of one batch's answers.  Rows are result lines: row i is the i-th line that is not blank."""

    def __init__(self, results: ResultSet, header: FieldsHeader, read: Read, start: int) -> None:
        self._results = results
        self._header = header
        self._read = read
        self._places: dict[str, tuple[StoredColumn, int]] = {}
        self._columns: dict[str, ValueColumn] = {}
        self.names: list[Field] = []
        """All fields, in the order in which answers have them."""
        for each in header.columns:
            self._places[each.path] = (each, start)
            start += sum(each.sizes)
            self.names.append(Field(each.path, each.rows, each.kinds, each.entries, each.long))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out since there is too much of it, as sentences."""
        return self._header.left_out.notes()

    def __len__(self) -> int:
        return self._header.lines

    def __contains__(self, path: str) -> bool:
        return path in self._places

    def values(self, path: str) -> ValueColumn:
        """A field's values by result line; raises KeyError when there is no such field, StoreError when it can't be read."""
        found = self._columns.get(path)
        if found is None:
            found = self._columns[path] = self._load(*self._places[path])
        return found

    def _load(self, stored: StoredColumn, start: int) -> ValueColumn:
        rows, given, entries, sizes, _ = field_file.unpack(stored, self._read(start, sum(stored.sizes)))
        codes = given
        if rows:
            spread = array(stored.code_type, bytes(given.itemsize * len(self)))
            for row, code in zip(rows, given, strict=True):
                spread[row] = code
            codes = spread
        long = dict(zip(sizes[::3], sizes[1::3], strict=True))
        sources = dict(zip(sizes[::3], sizes[2::3], strict=True))

        def read_long(row: int) -> Value | Absent:
            wanted = self._results.asked.of(self._results.columns.seq[row])
            return read_value(self._results.read(row), sources[row], stored.keys, wanted)

        return ValueColumn(codes, entries, read_long, lambda: long, stored.respelled)


def check_answers(results: ResultSet, schema: Schema, work: Work = UNWATCHED) -> None:
    """Check the answers that nothing else checks by this schema, in memory only; their fields are read on the way.

    Raises StoreError, Stopped.
    """
    results.check_by(schema)
    columns, checker = results.columns, results.checker
    why: dict[int, str] = {}

    def judge(row: int, parts: AnswerParts | str, value: object) -> None:
        seq = columns.seq[row]
        if columns.cut[row] or columns.outcome[row] != SUCCEEDED or checker.own(seq):
            return
        flaw = checker.flaw(seq, parts, value)
        if flaw is not None:
            why[row] = flaw.group

    _read(results, work, judge)
    results.find_invalid(why)


def open_fields(results: ResultSet, work: Work = UNWATCHED) -> Fields:
    """The fields of a batch's answers: those in ``results.fields`` when they fit the results, else read anew in one pass.

    Raises StoreError, and Stopped.
    """
    found = None if results.partial else _stored(results)
    return _read(results, work) if found is None else found


def _stored(results: ResultSet) -> Fields | None:
    """The fields that are kept, if they were made from these very results and requests."""
    try:
        file = FieldsFile(results.folder / FIELDS)
    except OSError:
        return None
    found = field_file.read_header(file.read, file.size, results)
    return None if found is None else Fields(results, found[0], file.read, found[1])


def _read(results: ResultSet, work: Work, judge: Judge | None = None) -> Fields:
    builder = FieldBuilder(results, judge)
    if results.stored:
        _read_lines(results, builder, work, alone=judge is not None)
    header, body = field_file.pack(results, builder)
    if results.stored and not results.partial:
        with suppress(StoreError):  # A read-only disk still shows its fields.
            field_file.save(results.folder / FIELDS, header, body)
            saved = _stored(results)
            if saved is not None:
                return saved
    data = b"".join(body)
    return Fields(results, header, lambda start, size: data[start : start + size], 0)


def _read_lines(results: ResultSet, builder: FieldBuilder, work: Work, *, alone: bool) -> None:
    """Read every answer: of many the later ones by a second process, or here all the same when it does not manage."""
    lines = results.header.lines
    first = lines if alone or results.partial else second_share(results)
    if first == lines:
        builder.read(0, lines, work)
    else:
        with FieldProcess(results, first) as second:
            builder.read(0, first, work)
            found = second.answer(work)
        if found is None or not builder.join(*found):
            builder.read(first, lines, work)
    builder.finish()


class ViewFields:
    """The fields of a view's answers by its rows: for a run the union of its batches' fields."""

    def __init__(self, view: View, parts: Sequence[Fields]) -> None:
        self._view = view
        self._parts = parts
        self._columns: dict[str, ValueColumn] = {}
        self.names = _union(parts)
        """All fields; ``rows`` and ``kinds`` of a run's are sums over its batches, ``distinct`` the most of one of them."""
        self._paths = {field.path for field in self.names}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out since there is too much of it, as sentences."""
        return tuple(dict.fromkeys(note for part in self._parts for note in part.notes))

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def column(self, path: str) -> ValueColumn:
        """A field's values by the view's row; raises KeyError when there is no such field, StoreError."""
        found = self._columns.get(path)
        if found is None:
            if path not in self._paths:
                raise KeyError(path)
            found = self._columns[path] = self._single(path) if len(self._parts) == 1 else self._merged(path)
        return found

    def _single(self, path: str) -> ValueColumn:
        held = self._parts[0].values(path)
        count = len(self._view)
        places = [self._view.place(row)[1] for row in range(count)] if self._view.members[0] is not self._view else None
        codes = array("I", held.codes)
        codes.extend(array("I", bytes(4 * max(0, len(self._view.members[0]) - len(codes)))))
        if places is None:
            return ValueColumn(codes, held.entries, held.__getitem__, lambda: held.sizes, held.respelled)
        shown = array("I", [codes[place] for place in places])
        return ValueColumn(
            shown,
            held.entries,
            lambda row: held[places[row]],
            lambda: {row: held.sizes[place] for row, place in enumerate(places) if place in held.sizes},
            held.respelled,
        )

    def _merged(self, path: str) -> ValueColumn:
        numbers: dict[tuple[type, object], int] = {}
        entries: list[Value] = []
        columns: list[ValueColumn | None] = []
        maps: list[list[int]] = []
        respelled: dict[int, tuple[str, ...]] = {}
        for part in self._parts:
            held = part.values(path) if path in part else None
            columns.append(held)
            mapped = list(range(FIRST))
            for value in held.entries if held else ():
                code = numbers.setdefault(entry_key(value), FIRST + len(entries))
                if code == FIRST + len(entries):
                    entries.append(value)
                mapped.append(code)
            for code, spellings in held.respelled.items() if held else ():
                others = respelled.get(mapped[code], ())
                respelled[mapped[code]] = tuple(dict.fromkeys((*others, *spellings)))
            maps.append(mapped)
        codes = array("I")
        places = [self._view.place(row) for row in range(len(self._view))]
        for member, place in places:
            column = columns[member]
            codes.append(maps[member][column.codes[place]] if column is not None and place < len(column) else 0)

        def read_long(row: int) -> Value | Absent:
            member, place = places[row]
            column = columns[member]
            return column[place] if column is not None else ABSENT

        def sizes() -> dict[int, int]:
            long = [column.sizes if column is not None else {} for column in columns]
            return {row: long[member][at] for row, (member, at) in enumerate(places) if at in long[member]}

        return ValueColumn(codes, entries, read_long, sizes, respelled)


def _union(parts: Sequence[Fields]) -> list[Field]:
    found: dict[str, Field] = {}
    for part in parts:
        for field in part.names:
            other = found.get(field.path)
            found[field.path] = field if other is None else _sum(other, field)
    return list(found.values())


def _sum(one: Field, other: Field) -> Field:
    kinds = {k: one.kinds.get(k, 0) + other.kinds.get(k, 0) for k in KINDS if k in one.kinds or k in other.kinds}
    return Field(one.path, one.rows + other.rows, kinds, max(one.distinct, other.distinct), one.long + other.long)


def view_fields(view: View, work: Work = UNWATCHED) -> ViewFields:
    """The fields of a batch's or a run's answers by the view's rows; made, a batch at a time, where they are not stored.

    Takes about a third as long as parsing the results, on one core half as long; call it in a thread.  Raises StoreError,
    and Stopped.
    """
    return ViewFields(view, [open_fields(member, work) for member in view.members])
