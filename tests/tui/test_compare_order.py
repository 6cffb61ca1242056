"""Which of two runs is *before*, what the list to choose from says of each, and names that begin alike."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from batchtui.present.scores import short_names
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.dialogs import Choose
from batchtui.tui.results.compare import CompareScreen
from batchtui.tui.results.screen import ResultsScreen
from tests.tui.picture import text_of
from tests.tui.waiting import settled, until
from tests.tui.work import NOW, add_batch, answered, make_app, make_service, request


async def asked_beside(app: BatchtuiApp, pilot: Pilot[Any], local_id: str) -> OptionList:
    """The runs to compare one with, asked for from its results."""
    results = ResultsScreen(local_id)
    await app.push_screen(results)
    await until(pilot, lambda: len(results.rows) == 1)
    await pilot.press("equals_sign")
    await until(pilot, lambda: isinstance(app.screen, Choose))
    return app.screen.query_one(OptionList)


async def chosen_beside(app: BatchtuiApp, pilot: Pilot[Any], title: str) -> None:
    """Choose the first; the comparison must say this."""
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen))
    shown = app.screen.query_one("#compare-title", Static)
    await until(pilot, lambda: str(shown.content) == title)


async def test_the_older_run_is_before_whichever_was_open(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    sent, good = [request("a", "x")], [answered("a", [{"type": "text", "text": "y"}])]
    add_batch(service, sent, good, title="labels", models={"claude-haiku-5-5": 2, "gpt": 1})
    newer = add_batch(service, sent, good, title="labels again", local_id="20261122T110200Z-cccccc")
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        options = await asked_beside(app, pilot, newer.local_id)
        assert "haiku-5-5 +1" in str(options.get_option_at_index(0).prompt)
        await chosen_beside(app, pilot, "before labels   after labels again")


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("feedback judged", "feedback judged again"), ("…judged", "…judged again")),
        (("labels", "labels again"), ("labels", "labels again")),
        (("product-reviews-one", "product-reviews-two"), ("product-reviews-one", "product-reviews-two")),
        (("haiku", "sonnet"), ("haiku", "sonnet")),
    ],
)
def test_names_that_begin_alike_are_told_apart_in_a_narrow_column(
    names: tuple[str, str], shown: tuple[str, str]
) -> None:
    assert short_names(names, 20) == shown


async def test_runs_of_one_title_are_told_apart_by_when_they_were_made(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    sent, good = [request("a", "x")], [answered("a", [{"type": "text", "text": "y"}])]
    for minute in (1, 2, 3):
        made = NOW - timedelta(minutes=minute)
        local_id = f"20261122T11{minute:02}00Z-cccccc"
        newest = add_batch(service, sent, good, title="labels", local_id=local_id, created_at=made)
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        options = await asked_beside(app, pilot, newest.local_id)
        said = [str(options.get_option_at_index(n).prompt) for n in (0, 1)]
        assert said[0] != said[1] and all(each.startswith("labels  1 request  $") for each in said), said
        await chosen_beside(app, pilot, "before labels (1)   after labels (2)")


async def test_runs_without_a_row_in_both_say_so_at_once(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    good = [{"type": "text", "text": "y"}]
    one = add_batch(service, [request("a", "x")], [answered("a", good)])
    other = add_batch(service, [request("b", "z")], [answered("b", good)], local_id="20261122T110200Z-cccccc")
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(CompareScreen(one.local_id, other.local_id))
        await settled(pilot)
        assert "No row is in both runs" in text_of(app) and "only before" in text_of(app)
