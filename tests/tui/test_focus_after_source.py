"""Once a source was chosen the cursor is where the next thing is to be done: on the template, for rows without one."""

from __future__ import annotations

from pathlib import Path

from batchtui.tui.new.file_picker import FilePicker
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.widgets.row_list import RowList
from tests.tui.new_form import TABLE, TEMPLATE, opened
from tests.tui.waiting import settled, until
from tests.tui.work import make_service


async def test_rows_that_need_a_template_take_the_cursor_to_its_field(tmp_path: Path) -> None:
    table, template = tmp_path / "reviews.csv", tmp_path / "labels.toml"
    table.write_text(TABLE)
    template.write_text(TEMPLATE)
    async with opened(make_service(tmp_path / "data")) as (app, pilot, screen):
        form = screen.query_one(SourceForm)
        form.set_path(str(tmp_path / "x"))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, FilePicker) and len(app.screen.query_one(RowList).source) > 2)
        app.screen.query_one(RowList).move_to_key(str(table))
        await pilot.press("enter")
        await until(pilot, lambda: screen.focused is form.query_one("#source-template"))
        await settled(pilot)
        assert screen.pane == "template" and form.typed == str(table)
        # A cursor that went elsewhere stays there.
        screen.query_one("#new-panes").focus()
        await pilot.press("ctrl+r")
        await settled(pilot)
        assert screen.focused is screen.query_one("#new-panes")
        form.focus_template()
        form.set_template(str(template))
        await pilot.press("enter")
        await until(pilot, lambda: screen.plan is not None and screen.plan.requests == 2)
        await until(pilot, lambda: screen.folded)
