"""Counts of columns, filters and orders by them: a small table worked by hand, and what bars promise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtui.domain.errors import InputError
from batchtui.results.column_counts import ColumnCounts, count
from batchtui.results.filter import drop_unknown, parse_filter, sort
from batchtui.results.names import names_of
from batchtui.results.search import select
from batchtui.results.view import ResultSet
from results.result_lines import batch, errored, expired, good, request

SCHEMA = {
    "type": "object",
    "properties": {
        "sentiment": {"type": "string", "enum": ["positive", "negative", "mixed"]},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
        "note": {"type": ["string", "null"]},
    },
    "required": ["sentiment", "urgency"],
    "additionalProperties": False,
}
FORMAT = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
ROWS: list[tuple[dict[str, Any], Any]] = [
    ({"stars": "5", "topic": "price", "text": 'They said "late", twice'}, {"sentiment": "positive", "urgency": 1}),
    ({"stars": "4", "topic": "price", "text": "fine"}, {"sentiment": "Positive", "urgency": 2, "note": None}),
    ({"stars": "1", "topic": "delivery", "text": "late"}, {"sentiment": "negative", "urgency": 5, "note": ""}),
    ({"stars": "1", "topic": "delivery", "text": "x"}, {"sentiment": "negative", "urgency": 4, "note": "call"}),
    ({"stars": "10", "topic": "", "text": "x"}, {"sentiment": "mixed", "urgency": 3}),
    ({"stars": "3", "topic": "price", "text": "x"}, {"sentiment": "mixed", "urgency": 7}),
    ({"stars": "2", "topic": "quality", "text": "x"}, errored("r6")),
    ({"stars": "2", "topic": "quality", "text": "x"}, expired("r7")),
    ({"stars": "", "topic": "quality", "text": "x"}, "cut"),
]


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> ResultSet:
    folder = tmp_path_factory.mktemp("counts") / "b"
    folder.mkdir()
    lines, ids = [], []
    for number, (row, answer) in enumerate(ROWS):
        ids.append(json.dumps({"custom_id": f"r{number}", "id": f"R{number}", "row": row}).encode() + b"\n")
        if answer == "cut":
            lines.append(good(f"r{number}", '{"sentiment": "pos', stop="max_tokens"))
        else:
            lines.append(answer if isinstance(answer, bytes) else good(f"r{number}", json.dumps(answer)))
    (folder / "ids.jsonl").write_bytes(b"".join(ids))
    return batch(folder, lines, requests=[request(f"r{n}", **FORMAT) for n in range(len(ROWS))])


def counted(view: ResultSet, field: str, by: str = "", rows: list[int] | None = None) -> ColumnCounts:
    return count(view, names_of(view), field, by, rows)


def table(found: ColumnCounts) -> dict[str, int]:
    return {each.group.label: each.rows for each in found.groups}


def rows(view: ResultSet, text: str, **how: bool) -> list[int]:
    return list(select(view, parse_filter(text, **how)))


def test_the_table_worked_by_hand(view: ResultSet) -> None:
    found = counted(view, "sentiment")
    assert (found.form, found.rows, found.distinct) == ("values", 9, 3)
    assert table(found) == {
        "negative": 2, "positive": 2, "mixed": 1, "cut short": 1, "invalid": 1, "no answer": 2,
    }  # fmt: skip
    assert [round(each.share, 4) for each in found.groups][:3] == [0.2222, 0.2222, 0.1111]
    assert next(each.group.also for each in found.groups if each.group.label == "positive") == ("Positive",)
    urgency = counted(view, "answer.urgency")
    assert urgency.form == "numbers" and urgency.summary is not None
    numbers = urgency.summary
    assert (numbers.minimum, numbers.q1, numbers.median, numbers.q3, numbers.maximum, numbers.mean) == (
        1,
        2,
        3,
        4,
        5,
        3,
    )
    assert [each.rows for each in urgency.groups if each.group.kind == "range"] == [1, 1, 1, 1, 1]
    assert table(counted(view, "note")) == {
        "call": 1, "(empty)": 1, "null": 1, "(none)": 2, "cut short": 1, "invalid": 1, "no answer": 2,
    }  # fmt: skip
    stars = counted(view, "stars")
    assert stars.form == "numbers" and sum(each.rows for each in stars.groups) == 9
    assert table(stars)["(empty)"] == 1
    crossed = counted(view, "topic", "sentiment")
    assert [group.label for group in crossed.across] == [
        "mixed", "negative", "positive", "cut short", "invalid", "no answer",
    ]  # fmt: skip
    assert {each.group.label: each.by for each in crossed.groups} == {
        "price": (0, 0, 2, 0, 1, 0),
        "quality": (0, 0, 0, 1, 0, 2),
        "delivery": (0, 2, 0, 0, 0, 0),
        "(empty)": (1, 0, 0, 0, 0, 0),
    }
    assert table(counted(view, "outcome"))["errored"] == 1
    assert table(counted(view, "sentiment", rows=[0, 1, 6])) == {"positive": 2, "no answer": 1}


@pytest.mark.parametrize(
    "field", ["sentiment", "urgency", "note", "stars", "topic", "text", "outcome", "custom_id", "run.output_tokens"]
)
def test_each_bar_leads_to_its_rows(view: ResultSet, field: str) -> None:
    for each in counted(view, field).groups:
        chosen = drop_unknown(view, parse_filter(each.group.filter))
        assert not chosen.problem
        assert len(select(view, chosen)) == each.rows, each.group.filter


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("urgency>3", [2, 3, 5]),
        ("-urgency>3 is:usable", [0, 1, 4]),
        ("sentiment:negative", [2, 3]),
        ("sentiment:NEG", [2, 3]),
        ("stars:1", [2, 3]),
        ("stars=1", [2, 3]),
        ("stars>4", [0, 4]),
        ("-topic:price", [2, 3, 4, 6, 7, 8]),
        ('row.text:"late"', [0, 2]),
        (r'row.text:"\"late\""', [0]),
        (r'row.text:"said \"late\", tw"', [0]),
        ('topic=""', [4]),
        ("note:*", [1, 2, 3]),
        ("note=null", [1]),
        ("len(row.text)>4", [0]),
        ("answer.urgency<=2 stars>=4", [0, 1]),
        ("run.outcome=errored", [6]),
        ("outcome:exp", [7]),
    ],
)
def test_filters_by_columns_and_fields(view: ResultSet, text: str, found: list[int]) -> None:
    assert rows(view, text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sentimnt:x", "sentiment"),
        ("urgncy>3", "urgency"),
        ("tokns>3", "tokens"),
        ("nothing=like", "quotes"),
        ("tokens>abc", "not a number"),
        ("is:wonderful", "not one of"),
    ],
)
def test_what_looks_like_a_field_and_is_none_is_an_error(view: ResultSet, text: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        rows(view, text)
    assert said in f"{error.value} {error.value.advice}"
    settled = drop_unknown(view, parse_filter(f"stars:1 {text}"))
    assert said in settled.problem and list(select(view, settled)) == [2, 3]


@pytest.mark.parametrize(
    "text", ["10:30", "https://example.org/a", '"name: x"', "a::b", "<b>", "->", '"sentiment:negative"']
)
def test_times_addresses_and_quoted_words_stay_words(text: str) -> None:
    assert not parse_filter(text).terms and parse_filter(text).words


@pytest.mark.parametrize(
    ("text", "pattern", "terms"),
    [
        (r'"a\"b  c"', r'"a\"b  c"', 0),
        (r"x{2}  y stars:1", r"x{2}  y stars:1", 0),
        (r"^a row.stars:1 b$", r"^a b$", 1),
        (r"(?:late|slow) is:good", r"(?:late|slow)", 1),
    ],
)
def test_an_expression_keeps_its_quotes_and_spaces(text: str, pattern: str, terms: int) -> None:
    chosen = parse_filter(text, regex=True)
    assert (chosen.regex, len(chosen.terms)) == (pattern, terms)


def test_sorted_by_any_name(view: ResultSet) -> None:
    assert list(sort(view, range(9), "stars")) == [2, 3, 6, 7, 5, 1, 0, 4, 8]
    assert list(sort(view, range(9), "answer.urgency", reverse=True)) == [5, 2, 3, 4, 1, 0, 6, 7, 8]
    assert list(sort(view, [0, 2, 4], "sentiment")) == [4, 2, 0]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='abc:"\\<>=-. ()[]*1/é', max_size=30), st.booleans())
def test_no_filter_makes_reading_fail(text: str, regex: bool) -> None:
    parse_filter(text, regex=regex)
