"""results writes answers that a blind sample hides, and says so."""

from __future__ import annotations

from batchtui import paths
from batchtui.results.review import REVIEW
from tests.cli.calling import Caller
from tests.tui.hidden import SAID, hide


def test_results_says_that_hidden_answers_are_written(call: Caller) -> None:
    run = call("submit", call.source(), "--wait", "--json").json["run"]
    assert "hidden" not in call("results", "last").err
    hide(paths.data_dir() / "batches" / call("show", "last", "--json").json["local_id"])
    said = call("results", run, "-o", call.folder / "all.jsonl")
    assert said.code == 0 and f"warning: {SAID}" in said.err


def test_a_review_that_cant_be_read_keeps_no_results_back(call: Caller) -> None:
    call("submit", call.source(), "--wait")
    (paths.data_dir() / "batches" / call("show", "last", "--json").json["local_id"] / REVIEW).mkdir()
    assert call("results", "last", "-o", call.folder / "all.jsonl").code == 0
