"""The new screen, driven by its keys: sources, templates, composing, and sending to a demo server."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from batchtui.config.load import Config
from batchtui.domain.work import Progress
from batchtui.intake.compose import Form, Turn
from batchtui.intake.drafts import Draft, list_drafts, load_draft, save_draft
from batchtui.service import Service
from batchtui.tui.dialogs import Choose, Confirm
from batchtui.tui.new.check import CheckInput, CheckMoved, SourceCheck, join_paths, split_paths
from batchtui.tui.new.file_picker import FilePicker
from batchtui.tui.new.preview import TablePeek, text_at
from batchtui.tui.new.problem_list import ProblemList
from batchtui.tui.new.request_view import RequestView
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor
from batchtui.tui.new.try_request import TryScreen
from batchtui.tui.new.upload import UploadScreen
from batchtui.tui.widgets.path_input import PathInput, common_start, completions
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui.new_form import SIZE, TABLE, TEMPLATE, named_template, on_demo, opened, preview, summary, up_to_date
from tests.tui.waiting import settled, until
from tests.tui.work import make_app, make_service, mixed, request


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"".join(mixed()[0]))
    return path


def drafts(service: Service) -> list[Draft]:
    return [load_draft(service.data, name) for name in list_drafts(service.data)]


async def test_a_typed_path_becomes_a_plan_with_its_price(service: Service, source: Path) -> None:
    async with opened(service) as (_, pilot, screen):
        screen.query_one("#source-path", Input).value = str(source)
        await pilot.press("enter")
        await until(pilot, lambda: screen.plan is not None)
        assert "1 batch · 30 requests" in summary(screen)
        assert "$" in summary(screen)
        assert "standard" in summary(screen)


async def test_all_problems_are_listed_and_nothing_can_be_sent(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    bad = {"custom_id": "a", "params": {"model": "claude-haiku-5-5", "max_token": 5, "messages": []}}
    path.write_text("\n".join([json.dumps(bad), "{not json", json.dumps({**bad, "custom_id": "b b"})]) + "\n")
    async with opened(service, path) as (app, pilot, screen):
        assert screen.plan is not None and not screen.plan.ok
        assert screen.query_one("#new-panes", TabLine).chosen == "problems"
        assert screen.query_one(ProblemList).total == screen.plan.errors >= 4
        assert "nothing can be sent" in summary(screen)
        await pilot.press("ctrl+s")
        await settled(pilot)
        assert app.screen is screen


async def test_a_problem_leads_to_the_text_it_is_about(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(request("fine", "x") + b'{"custom_id": "here", "params": {"modle": 1}}\n')
    async with opened(service, path) as (_, pilot, screen):
        screen.query_one(ProblemList).query_one("OptionList").focus()
        await pilot.press("down", "enter")
        await until(pilot, lambda: screen.query_one("#new-panes", TabLine).chosen == "requests")
        shown = "\n".join(str(each.content) for each in screen.query_one(RequestView).query(Static))
        assert '"modle"' in shown


async def test_bad_requests_can_be_left_out(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(request("fine", "x") + b'{"custom_id": "here", "params": {"modle": 1}}\n')
    async with opened(service, path) as (_, pilot, screen):
        first = screen.plan
        screen.query_one("#source-skip").focus()
        await pilot.press("space")
        await until(pilot, lambda: screen.plan is not None and screen.plan is not first)
        assert screen.plan is not None and screen.plan.ok and screen.plan.skipped == 1
        assert "1 request with errors skipped" in summary(screen)


async def test_a_table_shows_its_rows_and_is_rendered_as_the_template_is_typed(
    service: Service, tmp_path: Path
) -> None:
    table = tmp_path / "reviews.csv"
    table.write_text(TABLE)
    async with opened(service, size=(120, 40)) as (_, pilot, screen):
        screen.query_one("#source-path", Input).value = str(table)
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one("#new-panes", TabLine).chosen == "template")
        assert screen.query_one(TablePeek).count == 2
        assert "text" in str(screen.query_one("#template-columns", Static).content)
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: "Label: Great, really" in preview(screen))
        await until(pilot, lambda: up_to_date(screen))
        assert screen.plan is not None and screen.plan.requests == 2
        screen.query_one("#template-text", TextArea).text = TEMPLATE.replace("text }}", "txet }}")
        await until(pilot, lambda: "txet" in preview(screen))
        await until(pilot, lambda: screen.plan is not None and not screen.plan.ok)


async def test_a_plan_is_dropped_with_the_first_key_that_changes_its_template(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    table.write_text(TABLE)
    async with opened(service, size=(120, 40)) as (_, pilot, screen):
        screen.query_one("#source-path", Input).value = str(table)
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one("#new-panes", TabLine).chosen == "template")
        editor = screen.query_one("#template-text", TextArea)
        editor.text = TEMPLATE
        await until(pilot, lambda: up_to_date(screen))
        editor.text = TEMPLATE.replace("Label", "Lable")
        # The next plan may be there a moment later: it is looked for at every turn of the loop.
        while screen.plan is not None:
            await asyncio.sleep(0)
        assert not screen.check_action("try_one", ())
        editor.text = TEMPLATE
        await until(pilot, lambda: up_to_date(screen))
        assert screen.plan is not None and screen.plan.parts[0].path is not None
        assert b"Lable" not in screen.plan.parts[0].path.read_bytes()


async def test_a_template_is_kept_as_a_draft_and_found_again(service: Service, tmp_path: Path) -> None:
    table = tmp_path / "reviews.csv"
    table.write_text(TABLE)
    async with opened(service, size=(120, 40)) as (app, pilot, screen):
        screen.query_one("#source-path", Input).value = str(table)
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one(TablePeek).count)
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: [each.template_text for each in drafts(service)] == [TEMPLATE])
        while app.screen is screen:
            await pilot.press("escape")
            await settled(pilot)
        again = NewScreen()
        await app.push_screen(again)
        await pilot.press("ctrl+y")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("enter")
        await until(pilot, lambda: again.plan is not None)
        assert again.plan is not None and again.plan.requests == 2
        assert again.query_one(TemplateEditor).text == TEMPLATE


async def compose(pilot: Pilot[Any], screen: NewScreen) -> None:
    """Turn to composing, the cursor in the first turn."""
    screen.query_one("#new-mode", TabLine).choose("write")
    await until(pilot, lambda: isinstance(screen.focused, TextArea))


async def test_a_composed_request_is_planned_as_it_is_typed(service: Service) -> None:
    async with opened(service) as (_, pilot, screen):
        await compose(pilot, screen)
        await pilot.press(*"Hi")
        await until(pilot, lambda: screen.plan is not None)
        assert screen.plan is not None and screen.plan.requests == 1
        line = json.loads(screen.plan.sample[0])
        assert line["params"]["messages"] == [{"role": "user", "content": "Hi"}]
        await pilot.press("f2", *"Ho")
        await until(pilot, lambda: screen.plan is not None and screen.plan.requests == 2)
        await until(
            pilot, lambda: [[form.turns[0].text for form in each.forms] for each in drafts(service)] == [["Hi", "Ho"]]
        )


async def test_params_that_are_no_json_are_named_in_their_place(service: Service) -> None:
    async with opened(service) as (_, pilot, screen):
        await compose(pilot, screen)
        await pilot.press(*"Hi")
        screen.query_one("#form-extra", TextArea).text = '{"thinking": \n oops}'
        await until(pilot, lambda: "line 2" in str(screen.query_one("#wrong-extra", Static).content))
        await until(pilot, lambda: "to fix first" in summary(screen))
        assert screen.plan is None


async def test_the_file_picker_takes_several_files(service: Service, tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl", ".hidden"):
        (tmp_path / name).write_bytes(request(name[0], "x") if name[0] != "." else b"")
    (tmp_path / "sub").mkdir()
    async with opened(service, tmp_path / "a.jsonl") as (app, pilot, screen):
        await pilot.press("ctrl+o")
        await until(
            pilot, lambda: isinstance(app.screen, FilePicker) and len(app.screen.query_one(RowList).source) >= 4
        )
        rows = app.screen.query_one(RowList)
        names = [str(rows.source.key(i)) for i in range(len(rows.source))]
        assert not any(".hidden" in name for name in names)
        rows.move_to_key(str(tmp_path / "a.jsonl"))
        await pilot.press("space")
        rows.move_to_key(str(tmp_path / "b.jsonl"))
        await pilot.press("space", "ctrl+s")
        await until(pilot, lambda: app.screen is screen)
        await until(pilot, lambda: screen.plan is not None and screen.plan.requests == 2)


def test_paths_survive_being_joined_and_split(tmp_path: Path) -> None:
    names = [str(tmp_path / "with space.jsonl"), str(tmp_path / "plain")]
    assert list(split_paths(join_paths(names))) == names
    (tmp_path / "with space.jsonl").touch()
    assert split_paths(names[0]) == (names[0],)


def test_completion_goes_as_far_as_is_certain(tmp_path: Path) -> None:
    (tmp_path / "reviews-1.csv").touch()
    (tmp_path / "reviews-2.csv").touch()
    (tmp_path / "rest").mkdir()
    typed = f"{tmp_path}/re"
    assert completions(typed) == [f"{tmp_path}/rest/", f"{tmp_path}/reviews-1.csv", f"{tmp_path}/reviews-2.csv"]
    assert common_start(completions(f"{tmp_path}/rev")) == f"{tmp_path}/reviews-"
    (tmp_path / "reviews-0.toml").touch()
    assert completions(f"{tmp_path}/rev", last=(".toml",))[-1] == f"{tmp_path}/reviews-0.toml"


async def test_tab_completes_and_then_moves_on(service: Service, tmp_path: Path) -> None:
    (tmp_path / "only.jsonl").touch()
    async with opened(service) as (_, pilot, screen):
        field = screen.query_one("#source-path", PathInput)
        field.value = f"{tmp_path}/on"
        await pilot.press("tab")
        assert field.value == f"{tmp_path}/only.jsonl"
        await pilot.press("tab")
        assert screen.focused is not field


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_line_of_a_problem_is_found(tmp_path: Path, number: int) -> None:
    lines = ["first", "x" * 600_000, "third", "last"]
    path = tmp_path / "f.txt"
    path.write_text("\n".join(lines))
    assert text_at(f"{path}:{number}") == lines[number - 1][:64_000]


async def test_a_check_stops_on_escape_and_says_the_first_problems(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    with path.open("wb") as file:
        for _ in range(400):
            file.write(b'{"custom_id":"a","params":{}}\n' * 1000)
    app = make_app(service)
    async with app.run_test(size=SIZE) as pilot:
        screen = NewScreen(path=str(path))
        await app.push_screen(screen)
        await until(pilot, lambda: screen.query_one(ProblemList).total)
        await pilot.press("escape")
        await until(pilot, lambda: not screen.checker.running)
        assert screen.plan is None
        assert app.screen is screen


def test_a_newer_check_silences_the_older(service: Service, source: Path) -> None:
    heard: list[Any] = []
    checker = SourceCheck(lambda: service, heard.append)
    checker.start(lambda: CheckInput(paths=(str(source),)))
    checker.forget()
    assert not checker.running


async def test_max_cost_is_said_in_the_question(tmp_path: Path, source: Path) -> None:
    service = make_service(tmp_path / "data", Config(max_cost=Decimal("0.0001")))
    async with opened(service, source) as (app, pilot, screen):
        assert "max_cost" in summary(screen)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert app.focused is app.screen.query_one("#no")
        assert any("max_cost" in str(each.content) for each in app.screen.query(Static))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert not service.records()


async def test_leaving_throws_the_staged_copy_away(service: Service, source: Path) -> None:
    async with opened(service, source) as (app, pilot, screen):
        plans = service.data / "plans"
        assert any(plans.iterdir())
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not screen)
        await until(pilot, lambda: not any(plans.iterdir()))


async def test_submitting_asks_sends_and_shows_what_became_of_it(tmp_path: Path, source: Path) -> None:
    async with on_demo(tmp_path, source) as (app, pilot, screen, service):
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, UploadScreen))
        await until(pilot, lambda: "1 batch submitted" in str(app.screen.query_one(".title", Static).content))
        assert "accepted" in str(app.screen.query_one("#part-0", Static).content)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not screen and not isinstance(app.screen, UploadScreen))
        assert [record.title for record in service.records()] == ["requests"]


async def test_a_refused_batch_is_said_and_the_screen_stays(tmp_path: Path, source: Path) -> None:
    async with on_demo(tmp_path, source, ("status:400@create*1",)) as (app, pilot, _, service):
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, UploadScreen))
        await until(pilot, lambda: "refused" in str(app.screen.query_one("#part-0", Static).content))
        assert [record.status for record in service.records()] == ["refused"]


async def test_one_request_is_tried_after_a_yes(tmp_path: Path, source: Path) -> None:
    async with on_demo(tmp_path, source) as (app, pilot, screen, _):
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(app.screen, TryScreen))
        assert app.focused is app.screen.query_one("#no")
        await pilot.press("y")
        await until(pilot, lambda: "costs about" in str(app.screen.query_one("#try-what", Static).content))
        assert app.screen.query_one("#try-answer").display
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)


async def test_counting_a_sample_calibrates_the_estimate(tmp_path: Path, source: Path) -> None:
    async with on_demo(tmp_path, source) as (_, pilot, screen, _):
        assert "counted on a sample" not in summary(screen)
        screen.query_one("#new-panes").focus()
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "counted on a sample" in summary(screen))


async def test_a_source_that_is_not_there_is_a_problem_and_no_crash(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path / "nowhere.jsonl") as (_, _, screen):
        assert screen.plan is not None and not screen.plan.ok
        assert screen.query_one(SourceForm).typed.endswith("nowhere.jsonl")
        assert screen.query_one(StatusLine) is not None


async def test_a_draft_with_faults_shows_them_in_its_form(service: Service) -> None:
    forms = (Form(custom_id="not an id!", model="claude-haiku-5-5", max_tokens="many", turns=(Turn("user", "Hi"),)),)
    save_draft(service.data, Draft(name="faulty", forms=forms))
    async with opened(service) as (app, pilot, screen):
        await pilot.press("ctrl+y")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and screen.writing)
        wrong = screen.query_one("#wrong-head", Static)
        await until(pilot, lambda: wrong.has_class("shown"))
        assert "max_tokens" in str(wrong.render()) and "custom_id" in str(wrong.render())


async def test_the_next_pane_after_a_check_with_problems_is_the_problems(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"custom_id": "a", "params": {}}\n')
    async with opened(service, path) as (_, pilot, screen):
        tabs = screen.query_one("#new-panes", TabLine)
        await until(pilot, lambda: tabs.chosen == "problems")
        screen.query_one(SourceForm).focus_path()
        await pilot.press("ctrl+n")
        assert tabs.chosen == "problems" and screen.query_one(ProblemList).has_focus_within
        await pilot.press("ctrl+n")
        assert tabs.chosen == "template"


async def test_the_tab_counts_the_problems_while_the_source_is_read(service: Service, source: Path) -> None:
    async with opened(service, source) as (_, pilot, screen):
        await until(pilot, lambda: screen.plan is not None)
        screen.checked.drop_plan()
        screen.checker.running = True
        moved = CheckMoved(screen.checker.number, Progress("reading x", 5, 10, problems=1_234), ())
        screen.post_message(moved)
        await until(pilot, lambda: "1,234" in str(screen.query_one("#new-panes", TabLine).render()))


async def test_a_starter_gives_way_to_the_template_that_is_named(service: Service, tmp_path: Path) -> None:
    table, template = tmp_path / "reviews.csv", tmp_path / "labels.toml"
    table.write_text(TABLE)
    template.write_text(TEMPLATE.replace("Label:", "Sort:"))
    async with opened(service, table) as (_, pilot, screen):
        await until(pilot, lambda: screen.plan is not None)
        assert "Rows need a template" in screen.query_one(StatusLine).said
        await named_template(pilot, screen, tmp_path / "lab")  # Enter takes the one file that begins like this.
        await until(pilot, lambda: screen.plan is not None and "Sort: " in "".join(screen.plan.sample[:1]))
        assert screen.query_one("#source-template", Input).value == str(template)
        assert screen.query_one(TemplateEditor).text == template.read_text()
        await named_template(pilot, screen, table)
        await until(pilot, lambda: "error" in summary(screen))


async def test_a_template_written_here_is_set_aside_when_another_file_is_named(
    service: Service, tmp_path: Path
) -> None:
    table, template = tmp_path / "reviews.csv", tmp_path / "labels.toml"
    table.write_text(TABLE)
    template.write_text(TEMPLATE.replace("Label:", "Sort:"))
    async with opened(service, table) as (_, pilot, screen):
        await until(pilot, lambda: screen.plan is not None)
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: screen.plan is not None and "Label: " in "".join(screen.plan.sample[:1]))
        await named_template(pilot, screen, template)
        await until(pilot, lambda: screen.plan is not None and "Sort: " in "".join(screen.plan.sample[:1]))
        assert [each.template_text for each in drafts(service)] == [TEMPLATE]
        assert screen.query_one(TemplateEditor).text == template.read_text()


async def test_another_makers_requests_get_a_model_on_the_screen(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "openai.jsonl"
    body = {"model": "gpt-4o", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    path.write_text(
        json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n"
    )
    async with opened(service, path) as (_, pilot, screen):
        await until(pilot, lambda: screen.plan is not None and screen.plan.errors == 1)
        field = screen.query_one("#source-model", Input)
        field.focus()
        field.value = "claude-haiku-4-5"
        await pilot.press("enter")
        await until(pilot, lambda: screen.plan is not None and screen.plan.ok)
        assert screen.plan is not None and "claude-haiku-4-5" in screen.plan.sample[0]


async def test_tab_leaves_an_empty_path_empty_and_takes_what_is_suggested(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("review-a.toml", "reviews.csv", "only.toml"):
        (tmp_path / name).write_text("")
    async with opened(service) as (_, pilot, screen):
        template = screen.query_one("#source-template", PathInput)
        template.focus()
        await pilot.press("tab")
        await until(pilot, lambda: not template.has_focus)
        assert template.value == ""
        source = screen.query_one("#source-path", PathInput)
        source.focus()
        await pilot.press(*"rev", "tab")
        await until(pilot, lambda: source.value == "review")
        await pilot.press("tab")
        await until(pilot, lambda: source.value == "reviews.csv")
        template.focus()
        await pilot.press(*"rev", "tab")
        await until(pilot, lambda: template.value == "review-a.toml")
