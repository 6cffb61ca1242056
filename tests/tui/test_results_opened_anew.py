"""What was begun before results are opened anew, where a row's number means another row, is about the rows it was begun for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from batchtui.results.review import Review, draw
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.dialogs import Ask, Choose
from batchtui.tui.home import actions as home_actions
from batchtui.tui.results import actions, table
from batchtui.tui.results import retry as retry_screen
from batchtui.tui.results import review as review_model
from batchtui.tui.results.error_groups import GroupsScreen
from batchtui.tui.results.retry import RetryScreen
from batchtui.tui.results.rows import ResultRows
from batchtui.tui.results.score import ScoreScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.labelled import FIRST, ROWS, two_runs
from tests.tui.waiting import settled, until
from tests.tui.work import add_batch, answered, make_app, make_service, request

SAMPLE = [f"id:R{number:02}" for number in range(ROWS)]


@pytest.fixture
def app(tmp_path: Path) -> BatchtuiApp:
    """A batch whose results came in the other order than the requests: its rows have other numbers than those of its run."""
    service = make_service(tmp_path)
    two_runs(service)
    path = service.history.folder(FIRST) / "results.jsonl"
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
    return make_app(service)


class Gate:
    """Holds calls up once it is shut."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self._open = threading.Event()
        self._open.set()
        self.waiting = 0

    def __call__(self, *given: Any, **more: Any) -> Any:
        self.waiting += 1
        self._open.wait(60)
        self.waiting -= 1
        return self._call(*given, **more)

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, str], Gate]]:
    """A gate before a call of something, by its name."""
    made: list[Gate] = []

    def put(of: Any, name: str) -> Gate:
        made.append(Gate(getattr(of, name)))
        monkeypatch.setattr(of, name, made[-1])
        return made[-1]

    yield put
    for each in made:
        each.open()


async def opened(app: BatchtuiApp, pilot: Any) -> ResultsScreen:
    screen = ResultsScreen(FIRST)
    await app.push_screen(screen)
    await until(pilot, lambda: len(screen.rows) == ROWS)
    await settled(pilot)
    return screen


async def show_run(pilot: Any, screen: ResultsScreen) -> None:
    """The run in place of the batch: its rows stand the other way round."""
    view = screen.view
    screen.action_run()
    await until(pilot, lambda: screen.view is not view)
    await settled(pilot)
    assert screen.view is not None and screen.view.id(screen.rows[3]) == "r03" and screen.rows[3] == 3


async def test_what_is_hidden_stays_hidden_until_the_new_view_is_shown(
    app: BatchtuiApp, gated: Callable[[Any, str], Gate]
) -> None:
    gate = gated(review_model, "identities")
    drawn = draw(SAMPLE, ROWS, at=datetime.now(UTC), field="tone", blind=True)
    Review(app.service.history.folder(FIRST)).begin(drawn)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot)
        assert all(map(screen.reviewing.hides, screen.rows))
        gate.shut()
        view = screen.view
        screen.open()
        await until(pilot, lambda: gate.waiting)
        assert screen.view is view and all(map(screen.reviewing.hides, screen.rows))
        assert screen.reviewing.refuses(screen.rows)
        screen.action_run()  # The run instead, and then the batch again: the opening before counts no more.
        await until(pilot, lambda: gate.waiting > 1)
        screen.action_run()
        gate.open()
        await until(pilot, lambda: screen.view is not view)
        await settled(pilot)
        assert screen.view is not None and len(screen.view.members) == 1 and screen.reviewing._view is screen.view
        assert all(map(screen.reviewing.hides, screen.rows))


@pytest.mark.parametrize("key", ["minus", "t"])
async def test_a_verdict_is_on_the_answer_that_was_asked_about(app: BatchtuiApp, key: str) -> None:
    folder = app.service.history.folder(FIRST)
    Review(folder).begin(draw(SAMPLE[:1], 1, at=datetime.now(UTC), field="tone"))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot)
        assert screen.view is not None and screen.view.id(screen.rows[3]) == "r03" and screen.rows[3] != 3
        screen.move_to(screen.rows[3])
        await settled(pilot)
        await pilot.press(key)
        await settled(pilot)
        assert isinstance(app.screen, Choose | Ask)
        await show_run(pilot, screen)
        await pilot.press(*("enter",) if key == "minus" else ("h", "enter"))
        await until(pilot, lambda: len(Review(folder)))
        await settled(pilot)
        (said,) = Review(folder).verdicts()
        assert (said.custom_id, said.row, said.verdict) == ("r03", "id:R03", "wrong" if key == "minus" else "")
        found = screen.reviewing.of(3)
        assert found == said and screen.cursor_row == 3


async def test_no_value_stands_beside_another_row(app: BatchtuiApp, gated: Callable[[Any, str], Gate]) -> None:
    def tones(screen: ResultsScreen) -> list[str]:
        source = screen.query_one(RowList).source
        assert isinstance(source, ResultRows)
        place = next(n for n, each in enumerate(source.columns) if each.name == "answer.tone")
        return [str(source.cells(index)[place]) for index in range(len(source))]

    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot)
        said = tones(screen)
        assert len(set(said)) == 4 and said[7].startswith("✗ errored")
        gate = gated(table, "names_of")
        gate.shut()
        view = screen.view
        screen.action_run()
        await until(pilot, lambda: screen.view is not view and len(screen.rows) and gate.waiting)
        assert tones(screen) == [said[7] if number == 7 else "" for number in range(ROWS)]
        gate.open()
        await settled(pilot)
        assert tones(screen) == said


async def test_a_group_of_other_results_is_not_sent_again(app: BatchtuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("E")
        await settled(pilot)
        assert isinstance(app.screen, GroupsScreen)
        await show_run(pilot, screen)
        await pilot.press("r")
        await settled(pilot)
        assert app.screen is screen and "The results have changed since." in screen.query_one(StatusLine).said
        assert len(screen.rows) == ROWS


async def test_what_was_marked_is_what_is_sent_again(app: BatchtuiApp, gated: Callable[[Any, str], Gate]) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot)
        assert screen.view is not None
        marked = next(row for row in screen.rows if screen.view.id(row) == "r07")  # type: ignore[union-attr]
        screen.query_one(RowList).set_marks([marked])
        whole = app.service.open_results(FIRST, run=True)
        gate = gated(app.service, "open_results")
        gate.shut()
        screen.run_records = lambda: [screen.record, screen.record]  # type: ignore[method-assign,list-item]
        screen.action_retry()
        await until(pilot, lambda: gate.waiting)
        screen.view = whole
        gate.open()
        await until(pilot, lambda: isinstance(app.screen, RetryScreen))
        await settled(pilot)
        assert isinstance(app.screen, RetryScreen) and [*app.screen._rows] == [7]


@pytest.mark.parametrize("place", ["results", "home"])
async def test_what_another_batch_answered_meanwhile_is_not_sent_again(
    app: BatchtuiApp, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    service = app.service
    answer = [answered("r07", [{"type": "text", "text": "{}"}])]
    more = {"run": FIRST, "attempt": 1, "local_id": "20261122T120000Z-cccccc"}
    async with app.run_test(size=(120, 40)) as pilot:
        results = ResultsScreen(FIRST, run=True)
        if place == "results":
            await app.push_screen(results)
            await until(pilot, lambda: len(results.rows) == ROWS)
        await settled(pilot)
        screen = app.screen
        real = retry_screen.which_again

        async def while_asked(app: Any, rows: Any) -> Any:
            chosen = await real(app, rows)
            assert len(chosen) == 1
            add_batch(service, [request("r07", "Text 7")], answer, **more)
            return chosen

        monkeypatch.setattr(retry_screen, "which_again", while_asked)

        async def retry() -> None:
            if place == "home":
                await home_actions.retry_of(app.home, [service.resolve(FIRST)])
            else:
                await actions.retry(results)

        await retry()
        assert app.screen is screen and "The results have changed since." in screen.query_one(StatusLine).said
        monkeypatch.setattr(retry_screen, "which_again", real)
        view = results.view
        await retry()
        assert results.view is view and app.screen is screen
        none = "No request shown needs a retry" if place == "results" else "Every request has a usable answer now."
        assert none in screen.query_one(StatusLine).said


async def test_a_score_is_of_the_rows_it_was_begun_for(app: BatchtuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("A")
        await settled(pilot)
        assert isinstance(app.screen, Choose)
        await show_run(pilot, screen)
        for _ in ("the field", "its gold"):
            await pilot.press("enter")
            await settled(pilot)
        assert isinstance(app.screen, ScoreScreen) and app.screen.found.score.rows == ROWS
        await pilot.press("enter")
        await settled(pilot)
        assert app.screen is screen and "The results have changed since." in screen.query_one(StatusLine).said
        assert len(screen.rows) == ROWS
