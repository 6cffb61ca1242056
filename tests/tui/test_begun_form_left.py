"""A form that was filled in from a run: the cursor when it is unfolded, and what is kept of it when it is left."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from batchtui.intake.drafts import list_drafts
from batchtui.tui.dialogs import Choose
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.new_form import up_to_date
from tests.tui.test_again_form import focused
from tests.tui.test_forms_left import left
from tests.tui.two_runs import TEMPLATE, app_with_a_recipe, app_with_runs, new_screen
from tests.tui.waiting import settled, until


@pytest.mark.parametrize(("key", "begins"), [("a", "source-model"), ("b", "source-template")])
async def test_the_unfolded_form_has_the_cursor_where_it_was_typed_last(tmp_path: Path, key: str, begins: str) -> None:
    app = app_with_runs(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 2)
        app.home.go_to(app.service.resolve("labels"))
        await pilot.press(key)
        await until(pilot, lambda: new_screen(app) is not None and focused(app.screen) == begins)
        screen = new_screen(app)
        assert screen is not None
        source = screen.query_one("#source-path", Input)
        stood = source.value
        await pilot.press("f9")
        await until(pilot, lambda: screen.folded)
        await pilot.press("f9")
        await until(pilot, lambda: focused(screen) == begins)
        field = screen.query_one(f"#{begins}", Input)
        # Spaces change nothing of what was planned, so that the form can be folded.
        await pilot.press("space", "space", "left")
        source.focus()
        await until(pilot, lambda: screen.focused is source)
        await pilot.press("f9")
        await until(pilot, lambda: screen.folded)
        await pilot.press("ctrl+n", "f9")
        await until(pilot, lambda: screen.focused is field)
        assert field.selection.is_empty
        await pilot.press("z")
        assert field.value == " z " and source.value == stood
        await pilot.press("backspace")
        source.focus()
        await until(pilot, lambda: screen.focused is source)
        await pilot.press("end", "space")
        await until(pilot, lambda: screen.plan is not None)
        for _ in range(2):
            await pilot.press("f9")
            await settled(pilot)
        await until(pilot, lambda: screen.focused is source)
        assert source.selection.is_empty
        await pilot.press("backspace")
        assert source.value == stood


@pytest.mark.parametrize(
    ("key", "field", "typed"), [("a", "source-model", "claude-sonnet-5-5"), ("b", "new-name", "mine")]
)
async def test_what_was_changed_in_it_is_a_draft(tmp_path: Path, key: str, field: str, typed: str) -> None:
    app = app_with_a_recipe(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 2)
        app.home.go_to(app.service.resolve("labels"))
        line = app.home.query_one(StatusLine)
        await pilot.press(key)
        await until(pilot, lambda: new_screen(app) is not None)
        await left(pilot)
        await until(pilot, lambda: "Form closed; no draft saved." in line.said)
        assert not list_drafts(app.service.data)

        await pilot.press(key)
        await until(pilot, lambda: new_screen(app) is not None)
        app.screen.query_one(f"#{field}", Input).value = typed
        await pilot.pause()
        await left(pilot)
        await until(pilot, lambda: line.said.startswith("Draft 20") and line.said.endswith(" saved."))

        await pilot.press("n")
        await until(pilot, lambda: app.screen is not app.home)
        await pilot.press("ctrl+y")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NewScreen))
        screen = app.screen
        assert isinstance(screen, NewScreen)
        form, editor = screen.query_one(SourceForm), screen.query_one(TemplateEditor)
        await until(pilot, lambda: form.typed == "run:labels" and screen.plan is not None)
        assert screen.query_one(f"#{field}", Input).value == typed
        if key == "a":
            await until(pilot, lambda: editor.text == TEMPLATE and up_to_date(screen))
            assert screen.plan is not None and screen.plan.requests == 3
            assert set(screen.plan.parts[0].models) == {typed} and screen.batch_title() == f"labels {typed}"
