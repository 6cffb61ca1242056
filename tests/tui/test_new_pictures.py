"""Pictures of the new screen: sources, problems, templates, composing, the questions before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from batchtui.tui.app import BatchtuiApp
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui.waiting import settled, until
from tests.tui.walk import new
from tests.tui.work import make_app, make_service, mixed

SIZES = [(80, 24), (120, 40)]
TABLE = 'id,text,label\na1,"Great, really",pos\na2,"Awful\nthing",neg\n'
TEMPLATE = 'model = "claude-haiku-5-5"\nmax_tokens = 50\ncustom_id = "{{ id }}"\nprompt = "Label: {{ text }}"\n'

Picture = Callable[..., bool]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchtuiApp:
    """The app, started beside a few sources."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "good.jsonl").write_bytes(b"".join(mixed()[0]))
    bad = b'{"custom_id":"a","params":{"model":"claude-haiku-5-5","max_token":5,"messages":[]}}\n{no json\n'
    (here / "bad.jsonl").write_bytes(b"".join(mixed(4)[0]) + bad * 5)
    (here / "reviews.csv").write_text(TABLE)
    (here / "reviews.toml").write_text(TEMPLATE)
    monkeypatch.chdir(here)
    return make_app(make_service(tmp_path / "data"))


def show(path: str, keys: Sequence[str] = (), template: str = "", pane: str = "") -> Callable[[Pilot[Any]], Any]:
    """What brings the app to the picture."""

    async def run(pilot: Pilot[Any]) -> None:
        await new(path, template, pane)(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        await settled(pilot)

    return run


@pytest.mark.parametrize(
    ("name", "path", "keys"),
    [
        ("empty", "", []),
        ("plan", "good.jsonl", []),
        ("problems", "bad.jsonl", []),
    ],
)
def test_sources(snap_sizes: Picture, app: BatchtuiApp, name: str, path: str, keys: list[str]) -> None:
    assert snap_sizes(app, SIZES, run_before=show(path, keys))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "keys"), [("confirm", ["ctrl+s"]), ("try-one", ["ctrl+t"])])
def test_questions(snap_compare: Picture, app: BatchtuiApp, name: str, keys: list[str], size: tuple[int, int]) -> None:
    assert snap_compare(app, terminal_size=size, run_before=show("good.jsonl", keys))


@pytest.mark.parametrize("pane", ["template", "rows", "requests"])
def test_tables(snap_sizes: Picture, app: BatchtuiApp, pane: str) -> None:
    assert snap_sizes(app, SIZES, run_before=show("reviews.csv", template="reviews.toml", pane=pane))


def test_composing(snap_sizes: Picture, app: BatchtuiApp) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await show("")(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, NewScreen)
        screen.query_one("#new-mode", TabLine).choose("write")
        await until(pilot, lambda: isinstance(screen.focused, TextArea))
        await pilot.press(*"Hello")
        await until(pilot, lambda: screen.plan is not None)
        await settled(pilot)

    assert snap_sizes(app, SIZES, run_before=run)


def test_choosing_files_lists_the_folder(app: BatchtuiApp) -> None:
    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await show("good.jsonl", ["ctrl+o"])(pilot)
            rows = app.screen.query_one(RowList).source
            names = [Path(str(rows.key(index))).name for index in range(1, len(rows))]
            assert names == ["bad.jsonl", "good.jsonl", "reviews.csv", "reviews.toml"]

    asyncio.run(run())
