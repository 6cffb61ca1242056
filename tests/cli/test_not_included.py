"""Every verb that tells figures of a run says which of its batches are not in them."""

from __future__ import annotations

from pathlib import Path

from tests.cli.calling import Caller, small_parts


def test_count_score_and_compare_say_what_is_not_in_their_figures(call: Caller, own_folders: Path) -> None:
    small_parts(own_folders, 3)
    call.demo.set_faults(["status:400@create*1"])
    run = call("submit", call.source(9), "--wait", "--json").json["run"]
    gold = call.folder / "gold.csv"
    gold.write_text("id,outcome\n4-demo-ok,succeeded\n")
    for verb in (
        ("count", run, "outcome", "--run"),
        ("score", run, "outcome", "--gold", gold, "--run"),
        ("compare", run, run, "--run"),
        ("compare", run, run, "--run", "--field", "run.answer"),
    ):
        said = call(*verb)
        assert said.code == 0 and "not included: " in said.err and " 1/3  3 requests" in said.err, said.err
    one = call("count", run, "outcome", "--no-run")
    assert "not included" not in one.err
