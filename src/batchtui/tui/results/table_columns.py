"""The columns of the results' list: the row's own, the fields of answers, and what we say of a request."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.present import numbers
from batchtui.present.fitting import MiddleCut
from batchtui.present.symbols import GLYPHS
from batchtui.results.column_counts import as_number
from batchtui.results.field_columns import FIRST, Value, ValueColumn, as_text
from batchtui.results.names import Name, ValueNames, said_beside
from batchtui.results.view import ResultRow, View
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column

MOST_FIELDS, MOST_OWN, MOST_LONG = 12, 6, 2
"""Columns that are shown unless others are chosen."""
_LONG = 26
"""Cells on average from which texts stand right of the others and take what room is left."""
_SAMPLE = 400
SHORT_ID = 12
"""Characters of an id that there is always room for."""

CellOf = Callable[[View, ResultRow], Cell]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of the list, and what its cell is."""

    column: Column
    cell: CellOf
    name: str
    """The name with its scope, as it is chosen and remembered."""
    answered: bool = False
    """Whether it holds a value of the answer: rows without a usable one say there what became of them."""
    hides: Callable[[int], bool] | None = None
    """Tells the rows whose answers are hidden; what became of them is not said either."""

    @property
    def sort(self) -> str:
        """What its rows are sorted by."""
        return self.column.key


def outcome_cell(row: ResultRow) -> Text:
    """An outcome with a sign of its own and a color."""
    if row.cut_short:
        return Text(f"{GLYPHS.partial} cut short", style="warn")
    if row.invalid:
        return Text(f"{GLYPHS.warning} invalid", style="warn")
    sign, style = {
        "succeeded": (GLYPHS.good, "good"),
        "errored": (GLYPHS.refused, "bad"),
        "canceled": (GLYPHS.dash, "muted"),
        "expired": (GLYPHS.gone, "warn"),
        "missing": (GLYPHS.unconfirmed, "bad"),
        "waiting": (GLYPHS.dot, "muted"),
    }.get(row.outcome, (GLYPHS.warning, "warn"))
    return Text(f"{sign} {row.outcome}", style=style)


def why(row: ResultRow) -> str:
    """The stop reason of an answer, the type of an error."""
    found = row.stop_reason if row.outcome == "succeeded" else row.error
    if row.cut_short == "empty":
        found = "empty answer"
    return safetext.line("" if found == row.outcome else found.removesuffix("_error"), 60)


def _words(view: View, row: ResultRow) -> Cell:
    words = ""
    with suppress(BatchtuiError):
        words = safetext.line(view.first_words(row.number), 160)
    return Text(words, style="muted")


def _answered(text: Callable[[ResultRow], str]) -> CellOf:
    return lambda view, row: text(row) if row.outcome == "succeeded" else ""


def id_cell(custom_id: str) -> Cell:
    """An id; of a long one beginning and end, where there is less room."""
    if len(custom_id) <= SHORT_ID:
        return safetext.line(custom_id, 80) or Text("(no id)", style="muted")
    return MiddleCut(safetext.line(custom_id, 80))


def _tokens(row: ResultRow) -> str:
    return numbers.tokens(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens)


USUAL: dict[str, TableColumn] = {
    each.name: each
    for each in (
        TableColumn(
            Column("id", "Request", 12, max_width=30, flex=2),
            lambda view, row: id_cell(row.custom_id),
            "run.custom_id",
        ),
        TableColumn(Column("outcome", "Outcome", 11), lambda view, row: outcome_cell(row), "run.outcome"),
        TableColumn(
            Column("why", "Stop / error", 15, max_width=21, flex=1, priority=2),
            lambda view, row: why(row),
            "run.stop_reason",
        ),
        TableColumn(Column("in", "In", 6, align="right", priority=4), _answered(_tokens), "run.input_tokens"),
        TableColumn(
            Column("out", "Out", 6, align="right", priority=3),
            _answered(lambda row: numbers.tokens(row.output_tokens)),
            "run.output_tokens",
        ),
        TableColumn(
            Column("cost", "Cost", 9, align="right", priority=5),
            _answered(lambda row: numbers.at_least(numbers.usd_request(row.cost_usd), row.at_least)),
            "run.cost_usd",
        ),
        TableColumn(Column("words", "Answer", 14, flex=6, priority=1), _words, "run.answer"),
    )
}
"""The columns of answers that are no JSON, by name."""
ATTEMPT = TableColumn(
    Column("run.attempt", "Attempt", 7, align="right", priority=6),
    lambda view, row: str(row.attempt + 1),
    "run.attempt",
)
"""Only where there was more than one attempt."""
_SAID: dict[str, Callable[[ResultRow], str]] = {
    "model": lambda row: row.model,
    "error": lambda row: row.error,
    "cache_write_tokens": lambda row: numbers.tokens(row.cache_write_tokens),
    "cache_read_tokens": lambda row: numbers.tokens(row.cache_read_tokens),
}


def usual_columns(view: View) -> tuple[TableColumn, ...]:
    """The columns of answers that are no JSON; which attempt one is from only where there was more than one."""
    several = any(view.attempt_of(member) for member in range(len(view.members)))
    return (*USUAL.values(), ATTEMPT) if several else tuple(USUAL.values())


def table_columns(view: View, names: ValueNames, chosen: Sequence[str] = ()) -> tuple[TableColumn, ...]:
    """The columns by name, or where none is chosen by what there is.  For a thread; raises StoreError."""
    found = [name for each in chosen if (name := names.find(each)) is not None]
    if found:
        return tuple(_ranked([_made(view, names, name) for name in found]))
    return _by_what_there_is(view, names)


def _by_what_there_is(view: View, names: ValueNames) -> tuple[TableColumn, ...]:
    usable = view.counts()["good"]
    often = {field.path for field in names.fields.names if field.rows * 4 >= max(1, usable)}
    fields = [
        _made(view, names, name)
        for name in names.answers[:200]
        if name.key in often and not name.key.startswith("tool[")
    ]
    own = [_made(view, names, name) for name in names.own[:200] if not is_id_column(view, names.column(name))]
    if not fields and not own:
        return usual_columns(view)
    long = [each for each in (*fields, *own) if each.column.flex]
    short_own = [each for each in own if not each.column.flex][:MOST_OWN]
    usual = {each.name: each for each in usual_columns(view)}
    first = _request_column(view, usual.pop("run.custom_id"))
    if not fields:
        outcome, answer = usual.pop("run.outcome"), usual.pop("run.answer")
        kept = [_at(each, 10 + place) for place, each in enumerate(short_own)]
        return (first, *kept, outcome, *usual.values(), answer)
    short = [each for each in fields if not each.column.flex][:MOST_FIELDS] or fields[:1]
    long = [each for each in long if each not in short][:MOST_LONG]
    return (
        first,
        *(_at(each, 20 + place) for place, each in enumerate(short_own)),
        *(_at(each, place) for place, each in enumerate(short)),
        *(_at(each, 40 + place) for place, each in enumerate(long)),
    )


def _request_column(view: View, usual: TableColumn) -> TableColumn:
    """The id no wider than ids are, so that what is said across the answer's columns has room."""
    widest = max((cell_len(view.id(row)) for row in range(min(_SAMPLE, len(view)))), default=0)
    column = Column(usual.column.key, usual.column.title, min(max(7, widest), 20))
    return TableColumn(column, usual.cell, usual.name)


def is_id_column(view: View, values: ValueColumn) -> bool:
    """Whether a column says the same as the request's id, by the first rows."""
    rows = range(min(50, len(view)))
    return bool(rows) and all(as_text(values[row]) == view.id(row) for row in rows)


def _ranked(columns: Iterable[TableColumn]) -> list[TableColumn]:
    """Chosen columns: the last go first where there is no room, the first of the answer never."""
    made = list(columns)
    first = next((place for place, each in enumerate(made) if each.answered), 0)
    return [_at(each, 0 if place == first else place + 1) for place, each in enumerate(made)]


def _at(each: TableColumn, priority: int) -> TableColumn:
    old = each.column
    column = Column(old.key, old.title, old.width, old.max_width, old.flex, old.align, priority)
    return TableColumn(column, each.cell, each.name, each.answered)


def _made(view: View, names: ValueNames, name: Name) -> TableColumn:
    if name.scope == "run":
        return USUAL.get(name.full) or (ATTEMPT if name.key == "attempt" else _said(name))
    values = names.column(name)
    title = safetext.line(name.bare, 60)
    sample = [as_text(value) for value in values.entries[:_SAMPLE]]
    sizes = sorted(cell_len(text[:200]) for text in sample)
    mean = sum(sizes) / len(sizes) if sizes else 0
    number = bool(sample) and all(
        value is None or value == "" or as_number(value, text=name.scope == "row") is not None
        for value in values.entries[:_SAMPLE]
    )
    if mean >= _LONG or (values.sizes and not sample):
        column = Column(name.full, title, 14, flex=4)
    else:
        widest = sizes[math.ceil((len(sizes) - 1) * 0.95)] if sizes else 4
        width = max(min(cell_len(title), 14), min(widest, 18), 4)
        column = Column(name.full, title, width, align="right" if number else "left")

    def cell(shown: View, row: ResultRow) -> Cell:
        # Of results that were opened anew nothing is known yet: a row's number means another one there.
        return _value(values, row.number) if shown is view else ""

    return TableColumn(column, cell, name.full, name.scope == "answer")


def _value(values: ValueColumn, row: int) -> Cell:
    code = values.codes[row]
    if code >= FIRST:
        return value_cell(values.entries[code - FIRST])
    with suppress(BatchtuiError):
        return safetext.line(as_text(values[row])[:1_000], 160) if code else ""
    return ""


def value_cell(value: Value) -> Cell:
    """A value as a cell: null stands out from a text that says so."""
    return Text("null", style="muted") if value is None else safetext.line(as_text(value)[:1_000], 160)


def _said(name: Name) -> TableColumn:
    plain = _SAID.get(name.key)
    column = Column(name.full, name.bare, max(10, len(name.bare)), flex=0 if plain else 2)

    def cell(view: View, row: ResultRow) -> Cell:
        if plain is not None:
            return safetext.line(plain(row), 80)
        with suppress(BatchtuiError):
            said = view.why_invalid(row.number) if name.key == "error_message" else ""
            return safetext.line((said or said_beside(view.raw(row.number), name.key))[:1_000], 160)
        return ""

    return TableColumn(column, cell, name.full)


def cells_of(columns: Sequence[TableColumn], view: View, number: int) -> list[Cell]:
    """A row's cells.  Where answers have columns, a row without a usable one says across them what became of it."""
    row = view.row(number)
    if not row.good and any(each.answered for each in columns) and all(each.name != "run.outcome" for each in columns):
        cells: list[Cell] = []
        for each in columns:
            if each.answered and not (each.hides and each.hides(number)):
                cells.append(_became(view, row))
                return [*cells, *[None] * (len(columns) + 1 - len(cells))]
            cells.append(each.cell(view, row))
    return [each.cell(view, row) for each in columns]


def _became(view: View, row: ResultRow) -> Text:
    """What became of a row without a usable answer: ``✗ invalid: urgency is 7, at most 5``."""
    said = outcome_cell(row)
    if row.invalid:
        with suppress(BatchtuiError):
            return Text(f"{GLYPHS.refused} invalid: {safetext.line(view.why_invalid(row.number), 200)}", style="warn")
    reason = row.cut_short.replace("_", " ") or why(row)
    return Text(f"{said.plain}: {reason}" if reason and reason != row.outcome else said.plain, style=said.style)


def sorts(columns: Sequence[TableColumn]) -> list[str]:
    """Sort keys in the order that ``s`` goes through them: the source's own, then the columns'."""
    return ["source", *(each.sort for each in columns)]


def numeric(columns: Sequence[TableColumn]) -> frozenset[str]:
    """Sort keys of numbers, of which the large ones come first."""
    return frozenset(each.sort for each in columns if each.column.align == "right")
