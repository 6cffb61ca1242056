"""Every screen by one walk: its text at each size as a file, its colors by what makes them readable, what the terminal gets.

Sizes and themes are changed while the screen is open, as a person's terminal does.  ``--snapshot-update`` writes the files.
A check is a function over what is looked at; it holds at every stop of ``walk.WALK``.
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.color import ColorType
from textual.pilot import Pilot

from batchtui.tui.app import BatchtuiApp
from tests.tui.picture import Emulated, as_drawn_whole, contrast, pieces, strips, text_of
from tests.tui.waiting import settled
from tests.tui.walk import WALK, Stop, back, every_screen, sources
from tests.tui.work import make_app, make_service

SIZES = [(80, 24), (60, 20), (120, 40), (200, 60)]
USUAL = SIZES[0]
THEMES = ("textual-light", "high-contrast")
KEPT = Path(__file__).parent / "__snapshots__" / "every_size"
LEAST = 2.4
"""Contrast of text that may be muted, as WCAG counts it."""
SCROLLBAR = "▁▂▃▄▅▆▇ "
"""The signs of its end."""
OWN = ("palette",)
"""Textual's own screens, with their own colors."""


class Looked:
    """A stop as it is looked at now."""

    def __init__(self, walker: Walker, usual: str = "") -> None:
        self.app, self.terminal, self.name = walker.app, walker.terminal, walker.name
        self.usual = usual
        """Its text at the usual size, in the usual theme."""
        self.drawn = strips(self.app)
        self.text = text_of(self.drawn)
        self.modal = len(self.app.screen_stack) > 1
        self.size = f"{self.app.size.width}x{self.app.size.height}"


Check = Callable[[Looked], None]
Begun = Callable[[str], AbstractAsyncContextManager["Walker"]]


def fits(now: Looked) -> None:
    """No line is longer than the terminal is wide."""
    assert max(cell_len(line) for line in now.text.split("\n")) <= now.app.size.width


def is_as_kept(now: Looked) -> None:
    """The text is the one in the file."""
    path = KEPT / f"{now.name}.txt"
    kept = sections(path.read_text("utf-8") if path.exists() else "").get(now.size, "")
    assert now.text == kept, differences(kept, now.text)


def has_its_title(now: Looked) -> None:
    """The first line is what it was."""
    assert now.text.split("\n")[0] == now.usual.split("\n")[0]


def is_unchanged(now: Looked) -> None:
    """The text is what it was."""
    assert now.text == now.usual, differences(now.usual, now.text)


def is_readable(now: Looked) -> None:
    """No letter is lost against what it stands on; what lies below a modal may be."""
    if not now.modal:
        lost = [
            (text, round(contrast(style), 1))
            for text, style in pieces(now.drawn)
            if contrast(style) < LEAST and any(map(str.isalnum, text))
        ]
        assert not lost, lost[:8]


def is_unchanged_but_for_the_dim(now: Looked) -> None:
    """The text is what it was; a terminal's own colors have no dimmer one for what lies below a modal."""
    for plain, line in zip(now.text.split("\n"), now.usual.split("\n"), strict=True):
        plain, line = plain.rstrip(SCROLLBAR), line.rstrip(SCROLLBAR)
        assert plain == line or (now.modal and (now.name in OWN or plain.strip() in line)), differences(line, plain)


def has_the_terminals_colors(now: Looked) -> None:
    """Only colors that the person chose in the terminal, and the 256."""
    found = {c.type for _, style in pieces(now.drawn) for c in (style.color, style.bgcolor) if c is not None}
    assert now.name in OWN or found <= {ColorType.DEFAULT, ColorType.STANDARD, ColorType.EIGHT_BIT}, found


def has_no_color(now: Looked) -> None:
    """None at all."""
    for text, style in pieces(now.drawn):
        assert all(each is None or each.is_default for each in (style.color, style.bgcolor)), (text, style)


def is_what_the_terminal_shows(now: Looked) -> None:
    """What was written, change by change, makes the same picture as all of it at once."""
    shown, whole = now.terminal.cells(), as_drawn_whole(now.app)
    assert shown == whole, [y for y, (left, right) in enumerate(zip(shown, whole, strict=True)) if left != right]


def sections(kept: str) -> dict[str, str]:
    """The text of each size."""
    parts = kept.split("=== ")[1:]
    return {size: text.removesuffix("\n") for size, _, text in (part.partition("\n") for part in parts)}


def differences(kept: str, drawn: str) -> str:
    """Line by line."""
    return "\n".join(difflib.unified_diff(kept.split("\n"), drawn.split("\n"), "kept", "drawn", n=1, lineterm=""))


class Walker:
    """Goes from stop to stop; what a check found wrong is noted, and the walk goes on."""

    def __init__(self, pilot: Pilot[Any], terminal: Emulated, *, update: bool) -> None:
        self.pilot, self.terminal = pilot, terminal
        self.app: BatchtuiApp = pilot.app
        self.update = update
        self.name = ""
        self.found: list[str] = []

    async def look(self, *checks: Check, usual: str = "") -> str:
        """The text once all is drawn; what is wrong with it is noted, with the stop, the size and the check."""
        await settled(self.pilot)
        now = Looked(self, usual)
        for check in checks:
            try:
                check(now)
            except AssertionError as error:
                said = str(error).partition("\nassert ")[0]
                self.found.append(f"{self.name} at {now.size} in {self.app.theme}: {check.__name__}: {said}")
        return now.text

    async def go(self, name: str, stop: Stop) -> None:
        """From home to a stop."""
        self.name = name
        await stop.way(self.pilot)
        await settled(self.pilot)
        assert isinstance(self.app.screen, stop.screen), f"{name} leads to {self.app.screen}"

    async def home(self) -> None:
        """Back home, where all is as it was."""
        await back(self.app)
        self.app.theme = "textual-dark"
        await self.look(is_what_the_terminal_shows)

    async def visit(self, name: str, stop: Stop) -> None:
        """A stop, and back home."""
        await self.go(name, stop)
        usual = await self.look(is_what_the_terminal_shows)
        self.terminal.away = True
        shown = {}
        for width, height in SIZES:
            if (width, height) != self.app.size:
                await self.pilot.resize_terminal(width, height)
            shown[f"{width}x{height}"] = await self.look(fits, *([] if self.update else [is_as_kept]))
        if self.update:
            KEPT.mkdir(parents=True, exist_ok=True)
            (KEPT / f"{name}.txt").write_text("".join(f"=== {s}\n{text}\n" for s, text in shown.items()), "utf-8")
        await self.pilot.resize_terminal(*USUAL)
        usual = await self.look(has_its_title, is_readable, usual=usual)
        for theme in THEMES:
            self.app.theme = theme
            await self.look(is_unchanged, is_readable, usual=usual)
        self.app.theme = "ansi-dark"
        await self.look(is_unchanged_but_for_the_dim, has_the_terminals_colors, usual=usual)
        self.terminal.away = False
        await self.home()


@pytest.fixture
def begun(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begun:
    """Starts the app over a part's batches, beside some sources."""
    monkeypatch.setenv("BATCHTUI_CONFIG_DIR", "config")
    monkeypatch.chdir(tmp_path)

    @asynccontextmanager
    async def begin(part: str) -> AsyncIterator[Walker]:
        sources()
        service = make_service(Path("data"))
        WALK[part].furnish(service)
        terminal = Emulated(monkeypatch, *USUAL)
        async with make_app(service).run_test(size=USUAL) as pilot:
            await settled(pilot)
            walker = Walker(pilot, terminal, update=request.config.getoption("update_snapshots", False))
            yield walker
        assert not walker.found, "\n\n".join(walker.found)

    return begin


def test_every_screen_is_a_stop() -> None:
    assert every_screen() <= {stop.screen for part in WALK.values() for stop in part.stops.values()}


@pytest.mark.parametrize("part", WALK)
async def test_every_screen(begun: Begun, part: str) -> None:
    async with begun(part) as walker:
        for name, stop in WALK[part].stops.items():
            await walker.visit(name, stop)


async def test_without_color_the_cursor_is_still_seen(begun: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stops = {name: stop for part in WALK.values() for name, stop in part.stops.items()}
    async with begun("home") as walker:
        for name in ("home", "results", "plan", "confirm", "settings", "compare"):
            await walker.go(name, stops[name])
            await walker.look(has_no_color, is_readable, is_what_the_terminal_shows)
            await walker.home()
