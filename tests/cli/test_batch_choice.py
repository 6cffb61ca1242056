"""A title and ``last`` name a run, an id of its own one batch: the same for every verb."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Caller


@pytest.fixture
def run(call: Caller, own_folders: Path) -> list[dict[str, Any]]:
    """A run of two parts with a failure in each, retried once."""
    with (own_folders / "config" / "config.toml").open("a") as config:
        config.write("[limits]\nmax_requests = 3\n")
    call("submit", call.source(n1="flaky", n4="flaky"), "--title", "labels", "--wait")
    return list(call("list", "--json").json)


def outcomes(call: Caller, *words: str) -> dict[str, int]:
    return {each["value"]: each["rows"] for each in call("count", *words, "outcome", "--json").json["values"]}


def test_verbs_that_read_results_take_the_run_by_its_title(call: Caller, run: list[dict[str, Any]]) -> None:
    first, second = sorted(
        (str(r["local_id"]) for r in run), key=lambda i: next(r["part"] for r in run if r["local_id"] == i)
    )
    assert len(call("results", "labels").out.splitlines()) == len(call("results", "last").out.splitlines()) == 6
    assert call("retry", "labels", "--dry-run", "--json").json["requests"] == 2
    assert call("retry", "labels", "--wait").code == 0
    for name in ("labels", "last"):
        said = call("results", name, "--format", "json")
        assert said.code == 0 and all(json.loads(said.out).values()) and "whole run: 6 of 6 usable" in said.err
        assert outcomes(call, name) == {"succeeded": 6}
    assert call("compare", "labels", "last", "--json").code == 0
    # One batch by an id of its own, and by --no-run; that it is one of several is said.
    said = call("count", first, "outcome", "--json")
    assert {each["value"]: each["rows"] for each in said.json["values"]} == {"succeeded": 2, "errored": 1}
    assert "one of the 3 batches of its run; --run takes all" in said.err
    assert sum(outcomes(call, "labels", "--no-run").values()) == 3
    assert sum(outcomes(call, first, "--run").values()) == 6
    # Its first batch deleted, the run's id is no batch's any more.
    assert call("delete", first, "--here", "--yes").code == 0
    assert sum(outcomes(call, first).values()) == 4  # the second part, and what was retried of the first
    assert call("fetch", "labels").code in (0, 1) and len(call("fetch", "labels", "--json").json) == 2
    assert second in call("watch", "last").err


def test_cancel_and_delete_say_how_many_batches_a_title_names(call: Caller, own_folders: Path) -> None:
    with (own_folders / "config" / "config.toml").open("a") as config:
        config.write("[limits]\nmax_requests = 2\n")
    call.demo.demo.store.options = call.demo.demo.store.options.__class__(duration=30.0)
    call("submit", call.source(), "--title", "labels", "--yes")
    assert [r["status"] for r in call("cancel", "labels", "--yes", "--json").json] == ["canceling"] * 3
    call("delete", "labels", "--here", "--yes")
    assert len(call("list", "--json").json) == 3  # None has ended: nothing was deleted.


def test_a_title_that_is_nearly_one_is_named(call: Caller) -> None:
    call("submit", call.source(1), "--title", "labels", "--yes")
    for words in (("results", "labls"), ("show", "labls"), ("again", "Labels"), ("cancel", "lables")):
        said = call(*words)
        assert said.code == 2 and said.err.count("did you mean 'labels'?") == said.err.count("did you mean") == 1, (
            said.err
        )
    assert "did you mean" not in call("show", "nothing-like-it").err
