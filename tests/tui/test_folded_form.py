"""The new screen's form in one line once its source was read, and the plan in one line that fits."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from textual.widgets import Input

from batchtui.tui.new.folded_form import FoldedForm
from batchtui.tui.new.plan_summary import PlanSummary, plan_lines
from batchtui.tui.new.source_form import SourceForm
from tests.tui.new_form import TABLE, TEMPLATE, opened, summary
from tests.tui.waiting import settled, until
from tests.tui.work import make_service


async def test_the_form_folds_when_its_source_was_read_and_a_key_unfolds_it(tmp_path: Path) -> None:
    table, template = tmp_path / "reviews.csv", tmp_path / "labels.toml"
    table.write_text(TABLE)
    template.write_text(TEMPLATE)
    async with opened(make_service(tmp_path / "data")) as (app, pilot, screen):
        form, line = screen.query_one(SourceForm), screen.query_one(FoldedForm)
        assert form.display and not line.display
        form.set_template(str(template))
        form.set_path(str(table))
        await pilot.press("enter")
        await until(pilot, lambda: screen.folded)
        await settled(pilot)
        assert not form.display and not screen.query_one("#new-name-line").display and line.has_focus
        says = str(line.content)
        assert says == "f9 edit  reviews.csv · CSV, 2 rows, 3 columns · template labels.toml · haiku-5-5"
        await pilot.press("x")
        assert form.typed == str(table)
        for keys in (["f9"], ["f9", "enter"], ["f9", "ctrl+n", "f9"]):
            await pilot.press(*keys)
            await settled(pilot)
            assert not screen.folded and screen.focused is form.query_one("#source-path"), keys
        # The cursor was in another field when the check was over: that field stays.
        form.query_one("#source-path", Input).value = str(table) + " "
        gate, plan = threading.Event(), screen.service.plan

        def plan_later(*given: Any, **options: Any) -> Any:
            gate.wait(100)
            return plan(*given, **options)

        screen.service.plan = plan_later  # type: ignore[method-assign]
        await pilot.press("enter")
        await until(pilot, lambda: app.typed.idle)
        await pilot.press("tab")
        await until(pilot, lambda: screen.focused is not form.query_one("#source-path"))
        gate.set()
        await until(pilot, lambda: screen.plan is not None)
        await settled(pilot)
        assert not screen.folded
        # What can't be read is to be put right in the form.
        await pilot.press("ctrl+r")
        await until(pilot, lambda: screen.folded)
        table.unlink()
        await pilot.press("ctrl+r")
        await until(pilot, lambda: not screen.folded or not screen.checker.running)
        await settled(pilot)
        assert not screen.folded


async def test_the_plan_is_one_line_that_fits_and_its_doubts_stand_below(tmp_path: Path) -> None:
    table, template = tmp_path / "reviews.csv", tmp_path / "labels.toml"
    table.write_text(TABLE)
    template.write_text(TEMPLATE)
    async with opened(make_service(tmp_path / "data")) as (_, pilot, screen):
        screen.query_one(SourceForm).set_template(str(template))
        screen.take_paths([str(table)])
        await settled(pilot)
        assert "\n" not in summary(screen) and len(summary(screen)) <= 80
        assert screen.query_one(PlanSummary).size.height <= 1
        assert screen.plan is not None
        estimate = msgspec.structs.replace(screen.plan.estimate, batch_usd=(Decimal("0.03"), Decimal("0.09")))
        plan = msgspec.structs.replace(screen.plan, estimate=estimate, skipped=2)
        whole = plan_lines(plan, max_cost=Decimal(5), stopped_by="over the limit")
        assert [line.plain for line in whole[1:]] == ["! over the limit", "! 2 requests with errors skipped"]
        for said in (
            "1 batch · 2 requests · $0.03–0.09",
            "limit $5.00",
            "rule of thumb",
            "claude-haiku-5-5",
            " in · ",
        ):
            assert said in whole[0].plain
        for width in (60, 80, 100):
            assert len(plan_lines(plan, max_cost=Decimal(5), width=width)[0].plain) <= max(width, 65)
        counted = msgspec.structs.replace(plan, estimate=msgspec.structs.replace(estimate, calibrated=True))
        assert "counted on a sample" in plan_lines(counted, width=60)[0].plain
