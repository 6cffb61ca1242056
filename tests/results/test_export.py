"""Exports hold every row, the original characters, and are written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_lines import PRICES, batch, errored, expired, good, message, store

from batchtui.domain.errors import InputError, Stopped, StoreError
from batchtui.domain.work import Progress, Work
from batchtui.results.export import export
from batchtui.results.run_view import open_run
from batchtui.results.spreadsheet import csv_line, safe_cell
from batchtui.results.text import read_answer
from batchtui.results.view import ResultSet

LINES = [
    good("a", 'He said "hi",\nÄrger 日本'),
    good("b", "=HYPERLINK(1)", stop="max_tokens"),
    errored("c", "api_error", "broke"),
    expired("d"),
    message("e", [{"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}]),
]


@pytest.fixture
def view(tmp_path: Path) -> ResultSet:
    return batch(tmp_path / "batch", LINES, ["a", "b", "c", "d", "e", "lost"])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_jsonl_is_the_lines_as_received(tmp_path: Path, view: ResultSet) -> None:
    assert export(view, None, "jsonl", tmp_path / "out.jsonl") == 5
    assert (tmp_path / "out.jsonl").read_bytes() == b"".join(LINES)
    assert export(view, [2, 0], "jsonl", tmp_path / "two.jsonl") == 2
    assert (tmp_path / "two.jsonl").read_bytes() == LINES[2] + LINES[0]


def test_json_maps_each_id_to_its_text(view: ResultSet) -> None:
    out = io.BytesIO()
    assert export(view, None, "json", out) == 6
    assert json.loads(out.getvalue()) == {
        "a": 'He said "hi",\nÄrger 日本',
        "b": "=HYPERLINK(1)",
        "c": None,
        "d": None,
        "e": '{"x":1}',
        "lost": None,
    }
    empty = io.BytesIO()
    export(view, [], "json", empty)
    assert json.loads(empty.getvalue()) == {}


def test_csv_has_a_row_for_each_request_and_no_formula(tmp_path: Path, view: ResultSet) -> None:
    assert export(view, None, "csv", tmp_path / "out.csv") == 6
    rows = rows_of(tmp_path / "out.csv")
    assert [row["custom_id"] for row in rows] == ["a", "b", "c", "d", "e", "lost"]
    assert rows[0]["answer"] == 'He said "hi",\nÄrger 日本'
    assert rows[1]["answer"] == "'=HYPERLINK(1)"
    assert (rows[1]["outcome"], rows[1]["stop_reason"]) == ("succeeded (max_tokens)", "max_tokens")
    assert (rows[2]["error"], rows[2]["error_message"]) == ("api_error", "broke")
    assert (rows[3]["outcome"], rows[5]["outcome"]) == ("expired", "missing")
    assert Decimal(rows[0]["cost_usd"]) == Decimal("0.0002")


def test_own_columns_come_first_and_never_hide_ours(tmp_path: Path) -> None:
    folder = tmp_path / "batch"
    store(folder, [good("r1", "one"), good("r2", "two")], ["r1", "r2"])
    own = [
        {"custom_id": "r2", "row_id": "2", "row": {"name": "Zoë", "text": "+1+1", "score": 2}},
        {"custom_id": "r1", "row_id": "1", "row": {"name": "=x", "text": "t", "score": -3.5}},
    ]
    (folder / "ids.jsonl").write_text("".join(json.dumps(each) + "\n" for each in own) + "broken\n")
    run = open_run([(folder, 0)], PRICES)
    export(run, None, "csv", tmp_path / "out.csv")
    rows = rows_of(tmp_path / "out.csv")
    assert list(rows[0])[:4] == ["name", "text", "score", "custom_id"]
    assert rows[0]["name"] == "'=x"
    assert rows[0]["score"] == "-3.5"
    assert rows[0]["answer"] == "one"
    assert rows[1]["text"] == "'+1+1"
    assert rows[1]["name"] == "Zoë"


def test_a_retried_row_keeps_its_own_columns(tmp_path: Path) -> None:
    store(tmp_path / "0", [errored("r1")], ["r1"])
    (tmp_path / "0" / "ids.jsonl").write_text(json.dumps({"custom_id": "r1", "row_id": "1", "row": {"name": "Zoë"}}))
    store(tmp_path / "1", [good("r1")], ["r1"])
    export(open_run([(tmp_path / "0", 0), (tmp_path / "1", 1)], PRICES), None, "csv", tmp_path / "out.csv")
    assert rows_of(tmp_path / "out.csv")[0]["name"] == "Zoë"


def test_answers_that_are_json_unfold_into_columns(tmp_path: Path) -> None:
    lines = [
        good("a", '{"label": "spam", "score": 0.5, "custom_id": "x"}'),
        good("b", '```json\n{"label": "ham", "tags": ["one", "two"]}\n```'),
        good("c", "no JSON"),
        errored("d"),
    ]
    view = batch(tmp_path / "batch", lines)
    export(view, None, "csv", tmp_path / "out.csv", unfold=True)
    rows = rows_of(tmp_path / "out.csv")
    assert [row["label"] for row in rows] == ["spam", "ham", "", ""]
    assert rows[0]["score"] == "0.5"
    assert (rows[0]["custom_id"], rows[0]["run.custom_id"]) == ("x", "a")
    assert rows[1]["tags"] == '["one","two"]'


def test_markdown_names_each_request(view: ResultSet) -> None:
    out = io.BytesIO()
    export(view, None, "markdown", out)
    text = out.getvalue().decode()
    assert text.count("## ") == 6
    assert "cut short: max_tokens" in text
    assert "api_error: broke" in text


def test_one_file_per_answer_with_safe_and_unique_names(tmp_path: Path) -> None:
    lines = [good("Same", "1"), good("same", "2"), good("../../etc/passwd", "3"), good("index", "4"), errored("e")]
    view = batch(tmp_path / "batch", lines)
    assert export(view, None, "files", tmp_path / "out") == 4
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["Same.txt", "etc-passwd.txt", "index.csv", "index.txt", "same-2.txt"]
    assert (tmp_path / "out" / "same-2.txt").read_text() == "2"
    index = rows_of(tmp_path / "out" / "index.csv")
    assert [row["file"] for row in index] == ["Same.txt", "same-2.txt", "etc-passwd.txt", "index.txt", ""]
    assert index[4]["outcome"] == "errored"
    with pytest.raises(InputError):
        export(view, None, "files", tmp_path / "out")
    with pytest.raises(InputError):
        export(view, None, "files", io.BytesIO())


def test_parquet_holds_the_same(tmp_path: Path, view: ResultSet) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    assert export(view, None, "parquet", tmp_path / "out.parquet") == 6
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["custom_id"] for row in rows] == ["a", "b", "c", "d", "e", "lost"]
    assert rows[0]["cost_usd"] == Decimal("0.0002")
    assert rows[1]["answer"] == "=HYPERLINK(1)"
    assert rows[0]["input_tokens"] == 100


@pytest.mark.parametrize("format", ["jsonl", "json", "csv", "markdown", "files", "parquet"])
def test_a_stop_leaves_what_was_there(tmp_path: Path, view: ResultSet, format: str) -> None:
    stop = Event()
    stop.set()
    dest = tmp_path / "out"
    if format != "files":
        dest.write_bytes(b"before")
    with pytest.raises(Stopped):
        export(view, None, format, dest, work=Work(stop=stop))
    assert not dest.exists() if format == "files" else dest.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


def test_progress_is_told(tmp_path: Path, view: ResultSet, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("batchtui.domain.work.time.monotonic", lambda: next(clock))
    told: list[Progress] = []
    export(view, None, "csv", tmp_path / "out.csv", work=Work(told.append))
    assert [each.done for each in told] == [0, 1, 2, 3, 4, 5]
    assert told[0].total == 6


def test_places_that_can_not_be_written_are_said(tmp_path: Path, view: ResultSet) -> None:
    with pytest.raises(InputError):
        export(view, None, "csv", tmp_path)
    with pytest.raises(StoreError):
        export(view, None, "csv", tmp_path / "nowhere" / "out.csv")
    with pytest.raises(InputError):
        export(view, None, "xlsx", tmp_path / "out.xlsx")


def test_a_device_is_written_directly(view: ResultSet) -> None:
    assert export(view, None, "jsonl", Path("/dev/null")) == 5
    assert Path("/dev/null").is_char_device()


def test_odd_characters_do_not_end_an_export(tmp_path: Path) -> None:
    raw = good("a", "PLACE").replace(b"PLACE", b"x\\ud800y \\u0000 \xff z")
    view = batch(tmp_path / "batch", [raw, b"not json\n"])
    for format in ("json", "csv", "markdown"):
        assert export(view, None, format, tmp_path / f"out.{format}") == 2
    assert json.loads((tmp_path / "out.json").read_text())["a"].startswith("x")


@given(st.text())
def test_no_cell_begins_like_a_formula(text: str) -> None:
    safe = safe_cell(text)
    assert safe.removeprefix("'") == text.removeprefix("'") or safe == "'" + text
    if safe[:1] in "=+-@\t\r\n" and safe:
        float(safe.replace(",", "").rstrip("%"))


@pytest.mark.parametrize("text", ["-5", "+3.5", "1e9", "-1,000.5", "12%"])
def test_numbers_stay_numbers(text: str) -> None:
    assert safe_cell(text) == text


@given(st.lists(st.lists(st.text(alphabet='ab",\r\n =', max_size=6), min_size=2, max_size=3), max_size=5))
def testcsv_lines_read_back_as_they_were(rows: list[list[str]]) -> None:
    data = b"".join(csv_line(row) for row in rows).decode()
    expected = [[safe_cell(each) for each in row] for row in rows]
    assert list(csv.reader(io.StringIO(data, newline=""), lineterminator="\r\n")) == expected


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "one "}, {"type": "text", "text": "two"}], "one two"),
        (
            [{"type": "text", "text": "a"}, {"type": "server_tool_use", "input": {}}, {"type": "text", "text": "b"}],
            "a\n\nb",
        ),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "b"}], "b"),
        ([{"type": "tool_use", "input": {"a": 1}}, {"type": "tool_use", "input": {"b": 2}}], '[{"a":1}, {"b":2}]'),
        ([], ""),
        ("plain", "plain"),
    ],
)
def test_the_text_of_an_answer(content: object, text: str) -> None:
    assert read_answer(message("a", content)).text == text  # type: ignore[arg-type]


def test_json_holds_the_last_line_of_an_id_and_every_line_without_one(tmp_path: Path) -> None:
    view = batch(tmp_path, [good("a", "first"), good("", "one"), good("", "two"), good("a", "last")])
    out = io.BytesIO()
    export(view, None, "json", out)
    assert json.loads(out.getvalue()) == {"(line 2)": "one", "(line 3)": "two", "a": "last"}


def test_the_folder_at_hand_is_not_replaced(tmp_path: Path, view: ResultSet, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(InputError):
        export(view, None, "files", Path())
