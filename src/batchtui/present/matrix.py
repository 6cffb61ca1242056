"""Rows counted by one label and by another, drawn as a table within a width and height."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from rich.cells import cell_len

from batchtui.present import numbers
from batchtui.present.cells import name_of, pad, pad_left
from batchtui.present.symbols import GLYPHS
from batchtui.results.scores import label_order

NOT_USABLE = "not usable"
"""The column of rows without a usable answer."""
_LABEL, _CELL = 20, 14
"""Cells of a row's label, and of a column's, at most."""
GAP = "  "
_INDENT = "  "
_PIPED = 200
"""Cells of a line that goes to a file."""
_DRAWN = 300
"""Labels that may be drawn."""


class Spot(msgspec.Struct, frozen=True):
    """A cell of a matrix, and where it stands in the lines."""

    row: str
    column: str | None
    """None is *not usable*."""
    rows: int
    line: int
    start: int
    end: int

    @property
    def same(self) -> bool:
        """Whether both are the same value."""
        return self.row == self.column


class Matrix(msgspec.Struct, frozen=True):
    """Rows counted by one label and by another, drawn."""

    lines: list[str]
    spots: list[list[Spot]]
    """By row, then by column."""
    hidden: int = 0
    """Labels that did not fit."""


class Figures(msgspec.Struct, frozen=True):
    """Figures of each label, at the edges of a matrix."""

    beside: tuple[str, ...] = ()
    """What the columns on the right are called."""
    by_row: Mapping[str, tuple[str, ...]] = {}
    below: str = ""
    """What the line at the end is called, "" for none."""
    by_column: Mapping[str, str] = {}

    @property
    def sizes(self) -> list[int]:
        """Cells of each column on the right."""
        return [max(len(name), 5) for name in self.beside]


NO_FIGURES = Figures()
Counts = Mapping[str, Mapping[str | None, int]]
_Sizes = Mapping[str | None, int]
"""Cells of each column that is drawn, in their order."""
_Drawn = tuple[str, list[Spot]]


def matrix(
    counts: Counts, heads: tuple[str, str], width: int, height: int = 0, figures: Figures = NO_FIGURES
) -> Matrix:
    """Draw counts within ``width`` cells and ``height`` lines, 0 for as many as it takes.

    ``heads`` name what stands in rows and in columns.  Of labels that don't all fit the most frequent ones are shown, and
    how many are not.
    """
    every = len({*counts, *(each for row in counts.values() for each in row if each is not None)})
    counts = _most_frequent(counts)
    columns, rows = _labels(counts)
    corner = f"{heads[0]} {_down()}"
    left = max(cell_len(corner) + 2, *(cell_len(row_name(row)) for row in rows), cell_len(figures.below), 4)
    sizes, figures = _fit(counts, columns, (width or _PIPED) - 2 - left, figures)
    frame = 2 + bool(figures.below) + 1
    shown = _rows_shown(counts, rows, columns, sizes, max(1, height - frame) if height else 0)
    hidden = every - len(({*rows, *columns} - {None}) - (set(rows) - set(shown)) - (set(columns) - set(sizes)))
    names = [pad_left(_column_name(each), size) for each, size in sizes.items()]
    lines = [
        f"{_INDENT}{' ' * left}  {heads[1]} {_across()}",
        _line(corner, left, [*names, *_aligned(figures.beside, figures.sizes)]),
    ]
    spots: list[list[Spot]] = []
    for row in shown:
        line, here = _row(row, counts[row], len(lines), left, sizes)
        spots.append(here)
        lines.append(line + _gapped(_aligned(figures.by_row.get(row, ()), figures.sizes)))
    if figures.below:
        texts = [figures.by_column.get(each, "") if each is not None else "" for each in sizes]
        lines.append(_line(figures.below, left, _aligned(texts, [*sizes.values()])).rstrip())
    if hidden:
        what = numbers.plural(hidden, "more value", "more values")
        lines.append(f"{_INDENT}{GLYPHS.ellipsis} {what} not shown")
    return Matrix(lines, spots, hidden)


def _fit(counts: Counts, columns: list[str | None], room: int, figures: Figures) -> tuple[_Sizes, Figures]:
    """The columns that fit, and the figures beside them, which give way where all columns fit without."""
    sizes = _fit_columns(counts, columns, room - sum(size + len(GAP) for size in figures.sizes))
    if figures.beside and len(sizes) < len(columns):
        alone = _fit_columns(counts, columns, room)
        if len(alone) == len(columns):  # All values say more than figures that the other lines have.
            return alone, msgspec.structs.replace(figures, beside=(), by_row={})
    return sizes, figures


def _rows_shown(counts: Counts, rows: list[str], columns: list[str | None], sizes: _Sizes, most: int) -> list[str]:
    # A row whose own value has no column would say little.
    kept = [row for row in rows if row in sizes or len(sizes) == len(columns)] or rows
    return _most(kept, {row: sum(counts[row].values()) for row in rows}, most)


def _row(row: str, cells: Mapping[str | None, int], number: int, left: int, sizes: _Sizes) -> _Drawn:
    """The line of a label, which is line ``number``, and where its cells stand; ``sizes`` are those of the columns."""
    line, spots = _line(row_name(row), left), []
    for column, size in sizes.items():
        count = cells.get(column, 0)
        text = GAP + (f"{count:,}" if count else GLYPHS.dot).rjust(size)
        spots.append(Spot(row, column, count, number, cell_len(line) + 1, cell_len(line + text)))
        line += text
    return line, spots


def _line(name: str, left: int, texts: Sequence[str] = ()) -> str:
    return _INDENT + pad(name, left) + _gapped(texts)


def _gapped(texts: Sequence[str]) -> str:
    return "".join(GAP + text for text in texts)


def _aligned(texts: Sequence[str], sizes: Sequence[int]) -> list[str]:
    return [text.rjust(size) for text, size in zip(texts, sizes, strict=False)]


def _most_frequent(counts: Counts) -> Counts:
    """The counts of the labels that come most often, where there are too many to be drawn anyway."""
    sums: Counter[str] = Counter()
    for row, cells in counts.items():
        for column, count in cells.items():
            sums[row] += count
            if column is not None:
                sums[column] += count
    if len(sums) <= _DRAWN:
        return counts
    kept = {label for label, _ in sums.most_common(_DRAWN)}
    return {
        row: {column: count for column, count in cells.items() if column is None or column in kept}
        for row, cells in counts.items()
        if row in kept
    }


def _down() -> str:
    return "v" if GLYPHS.plain else "↓"


def _across() -> str:
    return "->" if GLYPHS.plain else "→"


def _labels(counts: Counts) -> tuple[list[str | None], list[str]]:
    rows = label_order(counts)
    answered = {each for row in counts.values() for each in row}
    columns: list[str | None] = [*label_order({*(each for each in answered if each is not None), *rows})]
    return [*columns, *([None] if None in answered else [])], rows


def row_name(label: str) -> str:
    """A label as it stands at the head of a row."""
    return name_of(label, _LABEL)


def _column_name(label: str | None) -> str:
    return NOT_USABLE if label is None else name_of(label, _CELL)


def _fit_columns(counts: Counts, columns: list[str | None], room: int) -> _Sizes:
    """The columns that fit: *not usable* always, then by how often they come."""
    sums: Counter[str | None] = Counter()
    for row, cells in counts.items():
        sums[row] += sum(cells.values())
        sums.update(cells)
    sizes = {
        each: max(cell_len(_column_name(each)), *(len(f"{row.get(each, 0):,}") for row in counts.values()), 5)
        for each in columns
    }
    kept: set[str | None] = set()
    for each in sorted(columns, key=lambda label: (label is not None, -sums[label])):
        room -= sizes[each] + len(GAP)
        if room < 0 and kept - {None}:
            break
        kept.add(each)
    return {each: sizes[each] for each in columns if each in kept}


def _most(labels: list[str], sums: Mapping[str, int], most: int) -> list[str]:
    if not most or len(labels) <= most:
        return labels
    kept = set(sorted(labels, key=lambda label: -sums[label])[:most])
    return [label for label in labels if label in kept]
