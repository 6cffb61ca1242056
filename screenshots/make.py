"""Makes the pictures of README and docs from the demo: ``python screenshots/make.py [NAME…]``.

The desk, the demo server, the service and the app are the real ones; only the clock stands still and ids come from a
fixed seed, so that making them again changes nothing that has not changed on the screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOP = HERE.parent
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SMALL, WIDE = (80, 24), (120, 40)

Act = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Picture:
    """One picture: its size, its colours, and what brings the app there."""

    size: tuple[int, int]
    act: Act
    theme: str = "textual-dark"


# --- what the hands do --------------------------------------------------------------------------------------------


async def until(pilot: Any, true: Callable[[], object], patience: float = 30.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + patience
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"it never came true: {pilot.app.screen}")
        await pilot.pause(0.02)


async def settle(pilot: Any) -> None:
    """Let everything that was asked for be drawn."""
    for _ in range(10):
        await pilot.pause(0.03)


def press(*keys: str) -> Act:
    """Press keys on the home screen."""

    async def act(pilot: Any) -> None:
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.02)

    return act


def results(title: str, *keys: str, row: str = "") -> Act:
    """Open a batch's results by its title, put the cursor on a request, and press keys."""
    from batchtui.tui.results.screen import ResultsScreen
    from batchtui.tui.widgets.row_list import RowList

    async def act(pilot: Any) -> None:
        screen = ResultsScreen(named(pilot, title).local_id)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: len(screen.query_one(RowList).source))
        await settle(pilot)
        if row:
            view = screen.view
            screen.query_one(RowList).move_to_key(next(n for n in range(len(view)) if view.id(n) == row))
            await settle(pilot)
        await press(*keys)(pilot)

    return act


def source(path: str, *keys: str, template: str = "", pane: str = "") -> Act:
    """Open the new screen on a source, wait for its plan, and press keys."""
    from batchtui.tui.new.screen import NewScreen
    from batchtui.tui.widgets.tab_line import TabLine

    async def act(pilot: Any) -> None:
        from textual.widgets import Input

        screen = NewScreen()
        await pilot.app.push_screen(screen)
        await pilot.pause()
        if template:
            field = screen.query_one("#source-template", Input)
            field.value = template
            field.focus()
            await pilot.press("enter")
            await settle(pilot)
        screen.take_paths([path])
        await until(pilot, lambda: screen.plan is not None)
        if pane:
            screen.query_one("#new-panes", TabLine).choose(pane)
        await settle(pilot)
        await press(*keys)(pilot)

    return act


async def retried(pilot: Any) -> None:
    """Ask for what has no answer to be sent again, and wait for its plan."""
    from batchtui.tui.results.retry import RetryScreen

    await results("eval-prompt-b", "r")(pilot)
    await settle(pilot)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, RetryScreen) and pilot.app.screen._plan is not None)


async def composed(pilot: Any) -> None:
    """Write one request by hand."""
    from textual.widgets import TextArea

    from batchtui.tui.new.screen import NewScreen
    from batchtui.tui.widgets.tab_line import TabLine

    screen = NewScreen()
    await pilot.app.push_screen(screen)
    await pilot.pause()
    screen.query_one("#new-mode", TabLine).choose("write")
    await until(pilot, lambda: isinstance(screen.focused, TextArea))
    await pilot.press(*"Name three things a kettle is good for besides tea.")
    await until(pilot, lambda: screen.plan is not None)


async def compared(pilot: Any) -> None:
    """Compare two evals of the same cases; the older one's results are fetched first."""
    from batchtui.tui.results.compare import CompareScreen

    app = pilot.app
    older = named(pilot, "october-eval")
    await asyncio.wrap_future(app.service_thread.call(app.service.fetch(older.local_id)))
    screen = CompareScreen(older.local_id, named(pilot, "eval-prompt-b").local_id)
    await app.push_screen(screen)
    await settle(pilot)


def labelled(*keys: str) -> Act:
    """Label examples/feedback.csv once, open its results, and press keys."""

    async def act(pilot: Any) -> None:
        from batchtui.demo.protocol import DemoClock
        from batchtui.intake.options import IntakeOptions

        app = pilot.app
        if not any(record.title == "feedback" for record in app.service.records()):
            options = IntakeOptions(template=Path(FEEDBACK_LABELS))
            plan = await asyncio.to_thread(app.service.plan, [FEEDBACK], options)
            await asyncio.wrap_future(app.service_thread.call(app.service.submit(plan, title="feedback")))
            now = DemoClock.now
            DemoClock.now = lambda self: NOW + timedelta(hours=2)  # type: ignore[method-assign]
            while named(pilot, "feedback").status != "ended":
                await asyncio.wrap_future(app.service_thread.call(app.service.refresh()))
                await pilot.pause(0.1)
            await asyncio.wrap_future(app.service_thread.call(app.service.fetch(named(pilot, "feedback").local_id)))
            DemoClock.now = now  # type: ignore[method-assign]
        await results("feedback")(pilot)
        await until(pilot, lambda: not app.screen.table.reading)
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    return act


def named(pilot: Any, title: str) -> Any:
    """A record by its title."""
    return next(record for record in pilot.app.service.records() if record.title == title)


TICKETS, MISTAKES = "examples/support-tickets.jsonl", "examples/with-mistakes.jsonl"
FEEDBACK, FEEDBACK_LABELS = "examples/feedback.csv", "examples/feedback-labels.toml"
REVIEWS, LABELS = "examples/reviews.csv", "examples/review-labels.toml"


def pictures() -> dict[str, Picture]:
    """All pictures by name; those that change the desk come last."""
    home = press("j", "j")
    return {
        "home": Picture(SMALL, home),
        "home-wide": Picture(WIDE, home),
        "home-light": Picture(WIDE, home, theme="light"),
        "home-ansi": Picture(SMALL, home, theme="ansi"),
        "help": Picture(SMALL, press("question_mark")),
        "spending": Picture(SMALL, press("dollar_sign")),
        "check": Picture(SMALL, source(MISTAKES)),
        "check-wide": Picture(WIDE, source(MISTAKES)),
        "plan": Picture(SMALL, source(TICKETS)),
        "confirm": Picture(SMALL, source(TICKETS, "ctrl+s")),
        "template": Picture(WIDE, source(REVIEWS, template=LABELS, pane="template")),
        "results": Picture(SMALL, results("eval-prompt-b")),
        "results-wide": Picture(WIDE, results("eval-prompt-b", row="case-0004")),
        "answer": Picture(SMALL, results("eval-prompt-b", "enter", row="case-0004")),
        "errors": Picture(SMALL, results("eval-prompt-b", "E")),
        "retry": Picture(SMALL, retried),
        "export": Picture(SMALL, results("review-summaries", "x")),
        "compose": Picture(SMALL, composed),
        "compare": Picture(WIDE, compared),
        "table": Picture(WIDE, labelled()),
        "counts": Picture(SMALL, labelled("number_sign")),
        "score": Picture(SMALL, labelled("A", "enter", "enter")),
    }


# --- the machinery --------------------------------------------------------------------------------------------------


def neutral(home: Path) -> None:
    """Nothing of this machine, its person or its settings gets into a picture."""
    for name in [n for n in os.environ if n.startswith(("ANTHROPIC_", "BATCHTUI_"))]:
        del os.environ[name]
    for name in ("NO_COLOR", "TMUX"):
        os.environ.pop(name, None)
    for name in ("DATA", "CONFIG", "CACHE"):
        os.environ[f"BATCHTUI_{name}_DIR"] = str(home / name.lower())
    os.environ |= {"HOME": str(home), "TZ": "UTC", "COLORTERM": "truecolor", "TERM": "xterm-256color"}
    os.environ["ANTHROPIC_CONFIG_DIR"] = str(home / "sdk")
    time.tzset()
    os.chdir(TOP)


def stand_still() -> None:
    """The demo's clock stops and its ids come from a seed."""
    from batchtui.demo.protocol import DemoClock
    from batchtui.present import symbols

    dice = random.Random(7)
    DemoClock.now = lambda self: NOW + self.offset  # type: ignore[method-assign]
    secrets.token_bytes = lambda size=None: dice.randbytes(size or 32)
    symbols.terminal_is_ascii = lambda: False


@contextlib.contextmanager
def server(data: Path) -> Iterator[str]:
    """The demo server in a thread; its address."""
    from batchtui.demo.protocol import DemoOptions
    from batchtui.demo.runner import listen, make_server, url_of
    from batchtui.demo.server import make_app

    sock = listen("127.0.0.1", 0)
    running = make_server(make_app(data, DemoOptions()))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        while not running.started:
            if not thread.is_alive():
                raise RuntimeError("the demo server did not start")
            time.sleep(0.01)
        yield url_of(sock)
    finally:
        running.end()
        thread.join(10)
        sock.close()


def make_app(data: Path, base_url: str, theme: str) -> Any:
    """The app on the demo, its clock standing still, looking only when it is told to."""
    from batchtui.api.gateway import Gateway
    from batchtui.config.load import Config, Profile, Screen
    from batchtui.service import Service, ServiceThread
    from batchtui.tui.app import BatchtuiApp

    class Still(ServiceThread):
        def start(self) -> None:
            self._thread.start()

    profile = Profile(name="demo", base_url=base_url)
    config = Config(profiles={"demo": profile}, screen=Screen(theme=theme))
    gateway = Gateway(profile, key="demo-key", shown_url="http://demo.localhost")
    service = Service(data, config, profile="demo", gateway=gateway, clock=lambda: NOW)
    return BatchtuiApp(service, Still(service), clock=lambda: NOW)


async def take(picture: Picture, data: Path, base_url: str) -> str:
    """One picture as SVG."""
    app = make_app(data, base_url, picture.theme)
    try:
        async with app.run_test(size=picture.size) as pilot:
            await until(pilot, app.service_thread._thread.is_alive)
            await asyncio.wrap_future(app.service_thread.call(app.service.refresh()))
            await settle(pilot)
            await picture.act(pilot)
            await settle(pilot)
            if app.bugs:
                raise app.bugs[0]
            return str(app.export_screenshot(title="batchtui"))
    finally:
        app.service_thread.stop()


def main(names: list[str]) -> None:
    """Make all pictures, or those that are named."""
    with tempfile.TemporaryDirectory(prefix="batchtui-") as folder:
        home = Path(folder)
        neutral(home)
        stand_still()
        from batchtui.demo.seed import seed

        data = home / "demo"
        seed(data)
        everything = pictures()
        with server(data) as base_url:
            for name in names or everything:
                svg = asyncio.run(take(everything[name], data, base_url))
                if folder in svg:
                    raise RuntimeError(f"{name} shows a path of this machine")
                svg = "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
                (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
                print(f"screenshots/{name}.svg")


if __name__ == "__main__":
    main(sys.argv[1:])
