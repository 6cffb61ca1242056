"""Escape that leaves a form says what was kept and how to get it back, by the keys that are true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from batchtui.config.load import Config
from batchtui.domain.errors import StoreError
from batchtui.tui.dialogs import Choose, EditModal
from batchtui.tui.new import drafts
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.new_form import TEMPLATE, opened
from tests.tui.waiting import settled, until
from tests.tui.work import make_service


async def left(pilot: Pilot[Any]) -> None:
    """Escape, until the screen is left."""
    screen = pilot.app.screen
    for _ in range(5):
        await pilot.press("escape")
        await settled(pilot)
        if pilot.app.screen is not screen:
            return
    raise AssertionError(f"Escape does not leave {screen}")


@pytest.mark.parametrize(
    ("chosen", "press"),
    [({}, ("n", "ctrl+y")), ({"new": "ctrl+k,f7", "new.drafts": "f8"}, ("ctrl+k", "f8"))],
)
async def test_what_was_kept_and_the_keys_that_reopen_it(
    tmp_path: Path, table: Path, chosen: dict[str, str], press: tuple[str, str]
) -> None:
    service = make_service(tmp_path / "data", Config(keys=chosen))
    async with opened(service, table) as (app, pilot, screen):
        await until(pilot, lambda: bool(screen.query_one(TemplateEditor).text))
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: screen.plan is not None and screen.plan.ok)
        await left(pilot)
        line = app.home.query_one(StatusLine)
        await until(pilot, lambda: "Draft 20" in line.said and "Label: {{ text }} saved" in line.said)
        assert f"Press {press[0]}, then {press[1]} to reopen the draft." in line._said[1]
        await pilot.press(press[0])
        await until(pilot, lambda: isinstance(app.screen, NewScreen))
        again = app.screen
        assert isinstance(again, NewScreen)
        await pilot.press(press[1])
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("enter")
        await until(pilot, lambda: again.plan is not None and again.query_one(TemplateEditor).text == TEMPLATE)


async def test_a_form_with_only_a_source_says_that_nothing_was_kept(tmp_path: Path) -> None:
    source = tmp_path / "requests.jsonl"
    source.write_text("{}\n")
    async with opened(make_service(tmp_path / "data"), source) as (app, pilot, _):
        await left(pilot)
        await until(pilot, lambda: "no draft saved" in app.home.query_one(StatusLine).said)


async def test_a_draft_that_cant_be_saved_is_said_and_does_not_hold_anyone(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("can't write it: no space left")

    async with opened(make_service(tmp_path / "data"), table) as (app, pilot, screen):
        await until(pilot, lambda: bool(screen.query_one(TemplateEditor).text))
        screen.query_one("#template-text", TextArea).text = TEMPLATE
        await until(pilot, lambda: screen.plan is not None and screen.plan.ok)
        monkeypatch.setattr(drafts, "keep_draft", full)
        screen.query_one("#new-name", Input).value = "other"
        said = screen.query_one(StatusLine)
        while not said.said.startswith("Draft not saved"):
            assert app.screen is screen
            await pilot.press("escape")
            await settled(pilot)
        await left(pilot)
        assert "no draft saved" in app.home.query_one(StatusLine).said


async def test_a_title_that_was_typed_and_left_is_said(tmp_path: Path) -> None:
    async with opened(make_service(tmp_path / "data")) as (app, pilot, screen):
        await app.push_screen(EditModal("one", ""))
        await pilot.press("x", "escape")
        await until(pilot, lambda: app.screen is screen)
        assert "Title and note not saved" in screen.query_one(StatusLine).said


async def test_a_path_with_a_space_gives_the_batch_its_own_name(tmp_path: Path) -> None:
    source = tmp_path / "my requests.jsonl"
    source.write_text("{}\n")
    async with opened(make_service(tmp_path / "data"), source) as (_, _, screen):
        form = screen.query_one(SourceForm)
        assert form.first_path == str(source)
        for typed, first in (
            (f'"{source}" other.csv', str(source)),
            ("a.csv b.csv", "a.csv"),
            ('"open', '"open'),
            ("", ""),
        ):
            form.query_one("#source-path", Input).value = typed
            assert form.first_path == first
