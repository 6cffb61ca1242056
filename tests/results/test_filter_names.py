"""Names in filters: odd ones, those that differ from ours in case only, and what the filters of counted values find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from result_lines import batch, good, message

from batchtui.domain.errors import InputError
from batchtui.results.column_counts import count_column
from batchtui.results.filter import parse_filter, reads_answers, tells_answers
from batchtui.results.names import names_of
from batchtui.results.search import select
from batchtui.results.view import ResultSet

CALLS = [
    {"type": "tool_use", "id": "t1", "name": "label", "input": {"k": 40}},
    {"type": "tool_use", "id": "t2", "name": "label", "input": {"k": 41, "a[0]": {"b.c": 5}}},
]
OWN = {
    "a": {
        "prompt": "apples",
        "ID": "I1",
        "Cost": "12",
        "Model": "M1",
        "tags": "1,2",
        "sign": "*",
        "n": "+5 ",
        "m": "5",
        "size": "12345.6",
        "is": "red",
    },
    "b": {
        "prompt": "pears",
        "ID": "I2",
        "Cost": "3",
        "Model": "M2",
        "tags": "5",
        "sign": "x",
        "n": "7",
        "m": "5.",
        "size": "98765.4",
    },
}


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> ResultSet:
    folder: Path = tmp_path_factory.mktemp("names")
    found = batch(folder, [message("a", CALLS), good("b", json.dumps({"k": 7, "big": 2**63, "x": "*"}))], ["a", "b"])
    lines = [{"custom_id": name, "row_id": name, "source": 1, "number": 1, "row": row} for name, row in OWN.items()]
    (folder / "ids.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    return found


def found(view: ResultSet, text: str) -> list[str]:
    return [view.id(row) for row in select(view, parse_filter(text))]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("ID:I2", ["b"]),
        ("id:b", ["b"]),
        ("Cost>5", ["a"]),
        ("cost<5", ["a", "b"]),
        ("Model=M1", ["a"]),
        ("Tokens>1", ["a", "b"]),
        ("Is:usable", ["a", "b"]),
        ("OUTCOME:succ", ["a", "b"]),
        ("Prompt:say", ["a", "b"]),
        ("prompt:pear", ["b"]),
        ("prompt:say", []),
        ("prompt=apples", ["a"]),
        ("-prompt:* ", []),
        ("answer.tool[2].k=41", ["a"]),
        ('answer.tool[2]."a[0]"."b.c":5', ["a"]),
        ("tags>10", []),
        ("tags=1,2", ["a"]),
        ('sign:"*"', ["a"]),
        ("sign:*", ["a", "b"]),
        ("len(model)>5", ["a", "b"]),
        ("len(Cost)=2", ["a"]),
    ],
)
def test_a_name_is_the_columns_before_ours(view: ResultSet, text: str, ids: list[str]) -> None:
    assert found(view, text) == ids


def test_a_length_of_what_has_none_is_an_error(view: ResultSet) -> None:
    for text in ("len(cost)>1", "len(tokens)>1"):
        with pytest.raises(InputError, match="no column or field"):
            found(view, text)


def test_what_tells_of_an_answer_goes_by_the_same_names(view: ResultSet) -> None:
    asked = ["ID", "Cost", "len(Cost)", "row.Model", "Line", "attempt", "custom_id"]
    assert reads_answers(view, parse_filter("is:usable")) and not reads_answers(view, parse_filter("row.is:red"))
    told = ["cost", "Error", "answer.k", "len(answer.x)", "outcome", "Tokens", "answer.tool[2].k"]
    assert [tells_answers(view, name) for name in asked + told] == [False] * len(asked) + [True] * len(told)


def test_a_field_called_like_ours_tells_of_the_answer(tmp_path: Path) -> None:
    plain = batch(tmp_path / "a", [good("a", '{"x": 1}')], ["a"])
    assert not any(reads_answers(plain, parse_filter(f"{name}:x")) for name in ("model", "prompt", "id", "Model"))
    fields = batch(tmp_path / "b", [good("a", '{"model": "x", "prompt": "y", "line": 1}')], ["a"])
    assert all(reads_answers(fields, parse_filter(f"{name}:1")) for name in ("model", "prompt", "line", "len(prompt)"))
    assert all(tells_answers(fields, f"answer.{name}") for name in ("model", "line")) and not tells_answers(
        fields, "model"
    )
    assert found(fields, "prompt:y model:x") == ["a"] and not reads_answers(fields, parse_filter("run.model:x"))


def test_the_ends_of_bars_read_as_numbers(view: ResultSet) -> None:
    names = names_of(view)
    labels = [each.group.label for each in count_column(view, names, names.resolve("row.size")).groups]
    assert labels[0] == "12346–20988"


def test_the_filter_of_each_counted_value_shows_its_rows(view: ResultSet) -> None:
    names = names_of(view)
    for name in names:
        for each in count_column(view, names, name).groups:
            assert len(found(view, each.group.filter)) == each.rows, each.group
