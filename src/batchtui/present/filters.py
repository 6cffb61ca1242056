"""Filters of results, in words."""

from __future__ import annotations

from collections.abc import Sequence

from batchtui import safetext
from batchtui.present import numbers


def elsewhere(words: Sequence[str], filter: str, rows: int, *, here: bool = False) -> str:
    """That no id and no answer has all words, which the filter finds in a column, in two lines; safe to show.

    ``here``: only some of the rows were looked through.
    """
    said = " and ".join(f"“{safetext.line(word, 40)}”" for word in words)
    among = " here" if here else ""
    return f"No id or answer{among} has {said}.\n{safetext.line(filter, 200)} finds {numbers.plural(rows, 'row')} by a column."
