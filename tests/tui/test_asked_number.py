"""A number that is offered is replaced by what is typed; a text that is offered is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from batchtui.tui.dialogs import Ask
from tests.tui.waiting import settled, until
from tests.tui.work import make_app, make_service


@pytest.mark.parametrize(
    ("replaced", "keys", "answer"),
    [(True, ("1", "0"), "10"), (True, (), "30"), (True, ("right", "0"), "300"), (False, ("0",), "300")],
)
async def test_what_is_typed_over_the_value_that_is_offered(
    replaced: bool, keys: tuple[str, ...], answer: str, tmp_path: Path
) -> None:
    answers: list[str | None] = []
    async with make_app(make_service(tmp_path / "data")).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        pilot.app.push_screen(Ask("How many?", value="30", replaced=replaced), answers.append)
        await until(pilot, lambda: isinstance(pilot.app.screen.focused, Input))
        await settled(pilot)
        await pilot.press(*keys, "enter")
        await until(pilot, lambda: bool(answers))
    assert answers == [answer]
