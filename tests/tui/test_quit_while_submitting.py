"""What was confirmed and is not on record yet is not lost without a question."""

from pathlib import Path

import pytest

from batchtui.tui.dialogs import Confirm
from tests.tui.waiting import until
from tests.tui.work import make_app, make_service


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_quitting_asks_while_a_confirmed_plan_is_not_on_record_yet(tmp_path: Path, key: str) -> None:
    app = make_app(make_service(tmp_path / "data"))
    async with app.run_test(size=(80, 24)) as pilot:
        app.service.submitting = 1
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.home)
        app.service.submitting = 0
        await pilot.press(key)
        await until(pilot, lambda: app._exit)
