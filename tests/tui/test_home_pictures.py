"""Home and its modals as pictures: at every size, in every kind of colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from batchtui.config.load import Config, Screen
from batchtui.domain.schedule import LookState
from batchtui.domain.work import Progress
from batchtui.service import events
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.home.model import SORTS
from batchtui.tui.messages import Happened
from tests.tui.home_data import ago, furnished
from tests.tui.waiting import settled
from tests.tui.work import NOW, make_app, make_service

Compare = Callable[..., bool]
SIZES = {"60x20": (60, 20), "80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
TWO = ["80x24", "120x40"]


def home_app(tmp_path: Path, **screen: Any) -> BatchtuiApp:
    return make_app(furnished(tmp_path, Config(screen=Screen(**screen))))


@pytest.mark.parametrize("size", SIZES)
def test_home(snap_compare: Compare, tmp_path: Path, size: str) -> None:
    assert snap_compare(home_app(tmp_path), terminal_size=SIZES[size], press=["j", "space", "j", "j"])


@pytest.mark.parametrize("theme", ["light", "ansi", "high-contrast"])
def test_home_in_other_colours(snap_compare: Compare, tmp_path: Path, theme: str) -> None:
    assert snap_compare(home_app(tmp_path, theme=theme), terminal_size=(120, 40), press=["j", "space", "j", "j"])


def test_home_without_colour(snap_compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(home_app(tmp_path), terminal_size=(80, 24), press=["j", "space", "j", "j"])


def test_home_in_ascii(snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(home_app(tmp_path, ascii=True), terminal_size=(80, 24), press=["j", "space"])


def test_home_with_nothing_on_it(snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(make_app(make_service(tmp_path)), terminal_size=(80, 24))


def test_home_blind_in_trouble_and_storing(snap_compare: Compare, tmp_path: Path) -> None:
    app = home_app(tmp_path)

    async def happen(pilot: Pilot[Any]) -> None:
        look = LookState(
            last_ok=ago(minutes=9), blind_since=ago(minutes=5), error="no connection to api.anthropic.com", next_at=NOW
        )
        app.service.parts.poller.state = look
        gold = next(r for r in app.service.records() if r.title == "good-as-gold")
        app.post_message(Happened(events.Looked(look)))
        app.post_message(Happened(events.Transfer(gold.local_id, Progress(stage="storing", done=45, total=100))))
        app.post_message(
            Happened(
                events.Trouble(
                    "can't write results.jsonl.part: No space left on device",
                    "free some room on the disk; what was there is kept",
                )
            )
        )
        await settled(pilot)

    assert snap_compare(app, terminal_size=(80, 24), run_before=happen)


KEYS = {
    "help": ["question_mark"],
    "cancel": ["slash", *"summaries", "enter", "c"],
    "delete": ["slash", *"poems", "enter", "d"],
    "edit": ["slash", *"poems", "enter", "e"],
    "details": ["slash", *"poems", "enter", "v"],
    "run": ["slash", *"labels", "enter", "v"],
    "unconfirmed": ["enter"],
    "spending": ["dollar_sign"],
    "profiles": ["p"],
}


@pytest.mark.parametrize("size", TWO)
@pytest.mark.parametrize("modal", KEYS)
def test_modals(snap_compare: Compare, tmp_path: Path, modal: str, size: str) -> None:
    assert snap_compare(home_app(tmp_path), terminal_size=SIZES[size], press=KEYS[modal], run_before=settled)


def test_filtering(snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(home_app(tmp_path), terminal_size=(80, 24), press=["slash", *"status:run"])


def test_sorted_by_cost(snap_compare: Compare, tmp_path: Path) -> None:
    assert snap_compare(home_app(tmp_path), terminal_size=(80, 24), press=["s"] * SORTS.index("cost"))
