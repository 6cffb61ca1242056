"""What the new screen owns: the draft of its form, and the plan of the form as it was checked."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from batchtui.domain.plan import Plan
from batchtui.intake.drafts import Draft, list_drafts, load_draft, save_draft
from batchtui.intake.preview import Peek
from batchtui.intake.row import RunParts, RunRow
from batchtui.tui.new import drafts
from batchtui.tui.new.check import CheckedForm, FormState
from batchtui.tui.new.drafts import DraftKeeper
from batchtui.tui.new.template_editor import judge
from tests.tui.new_form import on_demo, summary
from tests.tui.waiting import until
from tests.tui.work import request

PLAN = cast("Plan", object())


async def test_a_draft_goes_by_a_free_name_and_is_written_when_it_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    save_draft(tmp_path, Draft(name=f"{today}-one"))
    keeper = DraftKeeper(lambda: tmp_path)
    draft = Draft(name="", title="one")
    assert await keeper.keep(draft)
    assert keeper.name.startswith("20") and keeper.name.endswith("-one-2")
    monkeypatch.setattr(drafts, "keep_draft", lambda *_: pytest.fail("it was written twice"))
    assert not await keeper.keep(draft)
    assert load_draft(tmp_path, keeper.name).title == "one"


async def test_a_draft_set_aside_stays_and_one_that_was_sent_goes(tmp_path: Path) -> None:
    keeper = DraftKeeper(lambda: tmp_path)
    await keeper.keep(Draft(name="", title="first"))
    first = keeper.name
    assert keeper.set_aside().endswith(" first")
    assert keeper.kept is None
    await keeper.keep(Draft(name="", title="second"))
    await keeper.forget()
    await keeper.forget()
    assert not await keeper.keep(Draft(name="", title="second")), "what was sent came back as a draft"
    assert list_drafts(tmp_path) == (first,)
    again = DraftKeeper(lambda: tmp_path)
    draft = await again.load(first)
    again.reopened(draft)
    assert not await again.keep(Draft(name="", title="first")), "reopening alone made it newer"
    assert again.name == first and await again.last() == draft


def test_a_plan_goes_with_the_form_it_is_of_unless_it_was_handed_over() -> None:
    gone: list[Plan] = []
    checked = CheckedForm(gone.append)
    for leave in (lambda: checked.begin(FormState(typed="b")), checked.forget, checked.drop_plan):
        checked.begin(FormState(typed="a"))
        checked.plan = PLAN
        leave()
        assert checked.plan is None
    assert checked.form == FormState(typed="a") and gone == [PLAN] * 3
    checked.plan = PLAN
    assert checked.hand_over() is PLAN
    checked.forget()
    assert checked.form is None and gone == [PLAN] * 3


async def test_a_counted_plan_comes_with_what_forbids_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No moment in which it could be sent as one that nothing forbids."""
    source = tmp_path / "requests.jsonl"
    source.write_bytes(request("a", "hello"))
    async with on_demo(tmp_path, source) as (_, pilot, screen, service):
        first, asked, go_on = screen.plan, threading.Event(), threading.Event()

        def forbids(_: Any) -> str:
            asked.set()
            go_on.wait(120)
            return "it would cost too much"

        monkeypatch.setattr(service, "max_cost_problem", forbids)
        screen.query_one("#new-panes").focus()
        await pilot.press("ctrl+l")
        await until(pilot, asked.is_set)
        assert screen.plan is first
        go_on.set()
        await until(pilot, lambda: screen.plan is not first)
        assert screen.checked.stopped_by == "it would cost too much"
        await until(pilot, lambda: "too much" in summary(screen))


def test_a_judge_does_not_see_the_right_values() -> None:
    own = {"text": "late", "gold_tone": "negative", "label": "x"}
    row = RunRow(RunParts(msgspec.Raw(), "r1", True, {"tone": "mixed"}, read=own))
    template = judge(Peek(columns=tuple(row), rows=(row,)), "claude-sonnet-5")
    assert "{{ text }}" in template and "{{ answer }}" in template
    assert "gold_tone" not in template and "label" not in template
