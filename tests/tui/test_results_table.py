"""The results as a table: columns by what there is, counts with bars, filters that bars lead to, search in an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from batchtui.domain.batch import BatchRecord
from batchtui.present.symbols import use
from batchtui.service import Service
from batchtui.tui.results.counts import CountsScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.labelled import labels
from tests.tui.picture import text_of
from tests.tui.waiting import settled, until
from tests.tui.work import make_app, make_service


@asynccontextmanager
async def opened(service: Service, record: BatchRecord) -> AsyncIterator[tuple[Pilot[Any], ResultsScreen]]:
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = ResultsScreen(record.local_id)
        await app.push_screen(screen)
        await until(pilot, lambda: screen.table.names is not None and len(screen.rows))
        await settled(pilot)
        yield pilot, screen


def titles(screen: ResultsScreen) -> list[str]:
    return [each.column.title for each in screen.columns]


async def test_columns_are_what_there_is_and_the_choice_is_kept(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    record = labels(service)
    async with opened(service, record) as (pilot, screen):
        assert titles(screen) == ["Request", "stars", "sentiment", "urgency", "reason", "text"]
        lines = text_of(pilot.app).split("\n")
        assert "✗ invalid: urgency is 7, at most 5" in next(line for line in lines if "R0002" in line)
        assert "✗ errored: overloaded" in next(line for line in lines if "R0005" in line)
        assert "cut short: max tokens" in next(line for line in lines if "R0007" in line)
        await pilot.press("C")
        await settled(pilot)
        # Hide the id, and have stars after sentiment.
        await pilot.press("space", "greater_than_sign", "enter")
        await settled(pilot)
        assert titles(screen) == ["sentiment", "stars", "urgency", "reason", "text"]
        await pilot.press("s", "s", "s")
        await settled(pilot)
        assert screen.view is not None
        assert screen.sorted_by == "answer.urgency" and screen.view.id(screen.rows[0]) == "R0002"
    async with opened(service, record) as (_, screen):
        assert titles(screen) == ["sentiment", "stars", "urgency", "reason", "text"]


async def test_two_hundred_paths_leave_the_list_usable(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    async with opened(service, labels(service, 10, paths=200)) as (pilot, screen):
        assert len(screen.columns) < 24
        assert "sentiment" in text_of(pilot.app)


async def test_counts_lead_to_their_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = make_service(tmp_path)
    monkeypatch.chdir(tmp_path)
    async with opened(service, labels(service)) as (pilot, screen):
        await pilot.press("number_sign")
        await until(pilot, lambda: isinstance(pilot.app.screen, CountsScreen) and pilot.app.screen.counts)
        counts = pilot.app.screen
        assert isinstance(counts, CountsScreen) and counts.counts is not None
        assert {each.group.label: each.rows for each in counts.counts.groups} == {
            "positive": 19, "negative": 9, "mixed": 9, "cut short": 1, "invalid": 1, "no answer": 1,
        }  # fmt: skip
        await pilot.press("tab")
        await settled(pilot)
        assert counts.by is not None and counts.by.bare == "urgency" and sum(counts.counts.groups[0].by) == 19
        await pilot.press("percent_sign", "x")
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        saved = (tmp_path / "counts-sentiment-by-urgency.csv").read_text()
        assert saved.startswith("value,kind,rows,share,1,2,3,4,5,") and "\npositive,value,19,0.475," in saved
        await pilot.press("j", "enter")
        await settled(pilot)
        assert pilot.app.screen is screen and len(screen.rows) == 9
        assert screen.query_one("#results-filter", Input).value == 'is:usable answer.sentiment="mixed"'


async def test_a_name_there_is_not_is_said_with_the_nearest(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    async with opened(service, labels(service)) as (pilot, screen):
        screen.query_one("#results-filter", Input).value = "urgncy>3 stars:5"
        await settled(pilot)
        assert "there is no column or field 'urgncy'. Did you mean urgency?" in screen.query_one(StatusLine).said
        assert len(screen.rows) == 8
        screen.query_one("#results-filter", Input).value = "urgency>3 stars:5"
        await settled(pilot)
        assert len(screen.rows) == 8 and not screen.query_one(StatusLine).said


async def test_text_is_found_in_an_answer(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    async with opened(service, labels(service)) as (pilot, screen):
        await pilot.press("enter")
        await settled(pilot)
        shown = text_of(pilot.app)
        assert "sentiment  positive" in shown and shown.index("The kettle number") < shown.index("sentiment  positive")
        await pilot.press("slash", *"CALLED", "enter")
        await settled(pilot)
        assert screen.detail.answer.found == "hit 1 of 2"
        await pilot.press("n")
        assert screen.detail.answer.found == "hit 2 of 2"
        await pilot.press("N", "N")
        assert screen.detail.answer.found == "hit 2 of 2"
        await pilot.press("escape")
        await settled(pilot)
        assert not screen.detail.answer.found
        await pilot.press("n")
        await settled(pilot)
        assert screen.query_one(RowList).cursor == 1


async def test_counts_in_ascii(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    record = labels(service)
    async with opened(service, record) as (pilot, _):
        use(True)
        try:
            await pilot.press("number_sign")
            await settled(pilot)
            lines = text_of(pilot.app).split("\n")
        finally:
            use(False)
        assert next(line for line in lines if "positive" in line).rstrip().endswith("#" * 40)
