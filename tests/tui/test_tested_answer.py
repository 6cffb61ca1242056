"""The answer to a tested request is judged where something was asked for that it can be checked by."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static

from batchtui.demo.outcomes import decide
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.try_request import TryScreen
from tests.tui.new_form import named_template, on_demo, up_to_date
from tests.tui.waiting import settled, until

TEMPLATE = """model = "claude-haiku-5-5"
max_tokens = 500
custom_id = "{{ id }}"
prompt = "{{ text }}"

[answer]
urgency = { type = "integer", minimum = 1, maximum = 5 }
reason = { type = "string", maxLength = 90 }
"""


def row_that(odd: str) -> tuple[str, str]:
    """Id and text of a row to whose answer the demo does this when it is tested."""
    for number in range(50_000):
        text = f"text {number}"
        lot = decide("try", text.encode(), "", 0.0, set())
        if lot.odd == odd and lot.dice % 211:
            return "r-1", text
    raise AssertionError(odd)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ("", "✓ fits what was asked for"),
        ("prose", "✗ invalid: not JSON"),
        ("bound", "✗ invalid: reason has 225 characters, at most 90"),
    ],
)
async def test_the_dialog_says_whether_the_answer_fits(tmp_path: Path, odd: str, told: str) -> None:
    table, template = tmp_path / "rows.csv", tmp_path / "labels.toml"
    table.write_text("id,text\n" + ",".join(row_that(odd)) + "\n")
    template.write_text(TEMPLATE)
    async with on_demo(tmp_path, table) as (app, pilot, screen, _):
        assert isinstance(screen, NewScreen)
        await named_template(pilot, screen, template)
        await until(pilot, lambda: up_to_date(screen) and bool(screen.plan and screen.plan.staging))
        await settled(pilot)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(app.screen, TryScreen))
        await pilot.press("y")
        await until(pilot, lambda: " out · " in str(app.screen.query_one("#try-what", Static).content))
        lines = str(app.screen.query_one("#try-what", Static).content).splitlines()
        assert lines[1] == told
