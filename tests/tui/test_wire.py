"""How much goes to the terminal: nothing while nothing changes, and only the cells that did."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual._compositor import CompositorUpdate
from textual.pilot import Pilot

from batchtui.poller import LookState
from batchtui.service import events
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.messages import Happened
from tests.tui.desk_data import furnished
from tests.tui.work import NOW, make_app


class Written:
    """Collects what the app would hand to a terminal; a headless one throws it away."""

    def __init__(self, app: BatchtuiApp, monkeypatch: pytest.MonkeyPatch) -> None:
        self.text = ""
        display = app._display

        def shown(screen: Any, renderable: Any) -> None:
            if isinstance(renderable, CompositorUpdate):
                self.text += renderable.render_segments(app.console)
            display(screen, renderable)

        monkeypatch.setattr(app, "_display", shown)

    def take(self) -> str:
        """What was written since the last time."""
        text, self.text = self.text, ""
        return text


async def calm(pilot: Pilot[Any]) -> None:
    """Until everything that is to be drawn is."""
    for _ in range(6):
        await pilot.pause(0.05)


async def test_looks_that_find_nothing_new_write_less_than_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(furnished(tmp_path))
    now = [NOW]
    app._clock = lambda: now[0]
    async with app.run_test(size=(80, 24)) as pilot:
        await calm(pilot)
        written = Written(app, monkeypatch)
        app.home.tick()
        await calm(pilot)
        assert written.take() == ""
        now[0] += timedelta(seconds=10)
        app.home.tick()
        await calm(pilot)
        written.take()  # What time alone changes, whenever the screen's own tick comes.
        look = LookState(last_ok=now[0], next_at=now[0] + timedelta(seconds=30))
        for record in app.service.records():
            app.post_message(Happened(events.RecordChanged(record, record)))
        app.post_message(Happened(events.Looked(msgspec.structs.replace(look, looking=True))))
        app.post_message(Happened(events.Looked(look)))
        app.service.parts.looker.state = look
        await calm(pilot)
        assert 0 < len(written.take()) < 300


async def test_a_change_of_one_batch_writes_its_cells_not_a_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(furnished(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await calm(pilot)
        written = Written(app, monkeypatch)
        record = next(r for r in app.home.desk.records.values() if r.title == "news-summaries")
        changed = msgspec.structs.replace(record, title="news-summariez")
        app.post_message(Happened(events.RecordChanged(changed, record)))
        await calm(pilot)
        text = written.take()
        assert "z" in text and "news" not in text and len(text) < 100


async def test_a_minute_more_of_age_writes_only_the_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(furnished(tmp_path))
    now = [NOW]
    app._clock = lambda: now[0]
    async with app.run_test(size=(80, 24)) as pilot:
        await calm(pilot)
        written = Written(app, monkeypatch)
        now[0] += timedelta(minutes=1)
        app.home.batches.reload()
        await calm(pilot)
        assert 0 < len(written.take()) < 900
