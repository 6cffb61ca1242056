"""A verb that would send again what got no clear reply a short while ago: it says so, and waits unless told not to."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtui import clock
from tests.cli.calling import Caller

SECONDS = 50
"""Of settling, by a clock that runs SPEED times as fast."""
SPEED = 100.0


@pytest.fixture
def lost(call: Caller, own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A batch that was not created, though nothing but the list says so."""
    monkeypatch.setenv(clock.VARIABLE, clock.Clock(SPEED).variable())
    (own_folders / "config" / "config.toml").write_text(f"[settle]\nlooks = 2\nseconds = {SECONDS}\n")
    call.demo.set_faults(["status:500@create*1"])
    call("submit", call.source(), "--yes")
    while call("show", "last", "--json").json["status"] == "unconfirmed":
        call("sync")
    record = call("show", "last", "--json").json
    assert record["status"] == "refused"
    return str(record["local_id"])


@pytest.mark.parametrize("verb", ["retry", "submit"])
def test_yes_alone_does_not_send_at_once(call: Caller, lost: str, verb: str) -> None:
    if verb == "retry":
        said = call("retry", lost, "--yes", "--wait")
        assert said.code == 0, said.err
    else:
        said = call("submit", call.folder / "source.jsonl", "--yes")
        assert "waiting until" in said.err and "Ctrl-C leaves the batch waiting" in said.err
        while call("show", "last", "--json").json["intent_at"] is None:
            call("sync")
    assert f"{lost} has the same requests and got no clear reply" in said.err and "you pay twice" in said.err
    assert "--send-now sends it at once" in said.err and "will be sent at" in said.err
    first, sent = (call("show", each, "--json").json for each in (lost, "last"))
    assert sent["intent_at"] > first["lost_at"] and not sent["send_now"] and call.demo.stats()["creates"] == 1


def test_send_now_says_what_it_risks(call: Caller, lost: str) -> None:
    said = call("retry", lost, "--send-now", "--yes", "--wait")
    assert said.code == 0 and "you pay twice" in said.err and "will be sent at" not in said.err
    assert call("show", "last", "--json").json["send_now"] is True
