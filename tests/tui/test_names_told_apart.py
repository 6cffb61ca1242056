"""Long names that begin alike stay distinguishable wherever they are cut: home, compare, lists, the command line."""

from __future__ import annotations

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from batchtui.cli.words import table
from batchtui.present import batch
from batchtui.present.cells import cut_middle, name_of, names_within
from batchtui.present.fitting import MiddleCut
from batchtui.present.scores import short_names
from batchtui.tui.home.model import HomeModel
from batchtui.tui.home.rows import COLUMNS, HomeRows
from batchtui.tui.widgets.cells import CellStyles, paint_header
from batchtui.tui.widgets.columns import Column, lay_out
from tests.tui.home_data import record
from tests.tui.work import NOW

LONG = "customer feedback of the third quarter labeled by topic and urgency, "
ONE, TWO = f"{LONG}haiku", f"{LONG}sonnet"


def test_home_compare_and_the_command_line_tell_names_apart_that_differ_at_the_end() -> None:
    records = [record(local_id=f"b{n}", title=title, run=f"b{n}") for n, title in enumerate((ONE, TWO))]
    model = HomeModel()
    model.replace(records)
    model.arrange(NOW)
    rows = HomeRows(model, lambda: NOW, lambda each: None, COLUMNS)
    rows.own_profile = records[0].profile
    for width in (60, 80, 120):
        room = lay_out(COLUMNS, width - 4, 2)[0].width
        cells = [rows.cells(n)[0] for n in (0, 1)]
        shown = [cell.within(room).plain for cell in cells if isinstance(cell, MiddleCut)]
        assert len(set(shown)) == 2 and all(each.endswith(("haiku", "sonnet")) for each in shown), shown
        assert all(cell_len(each) <= room for each in shown)
    for width in (60, 80, 0):
        lines = table(records, NOW, width)
        assert "haiku" in lines[1] and "sonnet" in lines[2]
    assert len({batch.full_name(each) for each in records}) == 2
    for names in (names_within((ONE, TWO), 40), short_names((ONE, TWO), 24), (name_of(ONE), name_of(TWO))):
        assert len(set(names)) == 2, names
    assert names_within(("short", ONE), 40)[1] == cut_middle(ONE, 35), "a short name leaves its room to the other"


def test_titles_of_columns_are_cut_in_the_middle_too() -> None:
    columns = [Column(f"c{n}", title, 12) for n, title in enumerate((ONE, TWO))]
    palette = CellStyles(Style(), Style(), Style(), Style(), {}, {})
    line = paint_header(lay_out(columns, 30, 2), 30, 0, palette, None).text
    assert "haiku" in line and "onnet" in line


def test_what_stands_beside_a_name_stays_while_the_name_keeps_some_room() -> None:
    cell = MiddleCut(ONE, "title", before=Text("▾ "), after=Text(" (4)"))
    assert cell.within(24).plain.startswith("▾ customer") and cell.within(24).plain.endswith("haiku (4)")
    assert cell.followed(Text(" @work")).within(200).plain == f"▾ {ONE} (4) @work"
    for room in range(1, 90):
        assert cell_len(cell.within(room).plain) <= max(room, 3)
    assert cut_middle("编号编号编号编号编号-0001", 10).endswith("0001")
