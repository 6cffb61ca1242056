"""The keys a and b: what they open, of which rows, and the details that lead from one run to the next."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Input, Static

from batchtui.tui.home.details_dialog import DetailsDialog
from batchtui.tui.new.folded_form import form_facts
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor
from batchtui.tui.results.screen import ResultsScreen
from tests.tui.two_runs import SECOND, app_with_runs, new_screen
from tests.tui.waiting import until


async def test_b_and_a_open_the_new_screen_filled(tmp_path: Path) -> None:
    app = app_with_runs(tmp_path)
    async with app.run_test(size=(110, 40)) as pilot:
        home = app.home
        await until(pilot, lambda: len(home.model.lines) == 2)
        home.go_to(app.service.resolve("labels"))
        await pilot.press("b")
        # The begun template is a judge's, which needs no editing before it is a plan.
        await until(pilot, lambda: (screen := new_screen(app)) is not None and screen.plan.requests == 2)
        screen = new_screen(app)
        assert screen is not None and screen.plan is not None and screen.plan.ok
        assert screen.query_one(SourceForm).typed == "run:labels"
        assert "{{ answer }}" in screen.query_one(TemplateEditor).text
        assert "fine one" in screen.plan.sample[0] and "Label one." in screen.plan.sample[0]
        assert screen.plan.problems[0].message == "1 of 3 rows left out: 1 errored"
        assert screen.batch_title() == "labels judged"
        facts = form_facts(screen.query_one(SourceForm), screen.plan, columns=4, template_edited=False)
        assert facts[1] == "a run with its answers, 2 rows, 4 columns"
        screen.dismiss(None)
        await until(pilot, lambda: app.screen is home)

        await pilot.press("a")
        await until(pilot, lambda: new_screen(app) is not None)
        screen = new_screen(app)
        assert screen is not None and screen.plan is not None and screen.plan.requests == 3
        assert screen.checked.difference[0].startswith("again: labels") and screen.batch_title() == "labels again"
        screen.query_one("#source-model", Input).value = "claude-sonnet-5"
        await screen.action_check()
        await until(pilot, lambda: new_screen(app) is not None)
        assert screen.plan is not None and set(screen.plan.parts[0].models) == {"claude-sonnet-5"}
        assert any(line.startswith("model: ") for line in screen.checked.difference)


async def test_b_in_results_means_what_is_shown_or_marked(tmp_path: Path) -> None:
    app = app_with_runs(tmp_path)
    async with app.run_test(size=(110, 40)) as pilot:
        await until(pilot, lambda: len(app.home.model.lines) == 2)
        results = ResultsScreen("20261122T110000Z-aaaaaa")
        await app.push_screen(results)
        await until(pilot, lambda: len(results.rows) == 3)
        failed_row = next(row for row in results.rows if results.view and results.view.id(row) == "three")
        results._list.set_marks([failed_row])
        await pilot.press("b")
        await until(pilot, lambda: (screen := new_screen(app)) is not None and screen.plan.requests == 1)
        screen = new_screen(app)
        assert screen is not None and screen.plan is not None
        assert [group.message for group in screen.plan.problems] == ["answer is empty in 1 row"]
        assert "Label three." in screen.plan.sample[0]  # marked: told to, though it has no usable answer
        assert "1 marked row of labels" in str(screen.query_one("#source-run", Static).content)
        # Another source is another source: the choice is of this run alone.
        screen.query_one(SourceForm).set_path("run:judged")
        await screen.action_check()
        await until(pilot, lambda: new_screen(app) is not None)
        assert screen.plan is not None and "fine one" in screen.plan.sample[0]


async def test_the_details_lead_to_the_run_before_and_after(tmp_path: Path) -> None:
    app = app_with_runs(tmp_path)
    async with app.run_test(size=(110, 40)) as pilot:
        home = app.home
        await until(pilot, lambda: len(home.model.lines) == 2)
        for start, end in ((SECOND, "20261122T110000Z-aaaaaa"), ("20261122T110000Z-aaaaaa", SECOND)):
            home.go_to(app.service.resolve(start))
            await pilot.press("v")
            await until(pilot, lambda: isinstance(app.screen, DetailsDialog))
            await pilot.press("f")
            await until(pilot, lambda: app.screen is home)
            assert [record.local_id for record in home.chosen()] == [end]
