"""Before anything is deleted the question names what: titles, batches, requests, results on disk, verdicts."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from batchtui.cli.session import Session
from batchtui.present import batch
from batchtui.tui.dialogs import ask_delete
from tests.cli.calling import Caller, small_parts
from tests.tui.home_data import record


def test_what_goes_is_named_by_title_once_a_run() -> None:
    run = [record(local_id=f"b{n}", run="r", title="labels", part=n, parts=3, results="stored") for n in (1, 2, 3)]
    others = [record(local_id=f"c{n}", run=f"c{n}", title=f"reviews {n}", requests=1) for n in range(5)]
    assert batch.titles(run, requests=True) == "labels (3 batches, 30 requests)"
    assert batch.titles(run[:1]) == "labels 1/3" and batch.titles(others[:1], requests=True) == "reviews 0 (1 request)"
    assert batch.titles([*run, *others]) == "labels (3 batches), reviews 0, reviews 1, reviews 2 and 2 more"
    due = record(local_id="d", status="ended", results="none", cost_usd=Decimal("0.5"))
    said = batch.deleted_with([*run, due], 12, here=True, there=True)
    assert said == [
        "Deleting here also deletes the downloaded results of 3 batches.",
        "Deleting here also deletes 12 verdicts of your review.",
        "The results of 1 batch are not downloaded: once deleted at the API, they are lost.",
        "Once deleted here, $0.50 no longer counts as spending.",
        "Requests deleted here can't be restored or retried; a batch that is adopted again has none.",
    ]
    assert batch.deleted_with(run, 12, here=False, there=True) == [
        "The record, the requests and downloaded results stay here."
    ]
    assert batch.deleted_with([due], 0, here=False, there=True)[1:] == ["Only the record and the requests stay here."]
    unsent = record(local_id="g", id=None, status="refused")
    assert batch.deleted_with([unsent], 0, here=True, there=False) == [
        "Requests deleted here can't be restored or retried."
    ]
    adopted = record(local_id="h", foreign=True)
    assert batch.deleted_with([adopted], 0, here=True, there=False) == []
    some = record(local_id="e", status="ended", results="partial", have=40, requests=50)
    gone = record(local_id="f", status="ended", results="gone", have=5, requests=10)
    assert batch.deleted_with([run[0], due, some, gone], 0, here=True, there=True) == [
        "Deleting here also deletes the downloaded results of 1 batch.",
        "Deleting here also deletes the partially downloaded results of 2 batches (45 of 60).",
        "The results of 1 batch are not downloaded: once deleted at the API, they are lost.",
        "The results of 1 batch (40 of 50) are partially downloaded: once deleted at the API, the others are lost.",
        "Once deleted here, $0.50 no longer counts as spending.",
        "Requests deleted here can't be restored or retried; a batch that is adopted again has none.",
    ]
    choices = dict(ask_delete([some], 0)._choices)
    assert "permanently" in str(choices["here"])
    assert "downloaded results stay here" in str(choices["there"]) and "results" in str(choices["here"])


def test_the_command_line_asks_by_title_and_says_what_goes_too(
    call: Caller, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_parts(own_folders, 3)
    call("submit", call.source(9), "--title", "labels", "--wait", "--yes")
    asked: list[str] = []
    monkeypatch.setattr(Session, "asks", True)
    monkeypatch.setattr("click.confirm", lambda question, **_: bool(asked.append(question)))
    said = call("delete", "labels")
    assert said.code == 2 and len(call("list", "--json").json) == 3
    assert asked == ["Delete labels (3 batches, 9 requests) here and at the API?  This can't be undone."]
    assert "Deleting here also deletes the downloaded results of 3 batches." in said.err
    assert "can't be restored or retried" in said.err
    assert "downloaded results stay here." in call("delete", "labels", "--there").err


def test_both_faces_say_what_a_cancellation_costs(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, waits = (
        record(local_id="a", requests=7, status="in_progress"),
        record(local_id="b", requests=5, status="submitting", intent_at=None),
    )
    charged = "Requests that are already processed keep their results and are charged."
    retried = "This can't be undone. Requests without an answer can be retried with R."
    assert batch.canceled_with([runs], retry="R") == ["Up to 7 requests will have no answer.", charged, retried]
    assert batch.canceled_with([waits], retry="R") == [
        "Up to 5 requests will have no answer.",
        "1 batch still waiting to be sent: dropped, not charged.",
        retried,
    ]
    assert len(batch.canceled_with([runs, waits], retry="R")) == 4
    call.demo.demo.store.options = msgspec.structs.replace(call.demo.demo.store.options, duration=900.0)
    call("submit", call.source(3), "--title", "labels", "--yes")
    monkeypatch.setattr(Session, "asks", True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    said = call("cancel", "labels").err
    assert "Up to 3 requests will have no answer." in said and charged in said and "with batchtui retry." in said


def test_the_screens_question_says_how_many_more_however_long_the_titles() -> None:
    long = [
        record(local_id=f"l{n}", run=f"l{n}", title=f"{n} " + "x" * 80, part=10, parts=100, attempt=12, requests=99_999)
        for n in range(100)
    ]
    assert ask_delete(long, 0)._title.endswith(" and 96 more?")
    assert ask_delete(long, 0)._title.startswith("Delete 0 xxx")


def test_show_says_of_a_refused_batch_that_there_are_no_results(call: Caller) -> None:
    call.demo.set_faults(["status:400@create*1"])
    (refused,) = call("submit", call.source(1), "--json").json["batches"]
    assert "results      none\n" in call("show", refused["local_id"]).out.decode()
