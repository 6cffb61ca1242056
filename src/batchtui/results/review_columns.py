"""What was said of answers, as columns by a view's row."""

from __future__ import annotations

from pathlib import Path

import msgspec

from batchtui.results.field_columns import ABSENT, Absent, Json, Value, ValueColumn, column_of
from batchtui.results.review import REVIEW_FOLDER, Review, Verdict, hash_of
from batchtui.results.row_match import identities
from batchtui.results.view import View

OLDER = " (older answer)"
"""Behind a verdict on an answer that is not the one that holds now."""
_encode = msgspec.json.Encoder().encode


def review_of(view: View) -> Review | None:
    """The review of a view's run; None when there is no verdict.  Raises StoreError."""
    folder = view.kept.get(REVIEW_FOLDER)
    review = Review(folder) if isinstance(folder, Path) else None
    return review if review is not None and len(review) else None


def review_column(view: View, key: str) -> ValueColumn:
    """``review`` (right, wrong), ``review_value`` (the right value) or ``review_note`` by the view's row.

    Where several fields were judged, a cell is a JSON object by field.  Raises StoreError.
    """
    review = review_of(view)
    if review is None:
        return column_of([ABSENT] * len(view))
    fields = review.names()

    def cell(row: int, identity: str) -> Value | Absent:
        held = {name: review.of(identity, field) for name, field in fields.items()}
        told = {name: said for name, each in held.items() if each and (said := _said(view, row, each, key))}
        if not told:
            return ABSENT
        return next(iter(told.values())) if len(fields) == 1 else Json(_encode(told).decode())

    return column_of(cell(row, identity) for row, identity in enumerate(identities(view)))


def _said(view: View, row: int, verdict: Verdict, key: str) -> str:
    if key == "review_note":
        return verdict.note
    if key == "review_value":
        return verdict.value or ""
    older = verdict.result and hash_of(view.raw(row)) != verdict.result
    return verdict.verdict + (OLDER if older and verdict.verdict else "")
