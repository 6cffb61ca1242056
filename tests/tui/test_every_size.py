"""Every screen at every size and in every kind of colour: its text as a file, its colours by what makes them readable.

Sizes and themes are changed while the screen is open, as a person's terminal does.  ``--snapshot-update`` writes the files.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.color import ColorType
from rich.style import Style
from textual.color import Color
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Static

from batchtui.domain.batch import Counts, RemoteBatch
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.results.compare import CompareScreen
from batchtui.tui.results.retry import RetryScreen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.settings import SettingsScreen
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.tab_line import TabLine
from tests.tui.home_data import ago, furnished
from tests.tui.waiting import settled, until
from tests.tui.work import add_batch, answered, failed, make_app, mixed

SIZES = [(80, 24), (60, 20), (120, 40), (200, 60)]
KEPT = Path(__file__).parent / "__snapshots__" / "every_size"
FIRST, SECOND = "20261122T110000Z-aaaaaa", "20261122T113000Z-bbbbbb"
LEAST = 2.4
"""Contrast of text that may be muted, as WCAG counts it."""

Way = Callable[[Pilot[Any]], Awaitable[None]]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchtuiApp:
    """Batches in every state and two with results, beside some sources."""
    monkeypatch.setenv("BATCHTUI_CONFIG_DIR", "config")
    monkeypatch.chdir(tmp_path)
    Path("good.jsonl").write_bytes(b"".join(mixed()[0]))
    bad = b'{"custom_id":"a","params":{"model":"claude-haiku-5-5","max_token":5,"messages":[]}}\n{no json\n'
    Path("bad.jsonl").write_bytes(b"".join(mixed(4)[0]) + bad * 5)
    Path("rows.csv").write_text('id,text,label\na1,"Great, really",pos\na2,"Awful\nthing",neg\n')
    Path("rows.toml").write_text(
        'model = "claude-haiku-5-5"\nmax_tokens = 50\ncustom_id = "{{ id }}"\nprompt = "Label: {{ text }}"\n'
    )
    service = furnished(Path("data"))
    requests, results = mixed()
    add_batch(service, requests, results)
    later = list(results)
    later[5] = answered("row-000", [{"type": "text", "text": "Document 0 is about\na cat, a dog and a fox."}])
    later[6] = failed("row-001", "api_error", "Internal server error")
    add_batch(service, requests, later, local_id=SECOND, title="reviews, new prompt")
    service.untracked = remote_page  # type: ignore[method-assign,assignment]
    return make_app(service)


async def remote_page(after: str | None = None) -> tuple[list[RemoteBatch], str | None]:
    """What was made elsewhere."""
    ended = Counts(succeeded=900, errored=12)
    made = [("msgbatch_01elsewhere", "ended", ended), ("msgbatch_01another", "in_progress", Counts(processing=40))]
    return [RemoteBatch(id=i, processing_status=s, request_counts=c, created_at=ago(hours=3)) for i, s, c in made], None


def pressed(*keys: str) -> Way:
    """Home, then keys."""

    async def way(pilot: Pilot[Any]) -> None:
        await pilot.press(*keys)

    return way


def results(*keys: str, cursor: str = "row-005") -> Way:
    """The results screen with the cursor on a request, then keys."""

    async def way(pilot: Pilot[Any]) -> None:
        screen = ResultsScreen(FIRST)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.view is not None and len(screen.query_one(RowList).source))
        assert screen.view is not None
        screen.query_one(RowList).move_to(screen.view.ids().index(cursor))
        await pilot.press(*keys)
        top = pilot.app.screen
        if "r" in keys:
            await until(pilot, lambda: isinstance(pilot.app.screen, RetryScreen))
            top = pilot.app.screen
            await until(pilot, lambda: top._plan is not None)  # type: ignore[attr-defined]

    return way


async def compared(pilot: Pilot[Any]) -> None:
    """Two batches side by side."""
    screen = CompareScreen(FIRST, SECOND)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: len(screen.query_one(RowList).source))


def new(path: str = "", template: str = "", pane: str = "", keys: tuple[str, ...] = ()) -> Way:
    """The new screen over a source that was checked."""

    async def way(pilot: Pilot[Any]) -> None:
        screen = NewScreen()
        await pilot.app.push_screen(screen)
        await pilot.pause()
        if path:
            screen.query_one("#source-template").value = template  # type: ignore[attr-defined]
            screen.take_paths([path])
            await until(pilot, lambda: screen.plan is not None)
        if pane == "write":
            screen.query_one("#new-mode", TabLine).choose("write")
        elif pane:
            screen.query_one("#new-panes", TabLine).choose(pane)
        await settled(pilot)
        await pilot.press(*keys)
        if keys == ("ctrl+o",):
            await until(pilot, lambda: len(pilot.app.screen.query_one(RowList).source) > 4)
            pilot.app.screen.query_one("#files-where").display = False
            pilot.app.screen.query_one(RowList).set_columns(pilot.app.screen.query_one(RowList)._columns[:2])

    return way


async def configured(pilot: Pilot[Any]) -> None:
    """The settings."""
    screen = SettingsScreen()
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: all(worker.is_finished for worker in pilot.app.workers))
    screen.query_one("#settings-title", Static).update("Settings  config.toml")


WAYS: dict[str, Way] = {
    "home": pressed("j", "space", "j"),
    "filter": pressed("slash", *"status:run"),
    "help": pressed("question_mark"),
    "cancel": pressed("slash", *"summaries", "enter", "c"),
    "delete": pressed("slash", *"poems", "enter", "d"),
    "edit": pressed("slash", *"poems", "enter", "e"),
    "details": pressed("slash", *"poems", "enter", "v"),
    "unconfirmed": pressed("enter"),
    "spending": pressed("dollar_sign"),
    "profiles": pressed("p"),
    "elsewhere": pressed("o"),
    "palette": pressed("ctrl+p"),
    "settings": configured,
    "results": results(),
    "answer": results("enter", cursor="markdown"),
    "groups": results("E"),
    "export": results("x"),
    "retry": results("5", "r"),
    "compare": compared,
    "new": new(),
    "plan": new("good.jsonl"),
    "problems": new("bad.jsonl"),
    "template": new("rows.csv", "rows.toml", "template"),
    "compose": new(pane="write"),
    "confirm": new("good.jsonl", keys=("ctrl+s",)),
    "try": new("good.jsonl", keys=("ctrl+t",)),
    "files": new(keys=("ctrl+o",)),
}


def strips(app: BatchtuiApp) -> list[Strip]:
    """What stands on the terminal now, line by line."""
    update: Any = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    return [Strip.join(line) for line in update.strips]


def text_of(app: BatchtuiApp) -> str:
    """The terminal's text."""
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips(app))


def cells(app: BatchtuiApp) -> Iterator[tuple[str, Style]]:
    """Each piece of text that is seen, with its style."""
    for strip in strips(app):
        for segment in strip:
            if segment.text.strip() and segment.style is not None:
                yield segment.text, segment.style


def contrast(style: Style) -> float:
    """As WCAG counts it; the terminal's own two colors are as far apart as the person has them."""
    if all(each is None or each.is_default for each in (style.color, style.bgcolor)):
        return 21.0
    front, back = (Color.from_rich_color(each) for each in (style.color, style.bgcolor))
    if style.reverse:
        front, back = back, front

    def light(color: Color) -> float:
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    first, second = sorted((light(front), light(back)), reverse=True)
    return (first + 0.05) / (second + 0.05)


def readable(app: BatchtuiApp, theme: str) -> None:
    """No letter is lost against what it stands on; what lies below a modal may be."""
    if len(app.screen_stack) > 1:
        return
    lost = [
        (text, round(contrast(style), 1))
        for text, style in cells(app)
        if any(map(str.isalnum, text)) and contrast(style) < LEAST
    ]
    assert not lost, (theme, lost[:8])


def compare(request: pytest.FixtureRequest, name: str, text: str) -> None:
    """With the file, or into it."""
    path = KEPT / f"{name}.txt"
    if request.config.getoption("update_snapshots", False):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    kept = path.read_text("utf-8")
    assert text == kept, "\n".join(difflib.unified_diff(kept.split("\n"), text.split("\n"), "kept", "drawn", n=1))


@pytest.mark.parametrize("name", WAYS)
async def test_sizes_and_colours(request: pytest.FixtureRequest, app: BatchtuiApp, name: str) -> None:
    async with app.run_test(size=SIZES[0]) as pilot:
        await settled(pilot)
        await WAYS[name](pilot)
        await settled(pilot)
        usual = text_of(app)
        shown = []
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            await settled(pilot)
            text = text_of(app)
            assert max(cell_len(line) for line in text.split("\n")) <= width
            shown.append(f"=== {width}x{height}\n{text}\n")
        await pilot.resize_terminal(*SIZES[0])
        await settled(pilot)
        assert text_of(app).split("\n")[0] == usual.split("\n")[0]
        compare(request, name, "".join(shown))
        usual = text_of(app)
        for theme in ("textual-dark", "textual-light", "high-contrast"):
            app.theme = theme
            await settled(pilot)
            assert text_of(app) == usual, theme
            readable(app, theme)
        app.theme = "ansi-dark"
        await settled(pilot)
        own = name in ("palette",)  # Textual's own screen, with its own colours.
        for plain, line in zip(text_of(app).split("\n"), usual.split("\n"), strict=True):
            plain, line = plain.rstrip("▁▂▃▄▅▆▇ "), line.rstrip("▁▂▃▄▅▆▇ ")  # the scrollbar's end
            assert plain == line or (len(app.screen_stack) > 1 and (own or plain.strip() in line))
        colours = [c for _, style in cells(app) for c in (style.color, style.bgcolor) if c is not None]
        assert own or {c.type for c in colours} <= {ColorType.DEFAULT, ColorType.STANDARD, ColorType.EIGHT_BIT}


@pytest.mark.parametrize("name", ["home", "results", "plan", "confirm", "settings", "compare"])
async def test_without_colour_the_cursor_is_still_seen(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app: BatchtuiApp = request.getfixturevalue("app")
    async with app.run_test(size=SIZES[0]) as pilot:
        await settled(pilot)
        await WAYS[name](pilot)
        await settled(pilot)
        for _, style in cells(app):
            for colour in (style.color, style.bgcolor):
                assert colour is None or colour.is_default
        readable(app, "no colour")
