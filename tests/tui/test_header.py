"""The header of a list: titles, and the arrow of the sorted column."""

from __future__ import annotations

import pytest
from rich.style import Style

from batchtui.tui.widgets.cells import CellStyles, paint_header
from batchtui.tui.widgets.columns import Column, lay_out

COLUMNS = [Column("a", "gold", 4), Column("b", "u", 3, align="right"), Column("c", "Rows", 4, align="right")]
PLAIN = Style()


@pytest.mark.parametrize(
    ("sort", "width", "line"),
    [
        (None, 22, "   gold    u  Rows"),
        (("a", False), 22, "   gold▴   u  Rows"),
        (("b", True), 22, "   gold   ▾u  Rows"),
        (("c", True), 22, "   gold    u ▾Rows"),
        (("a", False), 7, "   gol…"),
    ],
)
def test_the_arrow_cuts_no_title_that_has_a_gap_beside_it(sort: tuple[str, bool] | None, width: int, line: str) -> None:
    placed = lay_out(COLUMNS if width > 7 else COLUMNS[:1], width - 3, 2)
    palette = CellStyles(PLAIN, PLAIN, PLAIN, PLAIN, {}, {})
    assert paint_header(placed, width, 3, palette, sort).text.rstrip() == line
