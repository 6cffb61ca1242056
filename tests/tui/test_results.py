"""The results screen, driven by its keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.content import Content
from textual.widgets import Button, Input, Static

from batchtui.domain.batch import BatchRecord
from batchtui.domain.money import Usage
from batchtui.present import numbers
from batchtui.service import Service
from batchtui.tui.results.detail import DetailPane
from batchtui.tui.results.error_groups import GroupsScreen
from batchtui.tui.results.export import ExportScreen
from batchtui.tui.results.retry import RetryScreen, parse_changes
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.path_input import PathInput
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui.opened_results import WIDE, opened, settled
from tests.tui.waiting import settled as resting
from tests.tui.waiting import until
from tests.tui.work import NOW, add_batch, answered, failed, line, make_service, mixed, request


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return make_service(tmp_path)


@pytest.fixture
def record(service: Service) -> BatchRecord:
    requests, results = mixed()
    return add_batch(service, requests, results)


def ids(screen: ResultsScreen) -> list[str]:
    assert screen.view is not None
    return [screen.view.id(row) for row in screen.rows]


def pane_text(screen: ResultsScreen) -> str:
    said = []
    for each in screen.query_one(DetailPane).answer.query(Static):
        content = each.content
        said.append(content.plain if isinstance(content, Content) else str(content))
    return "\n".join(said)


async def test_each_tab_shows_its_outcome(service: Service, record: BatchRecord) -> None:
    async with opened(service, record.local_id) as (_, pilot, screen):
        counts = {}
        for number, name in enumerate(screen.query_one(TabLine).ids, 1):
            await pilot.press(str(number))
            await settled(pilot, screen)
            counts[name] = len(screen.rows)
        assert counts == {
            "all": 30, "usable": 17, "cut_short": 3, "invalid": 0, "errored": 6, "canceled": 2, "expired": 1, "missing": 1,
        }  # fmt: skip


async def test_words_and_fields_filter_as_they_are_typed(service: Service, record: BatchRecord) -> None:
    async with opened(service, record.local_id) as (_, pilot, screen):
        await pilot.press("slash", *"eiffel")
        await settled(pilot, screen)
        assert ids(screen) == ["search"] or ids(screen) == []
        field = screen.query_one("#results-filter", Input)
        field.value = "330 m"
        await settled(pilot, screen)
        assert ids(screen) == ["search"]
        field.value = "error:overloaded"
        await settled(pilot, screen)
        assert ids(screen) == ["row-003", "row-011", "row-019"]
        field.value = "out>=300"
        await settled(pilot, screen)
        assert ids(screen) == ["row-006", "row-014", "row-022"]


async def test_escape_keeps_what_was_found_then_clears_then_leaves(service: Service, record: BatchRecord) -> None:
    async with opened(service, record.local_id) as (app, pilot, screen):
        await pilot.press("slash", *"fox")
        await settled(pilot, screen)
        found = len(screen.rows)
        assert 0 < found < 30
        await pilot.press("escape")
        assert screen.query_one(RowList).has_focus
        assert len(screen.rows) == found
        await pilot.press("escape")
        await settled(pilot, screen)
        assert len(screen.rows) == 30
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not screen)


async def test_sorting_goes_through_the_columns_and_back(service: Service, record: BatchRecord) -> None:
    async with opened(service, record.local_id) as (_, pilot, screen):
        await pilot.press("s")
        await settled(pilot, screen)
        assert ids(screen) == sorted(ids(screen))
        for _ in range(4):
            await pilot.press("s")
            await settled(pilot, screen)
        assert screen.view is not None
        out = [screen.view.row(row).output_tokens for row in screen.rows]
        assert out == sorted(out, reverse=True)
        await pilot.press("S")
        await settled(pilot, screen)
        out = [screen.view.row(row).output_tokens for row in screen.rows]
        assert out == sorted(out)


async def test_the_cursor_stays_on_its_request_through_sorting(service: Service, record: BatchRecord) -> None:
    async with opened(service, record.local_id) as (_, pilot, screen):
        await pilot.press(*"jjjjj")
        key = screen.query_one(RowList).cursor_key
        await pilot.press("s", "s", "s")
        await settled(pilot, screen)
        assert screen.query_one(RowList).cursor_key == key


async def test_r_in_the_groups_asks_about_sending_that_group_again(service: Service, record: BatchRecord) -> None:
    async with opened(service, record.local_id) as (app, pilot, _):
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen))
        await pilot.press("j", "r")
        await until(pilot, lambda: isinstance(app.screen, RetryScreen))
        assert isinstance(app.screen, RetryScreen)
        assert [app.screen._view.id(row) for row in app.screen._rows] == ["row-005", "row-013", "row-021"]


async def test_an_error_group_opens_as_a_filter(service: Service, record: BatchRecord) -> None:
    async with opened(service, record.local_id) as (app, pilot, screen):
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen))
        await pilot.press("j", "enter")
        await until(pilot, lambda: app.screen is screen)
        await settled(pilot, screen)
        assert ids(screen) == ["row-005", "row-013", "row-021"]
        await pilot.press("escape")
        await settled(pilot, screen)
        assert len(screen.rows) == 30


async def test_enter_opens_the_answer_on_a_narrow_screen_and_next_goes_on(
    service: Service, record: BatchRecord
) -> None:
    async with opened(service, record.local_id) as (_, pilot, screen):
        pane = screen.query_one(DetailPane)
        assert not pane.display
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: "get_weather" in pane_text(screen))
        assert not screen.query_one(RowList).display
        await pilot.press("p")
        await until(pilot, lambda: "First I weigh" in pane_text(screen))
        await pilot.press("escape")
        await pilot.pause()
        assert screen.query_one(RowList).has_focus
        assert not pane.display


async def test_the_raw_line_is_one_key_away(service: Service, record: BatchRecord) -> None:
    async with opened(service, record.local_id, WIDE) as (_, pilot, screen):
        await pilot.press("v")
        await until(pilot, lambda: '"custom_id": "markdown"' in pane_text(screen))
        await pilot.press("v")
        await until(pilot, lambda: '"custom_id"' not in pane_text(screen))


async def test_what_is_hostile_is_shown_and_does_nothing(service: Service) -> None:
    evil = "\x1b]52;c;aGk=\x07[red]boo[/x] \u202eabc\ud800"
    requests = [request("evil", evil)]
    results = [answered("evil", [{"type": "text", "text": evil}, {"type": evil, "x": evil}])]
    batch = add_batch(service, requests, results, title=evil.replace("\ud800", ""))
    async with opened(service, batch.local_id, WIDE) as (app, pilot, screen):
        await pilot.press("m")
        await until(pilot, lambda: "[red]boo[/x]" in pane_text(screen))
        painted = app.export_screenshot()
        assert not set("\x1b\x07\u202e") & set(painted)
        await pilot.press("v")
        await resting(pilot)
        assert not set("\x1b\x07\u202e") & set(pane_text(screen))


async def test_odd_lines_are_shown_for_what_they_are(service: Service) -> None:
    results = [
        b"this is no json\n",
        line("new", {"type": "hologram", "beam": 3}),
        answered("deep", [{"type": "tool_use", "name": "x", "input": {"a": [1, 2]}}]),
        b'{"custom_id":"bomb","result":' + b"[" * 5000 + b"]" * 5000 + b"}\n",
        b"\n",
        answered("deep", [{"type": "text", "text": "twice"}]),
    ]
    batch = add_batch(service, [request("deep", "x")], results)
    async with opened(service, batch.local_id, WIDE) as (_, pilot, screen):
        for _ in range(len(screen.rows)):
            await pilot.press("j")
            await until(pilot, lambda: screen.query_one(DetailPane).answer.query(Static))
        await pilot.press("9")
        await settled(pilot, screen)
        assert screen.view is not None
        assert {screen.view.row(row).outcome for row in screen.rows} == {"unknown", "unreadable"}


async def test_an_export_holds_what_the_filter_shows(service: Service, record: BatchRecord, tmp_path: Path) -> None:
    async with opened(service, record.local_id) as (app, pilot, screen):
        await pilot.press("5")
        await settled(pilot, screen)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        app.screen.query_one(PathInput).value = str(tmp_path / "out.jsonl")
        app.screen.query_one("#yes", Button).press()
        await until(pilot, lambda: app.screen is screen)
        assert "Exported 6 results" in screen.query_one(StatusLine).said
        assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 6


async def test_a_file_that_is_there_is_replaced_only_after_a_yes(
    service: Service, record: BatchRecord, tmp_path: Path
) -> None:
    dest = tmp_path / "mine.jsonl"
    dest.write_text("precious")
    async with opened(service, record.local_id) as (app, pilot, screen):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        export = app.screen
        export.query_one(PathInput).value = str(dest)
        export.query_one("#yes", Button).press()
        await until(pilot, lambda: app.screen is not export and app.screen is not screen)
        await pilot.press("n")
        await until(pilot, lambda: app.screen is export)
        assert dest.read_text() == "precious"


async def test_copying_leaves_a_file_for_terminals_that_refuse(service: Service, record: BatchRecord) -> None:
    async with opened(service, record.local_id) as (app, pilot, screen):
        await pilot.press("j", "j", "j", "y")
        await until(pilot, lambda: "Copied" in screen.query_one(StatusLine).said)
        assert "330 m high" in (service.data / "copied.txt").read_text()
        assert "330 m high" in app.clipboard


async def test_a_retry_is_planned_with_its_changes_and_sends_nothing_on_no(
    service: Service, record: BatchRecord
) -> None:
    async with opened(service, record.local_id) as (app, pilot, screen):
        await pilot.press("3")
        await settled(pilot, screen)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryScreen))
        retry = app.screen
        assert isinstance(retry, RetryScreen)
        assert app.focused is retry.query_one("#no")
        await until(pilot, lambda: retry._plan is not None)
        assert retry._plan is not None and retry._plan.requests == 3
        retry.query_one("#retry-changes", Input).value = "max_tokens=900"
        await until(pilot, lambda: "900" in str(retry.query_one("#retry-difference", Static).content))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        plans = service.data / "plans"
        await until(pilot, lambda: not plans.exists() or not any(plans.iterdir()))


def test_changes_are_key_value_pairs() -> None:
    assert parse_changes('max_tokens=9 system="Be brief." stop_sequences=[1]') == {
        "max_tokens": "9",
        "system": "Be brief.",
        "stop_sequences": "[1]",
    }


async def test_a_run_shows_the_answer_that_holds_and_the_older_ones(service: Service, record: BatchRecord) -> None:
    again = [request("row-003", "Summarise document 3")]
    add_batch(
        service,
        again,
        [answered("row-003", [{"type": "text", "text": "Now it worked."}])],
        local_id="20261122T113000Z-cccccc",
        run=record.local_id,
        attempt=1,
        created_at=NOW - timedelta(minutes=20),
    )
    async with opened(service, record.local_id, WIDE) as (_, pilot, screen):
        await pilot.press("u")
        await until(pilot, lambda: screen.run and screen.view is not None and len(screen.view.members) == 2)
        await settled(pilot, screen)
        assert screen.view is not None
        assert len(screen.view) == 30
        screen.query_one(RowList).move_to(screen.view.ids().index("row-003"))
        await pilot.press("m")
        await until(pilot, lambda: "Now it worked." in pane_text(screen))
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: "overloaded_error" in pane_text(screen))
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "Now it worked." in pane_text(screen))


async def test_costs_on_the_screen_are_those_of_the_raw_lines(service: Service, record: BatchRecord) -> None:
    _, results = mixed()
    import json

    total = 0
    for raw in results:
        message = json.loads(raw)["result"].get("message")
        if message:
            used = message["usage"]
            cost = service.prices.cost(
                Usage(model=message["model"], input_tokens=used["input_tokens"], output_tokens=used["output_tokens"])
            )
            assert cost is not None
            total += cost
    async with opened(service, record.local_id) as (_, _, screen):
        assert screen.view is not None
        assert screen.view.tally.cost_usd == total
        assert numbers.usd(total) in str(screen.query_one("#results-costs", Static).content)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "in_progress", "ended_at": None}, "Running."),
        ({"status": "ended"}, "f downloads them now"),
        ({"status": "ended", "results": "gone"}, "The results are gone"),
        ({"status": "canceling", "ended_at": None}, "Being canceled"),
    ],
)
async def test_without_results_it_says_why(service: Service, fields: dict[str, Any], words: str) -> None:
    batch = add_batch(service, [request("a", "b")], None, **fields)
    async with opened(service, batch.local_id) as (_, pilot, screen):
        await until(pilot, lambda: words in str(screen.query_one("#results-message", Static).content))


async def test_results_that_arrive_open_by_themselves(service: Service) -> None:
    from batchtui.service import events
    from batchtui.tui.messages import Happened

    requests, results = mixed(4)
    running = add_batch(service, requests, None, status="in_progress", ended_at=None)
    async with opened(service, running.local_id) as (_, pilot, screen):
        await until(pilot, lambda: screen.query_one("#results-message").display)
        folder = service.history.folder(running.local_id)
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
        done = add_batch(service, requests, results)
        screen.post_message(Happened(events.RecordChanged(done, running)))
        await until(pilot, lambda: screen.view is not None and len(screen.rows) == len(requests))


async def test_errors_that_repeat_are_counted(service: Service) -> None:
    requests = [request(f"r{n}", "x") for n in range(3)]
    results = [failed(f"r{n}", "api_error", f"boom {n}") for n in range(3)]
    batch = add_batch(service, requests, results)
    async with opened(service, batch.local_id) as (app, pilot, _):
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen))
        assert app.screen.query_one(RowList).source.cells(0)[0] == "3"
