"""The form of a run made again, and of one judged: where the cursor begins, the title, and what counts as a warning."""

from __future__ import annotations

from pathlib import Path

import msgspec
from textual.app import App, ComposeResult
from textual.widgets import Input

from batchtui.tui.new.prefill import again_of, source_of
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.model_input import ModelInput
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.two_runs import FIRST, SECOND, app_with_a_recipe, app_with_runs, new_screen
from tests.tui.waiting import settled, until


def focused(screen: object) -> str | None:
    """The id of what has the cursor."""
    field = getattr(screen, "focused", None)
    return field.id if field is not None else None


async def test_the_other_model_is_typed_at_once_and_names_the_run(tmp_path: Path) -> None:
    app = app_with_a_recipe(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 2)
        app.home.go_to(app.service.resolve("labels"))
        await pilot.press("a")
        await until(pilot, lambda: new_screen(app) is not None and focused(app.screen) == "source-model")
        await pilot.press(*"claude-sonnet-5-5", "enter")
        await until(
            pilot,
            lambda: (
                (screen := new_screen(app)) is not None and set(screen.plan.parts[0].models) == {"claude-sonnet-5-5"}
            ),
        )
        screen = new_screen(app)
        assert screen is not None and screen.plan is not None
        # What was asked for, and is shown as the difference, is no warning besides.
        assert not any("replaces" in group.message for group in screen.plan.problems)
        assert any(line == "model: claude-haiku-5-5 → claude-sonnet-5-5" for line in screen.checked.difference)
        assert screen.batch_title() == "labels claude-sonnet-5-5"
        # A title of one's own stays.
        screen.query_one("#new-name", Input).value = "mine"
        screen.query_one("#source-model", Input).value = "claude-opus-4-8"
        await screen.action_check()
        await pilot.pause()
        assert screen.batch_title() == "mine"


async def test_what_is_said_of_a_run_fits_its_line_and_is_true_where_it_stands(tmp_path: Path) -> None:
    app = app_with_runs(tmp_path)
    app.service.history.update(SECOND, lambda record: msgspec.structs.replace(record, title="last"))
    newest = app.service.resolve(SECOND)
    assert source_of(app.service, newest) == f"run:{SECOND}"  # the last run is another one soon
    assert again_of(app.service, app.service.resolve(FIRST)).words == (
        "3 rows, kept with the run; its template and options are not known"
    )
    app.service.history.update(FIRST, lambda record: msgspec.structs.replace(record, results="none"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 2)
        app.home.go_to(app.service.resolve(FIRST))
        await pilot.press("b")
        await until(pilot, lambda: "press Enter to download them" in app.home.query_one(StatusLine)._said[1])
        app.home.go_to(newest)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
        results = app.screen
        await pilot.press("b")
        await until(pilot, lambda: new_screen(app) is not None)
        while app.screen is not results:
            await pilot.press("escape")
            await settled(pilot)
        # n goes to the next hit there.
        assert "On home, press n" in results.query_one(StatusLine)._said[1]


async def test_a_batch_of_answers_begins_at_its_template(tmp_path: Path) -> None:
    app = app_with_runs(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 2)
        app.home.go_to(app.service.resolve("labels"))
        await pilot.press("b")
        await until(pilot, lambda: new_screen(app) is not None and focused(app.screen) == "source-template")
        # Words that are longer than the line end within it, with an ellipsis.
        screen = new_screen(app)
        assert screen is not None
        screen.query_one(SourceForm).say_rows("rows " * 30)
        said = screen.query_one("#source-run")
        await until(pilot, lambda: 0 < said.region.right <= 80 and said.region.width > 50)


class Fields(App[None]):
    """The model's field and another."""

    def compose(self) -> ComposeResult:
        yield ModelInput()
        yield Input(id="next")


async def test_tab_completes_the_model_then_moves_on() -> None:
    app = Fields()
    async with app.run_test() as pilot:
        field = app.query_one(ModelInput)
        field.know(["claude-haiku-5-5", "claude-sonnet-5-5", "claude-sonnet-5", "claude-\x1b[2J"])
        field.focus()
        await until(pilot, lambda: app.focused is field)
        await pilot.press(*"claude-s", "tab")
        assert field.value == "claude-sonnet-5-5"
        await pilot.press("tab")
        await until(pilot, lambda: focused(app) == "next")
        assert field.value == "claude-sonnet-5-5"
