"""What a run keeps and came from, on the screen: its template written to a file, its origin's columns to choose from."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
from textual.widgets import Button, Input, Static

from batchtui.service.recipe import RECIPE, encode, read
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.dialogs import Ask, Confirm
from batchtui.tui.home.details_dialog import DetailsDialog
from batchtui.tui.results.column_choice import ColumnsScreen
from batchtui.tui.results.export import ExportScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.path_input import PathInput
from batchtui.tui.widgets.row_list import RowList
from tests.tui.two_runs import SECOND, app_with_runs
from tests.tui.waiting import until

TEMPLATE = 'model = "m"\nprompt = "{{ text }}"  # as it was\n'


def edge(app: BatchtuiApp) -> str:
    """What stands on the lower edge of the dialog."""
    return str(app.screen.query_one(".box").border_subtitle)


async def test_the_details_write_the_template_to_a_file(tmp_path: Path) -> None:
    app = app_with_runs(tmp_path / "data")
    folder = app.service.history.folder(SECOND)
    made = read(folder)
    assert made is not None
    (folder / RECIPE).write_bytes(encode(msgspec.structs.replace(made, template_text=TEMPLATE)))
    dest = tmp_path / "judge.toml"
    async with app.run_test(size=(110, 40)) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 2)
        app.home.go_to(app.service.resolve(SECOND))
        for there in (False, True):
            await pilot.press("v")
            await until(pilot, lambda: isinstance(app.screen, DetailsDialog))
            await pilot.press("w")
            await until(pilot, lambda: isinstance(app.screen, Ask) and bool(app.screen.query("#text")))
            assert app.screen.query_one("#text", Input).value == "judged.toml"
            app.screen.query_one("#text", Input).value = str(dest)
            await pilot.press("enter")
            if there:
                await until(pilot, lambda: isinstance(app.screen, Confirm))
                await pilot.press("y")
            await until(pilot, lambda: isinstance(app.screen, DetailsDialog) and "written" in edge(app))
            assert dest.read_text() == TEMPLATE
            dest.write_text("another")
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.home)
        # A run without a template has none to write.
        app.home.go_to(app.service.resolve("labels"))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, DetailsDialog))
        assert "template" not in edge(app)
        await pilot.press("w", "escape")
        await until(pilot, lambda: app.screen is app.home)


async def test_the_columns_of_an_export_are_also_its_origins(tmp_path: Path) -> None:
    app = app_with_runs(tmp_path / "data")
    out = tmp_path / "out.csv"
    async with app.run_test(size=(110, 40)) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 2)
        await app.push_screen(results := ResultsScreen(SECOND))
        await until(pilot, lambda: len(results.rows) == 1)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        export = app.screen
        await pilot.press("right", "right", "ctrl+o", "ctrl+k")
        await until(pilot, lambda: isinstance(app.screen, ColumnsScreen))
        listed = app.screen.query_one(RowList)
        names = [str(listed.source.key(n)) for n in range(len(listed.source))]
        assert {"labels.answer", "labels.outcome", "run.custom_id"} <= set(names)
        for name in ("labels.answer", "run.custom_id"):
            listed.move_to_key(name)
            await pilot.press("space")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is export)
        await until(pilot, lambda: "2 chosen" in str(export.query_one("#export-options", Static).content))
        export.query_one(PathInput).value = str(out)
        export.query_one("#yes", Button).press()
        await until(pilot, lambda: app.screen is results)
        assert list(csv.reader(out.open(newline=""))) == [["labels.answer", "custom_id"], ["fine one", "one"]]
