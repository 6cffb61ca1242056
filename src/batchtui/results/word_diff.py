"""Two texts compared word by word."""

from __future__ import annotations

import difflib
import re


def word_pieces(left: str, right: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Two texts in pieces of words, each with whether it differs from the other text."""
    one, other = _words(left), _words(right)
    found: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = [], []
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=len(one) + len(other) > 4_000)
    for tag, a, b, c, d in matcher.get_opcodes():
        if b > a:
            found[0].append(("".join(one[a:b]), tag != "equal"))
        if d > c:
            found[1].append(("".join(other[c:d]), tag != "equal"))
    return found


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", text)
