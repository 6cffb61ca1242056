"""A retry with a change that can't be sent says so."""

from __future__ import annotations

from pathlib import Path

from tests.tui.work import add_batch, make_service, mixed

LOCAL = "20261122T110000Z-aaaaaa"


def test_a_change_that_the_api_would_refuse_makes_a_plan_with_errors(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    add_batch(service, *mixed(), local_id=LOCAL)
    plan = service.plan_retry([LOCAL], None, {"max_tokens": "-1"})
    assert not plan.ok
    assert plan.errors
    service.discard(plan)
