"""Finds gold for a field: a column of the rows, the verdicts of a run, or a file by id."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from batchtui.domain.errors import InputError
from batchtui.domain.money import PriceTable
from batchtui.intake.options import IntakeOptions
from batchtui.intake.preview import peek
from batchtui.intake.sources import meant
from batchtui.paths import expanded
from batchtui.results.field_columns import Json, Value
from batchtui.results.gold import Gold, gold_by_id, gold_column, gold_review
from batchtui.results.names import Name, ValueNames
from batchtui.results.review import Review
from batchtui.results.view import View
from batchtui.service.context import Context

REVIEW = "review"
"""What stands for a run's own verdicts; ``review:ID`` are another run's."""
MOST_ROWS = 2_000_000
"""Rows of a gold file."""
_ID_COLUMNS = ("id", "custom_id", "row_id", "key")
_VALUE_COLUMNS = ("gold", "value", "label", "expected", "target", "answer")
_encode = msgspec.json.Encoder(decimal_format="number").encode


def review_of(context: Context, run: str) -> Review:
    """The verdicts and samples of a run.  Raises StoreError."""
    return Review(context.history.run_folder(run))


def find_gold(
    context: Context, prices: PriceTable, view: View, names: ValueNames, field: Name, text: str, run: str
) -> Gold:
    """The gold that ``text`` means: a column, ``review``, ``review:ID``, ``FILE`` or ``FILE:COLUMN``.

    A column wins over a file of its name (``./name`` is the file).  Raises InputError, StoreError.
    """
    name = names.find(text)
    if name is not None and name.scope != "run":
        if name == field:
            raise InputError(f"{text} can't be its own gold", advice="name a column with the right values, or a file")
        return gold_column(names, name)
    word, _, other = text.partition(":")
    if word == REVIEW and (other or text == REVIEW):
        record = context.history.resolve(other) if other else None
        gold = gold_review(view, names, review_of(context, record.run if record else run), field, text)
        if not any(label is not None for label in gold.labels):
            raise InputError(
                f"no row has a verdict on {field.bare} that says a right value",
                advice="review answers on the results screen: + right, - wrong",
            )
        return gold
    path, column = text, ""
    if not expanded(path).is_file() and ":" in text:
        path, _, column = text.rpartition(":")
    if not expanded(path).is_file():
        raise _nothing(names, text)
    rows = _rows(path, prices)
    values, repeated = _values(path, rows, field, column)
    found = gold_by_id(view, text, values, repeated=repeated)
    if found.unmatched == len(values):
        ids = ", ".join(list(values)[:3])
        raise InputError(f"no id in {path} is an id of these rows", advice=f"its ids begin with {ids}")
    return found


def _nothing(names: ValueNames, text: str) -> InputError:
    own = [name.bare for name in names.own]
    near = difflib.get_close_matches(text, own, 2, 0.6)
    if near:
        advice = f"did you mean {' or '.join(near)}?"
    elif own:
        advice = f"the rows have {', '.join(own[:12])}"
    else:
        advice = "these rows have no columns: give a file with ids and values"
    return InputError(f"there is no column and no file {text!r}{meant(expanded(text))}", advice=advice)


def _rows(path: str, prices: PriceTable) -> Sequence[dict[str, Any]]:
    # With a template every JSON object is a row, whatever else it might be.
    found = peek([path], IntakeOptions(template_text='prompt = ""'), prices=prices, limit=MOST_ROWS)
    wrong = next((each for each in found.problems if each.level == "error"), None)
    if wrong is not None:
        raise InputError(f"{wrong.where}: {wrong.message}", advice="gold files are CSV, TSV, JSON, JSONL or Parquet")
    if not found.rows:
        raise InputError(f"{path} has no rows with columns", advice="gold files have a column id and one with values")
    return found.rows


def _values(path: str, rows: Sequence[dict[str, Any]], field: Name, column: str) -> tuple[dict[str, Value], int]:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    by_id = next((each for name in _ID_COLUMNS for each in columns if each.lower() == name), columns[0])
    others = [each for each in columns if each != by_id]
    wanted = column or _value_column(others, field)
    if wanted not in columns or wanted == by_id:
        what = f"has no column {column}" if column else f"has several columns that may be the gold of {field.bare}"
        raise InputError(f"{path} {what}", advice=f"name one as {path}:COLUMN, of {', '.join(others[:12]) or 'none'}")
    found: dict[str, Value] = {}
    repeated: set[str] = set()
    for row in rows:
        value = _value(row.get(wanted))
        each = _id(row.get(by_id))
        if not each:
            continue
        if each in found and found[each] != value:
            repeated.add(each)
        found[each] = value
    return found, len(repeated)


def _value_column(columns: Sequence[str], field: Name) -> str:
    bare = field.key.rpartition(".")[2]
    named = (field.bare, field.key, f"gold_{field.key}", f"{field.key}_gold", bare, f"gold_{bare}", f"{bare}_gold")
    lower = {each.lower(): each for each in reversed(columns)}
    for name in (*named, *_VALUE_COLUMNS):
        if name.lower() in lower:
            return lower[name.lower()]
    return columns[0] if len(columns) == 1 else ""


def _id(value: object) -> str:
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)


def _value(value: object) -> Value:
    if isinstance(value, Mapping | list):
        return Json(_encode(value).decode())
    return str(value) if isinstance(value, float) else cast("Value", value)
