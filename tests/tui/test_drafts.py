"""Drafts on the new screen: offered, listed with what is in them, reopened as they were, deleted, gone once sent."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.widgets import OptionList, TextArea

from batchtui.intake.compose import Form, Turn
from batchtui.intake.drafts import BegunDraft, Draft, list_drafts, read_drafts, save_draft
from batchtui.service import Service
from batchtui.tui.dialogs import Confirm
from batchtui.tui.new import drafts
from batchtui.tui.new.drafts import DraftKeeper, DraftList
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.upload import UploadScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.new_form import TABLE, TEMPLATE, named_template, on_demo, opened, summary, up_to_date
from tests.tui.waiting import settled, until
from tests.tui.work import add_batch, answered, request


def lines(screen: DraftList) -> list[str]:
    return [str(option.prompt) for option in screen.query_one(OptionList).options]


async def test_the_last_draft_is_offered_listed_and_deleted_after_a_yes(service: Service, table: Path) -> None:
    forms = (Form(model="claude-opus-5", turns=(Turn(text="Which river is longest?"),)),)
    save_draft(service.data, Draft(name="old", forms=forms, mode="write", sources=(str(table),)))
    made = Draft(name="new", sources=(str(table),), template_text=TEMPLATE, requests=2)
    save_draft(service.data, made)
    (service.data / "drafts" / "broken.toml").write_text("[")
    async with opened(service) as (app, pilot, screen):
        await until(pilot, lambda: "Label: {{ text }} (reviews.csv · template written here" in summary(screen))
        assert "ctrl+y" in summary(screen).split("\n")[1]
        await pilot.press("ctrl+y")
        await until(pilot, lambda: isinstance(app.screen, DraftList))
        listed = app.screen
        assert isinstance(listed, DraftList)
        broken, new, old = lines(listed)
        assert "can't be read" in broken
        assert "Label: {{ text }}" in new and "claude-haiku-5-5 · 2 requests" in new
        assert "Which river is longest?" in old and "composed · claude-opus-5 · 1 request" in old
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is listed)
        assert len(list_drafts(service.data)) == 3
        await pilot.press("down", "d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: app.screen is listed and len(lines(listed)) == 2)
        assert sorted(list_drafts(service.data)) == ["broken", "old"]
        assert listed.query_one(OptionList).highlighted == 1
        await pilot.press("enter")
        await until(pilot, lambda: screen.plan is not None)
        assert screen.writing and screen.plan is not None and screen.plan.requests == 1
        assert screen.query_one(SourceForm).typed == str(table)


async def test_a_draft_that_makes_another_number_of_requests_now_says_so(service: Service, table: Path) -> None:
    async with opened(service, table) as (app, pilot, screen):
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: up_to_date(screen))
        await pilot.press("escape")
        await settled(pilot)
        while app.screen is screen:
            await pilot.press("escape")
            await settled(pilot)
        for more, said in (("", ""), ("a3,fine,pos\n", "This draft had 2 requests when it was saved, now 3.")):
            table.write_text(TABLE + more)
            again = NewScreen()
            await app.push_screen(again)
            await pilot.press("ctrl+y")
            await until(pilot, lambda: isinstance(app.screen, DraftList))
            assert "2 requests" in lines(app.screen)[0]  # type: ignore[arg-type]
            await pilot.press("enter")
            await until(pilot, lambda again=again: again.plan is not None and again.plan.ok)
            await settled(pilot)
            shown = again.query_one(StatusLine).said
            assert said in shown and ("when it was saved" in shown) == bool(said)
            if not more:
                again.dismiss(None)
                await settled(pilot)


async def test_a_draft_that_was_sent_is_gone_and_its_template_is_said_to_be_kept(tmp_path: Path, table: Path) -> None:
    async with on_demo(tmp_path, table) as (app, pilot, screen, service):
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: up_to_date(screen))
        await until(pilot, lambda: len(list_drafts(service.data)) == 1)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, UploadScreen) and app.screen._done is not None)
        await until(pilot, lambda: not list_drafts(service.data))  # gone as soon as its batch is on record
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.home)
        line = app.home.query_one(StatusLine)
        await until(pilot, lambda: "recipe.toml" in line.said)
        (recipe,) = (service.data / "batches").glob("*/recipe.toml")
        assert recipe.parent.name in line._said[1] and "Label: {{ text }}" in recipe.read_text()
        assert list_drafts(service.data) == ()


async def test_a_draft_goes_though_its_upload_is_left_meanwhile(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on, stamp_of = threading.Event(), threading.Event(), drafts.stamp_of

    def slow(data: Path, name: str) -> drafts.Stamp | None:
        reading.set()
        assert go_on.wait(120)
        return stamp_of(data, name)

    async with on_demo(tmp_path, table) as (app, pilot, screen, service):
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: up_to_date(screen))
        await until(pilot, lambda: len(list_drafts(service.data)) == 1)
        monkeypatch.setattr(drafts, "stamp_of", slow)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, reading.is_set)
        await until(pilot, lambda: isinstance(app.screen, UploadScreen))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        go_on.set()
        await until(pilot, lambda: app.screen is app.home and not list_drafts(service.data))
        await until(pilot, lambda: "recipe.toml" in app.home.query_one(StatusLine).said)


async def test_what_was_taken_back_is_taken_back_in_the_draft(service: Service, table: Path, tmp_path: Path) -> None:
    template = tmp_path / "t.toml"
    template.write_text(TEMPLATE)
    async with opened(service, table) as (_, pilot, screen):
        await named_template(pilot, screen, template)
        area = screen.query_one("#template-text", TextArea)
        await until(pilot, lambda: area.text == TEMPLATE)
        area.text = "x" + TEMPLATE
        await until(pilot, lambda: len(list_drafts(service.data)) == 1)
        area.text = TEMPLATE
        await until(pilot, lambda: up_to_date(screen))
        await screen.keep_draft()
        (kept,) = read_drafts(service.data)
        assert isinstance(kept, Draft) and (kept.template_text, kept.template_path) == ("", str(template))


async def test_two_programs_with_one_draft_write_over_nothing(tmp_path: Path) -> None:
    one, other = DraftKeeper(lambda: tmp_path), DraftKeeper(lambda: tmp_path)
    await one.keep(Draft(name="", title="first"))
    other.reopened(await other.load(one.name))
    await other.keep(Draft(name="", title="second"))
    assert other.name == one.name and await one.keep(Draft(name="", title="third"))
    titles = {each.title for each in read_drafts(tmp_path) if isinstance(each, Draft)}
    assert titles == {"second", "third"} and one.name != other.name
    await other.keep(Draft(name="", title="fourth"))
    one.reopened(await one.load(other.name))
    await other.keep(Draft(name="", title="fifth"))
    await one.forget()  # what it opened was sent; the other's was saved since
    assert {each.title for each in read_drafts(tmp_path) if isinstance(each, Draft)} == {"third", "fifth"}


async def test_a_draft_of_a_run_that_was_deleted_goes_on_with_another_source(service: Service, table: Path) -> None:
    begun = BegunDraft(source="run:gone", again="20260101T000000Z-aaaaaa", files=True, words="5 rows of gone")
    save_draft(service.data, Draft(name="one", sources=(str(table),), template_text=TEMPLATE, begun=begun))
    async with opened(service) as (app, pilot, screen):
        await pilot.press("ctrl+y")
        await until(pilot, lambda: isinstance(app.screen, DraftList))
        await pilot.press("enter")
        await until(pilot, lambda: screen.plan is not None and screen.plan.ok)
        assert "The run that this draft makes again was deleted." in screen.query_one(StatusLine).said


async def test_what_was_sent_over_results_is_said_there(tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    path.write_bytes(request("one", "Label one."))
    async with on_demo(tmp_path, path) as (app, pilot, first, service):
        add_batch(service, [request("a", "x")], [answered("a", [{"type": "text", "text": "fine"}])])
        first.dismiss(None)
        await until(pilot, lambda: app.screen is app.home)
        await app.push_screen(results := ResultsScreen("20261122T110000Z-aaaaaa"))
        await app.push_screen(screen := NewScreen(path=str(path)))
        await until(pilot, lambda: screen.plan is not None and screen.plan.ok)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, UploadScreen) and app.screen._done is not None)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is results and "new submitted." in results.query_one(StatusLine).said)
