"""One Retry: the run is opened once, and its estimate takes the changes into account."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from batchtui.config.load import Config
from batchtui.domain.batch import BatchRecord, Tally
from batchtui.results import storage
from batchtui.service import Service, retry
from batchtui.service.retry import Retry
from tests.service.harness import request

LOCAL = "20261120T080000Z-aaaaaa"
OFTEN = 200


def line(custom_id: str, stop: str, output: int) -> bytes:
    content = [{"type": "text", "text": "Some words"}]
    usage = {"input_tokens": 10, "output_tokens": output}
    message = {"model": "claude-haiku-4-5", "stop_reason": stop, "content": content, "usage": usage}
    return json.dumps({"custom_id": custom_id, "result": {"type": "succeeded", "message": message}}).encode() + b"\n"


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service with one ended batch of which half was cut short at max_tokens 500."""
    made = Service(tmp_path, Config())
    record = BatchRecord(
        local_id=LOCAL, id="msgbatch_1", run=LOCAL, status="ended", results="stored", source="a.jsonl", requests=OFTEN,
        base_url=made.gateway.base_url, models={"claude-haiku-4-5": OFTEN},
        tally=Tally(lines=OFTEN, succeeded=OFTEN, cut_short=OFTEN // 2, output_tokens=OFTEN * 450),
    )  # fmt: skip
    made.history.create(record)
    folder = made.history.folder(LOCAL)
    names = [f"r-{n}" for n in range(OFTEN)]
    (folder / "requests.jsonl").write_bytes(b"".join(json.dumps(request(n)).encode() + b"\n" for n in names))
    (folder / "results.jsonl").write_bytes(
        b"".join(line(n, "max_tokens" if i % 2 else "end_turn", 500 if i % 2 else 400) for i, n in enumerate(names))
    )
    return made


def test_the_estimate_follows_what_the_changes_allow(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    real = retry.open_run
    monkeypatch.setattr(retry, "open_run", lambda *given: opened.append(1) or real(*given))
    count, estimates = OFTEN // 2, {}
    with service.retry([LOCAL]) as again:
        rows = again.rows(("cut_short",))
        assert len(rows) == count
        for name, changes in {
            "as it is": {},
            "tagged": {"metadata.user_id": "u1"},
            "longer": {"max_tokens": "4000"},
            "dearer": {"model": "claude-opus-4-8"},
        }.items():
            plan = again.plan(rows, changes)
            assert plan.ok, plan.problems
            estimates[name] = plan.estimate
            notes = again.notes(rows, changes)
            assert bool(notes.difference) == bool(changes) and bool(notes.useless) == (not changes)
            service.discard(plan)
    assert opened == [1]
    # The range is what each answer may take; likely is what this source's answers took so far, where that still tells.
    assert estimates["as it is"].output_tokens == estimates["tagged"].output_tokens == (count * 4, count * 500)
    assert estimates["longer"].output_tokens == (count * 4, count * 4000)
    assert estimates["dearer"].output_tokens[1] == count * 500
    likely = {name: each.likely_usd for name, each in estimates.items()}
    assert likely["as it is"] == likely["tagged"] and likely["longer"] is likely["dearer"] is None
    assert estimates["as it is"].batch_usd[0] < likely["as it is"] < estimates["as it is"].batch_usd[1]
    assert estimates["dearer"].batch_usd[1] > estimates["as it is"].batch_usd[1]
    assert [each.model for each in estimates["dearer"].models] == ["claude-opus-4-8"]


def test_a_run_that_changed_is_opened_anew(service: Service) -> None:
    with service.retry([LOCAL]) as again:
        assert len(again.rows(("cut_short",))) == OFTEN // 2
        follow = msgspec.structs.replace(
            service.resolve(LOCAL), local_id="20261121T080000Z-bbbbbb", id="msgbatch_2", status="in_progress",
            results="none", attempt=1, retry_of=(LOCAL,), tally=None,
        )  # fmt: skip
        service.history.create(follow)
        folder = service.history.folder(follow.local_id)
        folder.joinpath("requests.jsonl").write_bytes(json.dumps(request("r-1")).encode() + b"\n")
        storage.index_requests(folder, service.prices)
        rows = again.rows(("cut_short",))
        assert len(rows) == OFTEN // 2 - 1 and "r-1" not in {again.view.id(row) for row in rows}


def test_the_opening_can_be_stopped(service: Service) -> None:
    from batchtui.domain.errors import Stopped
    from batchtui.domain.work import Work

    work = Work()
    work.stop()
    with pytest.raises(Stopped):
        Retry(service.context, [service.resolve(LOCAL)], work)
