"""Gold: the right values of a field by a view's row, from a column, from a file by id, or from verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

import msgspec

from batchtui.results.field_builder import listed_spellings
from batchtui.results.field_columns import ABSENT, FIRST, NOTHING, Absent, Json, Value, ValueColumn, as_text, path_name
from batchtui.results.json_in_text import decode
from batchtui.results.names import Name, ValueNames
from batchtui.results.review import Review, gold_of
from batchtui.results.row_match import identities
from batchtui.results.row_places import places_of
from batchtui.results.scores import label_of
from batchtui.results.view import View

GOLDEN = ("gold", "label", "expected", "target", "truth")
"""What a column with right values is usually called by, in lower case."""
EMPTY = "(empty)"
"""The label of an answer that is there and is an empty text."""
_encode = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


class Gold(msgspec.Struct, frozen=True, kw_only=True):
    """Right values by the view's row."""

    kind: Literal["column", "file", "review"]
    name: str
    """The column's name, the file's, or whose review it is."""
    labels: list[str | None]
    """By ``label_of``; None where there is no gold."""
    unmatched: int = 0
    """Ids, or reviewed rows, that no row of the view has."""
    repeated: int = 0
    """Ids that a file has twice with different values; the last one holds."""
    folded: int = 0
    """Rows whose gold differed only in capitals from a value that the schema lists."""
    near: tuple[tuple[str, str], ...] = ()
    """Gold and answered values that differ only in capitals and are not listed by a schema: they count as different."""


def is_likely(column: str, field: str = "") -> bool:
    """Whether a column's name says that it holds right values, of ``field`` by its own name where one is given."""
    own = column.lower()
    return any(word in own for word in GOLDEN) or own == field.lower()


def value_label(value: Value | Absent) -> str | None:
    """A value as the label it is compared by; None when there is nothing to compare."""
    if value is ABSENT:
        return None
    if isinstance(value, str | Json):
        text = as_text(value).strip()
        if text[:1] in ("[", "{"):
            with suppress(ValueError, msgspec.MsgspecError, RecursionError):
                return _encode(decode(text.encode())).decode()
        return label_of(text)
    return label_of(value)


def labels_of(column: ValueColumn, *, answers: bool = False) -> list[str | None]:
    """A column's labels by row; of ``answers`` null is the label ``null``, and an empty text one of its own."""
    by_code: list[str | None] = [None] * FIRST
    for entry in column.entries:
        label = value_label(entry)
        if label is None and answers:
            label = "null" if entry is None else EMPTY
        by_code.append(label)
    codes = column.codes
    found = [by_code[code] for code in codes]
    if column.sizes:
        for row in column.sizes:
            if NOTHING < codes[row] < FIRST:
                found[row] = value_label(column[row])
    return found


def gold_column(names: ValueNames, name: Name) -> Gold:
    """Gold of a column.  Raises StoreError."""
    return Gold(kind="column", name=name.bare, labels=labels_of(names.column(name)))


def gold_by_id(view: View, name: str, values: Mapping[str, Value], *, repeated: int = 0) -> Gold:
    """Gold of a file: values by the row's own id or its custom_id.  Raises StoreError."""
    labels = {each: value_label(value) for each, value in values.items()}
    used: set[str] = set()
    found: list[str | None] = []
    ids = view.ids()
    for custom_id, row_id in zip(ids, places_of(view).row_ids(ids), strict=True):
        each = row_id if row_id in labels else custom_id
        used.add(each)
        found.append(labels.get(each))
    unmatched = sum(1 for each in labels if each not in used)
    return Gold(kind="file", name=name, labels=found, unmatched=unmatched, repeated=repeated)


def gold_review(view: View, names: ValueNames, review: Review, field: Name, name: str = "") -> Gold:
    """Gold of the verdicts on a field (or on the answer as a whole, for ``run.answer``).  Raises StoreError."""
    judged = "" if field.scope == "run" else field.key
    keys = identities(view)
    rows = {key: row for row, key in enumerate(keys) if key}
    verdicts = [each for each in review.verdicts() if each.field == judged]
    answers = labels_of(names.column(field), answers=True) if verdicts else []
    gold = gold_of(verdicts, lambda each: answers[rows[each.row]] if each.row in rows else None)
    labels = {row: label_of(value) for row, value in gold.items()}
    unmatched = sum(1 for row in labels if row not in rows)
    return Gold(kind="review", name=name, labels=[labels.get(key) for key in keys], unmatched=unmatched)


def fitted(view: View, name: Name, gold: Gold, answered: Sequence[str | None]) -> Gold:
    """The gold with values that differ only in capitals from one that the schema lists spelled like it."""
    seen = {each for each in answered if each is not None}
    strange = {each for each in gold.labels if each is not None} - seen
    if not strange:
        return gold
    listed: dict[str, str] = {}
    if name.scope == "answer":
        for member in view.members:
            for keys, texts in listed_spellings(member.asked).items():
                if path_name(0, keys) == name.key:
                    listed |= texts
    respelled = {each: listed[each.casefold()] for each in strange if listed.get(each.casefold(), each) != each}
    near = {each.casefold(): each for each in seen}
    close = [(each, near[each.casefold()]) for each in sorted(strange - set(respelled)) if each.casefold() in near]
    if not respelled:
        return msgspec.structs.replace(gold, near=tuple(close))
    folded = sum(count for each, count in Counter(gold.labels).items() if each in respelled)
    labels = [each if each is None else respelled.get(each, each) for each in gold.labels]
    return msgspec.structs.replace(gold, labels=labels, folded=folded, near=tuple(close))
