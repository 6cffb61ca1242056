"""How much goes to the terminal: nothing while nothing changes, and only the cells that did."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.app import ComposeResult
from textual.events import Resize
from textual.geometry import Size
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from batchtui.domain.schedule import LookState
from batchtui.service import events
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.messages import Happened
from tests.tui.home_data import furnished
from tests.tui.picture import Emulated, Written, as_drawn_whole
from tests.tui.waiting import settled
from tests.tui.work import NOW, make_app


async def retitled(pilot: Pilot[Any], title: str) -> None:
    """One batch is told to have another title."""
    app = pilot.app
    assert isinstance(app, BatchtuiApp)
    record = next(r for r in app.home.model.records.values() if "-news" in r.local_id)
    app.post_message(Happened(events.RecordChanged(msgspec.structs.replace(record, title=title), record)))
    await settled(pilot)


async def test_looks_that_find_nothing_new_write_less_than_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(furnished(tmp_path))
    now = [NOW]
    app._clock = lambda: now[0]
    written = Written(monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        written.take()
        app.home.tick()
        await settled(pilot)
        assert written.take() == ""
        now[0] += timedelta(seconds=10)
        app.home.tick()
        await settled(pilot)
        written.take()  # What time alone changes, whenever the screen's own tick comes.
        look = LookState(last_ok=now[0], next_at=now[0] + timedelta(seconds=30))
        for record in app.service.records():
            app.post_message(Happened(events.RecordChanged(record, record)))
        app.post_message(Happened(events.Looked(msgspec.structs.replace(look, looking=True))))
        app.post_message(Happened(events.Looked(look)))
        app.service.parts.poller.state = look
        await settled(pilot)
        assert 0 < len(written.take()) < 300


async def test_a_change_of_one_batch_writes_its_cells_not_a_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(furnished(tmp_path))
    written = Written(monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        written.take()
        record = next(r for r in app.home.model.records.values() if r.title == "news-summaries")
        changed = msgspec.structs.replace(record, title="news-summariez")
        app.post_message(Happened(events.RecordChanged(changed, record)))
        await settled(pilot)
        text = written.take()
        assert "z" in text and "news" not in text and len(text) < 100


async def test_a_minute_more_of_age_writes_only_the_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(furnished(tmp_path))
    now = [NOW]
    app._clock = lambda: now[0]
    written = Written(monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        written.take()
        now[0] += timedelta(minutes=1)
        app.home.batches.reload()
        await settled(pilot)
        assert 0 < len(written.take()) < 900


KEYS = (
    *("j", "j", "k", "s", "S", "space", "space", "escape", "z", "z", "slash", "n", "e", "w", "escape", "escape"),
    *("n", "tab", "escape", "G", "g", "pagedown", "f5", "pageup"),
)
"""On home; what other screens write is checked at each by ``test_walk``."""


async def test_the_terminal_shows_what_the_screen_holds_after_every_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHTUI_CONFIG_DIR", str(tmp_path / "config"))
    service = furnished(tmp_path / "data")
    for number, title in enumerate(("日本語の要約", "cafe\u0301 e\u0301te\u0301", "日本語の要\u7d04 2")):
        blank = next(r for r in service.records() if r.title == "news-summaries")
        service.history.create(
            msgspec.structs.replace(
                blank, local_id=f"20261122T10000{number}Z-wide00", run=f"wide-{number}", title=title
            )
        )
    app = make_app(service)
    terminal = Emulated(monkeypatch, 80, 24)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert terminal.cells() == as_drawn_whole(app)
        for key in KEYS:
            await pilot.press(key)
            await settled(pilot)
            shown, whole = terminal.cells(), as_drawn_whole(app)
            assert shown == whole, (key, [y for y in range(24) if shown[y] != whole[y]])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cafe x", "cafe\u0301 x"),
        ("か x", "か\u3099 x"),
        ("日本", "本日"),
        ("plain 1", "plain 2"),
    ],
)
async def test_a_change_within_any_script_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    app = make_app(furnished(tmp_path))
    terminal = Emulated(monkeypatch, 80, 24)
    async with app.run_test(size=(80, 24)) as pilot:
        for title in (before, after, before):
            await retitled(pilot, title)
            assert terminal.cells() == as_drawn_whole(app)
            app.screen.refresh()
            await settled(pilot)
            assert terminal.cells() == as_drawn_whole(app)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\u26a0\ufe0f rerun 1", "\u26a0\ufe0f rerun 2"),
        ("\U0001f469 family", "\U0001f469\u200d\U0001f469\u200d\U0001f467 family"),
        ("\U0001f469\u200d\U0001f469\u200d\U0001f467 one", "\U0001f469\u200d\U0001f469\u200d\U0001f467 two"),
    ],
)
async def test_signs_that_terminals_measure_differently_are_sent_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    app = make_app(furnished(tmp_path))
    written = Written(monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        for title in (before, after, before):
            written.take()
            await retitled(pilot, title)
            assert title in written.take()


async def test_a_screen_drawn_again_as_it_was_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(furnished(tmp_path))
    written = Written(monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        written.take()
        app.screen.refresh(layout=True)
        await settled(pilot)
        assert written.take() == ""
        app.screen.refresh()
        app.home.batches.refresh()
        await settled(pilot)
        assert written.take() == ""


class Numbered(Screen[None]):
    """Lines that are different each, from the top."""

    def compose(self) -> ComposeResult:
        yield Static("\n".join(f"row {n}" for n in range(60)))


async def test_a_terminal_that_another_program_had_is_drawn_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(furnished(tmp_path))
    terminal = Emulated(monkeypatch, 80, 24)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        terminal.cells()
        terminal.screen.reset()
        size = Size(80, 24)
        app.post_message(Resize(size, size))
        await settled(pilot)
        assert terminal.cells() == as_drawn_whole(app)
        for modal in ("", "question_mark", "e", "ctrl+p"):
            if modal:
                await pilot.press(modal)
            await settled(pilot)
            terminal.cells()
            terminal.screen.reset()
            await pilot.press("f5")
            await settled(pilot)
            assert terminal.cells() == as_drawn_whole(app)
            if modal:
                await pilot.press("escape")


async def test_a_terminal_of_another_size_is_drawn_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(furnished(tmp_path))
    terminal = Emulated(monkeypatch, 80, 40)
    async with app.run_test(size=(80, 40)) as pilot:
        await app.push_screen(Numbered())
        await settled(pilot)
        terminal.cells()
        for width, height in ((80, 24), (80, 40), (60, 20), (120, 40), (80, 24)):
            terminal.screen.resize(height, width)
            await pilot.resize_terminal(width, height)
            await settled(pilot)
            assert terminal.cells() == as_drawn_whole(app)
