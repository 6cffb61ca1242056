"""What Ctrl-C leaves behind before something is sent: what is said of it then, and when a later command sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import click
import pytest

from batchtui.api.gateway import Gateway
from batchtui.cli.session import Session
from batchtui.service import Service
from batchtui.service.sender import Sender
from tests.cli.calling import Caller

NOT_SENT = "these requests were not sent\ninterrupted\n"


async def _interrupted(*_: Any, **__: Any) -> None:
    """As Ctrl-C does while this is awaited."""
    raise asyncio.CancelledError


def _abort(*_: Any, **__: Any) -> None:
    raise click.Abort


def _interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def left_waiting(call: Caller, name: str = "first.jsonl") -> str:
    """A batch whose submit was interrupted once it was on record; its local id."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sender, "send_waiting", _interrupted)
        said = call("submit", call.source(2, name), "--yes")
    [waiting] = [r for r in call("list", "--json").json if r["status"] == "submitting"]
    assert said.code == 130 and f"{waiting['local_id']} is waiting to be sent: batchtui sends it" in said.err
    assert f"batchtui cancel {waiting['local_id']} drops it unsent" in said.err and "not sent\n" not in said.err
    return str(waiting["local_id"])


def test_what_waits_is_dropped_as_it_was_said(call: Caller) -> None:
    local_id = left_waiting(call)
    assert call("cancel", local_id, "--yes").code == 0
    assert "nothing to do" in call("sync").err and call.demo.stats()["creates"] == 0


@pytest.mark.parametrize("verb", ["submit", "again", "retry"])
def test_a_later_command_says_what_it_sends_too(call: Caller, verb: str) -> None:
    if verb != "submit":
        call("submit", call.source(3, "old.jsonl", n1="error"), "--yes", "--wait")
        old = call("list", "--json").json[0]["local_id"]
    waiting, before = left_waiting(call), call.demo.stats()["creates"]
    words = ["submit", call.source(1, "second.jsonl")] if verb == "submit" else [verb, old]
    said = call(*words, "--yes", *(["--allow-duplicate"] if verb == "again" else []))
    told = said.err.index("left waiting earlier and sent too: first (2 requests), ~$")
    assert f"batchtui cancel {waiting} drops what is not wanted" in said.err
    assert said.err.index(f"also sent, left waiting earlier: {waiting}  first  2 requests") > told
    assert call.demo.stats()["creates"] == before + 2 and said.err.count("also sent") == 1


def test_watch_tells_what_it_sends_and_sync_tells_it_once(call: Caller) -> None:
    call("submit", call.source(1, "old.jsonl"), "--yes")
    [old] = call("list", "--json").json
    waiting = left_waiting(call)
    assert f"also sent, left waiting earlier: {waiting}" in call("watch", old["local_id"]).err
    waiting = left_waiting(call, "next.jsonl")
    said = call("sync").err
    assert f"sent {waiting}" in said and "also sent" not in said


@pytest.mark.parametrize(
    ("where", "name", "stop"),
    [(Service, "plan", _interrupt), (click, "confirm", _abort), (Gateway, "ready", _interrupted)],
    ids=["check", "question", "before it is on record"],
)
def test_an_interrupt_before_anything_is_on_record_says_that_nothing_was_sent(
    call: Caller, monkeypatch: pytest.MonkeyPatch, where: object, name: str, stop: Callable[..., object]
) -> None:
    monkeypatch.setattr(Session, "asks", property(lambda _: name == "confirm"))
    monkeypatch.setattr(where, name, stop)
    said = call("submit", call.source(1))
    assert (said.code, said.err.endswith(NOT_SENT)) == (130, True), said.err
    assert call.demo.stats()["creates"] == 0 and not (call.folder / "data" / "batches").exists()
