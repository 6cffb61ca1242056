"""Columns of a row list: which ones a width has room for, and how wide each becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

Align = Literal["left", "right"]


class Column(msgspec.Struct, frozen=True):
    """One column.  Widths are in terminal cells.

    A column is ``width`` wide; with ``flex`` above 0 it starts at ``width`` and takes its share of what is left over,
    up to ``max_width`` (0: no limit).  ``priority`` 0 stays at any width; of the others the highest goes first.
    """

    key: str
    title: str
    width: int
    max_width: int = 0
    flex: int = 0
    align: Align = "left"
    priority: int = 0


class Placed(msgspec.Struct, frozen=True):
    """A column that is shown: its index in the source's cells, where it starts and how wide it is."""

    index: int
    column: Column
    x: int
    width: int


def lay_out(columns: Sequence[Column], room: int, gap: int) -> tuple[Placed, ...]:
    """Place ``columns`` within ``room`` cells, ``gap`` cells between neighbours."""
    shown = list(range(len(columns)))

    def needed() -> int:
        return sum(columns[i].width for i in shown) + gap * max(0, len(shown) - 1)

    while needed() > room:
        droppable = [i for i in shown if columns[i].priority > 0]
        if not droppable:
            break
        shown.remove(max(droppable, key=lambda i: (columns[i].priority, i)))
    widths = {i: columns[i].width for i in shown}
    _share_out(columns, widths, room - needed())
    placed = []
    x = 0
    for i in shown:
        width = max(0, min(widths[i], room - x))
        placed.append(Placed(i, columns[i], x, width))
        x += widths[i] + gap
    return tuple(placed)


def _share_out(columns: Sequence[Column], widths: dict[int, int], extra: int) -> None:
    """Give ``extra`` cells to the flexible columns by weight, up to their maximum; shrink them when it is negative."""
    if extra < 0:
        for i in sorted((i for i in widths if columns[i].flex), key=lambda i: -widths[i]):
            cut = min(-extra, max(0, widths[i] - 4))
            widths[i] -= cut
            extra += cut
        return
    growing = [i for i in widths if columns[i].flex]
    while extra > 0 and growing:
        weight = sum(columns[i].flex for i in growing)
        given = 0
        for i in list(growing):
            share = max(1, extra * columns[i].flex // weight)
            most = columns[i].max_width
            grow = min(share, extra - given, most - widths[i] if most else share)
            if grow > 0:
                widths[i] += grow
                given += grow
            if most and widths[i] >= most:
                growing.remove(i)
        if not given:
            break
        extra -= given
