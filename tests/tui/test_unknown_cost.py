"""A cost of which none, or not all, is known is never shown as a figure that looks whole."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from textual.widgets import Static

from batchtui.domain.batch import BatchRecord, Tally
from batchtui.domain.plan import Estimate
from batchtui.present import batch
from batchtui.present import plan as plan_words
from batchtui.service import Service
from batchtui.tui.dialogs import Confirm
from batchtui.tui.new.actions import _agreed
from batchtui.tui.new.try_request import TryScreen
from batchtui.tui.results.heading import costs_line
from tests.tui.new_form import opened, summary
from tests.tui.waiting import until

KNOWN, TYPO = "claude-haiku-5-5", "claude-sonet"


def _source(folder: Path, *models: str) -> Path:
    path = folder / "requests.jsonl"
    params = [{"model": m, "max_tokens": 9_000, "messages": [{"role": "user", "content": "Hi"}]} for m in models]
    lines = [msgspec.json.encode({"custom_id": f"r{n}", "params": each}) for n, each in enumerate(params)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.mark.parametrize(
    ("models", "said", "asked"),
    [
        ((TYPO,), "cost unknown", f"Cost unknown: no price for {TYPO}."),
        ((KNOWN, TYPO), "at least ", f"no price for {TYPO}: not in the cost."),
    ],
)
async def test_the_form_and_its_questions_say_what_is_not_known(
    service: Service, tmp_path: Path, models: tuple[str, ...], said: str, asked: str
) -> None:
    async with opened(service, _source(tmp_path, *models)) as (app, pilot, screen):
        plan = screen.plan
        assert plan is not None and said in summary(screen)
        screen.run_worker(_agreed(screen, plan, "mine", None))
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        question = "\n".join(str(each.content) for each in app.screen.query(Static))
        assert asked in question and (said in question or "Cost unknown" in question)
        assert not any(figure in summary(screen) + question for figure in ("~$", "$0.00 ", "$0.00)"))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        app.push_screen(TryScreen(plan, ""))
        await until(pilot, lambda: isinstance(app.screen, TryScreen))
        assert "standard price: unknown." in str(app.screen.query_one("#try-what", Static).content)


def test_both_faces_say_at_least_for_a_plan_that_is_priced_in_part(service: Service, tmp_path: Path) -> None:
    plan = service.plan([str(_source(tmp_path, KNOWN, TYPO))], keep=False)
    assert plan_words.cost(plan).startswith("at least ")
    assert any(line.startswith("cost: at least ") and "(at least " in line for line in plan_words.plan_lines(plan))


def _record(**fields: object) -> BatchRecord:
    return msgspec.structs.replace(BatchRecord(local_id="a", run="a", status="in_progress"), **fields)  # type: ignore[arg-type]


def test_a_batch_and_its_run_say_what_has_no_price() -> None:
    none = Estimate(unpriced=(TYPO,))
    some = Estimate(batch_usd=(Decimal("2"), Decimal("6")), unpriced=(TYPO,))
    whole = Estimate(batch_usd=(Decimal("2"), Decimal("6")))
    typo, part, priced = (_record(estimate=each) for each in (none, some, whole))
    ended = _record(status="ended", tally=Tally(unpriced=(TYPO,)), estimate=whole)
    assert [batch.cost(r) for r in (typo, part, priced, ended)] == ["no price", "≥ $2.00", "~$4.00", "no price"]
    assert batch.cost(_record(status="refused", estimate=none)) == ""

    def run(*records: BatchRecord) -> str:
        return batch.cost_text(batch.cost_of_run(records))

    assert [run(typo, typo), run(priced, typo), run(priced, priced)] == ["no price", "≥ $4.00", "~$8.00"]
    assert run(ended, _record(status="ended", cost_usd=Decimal(3), tally=Tally())) == "≥ $3.00"
    assert "estimate unknown" in str(costs_line([typo], None, 200))
    assert "estimated at least $4.00" in str(costs_line([priced, part], None, 200))
