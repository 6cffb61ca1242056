"""What is said of a plan whose models have no price, and of a batch that waits for a check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
from batchtui.present import batch
from batchtui.present.plan import cost, plan_lines, problem_lines
from tests.intake.helpers import PRICES


def test_a_cost_that_nobody_knows_is_no_zero(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("text\nkettle\n")
    body = 'model = "my-model"\nmax_tokens = 50\nprompt = "{{ text }}"\n'
    plan = make_plan([str(table)], IntakeOptions(template_text=body), prices=PRICES, staging=None)
    assert "cost: unknown: no price for my-model" in plan_lines(plan) and cost(plan) == "an unknown cost"
    assert not any("$" in line for line in plan_lines(plan))


def test_problems_of_a_retry_name_requests_and_no_file_of_ours(tmp_path: Path) -> None:
    source = tmp_path / "requests.jsonl"
    body = '"params":{"model":"claude-haiku-5-5","max_tokens":0,"messages":[{"role":"user","content":"Hi"}]}}'
    source.write_text(f'{{"custom_id":"a",{body}\n{{"custom_id":"b",{body}\n')
    plan = make_plan([str(source)], IntakeOptions(), prices=PRICES, staging=None)
    assert any(f"{source}:1  a" in line for line in problem_lines(plan))
    lines = problem_lines(msgspec.structs.replace(plan, retry_of=("20261128T000000Z-aaaaaa",)))
    assert "    a  (it is 0)" in lines and str(source) not in "".join(lines)


def test_what_waits_for_a_check_says_so() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    waiting = BatchRecord(local_id="a", run="a", status="submitting")
    assert waiting.waiting and batch.progress_of(waiting, now, None).plain == "for room in the queue"
    checked = BatchRecord(local_id="a", run="a", status="submitting", next_try_at=now + timedelta(minutes=3))
    assert batch.progress_of(checked, now, None).plain == "for a check in 3 min"
