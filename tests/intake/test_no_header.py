"""A table without a header: its columns are numbered where that is said, and a header that looks like a row is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtui.intake.options import TableOptions
from tests.cli.calling import Caller, call
from tests.intake.helpers import codes, plan_of, staged
from tests.intake.test_tables import Read

__all__ = ["call"]
FILEMAKER = "1\tgood\x0bvalue\r2\tbad\r3\tfine\r"


@pytest.mark.parametrize(
    ("data", "how", "cells"),
    [
        (FILEMAKER, {}, [["1", "good\x0bvalue"], ["2", "bad"], ["3", "fine"]]),
        ("# 1,a\n2,b\n3,c\n", {}, [["# 1", "a"], ["2", "b"], ["3", "c"]]),
        ("made by hand\n1;a\n2;b\n", {"skip_rows": 1}, [["1", "a"], ["2", "b"]]),
        ("#x\n1;a\n2;b\n", {"comment": "#"}, [["1", "a"], ["2", "b"]]),
        ("good\nbad\n", {"delimiter": "tab"}, [["good"], ["bad"]]),
    ],
)
def test_columns_are_numbered_and_no_row_is_lost(data: str, how: dict[str, object], cells: list[list[str]]) -> None:
    read = Read(data, "in.tab", no_header=True, **how)
    assert read.cells == cells and not read.refused and not read.said
    assert list(read.rows[0]) == [f"column_{n}" for n in range(1, len(cells[0]) + 1)]


@pytest.mark.parametrize("first", ["1\tgood", "jane@example.org\tgood", "https://a.example/1\tgood"])
def test_a_header_that_looks_like_a_row_is_said(first: str) -> None:
    read = Read(f"{first}\n2\tbad\n3\tfine\n", "in.tab")
    assert [line for text, line in read.said if "--no-header" in text] == [1]
    assert not [text for text, _ in Read("id\t2023\t2024\na\t1\t2\nb\t3\t4\n").said if "--no-header" in text]


def test_the_plan_and_its_recipe_know_it(tmp_path: Path) -> None:
    (tmp_path / "in.tab").write_text(FILEMAKER)
    (tmp_path / "t.toml").write_text('model = "claude-haiku-4-5"\nmax_tokens = 9\nprompt = "{{ column_2 }}"\n')
    (tmp_path / "plan").mkdir()
    how = {"template": tmp_path / "t.toml", "table": TableOptions(no_header=True)}
    plan = plan_of(tmp_path / "in.tab", staging=tmp_path / "plan", **how)
    assert plan.ok and codes(plan) == [] and plan.origin is not None and plan.origin.no_header
    assert [each["params"]["messages"][0]["content"] for each in staged(plan)] == ["good\x0bvalue", "bad", "fine"]


def test_the_verb_and_a_run_again(call: Caller) -> None:
    (call.folder / "in.tab").write_text(FILEMAKER)
    (call.folder / "t.toml").write_text('model = "claude-haiku-4-5"\nmax_tokens = 9\nprompt = "{{ column_2 }}"\n')
    how = ("--template", call.folder / "t.toml", "--no-header", "--yes", "--json")
    assert call("submit", call.folder / "in.tab", *how).json["batches"][0]["requests"] == 3
    said = call("again", "last", "--reread", "--dry-run", "--json")
    assert said.json["requests"] == 3, said.err
