"""Retries of one batch of a run: what another batch answered by now is left alone, and what is shown is what is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.app import App
from textual.widgets import Input, OptionList, Static

from batchtui.service import Service
from batchtui.service import events as told
from batchtui.tui.messages import Happened
from batchtui.tui.results.retry import RetryScreen
from batchtui.tui.terminal import run_outside
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.opened_results import opened, settled
from tests.tui.waiting import until
from tests.tui.work import add_batch, answered, failed, make_app, make_service, request

FIRST, AGAIN = "20261122T110000Z-aaaaaa", "20261122T113000Z-bbbbbb"
SHORT = [{"type": "text", "text": "It says that"}]
WHOLE = [{"type": "text", "text": "It says that foxes jump."}]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A run of ten: four were cut short at first, of which two were answered well on the second try."""
    made = make_service(tmp_path)
    names = [f"row-{n}" for n in range(10)]
    requests = [request(name, f"Summarise {name}") for name in names]
    lines = [
        failed(name, "overloaded_error", "Overloaded")
        if n == 9
        else answered(name, SHORT, stop="max_tokens")
        if n < 4
        else answered(name, WHOLE)
        for n, name in enumerate(names)
    ]
    add_batch(made, requests, lines, local_id=FIRST)
    again = [request(name, f"Summarise {name}", max_tokens=3000) for name in names[:4]]
    lines = [
        answered(name, WHOLE) if n < 2 else answered(name, SHORT, stop="max_tokens") for n, name in enumerate(names[:4])
    ]
    add_batch(made, again, lines, local_id=AGAIN, run=FIRST, attempt=1)
    return made


async def test_what_the_run_answered_by_now_is_not_paid_again(service: Service) -> None:
    async with opened(service, FIRST) as (app, pilot, screen):
        await pilot.press("3")
        await settled(pilot, screen)
        assert len(screen.rows) == 4
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RetryScreen))
        retry = app.screen
        assert isinstance(retry, RetryScreen)
        await until(pilot, lambda: retry._plan is not None)
        assert retry._plan is not None and retry._plan.requests == 2
        retry.query_one("#retry-changes", Input).value = "max_tokens=9000"
        await until(pilot, lambda: "9000" in str(retry.query_one("#retry-difference", Static).content))
        assert "3000" in str(retry.query_one("#retry-difference", Static).content)
        await until(pilot, lambda: retry._plan is not None)
        assert retry._plan is not None and retry._plan.parts[0].path is not None
        sent = [json.loads(each) for each in retry._plan.parts[0].path.read_bytes().splitlines()]
        assert [(each["custom_id"], each["params"]["max_tokens"]) for each in sent] == [
            ("row-2", 9000),
            ("row-3", 9000),
        ]


async def test_marked_good_ones_are_said_to_be_paid_again(service: Service) -> None:
    async with opened(service, FIRST) as (app, pilot, screen):
        await pilot.press("3")
        await settled(pilot, screen)
        await pilot.press("space", "space", "space", "r")
        await until(pilot, lambda: isinstance(app.screen, RetryScreen))
        said = str(app.screen.query_one("#retry-groups", Static).content)
        assert "2  already have a usable answer: you would pay for them again" in said


async def test_home_retries_of_a_batch_what_its_run_still_lacks(service: Service) -> None:
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        from batchtui.tui.home.actions import retry_of

        first = service.resolve(FIRST)
        asked = app.run_worker(retry_of(app.home, [first]))
        await until(pilot, lambda: app.screen.query(OptionList))
        asks = app.screen.query_one(OptionList)
        said = [str(asks.get_option_at_index(n).prompt) for n in range(asks.option_count)]
        assert "1 request without an answer" in said[0] and "2 answers cut short" in said[1]
        await pilot.press("escape")
        await until(pilot, lambda: asked.is_finished)


async def test_the_run_says_how_many_were_good_after_which_try(service: Service) -> None:
    async with opened(service, FIRST, (120, 40), run=True) as (_, pilot, screen):
        await until(
            pilot,
            lambda: (
                "7 of 10 usable (5 after attempt 1, 7 after attempt 2)"
                in "".join(str(each.render()) for each in screen.query(Static))
            ),
        )


async def test_copying_takes_the_row_under_the_cursor(service: Service) -> None:
    copied = service.data / "copied.txt"
    async with opened(service, FIRST) as (_, pilot, screen):
        await pilot.press("y")
        await until(pilot, copied.exists)
        assert copied.read_text() == "It says that"
        await pilot.press("j", "j", "j", "j", "j", "y")
        await until(pilot, lambda: copied.read_text() == "It says that foxes jump.")
        await pilot.press("7")
        await settled(pilot, screen)
        copied.unlink()
        await pilot.press("y")
        await until(pilot, lambda: "Nothing to copy" in screen.query_one(StatusLine).said)
        assert not copied.exists()


async def test_a_stopped_search_keeps_what_it_found_when_sorted(service: Service) -> None:
    async with opened(service, FIRST) as (_, pilot, screen):
        kept = screen.rows[:3]
        screen.select(among=kept)
        await settled(pilot, screen)
        await pilot.press("s")
        await settled(pilot, screen)
        assert sorted(screen.rows) == sorted(kept)


@pytest.mark.parametrize("command", ["/no/such/editor", 'an "open quote'])
async def test_a_program_that_is_not_there_is_said_and_the_screen_comes_back(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: App[None] = App()
    async with app.run_test():
        depth: list[str] = []
        monkeypatch.setattr(app._driver, "suspend_application_mode", lambda: depth.append("out"))
        monkeypatch.setattr(app._driver, "resume_application_mode", lambda: depth.append("in"))
        monkeypatch.setattr(type(app._driver), "can_suspend", property(lambda _: True))
        assert "can't be run" in run_outside(app, command, tmp_path)
        assert depth == ["out", "in"]


async def test_a_retry_that_ends_is_said_and_the_whole_run_is_read_again(service: Service) -> None:
    retry = service.history.get(AGAIN)
    assert retry is not None
    async with opened(service, FIRST) as (_, pilot, screen):
        screen.post_message(Happened(told.Ended(retry, late=False)))
        await until(pilot, lambda: "Press u" in screen.query_one(StatusLine).said)
        await pilot.press("u")
        await settled(pilot, screen)
        before = screen.view
        screen.post_message(Happened(told.Ended(retry, late=False)))
        await until(pilot, lambda: screen.view is not None and screen.view is not before)
