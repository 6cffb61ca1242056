"""The examples whose source is a run, on the labels of the example table; and which rows of a run are taken."""

from __future__ import annotations

import json

import pytest

from batchtui.demo.examples import examples_dir
from tests.cli.calling import Caller

ROWS = 12


@pytest.fixture
def labels(call: Caller) -> str:
    """The first rows of the example table, labelled."""
    table = call.folder / "feedback.csv"
    head = (examples_dir() / "feedback.csv").read_text("utf-8").splitlines(keepends=True)[: ROWS + 1]
    table.write_text("".join(head), "utf-8")
    said = call("submit", table, "--template", examples_dir() / "feedback-labels.toml", "--title", "labels", "--wait")
    assert said.code in (0, 1), said.err
    return "run:labels"


@pytest.mark.parametrize("name", ["judge-labels.toml", "translate-answers.toml"])
def test_the_examples_of_a_second_run_make_a_plan_of_the_labels(call: Caller, labels: str, name: str) -> None:
    usable = len(json.loads(call("results", "labels", "--only", "usable", "--format", "json").out))
    said = call("check", labels, "--template", examples_dir() / name, "--json")
    assert said.code == 0, said.err
    assert said.json["requests"] == usable and said.json["errors"] == 0
    assert call("submit", labels, "--template", examples_dir() / name, "--wait").code in (0, 1)


def test_a_template_of_answers_on_rows_without_them_is_told_of_the_run(call: Caller, labels: str) -> None:
    judge = examples_dir() / "judge-labels.toml"
    for words in (("again", "labels", "--dry-run"), ("check", call.folder / "feedback.csv")):
        said = call(*words, "--template", judge)
        assert said.code == 2 and "run:ID" in (said.err + said.out.decode()), said
