"""The row list: virtual, quiet, and faithful to keys."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest
from rich.text import Text
from textual import on
from textual.app import App, ComposeResult

from batchtui.tui.widgets.cells import Cell, difference
from batchtui.tui.widgets.columns import Column, lay_out
from batchtui.tui.widgets.row_list import HeaderClicked, MarksChanged, RowHighlighted, RowList, RowSelected

COLUMNS = (
    Column("name", "Name", 10, flex=1, max_width=30),
    Column("state", "State", 9),
    Column("count", "Count", 8, align="right", priority=2),
    Column("cost", "Cost", 8, align="right", priority=1),
)


class Rows:
    """Numbered rows that count how often they are asked for."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.asked = 0
        self.word = "running"

    def __len__(self) -> int:
        return len(self.names)

    def key(self, index: int) -> Hashable:
        return self.names[index]

    def find(self, key: Hashable) -> int | None:
        return self.names.index(str(key)) if key in self.names else None

    def cells(self, index: int) -> Sequence[Cell]:
        self.asked += 1
        if self.names[index] == "spanned":
            return ["spanned", "one long text over its three", None, None]
        return [self.names[index], Text.assemble(("● ", "accent"), self.word), f"{index:,}", f"${index / 100:.2f}"]

    def style(self, index: int) -> str:
        return "muted" if index % 2 else ""


class Shown(App[None]):
    """A row list and what it said."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.rows = rows
        self.said: list[object] = []

    def compose(self) -> ComposeResult:
        yield RowList(COLUMNS, self.rows)

    @property
    def list(self) -> RowList:
        return self.query_one(RowList)

    @on(RowHighlighted)
    @on(RowSelected)
    @on(MarksChanged)
    @on(HeaderClicked)
    def _hear(self, message: object) -> None:
        self.said.append(message)

    def line(self, y: int) -> str:
        """A line as it is on the screen."""
        return self.list._line(y).text

    def dirty(self) -> int:
        """Regions that would be drawn again now."""
        return len(self.list._repaint_regions)


def hundred_thousand() -> Rows:
    return Rows([f"r{i}" for i in range(100_000)])


async def test_only_rows_that_are_seen_are_asked_for() -> None:
    app = Shown(hundred_thousand())
    async with app.run_test(size=(80, 24)) as pilot:
        app.list.focus()
        await pilot.press("G", "g", "pagedown")
        assert app.rows.asked < 200


async def test_the_keys_move_the_cursor_and_the_view_follows() -> None:
    app = Shown(hundred_thousand())
    async with app.run_test(size=(80, 24)) as pilot:
        app.list.focus()
        await pilot.press("j", "j", "k", "down")
        assert app.list.cursor == 2
        await pilot.press("G")
        assert app.list.cursor == 99_999 and "r99999" in app.line(23)
        await pilot.press("up", "home")
        assert app.list.cursor == 0 and "r0 " in app.line(1)
        await pilot.press("pagedown", "pagedown", "pageup")
        assert app.list.cursor == 22


async def test_the_cursor_stays_on_its_key_when_rows_come_go_and_move() -> None:
    app = Shown(Rows(["a", "b", "c", "d"]))
    async with app.run_test() as pilot:
        app.list.focus()
        await pilot.press("j", "j")
        assert app.list.cursor_key == "c"
        app.rows.names = ["x", "y", "c", "a"]
        app.list.reload()
        assert (app.list.cursor, app.list.cursor_key) == (2, "c")
        app.rows.names = ["x"]
        app.list.reload()
        assert (app.list.cursor, app.list.cursor_key) == (0, "x")
        app.rows.names = []
        app.list.reload()
        await pilot.pause()
        assert app.list.cursor_key is None
        assert isinstance(app.said[-1], RowHighlighted) and app.said[-1].key is None


async def test_a_reload_that_changes_nothing_draws_nothing() -> None:
    app = Shown(Rows(["a", "b", "c"]))
    async with app.run_test() as pilot:
        await pilot.pause()
        app.list.reload()
        app.list.refresh_row("b")
        app.list.refresh_row("nobody")
        assert app.dirty() == 0


async def test_only_the_cells_that_changed_are_drawn_again() -> None:
    app = Shown(Rows(["a", "b", "c"]))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.rows.word = "runninG"
        app.list.refresh_row("b")
        (region,) = app.list._repaint_regions
        assert (region.y, region.width, region.height) == (2, 1, 1)
        assert app.line(2)[region.x] == "G"


async def test_marks_hold_on_to_keys() -> None:
    app = Shown(Rows(["a", "b", "c"]))
    async with app.run_test() as pilot:
        app.list.focus()
        await pilot.press("space", "j", "space")
        assert app.list.marks == {"a", "c"}
        assert isinstance(app.said[-1], MarksChanged) or any(isinstance(m, MarksChanged) for m in app.said)
        app.rows.names = ["c", "b"]
        app.list.reload()
        assert app.line(1).startswith("▌• c") or app.line(1).startswith(" • c")
        await pilot.press("asterisk")
        assert app.list.marks == {"a", "b", "c"}
        await pilot.press("asterisk")
        assert app.list.marks == {"a"}


async def test_enter_and_the_mouse_open_rows_and_titles() -> None:
    app = Shown(Rows(["a", "b", "c"]))
    async with app.run_test(size=(80, 24)) as pilot:
        app.list.focus()
        await pilot.press("enter")
        await pilot.click(RowList, offset=(10, 3))
        assert app.list.cursor_key == "c"
        await pilot.click(RowList, offset=(10, 3), times=2)
        await pilot.click(RowList, offset=(1, 2))
        await pilot.click(RowList, offset=(app.line(0).index("State") + 1, 0))
        await pilot.pause()
        opened = [m.key for m in app.said if isinstance(m, RowSelected)]
        assert opened == ["a", "c"]
        assert app.list.marks == {"b"}
        assert [m.column for m in app.said if isinstance(m, HeaderClicked)] == ["state"]


async def test_the_header_shows_the_sort() -> None:
    app = Shown(Rows(["a"]))
    async with app.run_test(size=(80, 24)):
        app.list.set_sort("count", True)
        assert "▾Count" in app.line(0)
        app.list.set_sort("name")
        assert "Name▴" in app.line(0)


async def test_a_cell_may_run_on_over_its_neighbours() -> None:
    app = Shown(Rows(["spanned"]))
    async with app.run_test(size=(80, 24)):
        assert "one long text over its three" in app.line(1)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
async def test_lines_are_as_wide_as_the_list_whatever_the_text(width: int) -> None:
    rows = Rows(["日本語日本語日本語日本語日本語日本語", "e\u0301" * 30, "plain", "x" * 500])
    app = Shown(rows)
    async with app.run_test(size=(width, 10)):
        for y in range(5):
            assert app.list._line(y).cell_length == app.list.size.width


def test_narrow_lists_drop_the_least_wanted_columns_first() -> None:
    assert [p.column.key for p in lay_out(COLUMNS, 60, 2)] == ["name", "state", "count", "cost"]
    assert [p.column.key for p in lay_out(COLUMNS, 33, 2)] == ["name", "state", "cost"]
    assert [p.column.key for p in lay_out(COLUMNS, 22, 2)] == ["name", "state"]
    narrow = lay_out(COLUMNS, 12, 2)
    assert sum(p.width for p in narrow) + 2 <= 12


def test_spare_room_goes_to_flexible_columns_up_to_their_most() -> None:
    widths = {p.column.key: p.width for p in lay_out(COLUMNS, 200, 2)}
    assert widths == {"name": 30, "state": 9, "count": 8, "cost": 8}


def test_the_difference_of_two_lines_is_the_cells_between_first_and_last() -> None:
    from rich.segment import Segment
    from textual.strip import Strip

    before, after = Strip([Segment("abcdef")]), Strip([Segment("abXdYf")])
    assert difference(before, after) == (2, 5)
    assert difference(before, before) == (0, 0)
    assert difference(Strip([Segment("cafe x")]), Strip([Segment("cafe\u0301 x")])) == (0, 6)
    assert difference(Strip([Segment("a日本b")]), Strip([Segment("a日木b")])) == (0, 6)
    assert difference(before, Strip([Segment("abcdefg")])) == (6, 7)
