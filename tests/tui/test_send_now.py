"""The screen asks when to send again what got no clear reply a short while ago."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from textual.widgets import OptionList, Static

from batchtui.config.load import Config, Settle
from batchtui.tui.dialogs import Choose
from batchtui.tui.new.upload import UploadScreen
from batchtui.tui.results.retry import RetryScreen
from tests.tui.waiting import until
from tests.tui.work import add_batch, make_app, make_service, request

LOCAL = "20261122T110000Z-aaaaaa"


async def test_a_retry_after_a_lost_reply_is_sent_later_unless_now_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-secret")
    service = make_service(tmp_path, Config(settle=Settle(seconds=180)))
    add_batch(service, [request("one", "hello"), request("two", "hello")], [], local_id=LOCAL)
    lost_at = service.context.clock() - timedelta(minutes=5)
    lost = service.context.change(
        LOCAL,
        lambda r: msgspec.structs.replace(
            r, id=None, status="refused", results="none", posts=1, intent_at=lost_at, lost_at=lost_at, error="lost"
        ),
    )
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        view = service.open_results(LOCAL, run=True)
        app.push_screen(retry := RetryScreen(lost, view, [0, 1]))
        await until(pilot, lambda: retry._plan is not None)
        assert "got no clear reply" in str(retry.query_one("#retry-plan", Static).content)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("enter")  # No is in focus.
        await until(pilot, lambda: app.screen is retry)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        choices = app.screen.query_one(OptionList)
        safe = f"{lost_at + timedelta(minutes=15):%H:%M} UTC"
        assert safe in str(choices.get_option_at_index(1).prompt)
        assert "you may pay twice" in str(choices.get_option_at_index(2).prompt)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, UploadScreen))
        await until(pilot, lambda: "waiting" in str(app.screen.query_one(".title", Static).content))
        assert "will be sent at" in str(app.screen.query_one("#part-0", Static).content)
        [again] = [r for r in service.records() if r.local_id != LOCAL]
        assert again.waiting and not again.send_now
        view.close()
