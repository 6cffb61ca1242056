"""What the form shows is what is planned, in every way a form comes to be; what differs is said and checked again."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from batchtui.intake.compose import Form, Turn
from batchtui.intake.drafts import Draft, save_draft
from batchtui.intake.template import RequestTemplate
from batchtui.service import Service
from batchtui.tui.dialogs import Choose, Confirm
from batchtui.tui.new import actions
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor
from batchtui.tui.new.try_request import TryScreen
from batchtui.tui.new.upload import UploadScreen
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.new_form import TABLE, TEMPLATE, named_template, on_demo, opened, summary
from tests.tui.waiting import settled, until
from tests.tui.work import request

SORT = TEMPLATE.replace("Label:", "Sort:")
RANK = TEMPLATE.replace("Label:", "Rank:")


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "labels.toml"
    path.write_text(SORT)
    return path


def staged(screen: NewScreen) -> list[dict[str, Any]]:
    """The params that would be sent."""
    assert screen.plan is not None
    lines = b"".join(part.path.read_bytes() for part in screen.plan.parts if part.path).splitlines()
    return [json.loads(line)["params"] for line in lines]


def as_shown(screen: NewScreen) -> list[dict[str, Any]]:
    """The params that the template in the pane makes of the rows of the source in the form."""
    made = RequestTemplate(screen.query_one(TemplateEditor).text)
    with Path(screen.query_one(SourceForm).typed).open(newline="") as file:
        return [json.loads(made.render(row, number)[0]) for number, row in enumerate(csv.DictReader(file), 1)]


async def planned(pilot: Pilot[Any], screen: NewScreen, word: str) -> None:
    """Wait for a plan with this word in it, and hold it against what is shown."""
    await until(pilot, lambda: screen.plan is not None and screen.plan.ok and word in "".join(screen.plan.sample[:1]))
    await settled(pilot)
    assert staged(screen) == as_shown(screen)
    assert word in screen.query_one(TemplateEditor).text


async def edited(pilot: Pilot[Any], screen: NewScreen, old: str, new: str) -> TextArea:
    """Edit the template as a person does, so that it can be undone."""
    area = screen.query_one("#template-text", TextArea)
    start = area.text.index(old)
    line = area.text[:start].count("\n")
    column = start - (area.text[:start].rfind("\n") + 1)
    area.replace(new, (line, column), (line, column + len(old)), maintain_selection_offset=False)
    await pilot.pause()
    return area


async def reopened(pilot: Pilot[Any], screen: NewScreen) -> NewScreen:
    """Leave the form, open another, and choose the latest draft."""
    app = screen.app
    while app.screen is screen:
        await pilot.press("escape")
        await pilot.pause()
    again = NewScreen()
    await app.push_screen(again)
    await pilot.press("ctrl+y")
    await until(pilot, lambda: isinstance(app.screen, Choose))
    await pilot.press("enter")
    await until(pilot, lambda: app.screen is again)
    return again


async def test_a_template_file_edited_undone_and_changed_on_the_disk(
    service: Service, table: Path, template: Path
) -> None:
    async with opened(service, table) as (_, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        area = await edited(pilot, screen, "Sort:", "Rank:")
        await planned(pilot, screen, "Rank: ")
        area.undo()
        await until(pilot, lambda: "Sort:" in area.text)
        await planned(pilot, screen, "Sort: ")
        template.write_text(RANK)
        await pilot.press("ctrl+r")
        await planned(pilot, screen, "Rank: ")


async def test_an_edit_wins_over_a_file_that_changes_later(service: Service, table: Path, template: Path) -> None:
    async with opened(service, table) as (_, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        await edited(pilot, screen, "Sort:", "Rank:")
        template.write_text(TEMPLATE)
        await pilot.press("ctrl+r")
        await planned(pilot, screen, "Rank: ")


async def test_an_edit_of_a_file_reopened_from_drafts(service: Service, table: Path, template: Path) -> None:
    async with opened(service, table) as (_, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        await edited(pilot, screen, "Sort:", "Rank:")
        await planned(pilot, screen, "Rank: ")
        again = await reopened(pilot, screen)
        await planned(pilot, again, "Rank: ")
        await edited(pilot, again, "Rank:", "Sort:")
        await planned(pilot, again, "Sort: ")


async def test_an_edit_of_a_file_that_is_gone_reopened_from_drafts(
    service: Service, table: Path, template: Path
) -> None:
    async with opened(service, table) as (_, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        await edited(pilot, screen, "Sort:", "Rank:")
        await planned(pilot, screen, "Rank: ")
        template.unlink()
        await planned(pilot, await reopened(pilot, screen), "Rank: ")


async def test_a_draft_that_names_a_file_shows_the_file(service: Service, table: Path, template: Path) -> None:
    save_draft(service.data, Draft(name="one", sources=(str(table),), template_path=str(template)))
    async with opened(service) as (_, pilot, screen):
        await planned(pilot, await reopened(pilot, screen), "Sort: ")


async def test_one_draft_after_another_leaves_nothing_behind(service: Service, table: Path, template: Path) -> None:
    save_draft(service.data, Draft(name="one", sources=(str(table),), template_text=RANK))
    async with opened(service, table) as (app, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        screen.focus()
        await pilot.press("ctrl+y")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("enter")
        await planned(pilot, screen, "Rank: ")


async def test_a_template_edited_in_an_editor(
    service: Service, table: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "edit_text", lambda app, text, *_: (text.replace("Sort:", "Rank:"), ""))
    async with opened(service, table) as (_, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        await pilot.press("ctrl+g")
        await planned(pilot, screen, "Rank: ")


async def test_an_emptied_template_plans_nothing(service: Service, table: Path, template: Path) -> None:
    async with opened(service, table) as (_, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        screen.query_one("#template-text", TextArea).text = ""
        await until(pilot, lambda: screen.plan is not None and not screen.plan.ok)


async def test_a_template_that_is_not_named_any_more_is_not_used(
    service: Service, tmp_path: Path, template: Path
) -> None:
    native = tmp_path / "native.jsonl"
    native.write_bytes(request("a", "retry as is"))
    async with opened(service, native) as (_, pilot, screen):
        await named_template(pilot, screen, template)
        await until(pilot, lambda: screen.query_one(TemplateEditor).text == SORT)
        screen.query_one("#source-template", Input).value = ""
        await pilot.press("enter")
        await until(pilot, lambda: screen.plan is not None and "retry as is" in "".join(screen.plan.sample[:1]))
        assert screen.query_one(TemplateEditor).text == ""


async def test_long_lines_and_controls_of_a_template_are_not_cut(service: Service, table: Path, template: Path) -> None:
    template.write_text(SORT.replace("Sort:", "Sort: " + "x" * 30_000 + "\u200b"))
    async with opened(service, table) as (_, pilot, screen):
        await named_template(pilot, screen, template)
        await until(
            pilot, lambda: screen.plan is not None and screen.plan.ok and "Sort: " in "".join(screen.plan.sample[:1])
        )
        await settled(pilot)
        assert "x" * 30_000 + "\u200b" in staged(screen)[0]["messages"][0]["content"]
        await edited(pilot, screen, "Sort:", "Rank:")
        await planned(pilot, screen, "Rank: ")
        assert "x" * 30_000 in staged(screen)[0]["messages"][0]["content"]


async def test_composed_requests_reopened_from_drafts(service: Service) -> None:
    texts = ["Hi \x1b[31m\u200b", "y" * 30_000]
    forms = tuple(
        Form(custom_id=f"r{n}", model="claude-haiku-5-5", turns=(Turn("user", text),)) for n, text in enumerate(texts)
    )
    save_draft(service.data, Draft(name="one", forms=forms))
    async with opened(service) as (_, pilot, screen):
        again = await reopened(pilot, screen)
        await until(pilot, lambda: again.plan is not None and again.plan.requests == 2)
        shown = [again.query_one("#turn-1", TextArea).text if again.query("#turn-1") else ""]
        sent = [params["messages"][0]["content"] for params in staged(again)]
        assert sent == ["Hi ␛[31m⟨200b⟩", texts[1]]
        assert not shown[0] or shown[0] == sent[0]


async def test_a_path_that_was_typed_and_not_entered_is_not_what_is_sent(service: Service, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_bytes(request(name, name))
    async with opened(service, tmp_path / "one.jsonl") as (app, pilot, screen):
        screen.query_one("#source-path", Input).value = str(tmp_path / "two.jsonl")
        await until(pilot, lambda: screen.plan is None)
        assert "press Enter" in summary(screen)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert app.screen is screen
        await pilot.press("enter")
        await until(pilot, lambda: screen.plan is not None and '"two"' in "".join(screen.plan.sample[:1]))


async def test_what_changed_unseen_is_said_and_checked_again(service: Service, table: Path, template: Path) -> None:
    """Even where no message told the screen: the form itself is compared."""
    async with opened(service, table) as (app, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        with screen.query_one(TemplateEditor).prevent(TextArea.Changed):
            await edited(pilot, screen, "Sort:", "Rank:")
        plan = screen.plan
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "changed after the check" in screen.query_one(StatusLine).said)
        await until(pilot, lambda: screen.plan is not None and screen.plan is not plan)
        assert app.screen is screen
        await planned(pilot, screen, "Rank: ")


@pytest.mark.parametrize("key", ["ctrl+s", "ctrl+t"])
@pytest.mark.parametrize("which", ["table", "template"])
async def test_a_file_that_changed_after_the_check_is_said_and_checked_again(
    service: Service, table: Path, template: Path, key: str, which: str
) -> None:
    async with opened(service, table) as (app, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        plan = screen.plan
        if which == "table":
            table.write_text(TABLE + "a3,third,pos\n")
        else:
            template.write_text(RANK)
        await pilot.press(key)
        await until(pilot, lambda: "after the check; nothing was sent" in screen.query_one(StatusLine).said)
        await until(pilot, lambda: screen.plan is not None and screen.plan is not plan)
        assert app.screen is screen
        await planned(pilot, screen, "Sort: " if which == "table" else "Rank: ")
        assert len(staged(screen)) == (3 if which == "table" else 2)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Confirm | TryScreen))


async def test_a_file_that_is_only_touched_is_sent(service: Service, table: Path, template: Path) -> None:
    async with opened(service, table) as (app, pilot, screen):
        await named_template(pilot, screen, template)
        await planned(pilot, screen, "Sort: ")
        os.utime(table)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))


async def test_a_source_that_changes_under_the_question_is_not_sent(tmp_path: Path) -> None:
    source = tmp_path / "requests.jsonl"
    source.write_bytes(request("a", "first"))
    async with on_demo(tmp_path, source) as (app, pilot, screen, service):
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        source.write_bytes(request("a", "second"))
        await pilot.press("y")
        await until(pilot, lambda: "changed after the check" in screen.query_one(StatusLine).said)
        await until(pilot, lambda: screen.plan is not None and "second" in "".join(screen.plan.sample[:1]))
        assert not service.records()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, UploadScreen))
        await until(pilot, lambda: bool(service.records()) and service.records()[0].id)
        sent = service.history.folder(service.records()[0].local_id) / "requests.jsonl"
        assert b"second" in sent.read_bytes()
