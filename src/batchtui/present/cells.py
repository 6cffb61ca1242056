"""Text in terminal cells: cut to a width, padded, joined."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from batchtui import safetext
from batchtui.present.symbols import GLYPHS


def cut(text: str, width: int) -> str:
    """A text of at most ``width`` cells, with an ellipsis where it was longer."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + GLYPHS.ellipsis


def fit(text: str, width: int, *, right: bool = False) -> str:
    """A text in exactly ``width`` cells, cut with an ellipsis where it is longer."""
    size = len(text) if text.isascii() else cell_len(text)
    if size > width:
        return set_cell_size(text, max(0, width - 1)) + GLYPHS.ellipsis if width > 0 else ""
    space = " " * (width - size)
    return space + text if right else text + space


def pad(text: str, width: int) -> str:
    """A text with space behind it up to ``width`` cells."""
    return text + " " * (width - cell_len(text))


def pad_left(text: str, width: int) -> str:
    """A text with space in front of it up to ``width`` cells."""
    return " " * (width - cell_len(text)) + text


def name_of(text: str, limit: int = 40) -> str:
    """A label or name, safe to show and not too long."""
    return cut(safetext.line(text, 200), limit)


def as_many(parts: Sequence[str], between: str, width: int) -> str:
    """As many of the parts, from the first on, as ``width`` cells hold; the first in any case."""
    shown = list(parts)
    while len(shown) > 1 and cell_len(between.join(shown)) > width:
        shown.pop()
    return between.join(shown)


def dot(*parts: str) -> str:
    """Parts on one line, those that say nothing left out."""
    return f" {GLYPHS.dot} ".join(filter(None, parts))
