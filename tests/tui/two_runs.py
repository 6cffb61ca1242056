"""A run and another that was made from it, for the tests of what leads from one run to the next."""

from __future__ import annotations

from pathlib import Path

from batchtui.service.recipe import RECIPE, Recipe, encode
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.new.screen import NewScreen
from tests.tui.work import add_batch, answered, failed, make_app, make_service, request

FIRST, SECOND = "20261122T110000Z-aaaaaa", "20261122T113000Z-bbbbbb"
TEMPLATE = 'model = "claude-haiku-5-5"\nmax_tokens = 100\nprompt = "Hello."\n'


def app_with_runs(folder: Path) -> BatchtuiApp:
    """A run of three requests, one of them failed, and another that was made from it."""
    service = make_service(folder)
    requests = [request(name, f"Label {name}.") for name in ("one", "two", "three")]
    good = [answered(name, [{"type": "text", "text": f"fine {name}"}]) for name in ("one", "two")]
    add_batch(service, requests, [*good, failed("three", "overloaded_error", "Overloaded")], title="labels")
    add_batch(service, requests[:1], good[:1], title="judged", local_id=SECOND)
    made = Recipe(made_from="run", made_of=(FIRST,), runs=(FIRST,))
    (service.history.folder(SECOND) / RECIPE).write_bytes(encode(made))
    return make_app(service)


def app_with_a_recipe(folder: Path) -> BatchtuiApp:
    """The same, the first made from a table by TEMPLATE."""
    app = app_with_runs(folder)
    made = Recipe(made_from="files", given=("in.csv",), template_text=TEMPLATE)
    (app.service.history.folder(FIRST) / RECIPE).write_bytes(encode(made))
    return app


def new_screen(app: BatchtuiApp) -> NewScreen | None:
    """The new screen once its plan is there."""
    screen = app.screen
    return screen if isinstance(screen, NewScreen) and screen.plan is not None else None
