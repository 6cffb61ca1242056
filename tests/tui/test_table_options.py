"""How a table is to be read, said on the new screen: shown, planned so, and kept with the draft."""

import json
from pathlib import Path

from textual.widgets import Input, Static

from batchtui.intake.drafts import Draft, load_draft, save_draft
from batchtui.intake.options import TableOptions
from batchtui.service import Service
from batchtui.tui.dialogs import Choose
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.table_options import TableDialog
from batchtui.tui.widgets.toggle import Toggle
from tests.tui.new_form import TEMPLATE, opened
from tests.tui.waiting import until

ROWS = "made by hand\nid^text\n1^хорошо, да\n2^плохо\n"


async def test_table_options_are_shown_planned_and_kept(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(ROWS.encode("cp1251"))
    async with opened(service, table) as (app, pilot, screen):
        await until(pilot, lambda: not screen.checker.running)
        await pilot.press("ctrl+f")
        await until(pilot, lambda: isinstance(app.screen, TableDialog))
        dialog = app.screen
        for name, value in {"delimiter": "^^", "encoding": "cp1251", "skip_rows": "1"}.items():
            dialog.query_one(f"#table-{name}", Input).value = value
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "one character" in str(dialog.query_one("#table-wrong", Static).content))
        dialog.query_one("#table-delimiter", Input).value = "^"
        toggle = dialog.query_one(Toggle)
        toggle.focus()
        await pilot.press("space", "space", "ctrl+s")
        await until(pilot, lambda: app.screen is screen and screen.plan is not None)
        form = screen.query_one(SourceForm)
        assert form.table == TableOptions(delimiter="^", encoding="cp1251", skip_rows=1)
        shown = form.query_one("#source-table", Static)
        assert str(shown.content) == "delimiter ^ · encoding cp1251 · skip 1 row" and shown.parent is not None
        assert screen.shown().table == form.table == screen.shown().options().table
        plan = screen.plan
        assert plan is not None and plan.ok and plan.origin is not None and plan.origin.delimiter == "^"
        assert "хорошо, да" in json.loads(plan.sample[0])["params"]["messages"][0]["content"]


async def test_a_draft_keeps_the_table_options(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(ROWS.encode("cp1251"))
    options = TableOptions(delimiter="^", encoding="cp1251", skip_rows=1, comment="#", no_header=True)
    text = TEMPLATE.replace("letter", "column_2")
    save_draft(service.data, Draft(name="one", sources=(str(table),), template_text=text, table=options))
    assert load_draft(service.data, "one").table == options
    async with opened(service) as (app, pilot, screen):
        screen.focus()
        await pilot.press("ctrl+y")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("enter")
        await until(pilot, lambda: screen.plan is not None)
        assert screen.query_one(SourceForm).table == options
        assert screen.query_one("#source-table-line").display
        assert str(screen.query_one("#source-table", Static).content).endswith("no header")
        await pilot.press("ctrl+f")
        await until(pilot, lambda: isinstance(app.screen, TableDialog))
        assert app.screen.query_one(Toggle).on
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is screen)
        draft = screen._draft()
        assert draft is None or draft.table == options
