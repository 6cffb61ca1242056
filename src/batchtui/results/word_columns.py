"""Words that no id and no answer has, and the own column of the rows that has them."""

from __future__ import annotations

import re
from typing import NamedTuple

from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.column_counts import quote
from batchtui.results.filter import Filter, Term, apply
from batchtui.results.names import Name, names_of
from batchtui.results.view import Rows, View

_MOST = 50
"""Columns that are looked through."""
_WORD = re.compile(r"[^\W\d][\w-]*\Z")
_PLAIN = re.compile(r'[^\s"\\]+\Z')


class InColumn(NamedTuple):
    """Where words stand that were looked for in ids and answers."""

    filter: str
    """The filter that finds them, as it is typed; not yet safe to show."""
    rows: Rows


def column_with(view: View, chosen: Filter, work: Work = UNWATCHED) -> InColumn | None:
    """The first own column that has all words of a filter in a row; None where none has, or where it has more than words.

    For a thread: columns and fields are read where nobody did before.  Raises StoreError, and Stopped.
    """
    words = chosen.words
    if not words or chosen.terms or chosen.regex or chosen.groups or any(w.negated or w.in_request for w in words):
        return None
    for name in names_of(view, work).own[:_MOST]:
        terms = tuple(Term(name.full, ":", word.text, quoted=True) for word in words)
        rows = apply(view, Filter(terms=terms, case=chosen.case), work)
        if rows:
            typed = _typed(name)
            return InColumn(" ".join(f"{typed}:{_value(word.text)}" for word in words), rows)
    return None


def _typed(name: Name) -> str:
    """A column's name as a filter takes it: bare where that is read as a field."""
    return name.bare if _WORD.match(name.bare) and name.bare.lower() != "is" else name.full


def _value(text: str) -> str:
    return text if _PLAIN.match(text) and text != "*" else quote(text)
