"""Figures of a run say which of its batches are not in them, on every screen that tells figures."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from batchtui.domain.batch import BatchRecord
from batchtui.present import batch
from batchtui.store import files
from batchtui.store.records import encode_record
from batchtui.tui.results.compare import CompareScreen
from batchtui.tui.results.counts import CountsScreen
from batchtui.tui.results.score import ScoreScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.home_data import record
from tests.tui.labelled import labels
from tests.tui.picture import text_of
from tests.tui.waiting import settled, until
from tests.tui.work import make_app, make_service

SAID = "not included: retry 1 (running)"


async def test_results_counts_score_and_compare_say_that_a_retry_is_in_progress(tmp_path: Path) -> None:
    first = labels(make_service(tmp_path), 10)
    retry = record(
        local_id="20261122T120000Z-retry1", run=first.run, attempt=1, status="in_progress", retry_of=(first.local_id,)
    )
    service = make_service(tmp_path)
    folder = service.history.folder(first.local_id).parent / retry.local_id
    folder.mkdir()
    files.write_atomic(folder / "batch.json", encode_record(retry))
    service = make_service(tmp_path)
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = ResultsScreen(first.local_id, run=True)
        await app.push_screen(screen)
        await until(pilot, lambda: screen.table.names is not None and len(screen.rows))
        await settled(pilot)
        assert SAID in text_of(app)
        await pilot.press("number_sign")
        await until(pilot, lambda: isinstance(app.screen, CountsScreen) and app.screen.counts is not None)
        await says(pilot)
        await pilot.press("escape", "A")
        await settled(pilot)
        for _ in range(5):
            if isinstance(app.screen, ScoreScreen):
                break
            await pilot.press("enter")
            await settled(pilot)
        assert isinstance(app.screen, ScoreScreen)
        await says(pilot)
        await app.push_screen(CompareScreen(first.local_id, first.local_id, runs=True))
        await settled(pilot)
        await says(pilot)
        await pilot.press("F")
        await settled(pilot)
        for _ in range(5):
            if not isinstance(app.screen, CompareScreen):
                break
            await pilot.press("enter")
        await settled(pilot)
        await says(pilot)
        await app.push_screen(CompareScreen(first.local_id, first.local_id, runs=True))
        await says(pilot)
        for each in (first, retry):  # As another program may.
            service.history.delete(each.local_id)
        await pilot.resize_terminal(90, 24)
        await says(pilot)
        assert not app.screen.query_one(StatusLine).said


async def says(pilot: Pilot[None]) -> None:
    await settled(pilot)
    assert SAID in text_of(pilot.app), text_of(pilot.app)


def test_what_is_not_in_figures_is_named_and_counted() -> None:
    def part(number: int, **fields: object) -> BatchRecord:
        return record(local_id=f"b{number}", part=number, parts=3, **fields)

    whole = [part(1, status="ended", results="stored"), part(2, status="in_progress"), part(3, status="refused")]
    assert batch.not_included_words(whole, run=True) == "not included: 2/3 (running) and 1 more"
    assert batch.not_included_words(whole[:1], run=True) == "" and batch.not_included_words(whole[2:], run=False) == ""
    again = record(local_id="b4", attempt=1, status="ended", results="stored", retry_of=("b3",))
    assert batch.not_included_words([whole[0], whole[2], again], run=True) == ""
