"""The palette's Last error and the debug log name an unexpected error's type and place, and nothing else of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from batchtui import unexpected
from batchtui.cli.output import guarded
from batchtui.debuglog import open_log
from batchtui.domain.errors import StoreError
from batchtui.service import ServiceThread
from batchtui.tui import base
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.commands import last_error_text
from batchtui.tui.dialogs import Reading
from batchtui.tui.home.screen import HomeScreen
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.waiting import until
from tests.tui.work import make_app, make_service

SECRET = "sk-ant-secret-and-a-content"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    ours = logging.getLogger("batchtui")
    before = list(ours.handlers)
    open_log(tmp_path / "log")
    yield tmp_path / "log"
    ours.handlers[:] = before
    ours.setLevel(logging.NOTSET)
    ours.propagate = True
    unexpected.forget()


async def from_palette(pilot: Pilot[Any], typed: str = "last error") -> str:
    """What Last error shows, reached as a person does."""
    app = pilot.app
    await pilot.press("ctrl+p")
    await until(pilot, lambda: "Palette" in type(app.screen).__name__)
    app.screen.query_one(Input).value = typed
    await until(pilot, lambda: bool(app.screen.query("OptionList")) and _offered(app))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, Reading))
    return "\n".join(str(each.content) for each in app.screen.query(Static))


def _offered(app: Any) -> bool:
    from textual.widgets import OptionList

    options = app.screen.query_one(OptionList)
    return any("Last error" in str(options.get_option_at_index(n).prompt) for n in range(options.option_count))


async def test_an_error_of_a_screen_is_found_in_the_palette_and_in_the_log(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, bugs: list[BaseException]
) -> None:
    def broken(screen: HomeScreen) -> None:
        content = SECRET
        raise KeyError(content)

    monkeypatch.setattr(HomeScreen, "action_sort", broken)
    app = make_app(make_service(tmp_path / "data"))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "Unexpected error" in app.home.query_one(StatusLine).said)
        said = app.home.query_one(StatusLine)._said
        assert "KeyError" in said[0] and "ctrl+p" in said[1]
        shown = await from_palette(pilot)
    bugs.clear()
    for words in ("When", "UTC", "KeyError", f"{base.__name__}:", "To report it", "batchtui doctor"):
        assert words in shown
    written = log.read_text()
    assert "KeyError" in written and f"{base.__name__}:" in written
    assert SECRET not in shown + written + " ".join(said)


async def test_without_an_error_the_palette_says_so(tmp_path: Path) -> None:
    unexpected.forget()
    app = make_app(make_service(tmp_path / "data"))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "No unexpected error" in await from_palette(pilot)


def test_causes_are_named_and_only_our_own_words_are_told(log: Path) -> None:
    try:
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            raise StoreError("can't write it", advice="") from error
    except StoreError as error:
        unexpected.note(error, "testing")
    text = last_error_text() + log.read_text()
    assert "batchtui.domain.errors.StoreError: can't write it" in text
    assert "caused by ValueError" in text and SECRET not in text


def test_a_deep_or_endless_chain_is_bounded() -> None:
    def deep(n: int) -> None:
        deep(n + 1)

    with pytest.raises(RecursionError) as caught:
        deep(0)
    assert len(list(unexpected.describe(caught.value))) < 100
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert len(list(unexpected.describe(first))) == unexpected.MOST_CAUSES


def test_a_verb_that_fails_tells_type_and_place(
    capsys: pytest.CaptureFixture[str], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise KeyError(SECRET)

    assert guarded(broken) == 3
    said = capsys.readouterr().err + log.read_text()
    assert "KeyError" in said and "batchtui.cli.output:" in said and SECRET not in said


def test_what_the_engine_does_in_the_background_is_noted(tmp_path: Path, log: Path) -> None:
    import time

    async def broken() -> None:
        raise KeyError(SECRET)

    engine = ServiceThread(make_service(tmp_path / "data"))
    engine.start()
    engine.spawn(broken())
    end = time.monotonic() + 120
    while unexpected.last() is None and time.monotonic() < end:
        time.sleep(0.01)
    engine.stop()
    assert "KeyError" in log.read_text() and SECRET not in log.read_text()


def test_the_report_of_a_crash_holds_no_content(tmp_path: Path) -> None:
    app = BatchtuiApp(make_service(tmp_path / "data"), None)  # type: ignore[arg-type]
    try:
        raise KeyError(SECRET)
    except KeyError:
        app._fatal_error()
    said = " ".join(map(str, app._exit_renderables))
    assert "KeyError" in said and SECRET not in said
