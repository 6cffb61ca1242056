"""Text in terminal cells: cut to a width, padded, joined."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from batchtui import safetext
from batchtui.present.symbols import GLYPHS


def cut(text: str, width: int) -> str:
    """A text of at most ``width`` cells, with an ellipsis where it was longer."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + GLYPHS.ellipsis


def cut_middle(text: str, width: int) -> str:
    """A name of at most ``width`` cells, an ellipsis in its middle where it was longer: names that begin alike differ at
    their ends.  Under 8 cells there is no room for both.
    """
    if cell_len(text) <= width:
        return text
    if width < 8:
        return cut(text, width)
    head = set_cell_size(text, width // 2).rstrip()
    room, tail = width - cell_len(head) - 1, text[-width:]
    while cell_len(tail) > room:
        tail = tail[1:]
    return f"{head}{GLYPHS.ellipsis}{tail}"


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
    """A label or name, safe to show and not too long, cut in its middle."""
    return cut_middle(safetext.line(text, 200), limit)


def hanging(text: str, at: int, room: int) -> str:
    """A text that begins ``at`` cells from the left of ``room``, its further lines below its first."""
    return f"\n{' ' * at}".join(textwrap.wrap(text, max(10, room - at))) or text


def names_within(names: Sequence[str], width: int) -> tuple[str, str]:
    """Two names that are shown beside each other, in ``width`` cells together; a short one leaves its room to the other."""
    one, other = map(cell_len, names)
    half = width // 2
    return cut_middle(names[0], max(half, width - other)), cut_middle(names[1], max(half, width - one))


def as_many(parts: Sequence[str], between: str, width: int) -> str:
    """As many of the parts, from the first on, as ``width`` cells hold; the first in any case."""
    shown = list(parts)
    while len(shown) > 1 and cell_len(between.join(shown)) > width:
        shown.pop()
    return between.join(shown)


def dot(*parts: str) -> str:
    """Parts on one line, those that say nothing left out."""
    return f" {GLYPHS.dot} ".join(filter(None, parts))
