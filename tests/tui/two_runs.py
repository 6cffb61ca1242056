"""A run and another that was made from it, for the tests of what leads from one run to the next."""

from __future__ import annotations

from pathlib import Path

from batchtui.service.recipe import RECIPE, Recipe, encode
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.new.screen import NewScreen
from tests.tui.work import add_batch, answered, failed, make_app, make_service, request

SECOND = "20261122T113000Z-bbbbbb"


def app_with_runs(folder: Path) -> BatchtuiApp:
    """A run of three requests, one of them failed, and another that was made from it."""
    service = make_service(folder)
    requests = [request(name, f"Label {name}.") for name in ("one", "two", "three")]
    good = [answered(name, [{"type": "text", "text": f"fine {name}"}]) for name in ("one", "two")]
    add_batch(service, requests, [*good, failed("three", "overloaded_error", "Overloaded")], title="labels")
    add_batch(service, requests[:1], good[:1], title="judged", local_id=SECOND)
    made = Recipe(made_from="run", made_of=("20261122T110000Z-aaaaaa",), runs=("20261122T110000Z-aaaaaa",))
    (service.history.folder(SECOND) / RECIPE).write_bytes(encode(made))
    return make_app(service)


def new_screen(app: BatchtuiApp) -> NewScreen | None:
    """The new screen once its plan is there."""
    screen = app.screen
    return screen if isinstance(screen, NewScreen) and screen.plan is not None else None
