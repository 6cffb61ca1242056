"""The real command line through faults: submit --wait, then sync, and the file of results is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.calling import Caller, call

pytestmark = pytest.mark.usefixtures("short_waits")

__all__ = ["call"]


@pytest.mark.parametrize(
    "faults",
    [
        ["drop@create*1", "tear@results*1"],
        ["late:500@create*1", "hidden:0.3@list", "html@retrieve*1"],
        ["torn-reply@create*1", "cut@results*2", "status:529@list*1"],
        ["status:429,0@create*2", "notfound:0.3@retrieve", "notfound:0.3@results", "refuse@results*1"],
        ["redirect@retrieve*2", "short-count@results*1", "foreign-url@retrieve", "unknown@list"],
    ],
    ids=" ".join,
)
def test_submit_wait_goes_on_by_itself_to_the_last_result(call: Caller, faults: list[str]) -> None:
    patient = Path(os.environ["BATCHTUI_CONFIG_DIR"]) / "config.toml"
    # What was made is found, however long it is hidden; what was not is sent again after five times as long.
    seconds = 0.1 if "status:429,0@create*2" in faults else 30
    patient.write_text(f"[settle]\nlooks = 2\nseconds = {seconds}\n")
    call.demo.set_faults(faults)
    out = call.folder / "out.jsonl"
    said = call("submit", call.source(20), "--wait", "-o", out, "--json")
    assert said.code == 0, said.err
    assert len(out.read_bytes().splitlines()) == 20
    assert call.demo.stats()["creates"] == 1
    assert said.json["batches"][0]["results"] == "stored"


@pytest.mark.parametrize("fault", ["status:500@create*1", "refuse@create*1", "redirect@create*1"])
def test_what_never_arrived_exits_3_and_retry_brings_it_home(call: Caller, fault: str) -> None:
    call.demo.set_faults([fault])
    said = call("submit", call.source(), "--wait", "--json")
    assert said.code == 3 and said.json["batches"][0]["status"] == "refused" and "was not created" in said.err
    assert call("retry", "last", "--wait", "-o", call.folder / "out.jsonl").code == 0
    assert call.demo.stats()["creates"] == 1
    assert len((call.folder / "out.jsonl").read_bytes().splitlines()) == 6


@pytest.mark.parametrize(
    "fault", ["cut@results", "status:529@results", "drop@results", "html@results", "status:404@results"]
)
def test_sync_says_what_it_could_not_have_and_has_it_later(call: Caller, fault: str) -> None:
    call("submit", call.source())
    call.demo.set_faults([fault])
    codes = {call("sync").code for _ in range(6)}
    assert 1 in codes and codes <= {0, 1}
    failed = call("sync", "--json").json["failed"]
    assert len(failed) == 1 and all(failed.values())
    call.demo.set_faults([])
    assert call("sync").code == 0
    assert call("show", "last", "--json").json["results"] == "stored"


def test_sync_that_can_not_ask_exits_3_and_changes_nothing(call: Caller) -> None:
    call("submit", call.source())
    before = call("list", "--json").json
    call.demo.set_faults(["refuse@any"])
    said = call("sync", "--json")
    assert said.code == 3 and said.json["error"]
    assert call("list", "--json").json == before


def test_a_full_disk_is_said_with_exit_3_and_sync_sends_what_waits(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from batchtui.domain.errors import StoreError
    from batchtui.service.sender import Sender

    real = Sender._send_once

    async def full(self: Sender, record: object) -> None:
        raise StoreError("can't write batch.json: No space left on device", advice="free some room")

    monkeypatch.setattr(Sender, "_send_once", full)
    said = call("submit", call.source())
    assert said.code == 3 and "No space" in said.err and "do not submit again" in said.err
    monkeypatch.setattr(Sender, "_send_once", real)
    assert call("sync").code == 0
    assert call("watch").code == 0
    assert call.demo.stats()["creates"] == 1


def test_results_go_where_a_folder_is_missing_is_an_error_not_a_loss(call: Caller) -> None:
    said = call("submit", call.source(), "--wait", "-o", Path("/proc/nowhere/out.jsonl"))
    assert said.code != 0 and "/proc/nowhere" in said.err
    assert call("show", "last", "--json").json["results"] == "stored"
