"""A retry of which some can't be sent says so."""

from __future__ import annotations

from pathlib import Path

from tests.service.harness import plan_retry
from tests.tui.work import add_batch, failed, make_service, request

LOCAL = "20261122T110000Z-aaaaaa"


def test_a_retry_in_which_one_request_has_an_error_makes_a_plan_with_errors(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    requests = [request("good", "hello"), request("bad", "hello", max_tokens=-1)]
    results = [failed(name, "overloaded_error", "Overloaded") for name in ("good", "bad")]
    add_batch(service, requests, results, local_id=LOCAL)
    plan = plan_retry(service, [LOCAL])
    assert (plan.ok, plan.errors, len(plan.parts)) == (False, 1, 1)
    service.discard(plan)
