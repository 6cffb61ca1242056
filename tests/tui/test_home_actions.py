"""What the actions of the home screen are about, and that each of them is there and loaded only when it is used."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from textual.binding import Binding

from batchtui.tui.home import actions
from batchtui.tui.home.screen import HomeScreen
from tests.tui.home_data import furnished
from tests.tui.test_home import SIZE
from tests.tui.waiting import until
from tests.tui.work import make_app

LATER = ("home.actions", "home.details", "dialogs", "settings", "widgets.filter_line", "new.screen", "results.screen")
"""Modules of the screens that nobody needs before the first key."""
READERS = (
    "batchtui.results.fields",
    "batchtui.results.view",
    "batchtui.intake.run_rows",
    "tomli_w",
    "jinja2",
    "anthropic",
    "textual.widgets._text_area",
)
"""What reads and writes, and what costs a part of a first paint that shows none of it."""


def test_every_action_of_a_key_can_be_started() -> None:
    bound = {
        found[1]
        for binding in HomeScreen.BINDINGS
        if isinstance(binding, Binding) and (found := re.fullmatch(r"act\('(\w+)'\)", binding.action))
    }
    cases = {
        case.pattern.value.value
        for case in ast.walk(ast.parse(inspect.getsource(actions.start)))
        if isinstance(case, ast.match_case)
        and isinstance(case.pattern, ast.MatchValue)
        and isinstance(case.pattern.value, ast.Constant)
    }
    assert len(bound) == 9
    assert cases == {*bound, "resolve"}


async def test_an_action_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    app = make_app(furnished(tmp_path))
    async with app.run_test(size=SIZE):
        with pytest.raises(ValueError, match="no action of home: fly"):
            app.home.action_act("fly")


async def test_an_action_is_about_the_marked_rows_in_their_order_and_about_nothing_that_is_gone(tmp_path: Path) -> None:
    app = make_app(furnished(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        home = app.home
        await until(pilot, lambda: len(home.model.lines) > 10)
        home.batches.set_marks(line.key for line in home.model.lines)
        in_order = list(dict.fromkeys(record.local_id for line in home.model.lines for record in line.records))
        assert [record.local_id for record in home.chosen()] == in_order
        # A run's row may be marked while one of its batches is removed, before the rows are arranged again.
        run = next(line for line in home.model.lines if line.record is None)
        home.batches.set_marks([run.key])
        gone, *left = [record.local_id for record in run.records]
        del home.model.records[gone]
        assert [record.local_id for record in home.chosen()] == left


def test_the_first_paint_loads_no_action() -> None:
    later = (*READERS, *(f"batchtui.tui.{each}" for each in LATER))
    code = f"import sys, batchtui.tui.app, batchtui.service\nprint([m for m in {later!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
