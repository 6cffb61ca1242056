"""Score, review and compare by field on the screen: a whole job by keys."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from batchtui.present import symbols
from batchtui.results.review import Review
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.results.compare import CompareScreen
from batchtui.tui.results.compare_field import FieldCompareScreen
from batchtui.tui.results.detail import read, whole_text
from batchtui.tui.results.diff_view import DiffView
from batchtui.tui.results.matrix import MatrixView
from batchtui.tui.results.score import ScoreScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui import walk
from tests.tui.labelled import FIRST, LABELS, ROWS, two_runs
from tests.tui.picture import text_of
from tests.tui.waiting import settled, until
from tests.tui.work import make_app, make_service


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchtuiApp:
    """Two runs over the same labelled rows."""
    monkeypatch.chdir(tmp_path)
    service = make_service(Path("data"))
    two_runs(service)
    return make_app(service)


async def keys(pilot: Pilot[Any], *pressed: str) -> None:
    for key in pressed:
        await pilot.press(key)
        await settled(pilot)


async def scored(pilot: Pilot[Any]) -> ScoreScreen:
    await walk.scored(pilot)
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, ScoreScreen)
    return screen


async def by_field(pilot: Pilot[Any]) -> FieldCompareScreen:
    await walk.by_field(pilot)
    shown = pilot.app.screen
    assert isinstance(shown, FieldCompareScreen)
    return shown


async def reviewed(pilot: Pilot[Any]) -> ResultsScreen:
    await walk.reviewed(pilot)
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, ResultsScreen)
    return screen


async def test_score_to_the_rows_of_a_cell_and_back(app: BatchtuiApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await scored(pilot)
        assert screen.found.score.rows == ROWS and screen.found.score.usable == ROWS - 1
        spot = screen.query_one(MatrixView).spot
        assert spot is not None and not spot.same and spot.rows
        wanted = screen.found.cell(spot.row, spot.column)
        await keys(pilot, "x", "enter")
        assert len(list(csv.reader(Path("score-tone.csv").read_text().splitlines()))) == 4
        await keys(pilot, "enter")
        shown = pilot.app.screen
        assert isinstance(shown, ResultsScreen)
        await until(pilot, lambda: list(shown.rows) == sorted(wanted))
        assert shown.cursor_row == shown.rows[0], "in the order of the source, from the first"
        assert text_of(app).splitlines()[-1].lstrip().startswith("A matrix  ")
        await keys(pilot, "A")  # Back to the matrix, on the same cell, and to another one's rows.
        assert isinstance(pilot.app.screen, ScoreScreen) and pilot.app.screen.at == (spot.row, spot.column)
        await keys(pilot, "escape")
        await until(pilot, lambda: list(shown.rows) == sorted(wanted))
        assert f"gold {spot.row}" in text_of(app)
        await keys(pilot, "escape")
        await until(pilot, lambda: len(shown.rows) == ROWS)
        assert "matrix" not in text_of(app).splitlines()[-1]
        # A file by id, and one that has none of them.
        Path("gold.csv").write_text("id,tone\nR00,negative\nR01,negative\n")
        Path("other.csv").write_text("id,tone\nX,negative\n")
        for name, ends in (("other.csv", ResultsScreen), ("gold.csv", ScoreScreen)):
            await keys(pilot, "A", "enter")
            pilot.app.screen.query_one(OptionList).highlighted = pilot.app.screen.query_one(OptionList).option_count - 1
            await keys(pilot, "enter")
            pilot.app.screen.query_one(Input).value = name
            await keys(pilot, "enter")
            assert isinstance(pilot.app.screen, ends)
        assert pilot.app.screen.found.score.rows == 2  # type: ignore[attr-defined]


async def test_review_verdicts_notes_and_a_blind_sample(app: BatchtuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await reviewed(pilot)
        assert screen.view is not None
        folder = app.service.history.folder(FIRST)
        review = Review(folder)
        said = [review.of(f"id:R{n:02}", "tone") for n in range(3)]
        assert [each.verdict if each else None for each in said] == ["right", "wrong", "right"]
        assert (
            said[0] is not None and said[0].value == "negative" and said[1] is not None and said[1].value != "negative"
        )
        await keys(pilot, "p", "plus")  # The same again removes the verdict.
        assert Review(folder).of("id:R02", "tone") is None
        await keys(pilot, "t", *"hm", "enter")
        noted = Review(folder).of("id:R02", "tone")
        assert noted is not None and (noted.verdict, noted.note) == ("", "hm") and "note: hm" in text_of(app)
        # A newer answer than the one that was reviewed.
        review.say(said[0].__class__(**{**{f: getattr(said[0], f) for f in said[0].__struct_fields__}, "result": "00"}))
        screen.open()
        await until(pilot, lambda: "+~" in text_of(app))

        await keys(pilot, "V", "enter")
        pilot.app.screen.query_one(Input).value = "6"
        await keys(pilot, "enter", "j", "j", "j", "enter")
        assert pilot.app.screen is screen
        await until(pilot, lambda: len(screen.rows) == 6)
        await settled(pilot)
        sample = Review(folder).sample
        assert sample is not None and sample.blind and sample.by == "tone" and len(sample.strata) == 3
        first = next(n for n, row in enumerate(screen.rows) if screen.reviewing.hides(row))
        assert screen.cursor_row == screen.rows[first]
        assert "(hidden)" in text_of(app) and "Hidden until your verdict" in text_of(app)
        assert any(each.hides is not None for each in screen._columns if each.name == "row.gold_tone"), "gold too"
        last = text_of(app).splitlines()[-1]
        assert last.lstrip().startswith("+ value  t note  V review") and "right" not in last and "wrong" not in last, (
            last
        )
        assert not any(refused in last for refused in ("count", "export", "score", "compare", "copy")), last
        await keys(pilot, "question_mark")
        assert "enter the value you think is right" in text_of(app) and "review: wrong" not in text_of(app)
        await keys(pilot, "escape")
        await nothing_tells(pilot, screen)
        while any(screen.reviewing.hides(row) for row in screen.rows):
            row = screen.cursor_row
            await keys(pilot, "plus", "enter")
            assert row is not None and not screen.reviewing.hides(row)
        assert "Sample reviewed: accuracy" in screen.query_one(StatusLine).said and "(hidden)" not in text_of(app)
        assert text_of(app).splitlines()[-1].lstrip().startswith("+ right  - wrong  t note")
        sign = screen.query_one("#results-filter-sign", Static)
        assert str(sign.content) == "/ review sample", "no separator before a filter that is not there"
        await keys(pilot, "slash", "x")
        assert str(sign.content) == "/ review sample ·"
        screen.set_filter("")
        await settled(pilot)
        await keys(pilot, "V", "j", "enter", "enter")  # A new sample is drawn from all rows, not from the sample shown.
        assert f"Sample how many of {ROWS - 1} usable answers?" in text_of(app)
        await keys(pilot, "escape")


async def nothing_tells(pilot: Pilot[Any], screen: ResultsScreen) -> None:
    """No key, filter or order tells a hidden answer; the same opened anew hides as much."""
    drawn, status = list(screen.rows), screen.query_one(StatusLine)
    for key in ("y", "number_sign", "A", "x", "b", "equals_sign"):
        status.dismiss()
        await keys(pilot, key)
        assert pilot.app.screen is screen and "hidden until your verdict" in status.said, key
    shown = screen.detail.wanted()
    assert shown is not None
    for mode in ("markdown", "raw"):
        text = whole_text(read(shown), mode, hidden=True)  # type: ignore[arg-type]
        assert "Text" in text and not any(label in text for label in LABELS) and "Hidden" in text
    for typed in ("positive", "-tone:positive", "len(reason)>3"):
        screen._filter.value = typed
        await until(pilot, lambda: not screen._search.running)
        await settled(pilot)
        assert not any(screen.reviewing.hides(row) for row in screen.rows), typed
    screen._filter.value = "gold_tone:positive"  # An own column tells nothing.
    await until(pilot, lambda: not screen._search.running)
    await settled(pilot)
    assert screen.view is not None
    golden = [row for row in drawn if LABELS[int(screen.view.id(row)[1:]) % 3] == "positive"]
    assert list(screen.rows) == golden
    screen._filter.value = ""
    for key in ("answer.tone", "out"):
        screen._sort_by(key)
        await until(pilot, lambda: not screen._search.running)
        await settled(pilot)
        hides = [screen.reviewing.hides(row) for row in screen.rows]
        last = list(screen.rows)[hides.index(True) :]
        assert last == sorted(last) and hides == sorted(hides), key
    screen._sort_by("source")
    await settled(pilot)
    screen.move_to(next(row for row in screen.rows if screen.reviewing.hides(row)))
    await settled(pilot)


async def test_a_field_of_two_runs(app: BatchtuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await by_field(pilot)
        assert screen.found is not None
        differing = screen.found.differing()
        assert len(screen.query_one(RowList).source) == len(differing) > 3
        await keys(pilot, "A", "enter")
        await until(pilot, lambda: screen.found is not None and screen.found.counts is not None)
        await settled(pilot)
        assert "only labels, new prompt" in text_of(app) and "gold: column gold_tone" in text_of(app)
        spot = screen.query_one(MatrixView).spot
        assert spot is not None and spot.rows
        await keys(pilot, "enter")
        assert len(screen.query_one(RowList).source) == spot.rows and screen.query_one(RowList).has_focus
        await keys(pilot, "enter")
        assert screen.query_one(DiffView).display and spot.row in text_of(app)
        assert "· gold " in text_of(app) and "Text " in text_of(app), "what was asked stands above both values"
        await keys(pilot, "escape", "w", "x", "enter")
        assert len(Path("differ-tone.csv").read_text().splitlines()) == len(differing) + 1
        await keys(pilot, "escape")
        assert isinstance(pilot.app.screen, FieldCompareScreen | CompareScreen)


async def test_in_ascii_all_of_it_can_be_read(app: BatchtuiApp) -> None:
    symbols.use(True)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            screen = await scored(pilot)
            drawn = "\n".join(screen.query_one(MatrixView)._matrix.lines)
            assert drawn.isascii() and "gold v" in drawn
            cursor = screen.query_one(MatrixView).spot
            assert cursor is not None and f"> {'':>0}" in text_of(app)
    finally:
        symbols.use(False)
