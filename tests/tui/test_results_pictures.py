"""Pictures of the results and compare screens: every tab, the groups, every kind of block, the comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from batchtui.tui.app import BatchtuiApp
from batchtui.tui.results.compare import CompareScreen
from batchtui.tui.results.retry import RetryScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.answer_view import AnswerView
from batchtui.tui.widgets.row_list import RowList
from tests.tui.waiting import settled, until
from tests.tui.work import BLOCKS, add_batch, answered, failed, make_app, make_service, mixed

SIZES = [(80, 24), (120, 40)]
FIRST, SECOND = "20261122T110000Z-aaaaaa", "20261122T113000Z-bbbbbb"

Picture = Callable[..., bool]


@pytest.fixture
def app(tmp_path: Path) -> BatchtuiApp:
    """The app over two batches of the same requests."""
    service = make_service(tmp_path)
    requests, results = mixed()
    add_batch(service, requests, results)
    later = list(results)
    later[5] = answered(
        "row-000", [{"type": "text", "text": "Document 0 is about\na cat, a dog and a fox.\nThat is all."}]
    )
    later[6] = failed("row-001", "api_error", "Internal server error")
    later[8] = answered("row-003", [{"type": "text", "text": "Now it is answered."}])
    add_batch(service, requests, later, local_id=SECOND, title="reviews, new prompt")
    return make_app(service)


def show(screen: Callable[[], Screen[Any]], keys: Sequence[str], cursor: str = "") -> Callable[[Pilot[Any]], Any]:
    """What brings the app to the picture: the screen, the cursor on a request, then keys."""

    async def run(pilot: Pilot[Any]) -> None:
        shown = screen()
        await pilot.app.push_screen(shown)
        await until(pilot, lambda: len(shown.query_one(RowList).source))
        if cursor:
            assert isinstance(shown, ResultsScreen) and shown.view is not None
            shown.query_one(RowList).move_to(shown.view.ids().index(cursor))
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        await rested(pilot)

    return run


async def rested(pilot: Pilot[Any]) -> None:
    """Nothing is being searched, planned or about to be shown."""
    screen = pilot.app.screen
    if isinstance(screen, RetryScreen):
        await until(pilot, lambda: screen._plan is not None)
    if isinstance(screen, ResultsScreen):
        await until(pilot, lambda: not screen._search.running)
        if len(screen.rows) and screen.query_one("#results-detail").display:
            await until(pilot, lambda: screen.query_one("#answer", AnswerView).children)
    await settled(pilot)


def results() -> ResultsScreen:
    return ResultsScreen(FIRST)


@pytest.mark.parametrize("tab", range(1, 9))
def test_each_tab(snap_sizes: Picture, app: BatchtuiApp, tab: int) -> None:
    assert snap_sizes(app, SIZES, run_before=show(results, [str(tab)]))


@pytest.mark.parametrize("block", [*BLOCKS, "row-005", "row-006", "row-010", "never-came"])
def test_every_kind_of_answer(snap_sizes: Picture, app: BatchtuiApp, block: str) -> None:
    assert snap_sizes(app, SIZES, run_before=show(results, ["enter"], block))


@pytest.mark.parametrize(("name", "keys"), [("raw", ["enter", "v"]), ("plain", ["enter", "m"])])
def test_raw_and_plain(snap_sizes: Picture, app: BatchtuiApp, name: str, keys: list[str]) -> None:
    assert snap_sizes(app, SIZES, run_before=show(results, keys))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("groups", ["E"]),
        ("group-shown", ["E", "j", "enter"]),
        ("export", ["x"]),
        ("retry", ["5", "r"]),
        ("filter", ["slash", "f", "o", "x"]),
    ],
)
def test_what_keys_open(
    snap_compare: Picture, app: BatchtuiApp, name: str, keys: list[str], size: tuple[int, int]
) -> None:
    assert snap_compare(app, terminal_size=size, run_before=show(results, keys))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "keys"), [("list", []), ("texts", ["enter"])])
def test_compare(snap_compare: Picture, app: BatchtuiApp, name: str, keys: list[str], size: tuple[int, int]) -> None:
    assert snap_compare(app, terminal_size=size, run_before=show(lambda: CompareScreen(FIRST, SECOND), keys))


@pytest.mark.parametrize("theme", ["textual-light", "ansi-dark"])
def test_other_colours(snap_compare: Picture, app: BatchtuiApp, theme: str) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        pilot.app.theme = theme
        await show(results, ["5", "j"])(pilot)

    assert snap_compare(app, terminal_size=(120, 40), run_before=run)


def test_sixty_by_twenty_is_usable(snap_compare: Picture, app: BatchtuiApp) -> None:
    assert snap_compare(app, terminal_size=(60, 20), run_before=show(results, ["j"]))
