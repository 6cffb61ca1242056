"""The settings screen, driven by its keys: config.toml changes, and the app with it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from batchtui.config.first import FIRST_CONFIG
from batchtui.config.load import load_config
from batchtui.present.symbols import GLYPHS
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.dialogs import Ask, Choose
from batchtui.tui.settings import SettingsScreen
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.waiting import until
from tests.tui.work import make_app, make_service


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BATCHTUI_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "config.toml"


@asynccontextmanager
async def opened(path: Path, text: str = FIRST_CONFIG) -> AsyncIterator[tuple[BatchtuiApp, Pilot[Any], SettingsScreen]]:
    """The screen over a config.toml."""
    path.write_text(text)
    app = make_app(make_service(path.parent / "data", load_config()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("comma")
        screen = app.screen
        assert isinstance(screen, SettingsScreen)
        await until(pilot, lambda: not app.workers or all(worker.is_finished for worker in app.workers))
        yield app, pilot, screen


def go(screen: SettingsScreen, place: str) -> None:
    assert screen.query_one(RowList).move_to_key(("set", place))


def said(screen: SettingsScreen) -> str:
    return screen.query_one(StatusLine).said


async def test_a_switch_is_turned_by_enter_or_space_and_taken_out_by_d(path: Path) -> None:
    async with opened(path) as (app, pilot, screen):
        go(screen, "notify.bell")
        await pilot.press("enter")
        await until(pilot, lambda: said(screen))
        assert load_config().notify.bell is False and app.service.config.notify.bell is False
        await pilot.press("space")
        await until(pilot, lambda: load_config().notify.bell)
        await pilot.press("d")
        await until(pilot, lambda: "# bell" in path.read_text())
        assert "# terminal = true" in path.read_text()


async def test_the_theme_is_put_on_at_once(path: Path) -> None:
    async with opened(path) as (app, pilot, screen):
        go(screen, "screen.theme")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: app.theme == "high-contrast")
        assert load_config().screen.theme == "high-contrast"


async def test_ascii_changes_the_signs_at_once(path: Path) -> None:
    async with opened(path) as (_, pilot, screen):
        go(screen, "screen.ascii")
        await pilot.press("enter")
        await until(pilot, lambda: GLYPHS.plain)


async def test_a_limit_of_cost_holds_for_the_next_plan(path: Path) -> None:
    async with opened(path) as (app, pilot, screen):
        go(screen, "max_cost")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press(*"7.50", "enter")
        await until(pilot, lambda: said(screen))
        assert app.service.config.max_cost == app.service.context.config.max_cost == Decimal("7.50")
        assert "max_cost = 7.50                      # dollars" in path.read_text()


async def test_what_can_t_be_read_is_said_and_nothing_is_written(path: Path) -> None:
    async with opened(path) as (app, pilot, screen):
        go(screen, "limits.queue")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        app.screen.query_one(Input).value = "many"
        await pilot.press("enter")
        await until(pilot, lambda: "whole number" in said(screen))
        assert path.read_text() == FIRST_CONFIG


async def test_an_error_made_meanwhile_is_said_with_its_line(path: Path) -> None:
    async with opened(path) as (_, pilot, screen):
        path.write_text("\n[limits]\nqueue = 'much'\n")
        go(screen, "notify.bell")
        await pilot.press("enter")
        await until(pilot, lambda: "config.toml:3" in said(screen))
        assert "bell" not in path.read_text()


async def test_unknown_settings_are_named(path: Path) -> None:
    async with opened(path, "theem = 1\n") as (_, _, screen):
        assert "unknown setting 'theem'" in said(screen)
        assert screen.query_one(RowList).source.find(("warning", "0")) is not None


async def test_a_profile_to_start_as_is_chosen_from_those_there_are(path: Path) -> None:
    async with opened(path, "[profiles.work]\nworkspace = 'Research'\n") as (app, pilot, screen):
        go(screen, "default_profile")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        assert app.screen.query_one(OptionList).option_count == 2
        await pilot.press("down", "enter")
        await until(pilot, lambda: "next start" in said(screen))
        assert load_config().default_profile == "work"


async def test_the_editor_s_changes_are_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys,pathlib; pathlib.Path(sys.argv[-1]).write_text('[screen]\\ntheme = \\'nord\\'\\n')"
    script = path.parent / "editor.py"
    script.write_text(code)
    monkeypatch.setenv("VISUAL", shlex.join([sys.executable, str(script)]))
    async with opened(path) as (app, pilot, _):
        monkeypatch.setattr(app, "suspend", _nothing)
        await pilot.press("e")
        await until(pilot, lambda: app.theme == "nord")


class _nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...
