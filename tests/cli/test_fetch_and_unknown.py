"""fetch, and batches that the API does not know any more, as the command line says them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.calling import Caller, call

__all__ = ["call"]


@pytest.fixture(autouse=True)
def quick(short_waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchtui.service.presence.unknown_delay", lambda looks: 0.0)
    monkeypatch.setattr("batchtui.service.presence.UNKNOWN_AFTER", timedelta(minutes=2))


def folder_of(call: Caller) -> Path:
    [path] = (call.folder / "data/batches").glob("*/batch.json")
    return path.parent


def earlier(call: Caller, **fields: timedelta) -> None:
    """Put times of the record into the past, as if so long had gone by."""
    path = folder_of(call) / "batch.json"
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps(record | {name: (datetime.now(UTC) - ago).isoformat() for name, ago in fields.items()}))


def ended(call: Caller) -> None:
    call("submit", call.source(20))
    call.demo.set_faults(["status:529@results"])
    while call("sync").code == 0:
        pass
    call.demo.set_faults([])


def test_fetch_downloads_what_is_not_here_and_is_quiet_about_what_is(call: Caller) -> None:
    ended(call)
    said = call("fetch", "last", "--json")
    assert said.code in (0, 1) and said.json[0]["results"] == "stored"
    before = (folder_of(call) / "results.jsonl").read_bytes()
    assert call("fetch", "last").code == said.code
    assert (folder_of(call) / "results.jsonl").read_bytes() == before


@pytest.mark.parametrize("fault", ["other-batch@results", "foreign-line@results", "garbage-line@results"])
def test_fetch_of_what_is_not_whole_exits_1_and_of_what_is_keeps_it(call: Caller, fault: str) -> None:
    ended(call)
    call.demo.set_faults([fault])
    said = call("fetch", "last", "--json")
    assert said.code == 1 and said.json[0]["results"] == "partial", said.err
    assert "fetch" in said.err
    call.demo.set_faults([])
    code = call("fetch", "last").code
    call.demo.set_faults([fault])
    said = call("fetch", "last", "--json")
    assert said.json[0]["tally"]["missing"] == 0 and said.json[0]["results"] == "stored"
    call.demo.set_faults([])
    assert call("fetch", "last").code == code


def test_fetch_of_a_batch_that_runs_or_can_not_be_asked_exits_3(call: Caller) -> None:
    call.demo.demo.options = call.demo.demo.options.__class__(duration=600)
    call.demo.demo.store.options = call.demo.demo.options
    call("submit", call.source())
    said = call("fetch", "last")
    assert said.code == 3 and "has no results yet" in said.err
    call.demo.set_faults(["refuse@any"])
    assert call("fetch", "last").code == 3
    assert call("fetch").code == 2


def test_a_batch_that_the_api_does_not_know_is_said_by_every_verb_and_can_be_marked(call: Caller) -> None:
    call("submit", call.source())
    record = folder_of(call) / "batch.json"
    # As a look at the list would: from here on the id is more than the create's reply said.
    record.write_bytes(record.read_bytes().replace(b'"id_seen": false', b'"id_seen": true'))
    call.demo.set_faults(["forgotten@any"])
    for _ in range(3):
        said = call("sync")
        assert said.code == 0 and "not known" in said.err and "nothing to do" not in said.err
    assert call("adopt", "last", "--gone").code == 2
    earlier(call, unknown_since=timedelta(minutes=3))
    said = call("sync", "--json")
    local_id = folder_of(call).name
    assert said.code == 1 and local_id in said.json["unknown"]
    for verb in (("list",), ("show", "last"), ("watch",), ("watch", "last"), ("list", "--json")):
        said = call(*verb)
        assert said.code == 1, verb
    assert "not known by the API" in call("list").out.decode()
    assert call("fetch", "last").code == 3
    assert call("adopt", "last", "--gone").code == 0
    assert call("show", "last", "--json").json["results"] == "gone"
    assert {call(*verb).code for verb in (("list",), ("show", "last"), ("sync",))} == {0}
    call.demo.set_faults([])
    assert call("fetch", "last").code in (0, 1)
    record = call("show", "last", "--json").json
    assert record["results"] == "stored" and record["marked_gone"] is None


def test_retry_sends_what_failed_and_says_what_it_waits_for(call: Caller) -> None:
    source = call.source(20, **{f"n{n}": "error" for n in range(4)})
    call("submit", source)
    call.demo.set_faults(["short-count@results"])
    while call("sync").code == 0:
        pass
    said = call("retry", "last", "--dry-run", "--json")
    assert said.code == 0 and said.json["requests"] in (2, 3, 4), said.err
    assert "requests are not sent: their results are still being downloaded" in said.err


def test_results_writes_what_is_here_says_what_lacks_and_exits_1(call: Caller) -> None:
    ended(call)
    call.demo.set_faults(["short-count@results"])
    out = call.folder / "out.jsonl"
    said = call("results", "last", "-o", out)
    assert said.code == 1 and "of 20 results received" in said.err
    assert out.read_bytes().count(b"\n") == 18


def test_what_was_deleted_at_the_api_on_purpose_is_not_asked_for_again(call: Caller) -> None:
    ended(call)
    assert call("delete", "last", "--there").code == 0
    assert call("show", "last", "--json").json["results"] == "gone"
    assert call("sync").code == 0
