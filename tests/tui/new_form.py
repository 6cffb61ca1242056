"""The new screen for its tests: opened with a source or on a demo server, a table and a template for it, what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input, Static

from batchtui.service import Service, ServiceThread
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.new.plan_summary import PlanSummary
from batchtui.tui.new.screen import NewScreen
from tests.demo_server import running_demo
from tests.service.harness import service_on
from tests.tui.waiting import until
from tests.tui.work import make_app

SIZE = (80, 24)

TABLE = 'id,text,label\na1,"Great, really",pos\na2,"Awful\nthing",neg\n'

TEMPLATE = 'model = "claude-haiku-5-5"\nmax_tokens = 50\ncustom_id = "{{ id }}"\nprompt = "Label: {{ text }}"\n'


@asynccontextmanager
async def opened(
    service: Service, path: Path | str = "", size: tuple[int, int] = SIZE
) -> AsyncIterator[tuple[BatchtuiApp, Pilot[Any], NewScreen]]:
    """The screen, with the source checked when one is given."""
    app = make_app(service)
    async with app.run_test(size=size) as pilot:
        screen = NewScreen(path=str(path))
        await app.push_screen(screen)
        await pilot.pause()
        if path:
            await until(pilot, lambda: screen.plan is not None)
        yield app, pilot, screen


def up_to_date(screen: NewScreen) -> bool:
    """True when there is a plan without errors, of what is shown now: a change is checked only after a pause."""
    return screen.plan is not None and screen.plan.ok and screen.shown() == screen.checked.form


def summary(screen: NewScreen) -> str:
    return str(screen.query_one(PlanSummary).content)


def preview(screen: NewScreen) -> str:
    return "\n".join(str(each.content) for each in screen.query_one("#template-preview").query(Static))


@asynccontextmanager
async def on_demo(
    tmp_path: Path, path: Path, faults: tuple[str, ...] = ()
) -> AsyncIterator[tuple[BatchtuiApp, Pilot[Any], NewScreen, Service]]:
    """The screen over the real service, gateway and SDK on a demo server."""
    with running_demo(tmp_path / "server", faults=faults) as demo:
        service = service_on(demo, tmp_path / "data")
        engine = ServiceThread(service)
        app = BatchtuiApp(service, engine)
        try:
            async with app.run_test(size=SIZE) as pilot:
                screen = NewScreen(path=str(path))
                await app.push_screen(screen)
                await until(pilot, lambda: screen.plan is not None)
                yield app, pilot, screen, service
        finally:
            engine.stop()


async def named_template(pilot: Pilot[Any], screen: NewScreen, path: Path) -> None:
    """Name a template file, as one does after the rows were seen."""
    field = screen.query_one("#source-template", Input)
    field.focus()
    field.value = str(path)
    await pilot.press("enter")
