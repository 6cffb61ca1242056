"""A run made again with ``a`` from its files as they are now: a switch on the form, and what differs is shown."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Static

from batchtui.service.recipe import RECIPE, Recipe, encode
from batchtui.tui.new.folded_form import FoldedForm
from batchtui.tui.new.screen import NewScreen
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.widgets.toggle import Toggle
from tests.tui.waiting import until
from tests.tui.work import add_batch, answered, make_app, make_service, request


async def test_the_switch_reads_the_files_again_and_says_what_changed(tmp_path: Path) -> None:
    service = make_service(tmp_path / "data")
    path = tmp_path / "in.jsonl"
    sent = [request("a", "first"), request("b", "second")]
    record = add_batch(service, sent, [answered(n, [{"type": "text", "text": "x"}]) for n in "ab"], title="labels")
    recipe = Recipe(made_from="files", given=(str(path),))
    (service.history.folder(record.local_id) / RECIPE).write_bytes(encode(recipe))
    path.write_bytes(b"".join([sent[0], request("b", "changed"), request("c", "new")]))
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 1)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, NewScreen) and app.screen.plan is not None)
        screen = app.screen
        assert isinstance(screen, NewScreen) and screen.plan is not None and screen.plan.requests == 2
        screen.fold(False)
        switch = screen.query_one("#source-reread", Toggle)
        await until(pilot, lambda: switch.region.right <= 80 and switch.region.width > 10)
        assert "kept with the run" in str(screen.query_one("#source-run", Static).content)
        switch.focus()
        await pilot.press("space")
        await until(pilot, lambda: screen.plan is not None and screen.plan.requests == 3)
        said = " ".join(screen.checked.difference)
        assert "1 added" in said and "1 different" in said, said
        await until(pilot, lambda: "files read again" in str(screen.query_one(FoldedForm).content))
        draft = screen._draft()
        assert draft is None or (draft.reread and draft.begun.files)
        # Another path is another source: there is nothing of the run to read again.
        screen.query_one(SourceForm).set_path(str(path))
        await screen.action_check()
        await until(pilot, lambda: screen.plan is not None and not switch.display)
        assert not screen.shown().reread and screen.shown().again
