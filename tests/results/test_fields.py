"""Fields of answers: where they are found, what they are called, that nothing of a value is lost, and what is left out."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtui.domain.errors import InputError
from batchtui.results import field_builder
from batchtui.results.export import parsed_value
from batchtui.results.field_columns import ABSENT, FIRST, LONG_TEXT, Json, as_text, column_of
from batchtui.results.fields import open_fields, view_fields
from batchtui.results.json_in_text import decode, find_json
from batchtui.results.names import ValueNames, split_names
from batchtui.results.run_view import open_run
from batchtui.results.storage import open_results
from batchtui.store.records import FIELDS
from results.result_lines import PRICES, batch, canceled, errored, expired, good, message, request

FOUND = [
    ('{"a": 1}', {"a": 1}),
    ('\ufeff  {"a": 1}\n', {"a": 1}),
    ("[1, 2]", [1, 2]),
    ('Here it is:\n```json\n{"a": 1}\n```\nAnything else?', {"a": 1}),
    ('```{"a": 1}```', {"a": 1}),
    ('~~~json\n{"a": 1}\n~~~', {"a": 1}),
    ('````\n{"a": "```"}\n````', {"a": "```"}),
    ('```json\n{"code": "```py\\nx = [1]\\n```"}\n```', {"code": "```py\nx = [1]\n```"}),
    ('```python\nx = {}\n```\nthen\n```json\n{"a": 2}\n```', {"a": 2}),
    ('It is {"a": {"b": "}"}} I think, or {"a": 3}', {"a": {"b": "}"}}),
    ('{"a": 1} and more', {"a": 1}),
    ("{not json} but [1] is", [1]),
    ('{"a": "\\ud800"}', {"a": "\ufffd"}),
    ('```json\n{"a": 1}', {"a": 1}),
    ("no JSON at all", None),
    ("42", None),
    ('{"a": NaN}', None),
    ('{"a": 1', None),
    ("", None),
]


@pytest.mark.parametrize(("text", "value"), FOUND)
def test_json_is_found_in_a_text(text: str, value: Any) -> None:
    assert find_json(text) == value


_scalars = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False)
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_roots = st.dictionaries(st.text(max_size=5), _values, min_size=1, max_size=4)
_prose = st.text(alphabet=st.characters(blacklist_characters="{[`~", blacklist_categories=["Cs"]), max_size=30)


@settings(max_examples=60, deadline=None)
@given(_prose, _roots, _prose, st.sampled_from(["{}", "```json\n{}\n```", "```{}```", "~~~\n{}\n~~~"]))
def test_what_stands_between_prose_is_found_whole(before: str, root: dict[str, Any], after: str, form: str) -> None:
    text = before + form.replace("{}", json.dumps(root, ensure_ascii=False)) + after
    found = find_json(text)
    assert json.loads(json.dumps(found, default=float)) == json.loads(json.dumps(root))


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='{}[]",:\\`~1a \n', max_size=300))
def test_no_text_makes_it_fail(text: str) -> None:
    found = find_json(text)
    assert found is None or isinstance(found, dict | list)


@pytest.mark.parametrize("part", ["[1,", '{"a":', '["', "{", "```{", '```json\n{"a":1,'])
def test_a_large_text_takes_time_in_proportion_to_its_length(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, whole = 0, json.JSONDecoder.raw_decode

    def counted(self: json.JSONDecoder, s: str, idx: int = 0) -> Any:
        nonlocal read
        try:
            return whole(self, s, idx)
        except json.JSONDecodeError as error:
            read += (len(s) if error.msg.startswith("Unterminated") else error.pos) - idx
            raise

    monkeypatch.setattr(json.JSONDecoder, "raw_decode", counted)
    text = "x " + part * 20_000
    with contextlib.suppress(RecursionError):
        assert find_json(text) is None
    assert read <= 10 * len(text) + 3_000


CONTENTS = [
    [{"type": "text", "text": '{"a": 1.10, "b": {"c": [1, 2.50], "d e": null}, "x": true}'}],
    [{"type": "text", "text": 'Sure:\n```json\n{"a": 12345678901234567890123}\n```'}],
    [
        {"type": "text", "text": "I call."},
        {"type": "tool_use", "id": "t1", "name": "label", "input": {"a": "1.10", "q": {}}},
        {"type": "tool_use", "id": "t2", "name": "other", "input": {"z": 1}},
    ],
    [{"type": "thinking", "thinking": "hm {}"}, {"type": "text", "text": '{"a": 1.1}'}],
    [{"type": "text", "text": "[1, 2]"}],
    [{"type": "text", "text": '{"long": "' + "y" * 500 + '"}'}],
]


def test_paths_and_values_of_a_batch(tmp_path: Path) -> None:
    lines = [message(f"r{n}", content) for n, content in enumerate(CONTENTS)]
    view = batch(
        tmp_path, [*lines, errored("e"), expired("x"), canceled("c"), b'{"broken\n'], [f"r{n}" for n in range(6)]
    )
    for fields in (view_fields(view), view_fields(view)):  # Read anew, then from results.fields.
        assert [field.path for field in fields.names] == ["a", "b.c", 'b."d e"', "x", "long", "value", "q", "tool[2].z"]
        a = list(fields.column("a"))
        assert a[:4] == [Decimal("1.10"), 12345678901234567890123, "1.10", Decimal("1.1")]
        assert str(a[0]) == "1.10"
        assert a[4:] == [ABSENT] * (len(view) - 4)
        assert fields.column("b.c")[0] == Json("[1,2.50]")
        assert fields.column('b."d e"')[0] is None and fields.column('b."d e"')[1] is ABSENT
        assert fields.column("x")[0] is True
        assert fields.column("value")[4] == Json("[1,2]")
        long = fields.column("long")
        assert (long[5], long.codes[5], long.sizes[5]) == ("y" * 500, LONG_TEXT, 500)
        assert fields.column("q")[2] == Json("{}")
        assert fields.column("tool[2].z")[2] == 1
        found = {field.path: field for field in fields.names}
        assert found["a"].kinds == {"text": 1, "integer": 1, "number": 2} and found["a"].kind == "mixed"
    assert (tmp_path / FIELDS).exists()


def test_one_and_true_and_the_text_1_are_different_values(tmp_path: Path) -> None:
    texts = ['{"a": 1}', '{"a": true}', '{"a": "1"}', '{"a": 1.0}', '{"a": 1.00}', '{"a": null}', "{}", '{"a": 1}']
    view = batch(tmp_path, [good(f"r{n}", text) for n, text in enumerate(texts)])
    column = view_fields(view).column("a")
    assert [as_text(value) for value in column] == ["1", "true", "1", "1.0", "1.00", "null", "", "1"]
    assert sorted(Counter(column.codes).values()) == [1, 1, 1, 1, 1, 1, 2]
    assert column.codes[6] == 0 and min(code for code in column.codes if code) >= FIRST


@settings(max_examples=40, deadline=None)
@given(st.lists(_roots | st.none(), min_size=1, max_size=6))
def test_every_leaf_comes_back(roots: list[dict[str, Any] | None]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        lines = [good(f"r{n}", json.dumps(root) if root is not None else "prose") for n, root in enumerate(roots)]
        view = batch(Path(name), lines)
        fields = view_fields(view)
        for row, root in enumerate(roots):
            leaves = dict(_leaves((), root)) if root is not None else {}
            for field in fields.names:
                value = fields.column(field.path)[row]
                if field.path not in leaves:
                    assert value is ABSENT
                    continue
                wanted = leaves[field.path]
                if isinstance(value, Json):
                    assert json.loads(value.text) == wanted
                else:
                    kinds = (
                        (Decimal, int) if isinstance(wanted, float | Decimal) else (type(wanted),)
                    )  # 1e16 is read as whole
                    assert value == wanted and type(value) in kinds
        view.close()


def _leaves(keys: tuple[str, ...], value: Any) -> Any:
    if isinstance(value, dict) and (value or not keys) and len(keys) < 16:
        for key, inner in value.items():
            yield from _leaves((*keys, key), inner)
    elif isinstance(value, float):
        yield field_builder.path_name(0, keys), Decimal(json.dumps(value))
    else:
        yield field_builder.path_name(0, keys), value


def test_what_is_too_much_is_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_builder, "MAX_PATHS", 50)
    monkeypatch.setattr(field_builder, "WHOLE_LIMIT", 200_000)
    deep: Any = 1
    for _ in range(40):
        deep = {"d": deep}
    lines = [
        good("many", json.dumps({f"k{n}": n for n in range(80)})),
        good("deep", json.dumps(deep)),
        good("abyss", "[" * 100_000 + "]" * 100_000),
        good("large", json.dumps({"k0": "x" * 300_000})),
    ]
    fields = view_fields(batch(tmp_path, lines))
    assert len(fields.names) == 50
    notes = " ".join(fields.notes)
    assert "first 50 fields" in notes and "31 values" in notes
    assert ("1 answer" in notes and "nested too deep" in notes and "over 8 MB" in notes) or "over 0 MB" in notes


def test_a_five_megabyte_answer_is_read(tmp_path: Path) -> None:
    root = {"label": "ok", "rows": [{"n": n} for n in range(300_000)], "text": "é" * 1_000_000}
    view = batch(tmp_path, [good("big", json.dumps(root, ensure_ascii=False), ascii_only=False)])
    fields = view_fields(view)
    assert fields.column("label")[0] == "ok"
    assert fields.column("text").sizes[0] == 1_000_000
    rows = fields.column("rows")[0]
    assert isinstance(rows, Json) and json.loads(rows.text) == root["rows"]
    assert (tmp_path / FIELDS).stat().st_size < 10_000


def test_the_file_is_made_again_when_it_is_torn_or_of_other_results(tmp_path: Path) -> None:
    view = batch(tmp_path, [good("a", '{"x": 1}')], ["a"])
    view_fields(view)
    path = tmp_path / FIELDS
    for damage in (b"", b"nonsense", path.read_bytes()[:-3], path.read_bytes().replace(b'"version":1', b'"version":9')):
        path.write_bytes(damage)
        assert view_fields(view).column("x")[0] == 1
    (tmp_path / "results.jsonl").write_bytes(good("a", '{"x": 2, "y": 3}'))
    os.utime(tmp_path / "results.jsonl", ns=(1, 1))
    again = open_results(tmp_path, PRICES)
    assert [field.path for field in open_fields(again).names] == ["x", "y"]


def test_which_call_is_the_answer_is_what_the_request_says(tmp_path: Path) -> None:
    tool = {"input_schema": {"type": "object"}}
    two = [{"name": "label", **tool}, {"name": "search", **tool}]
    calls = [
        {"type": "text", "text": '{"t": 1}'},
        {"type": "tool_use", "id": "1", "name": "search", "input": {"q": 1}},
        {"type": "tool_use", "id": "2", "name": "label", "input": {"a": 1}},
    ]
    schema = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    requests = [
        request("forced", tools=two, tool_choice={"type": "tool", "name": "label"}),
        request("free", tools=two),
        request("schema", tools=two, output_config=schema),
    ]
    view = batch(tmp_path, [message(name, calls) for name in ("forced", "free", "schema")], requests=requests)
    fields = view_fields(view)
    held = {
        field.path: [row for row in range(3) if fields.column(field.path)[row] is not ABSENT] for field in fields.names
    }
    assert held == {"a": [0], "t": [1, 2], "tool[1].q": [0, 1, 2], "tool[2].a": [1, 2]}


def test_a_run_has_the_union_of_its_batches_fields(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    batch(first, [good("a", '{"x": "yes", "n": 1}'), errored("b")], ["a", "b"]).close()
    batch(second, [good("b", '{"x": "no", "z": "' + "w" * 400 + '"}')], ["b"]).close()
    run = open_run([(first, 0), (second, 1)], PRICES)
    fields = view_fields(run)
    assert [field.path for field in fields.names] == ["x", "n", "z"]
    assert list(fields.column("x")) == ["yes", "no"]
    assert list(fields.column("n")) == [1, ABSENT]
    assert fields.column("z")[1] == "w" * 400 and fields.column("z").sizes[1] == 400


def test_other_capitals_are_counted_under_the_schemas_spelling(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"s": {"enum": ["positive", "negative"]}, "t": {"type": "string"}}}
    asked = {"format": {"type": "json_schema", "schema": schema}}
    texts = ['{"s": "Positive", "t": "Positive"}', '{"s": "positive", "t": "b"}', '{"s": "NEGATIVE", "t": "c"}']
    lines = [good(f"r{n}", text) for n, text in enumerate(texts)]
    view = batch(tmp_path, lines, requests=[request(f"r{n}", output_config=asked) for n in range(3)])
    for _ in range(2):
        fields = view_fields(view)
        column = fields.column("s")
        assert list(column) == ["positive", "positive", "negative"]
        assert column.respelled == {column.codes[0]: ("Positive",), column.codes[2]: ("NEGATIVE",)}
        assert list(fields.column("t")) == ["Positive", "b", "c"]
    assert view.tally.good == 3


def test_names_are_resolved_column_first_then_field_then_ours(tmp_path: Path) -> None:
    lines = [good(f"r{n}", '{"review": "fine", "model": "o", "row": {"x": 1}, "score": 2}') for n in range(2)]
    batch(tmp_path, lines, ["r0", "r1"]).close()
    rows = [
        {"custom_id": f"r{n}", "row_id": "", "source": 1, "number": n, "row": {"review": f"text {n}", "my col": n}}
        for n in range(2)
    ]
    (tmp_path / "ids.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = ValueNames(open_results(tmp_path, PRICES))
    said = {
        "review": ("row", ["text 0", "text 1"]),
        "row.review": ("row", ["text 0", "text 1"]),
        "answer.review": ("answer", ["fine", "fine"]),
        "my col": ("row", [0, 1]),
        '"my col"': ("row", [0, 1]),
        'row."my col"': ("row", [0, 1]),
        "model": ("answer", ["o", "o"]),
        "run.model": ("run", ["claude-sonnet-5-5"] * 2),
        "custom_id": ("run", ["r0", "r1"]),
        "outcome": ("run", ["succeeded", "succeeded"]),
        "answer.row.x": ("answer", [1, 1]),
        "score": ("answer", [2, 2]),
        "input_tokens": ("run", [100, 100]),
    }
    for text, (scope, values) in said.items():
        name = names.resolve(text)
        assert (name.scope, list(names.column(name))) == (scope, values), text
    assert [name.bare for name in names][:4] == ["review", "my col", "answer.review", "model"]
    with pytest.raises(InputError, match="scor'") as bad:
        names.resolve("scor")
    assert "did you mean score" in bad.value.advice
    assert split_names(' a, "b, c" ,d.e') == ["a", '"b, c"', "d.e"]
    assert split_names('say"hi,b') == ['say"hi', "b"] and split_names(",") == []


def test_decode_keeps_digits_and_takes_any_exponent() -> None:
    assert str(decode("1.10")) == "1.10" and decode("1e999999999999999999999") == "1e999999999999999999999"
    assert list(column_of([1, True, ABSENT, 1]).codes) == [FIRST, FIRST + 1, 0, FIRST]


def test_a_long_value_is_read_from_where_it_was_found(tmp_path: Path) -> None:
    fenced = {"type": "text", "text": "```json\n" + json.dumps({"a": "long" * 100}) + "\n```"}
    view = batch(tmp_path, [message("a", [{"type": "text", "text": 'I think {"a": "short"} '}, fenced])], ["a"])
    assert view_fields(view).column("a")[0] == "long" * 100


def test_what_is_left_out_is_said_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_builder, "MAX_PATHS", 1)
    lines = [good("a", json.dumps({"k": 1, "n" * 600: 1, "z": 1})), good("b", '{"a":' * 100_000 + "1" + "}" * 100_000)]
    view = batch(tmp_path, lines, ["a", "b"])
    notes = ["Only the first 1 fields are read; 2 values of others are left out."]
    notes += ["1 answer is nested too deep to be searched for fields."]
    names = ValueNames(view)
    assert [*names.notes] == notes
    with pytest.raises(InputError) as gone:
        names.resolve("z")
    assert notes[0] in gone.value.advice
    monkeypatch.setattr(field_builder, "MAX_PATHS", 10)
    other = batch(tmp_path / "long", lines[:1], ["a"])
    assert [*ValueNames(other).notes] == ["1 value is left out: its field has a name of over 512 characters."]


def test_a_parsed_answer_is_read_where_its_fields_are(tmp_path: Path) -> None:
    ask = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}
    blocks = [{"type": "text", "text": each} for each in ('So: {"a": 1} ', '```json\n{"a": 2}\n```')]
    view = batch(tmp_path, [message("a", blocks), message("b", blocks)], requests=[request("a", **ask), request("b")])
    assert [*view_fields(view).column("a")] == [1, 2]
    assert [parsed_value(view, row, view.raw(row)) for row in (0, 1)] == [b'{"a":1}', b'{"a":2}']
