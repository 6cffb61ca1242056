"""What can't be proven is put to the person: list, show, sync and exit codes say it, with what to do."""

from __future__ import annotations

import pytest

from batchtui.domain.batch import BatchRecord
from tests.cli.calling import Caller
from tests.cli.test_verbs import patiently


@pytest.fixture
def asked(call: Caller, monkeypatch: pytest.MonkeyPatch) -> BatchRecord:
    """A batch whose reply was lost, and whose list never proves anything."""
    from batchtui.cli import words
    from batchtui.service import reconcile

    monkeypatch.setattr(words, "SETTLE_PATIENCE", 0.2)
    monkeypatch.setattr(reconcile, "ASK_AFTER", 0)
    call.demo.set_faults(["drop@create*1", "repeat-page@list"])
    patiently()
    assert call("submit", call.source()).code == 4
    assert call("sync").code == 4
    return BatchRecord(**{"local_id": call("show", "last", "--json").json["local_id"], "run": ""})


def test_list_show_and_sync_say_it(call: Caller, asked: BatchRecord) -> None:
    assert "needs attention" in call("list").out.decode()
    shown = call("show", "last").out.decode()
    assert f"batchtui adopt {asked.local_id} --none" in shown and "MSGBATCH_ID" in shown
    assert "more batches and does not return them" in shown
    said = call("sync")
    assert said.code == 4 and "needs attention" in said.err


def test_waiting_for_it_ends_with_exit_code_4(call: Caller, asked: BatchRecord) -> None:
    assert call("watch", asked.local_id).code == 4


def test_the_person_says_which_it_is(call: Caller, asked: BatchRecord) -> None:
    [remote] = call.demo.stats()["batches"]
    assert call("adopt", asked.local_id, remote["id"]).code == 0
    assert call.demo.stats()["creates"] == 1
