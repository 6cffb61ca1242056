"""A draft of which everything was taken back goes when the form is left; one that was not shown whole stays."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import TextArea

from batchtui.intake.compose import Form, Turn
from batchtui.intake.drafts import Draft, list_drafts, save_draft
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.new_form import opened
from tests.tui.waiting import settled, until
from tests.tui.work import make_service


async def test_a_draft_of_which_all_was_taken_back_goes_when_the_form_is_left(tmp_path: Path) -> None:
    service = make_service(tmp_path / "data")
    draft = Draft(name="one", forms=(Form(turns=(Turn(text="Which river?"),)),), mode="write")
    save_draft(service.data, draft)
    async with opened(service) as (app, pilot, screen):
        await screen.show_draft(await screen.drafts.load("one"))
        await settled(pilot)
        screen.query_one("#turns TextArea", TextArea).text = ""
        await settled(pilot)
        assert list_drafts(service.data) == ("one",)  # What is typed next may be the same.
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.home)
        assert list_drafts(service.data) == ()
        assert "Which river? deleted: the form was empty." in app.home.query_one(StatusLine).said

    save_draft(service.data, draft)
    async with opened(service) as (app, pilot, screen):
        screen.drafts.reopened(await screen.drafts.load("one"))
        screen._whole = False  # As while it is being shown.
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.home)
        assert list_drafts(service.data) == ("one",)
