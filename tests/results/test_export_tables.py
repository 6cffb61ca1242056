"""Tables with odd columns, in the order of the source, and what is there already."""

from __future__ import annotations

import csv
import errno
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from export_lines import given_cell
from hypothesis import given
from hypothesis import strategies as st
from result_lines import PRICES, batch, errored, good, message, store

from batchtui.domain.errors import InputError, Stopped, StoreError
from batchtui.domain.work import Work
from batchtui.results import export_sqlite
from batchtui.results.export import export, format_of
from batchtui.results.run_view import open_run
from batchtui.results.spreadsheet import csv_line, safe_cell
from batchtui.results.table import MAX_COLUMNS
from batchtui.results.view import ResultSet


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def with_rows(folder: Path, rows: dict[str, dict[str, object]], answers: dict[str, str]) -> ResultSet:
    view = batch(folder, [good(name, answers[name]) for name in reversed(answers)], list(rows))
    lines = [
        {"custom_id": name, "row_id": "", "source": 1, "number": n, "row": row}
        for n, (name, row) in enumerate(rows.items())
    ]
    (folder / "ids.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    return view


ODD = [
    "Name",
    "name",
    "NAME_2",
    "ÄB",
    "äb",
    'quote"d',
    "row_number",
    "",
    "a\x00b",
    "x" * 5000,
    "select",
    "run.answer",
    "answer",
]


def test_sqlite_takes_any_names_and_gives_those_it_thinks_alike_a_number(tmp_path: Path) -> None:
    own: dict[str, object] = {name: f"v{number}" for number, name in enumerate(ODD)}
    view = with_rows(
        tmp_path / "b", {"a": own}, {"a": json.dumps({"x": 1, "X": 2**70, "deep": {"y": [1, None]}, "z": None})}
    )
    assert export(view, None, "sqlite", tmp_path / "out.db") == 1
    with closing(sqlite3.connect(tmp_path / "out.db")) as database:
        cursor = database.execute("SELECT * FROM rows")
        names = [each[0] for each in cursor.description]
        assert cursor.fetchone() == (1, *own.values())
        assert len({name.casefold() for name in names}) == len(names)
        assert names[1:4] == ["Name", "name_2", "NAME_2_2"] and names[0] == "row_number_2"
        cursor = database.execute("SELECT * FROM fields")
        assert [each[0] for each in cursor.description] == ["row_number", "x", "X_2", "deep.y", "z"]
        assert cursor.fetchone() == (1, 1, str(2**70), "[1,null]", None)
    export(view, None, "csv", tmp_path / "out.csv", unfold=True)
    [row] = rows_of(tmp_path / "out.csv")
    assert row["answer"] == own["answer"] and row["run.answer"] == own["run.answer"] and row["run.answer_2"][:1] == "{"


def test_columns_and_fields_beyond_what_a_table_takes_are_in_one(tmp_path: Path) -> None:
    own: dict[str, object] = {f"c{number}": number for number in range(MAX_COLUMNS + 3)}
    fields = {f"f{number}": number for number in range(MAX_COLUMNS + 2)}
    view = with_rows(tmp_path / "b", {"a": own}, {"a": json.dumps(fields)})
    export(view, None, "csv", tmp_path / "out.csv", unfold=True)
    [row] = rows_of(tmp_path / "out.csv")
    assert row["c7"] == "7" and json.loads(row["other_columns"]) == {
        f"c{n}": n for n in range(MAX_COLUMNS, MAX_COLUMNS + 3)
    }
    export(view, None, "sqlite", tmp_path / "out.db")
    with closing(sqlite3.connect(tmp_path / "out.db")) as database:
        [(rest,)] = database.execute("SELECT other_fields FROM fields")
    assert json.loads(rest) == {f"f{n}": n for n in range(MAX_COLUMNS, MAX_COLUMNS + 2)}
    export(view, None, "csv", tmp_path / "one.csv", columns=[f"c{MAX_COLUMNS + 1}", f"answer.f{MAX_COLUMNS}"])
    assert (tmp_path / "one.csv").read_text() == f"c{MAX_COLUMNS + 1},f{MAX_COLUMNS}\n{MAX_COLUMNS + 1},{MAX_COLUMNS}\n"


def test_a_merged_run_and_a_retry_of_its_own_are_in_the_order_of_the_source(tmp_path: Path) -> None:
    ids = [f"r{number}" for number in range(6)]
    places = "".join(json.dumps({"custom_id": name, "source": 1, "number": n}) + "\n" for n, name in enumerate(ids))
    for folder, lines, sent in (
        ("0", [errored(name) for name in ("r4", "r0", "r2")], ["r0", "r2", "r4"]),
        ("1", [good(name) for name in ("r5", "r1", "r3")], ["r1", "r3", "r5"]),
        ("2", [good(name) for name in ("r0", "r4", "r2")], ["r4", "r2", "r0"]),
    ):
        store(tmp_path / folder, lines, sent)
        (tmp_path / folder / "ids.jsonl").write_text(places)
    run = open_run([(tmp_path / "0", 0), (tmp_path / "1", 0), (tmp_path / "2", 1)], PRICES)
    retry = open_run([(tmp_path / "2", 1)], PRICES)
    for view, wanted in ((run, ids), (retry, ids[::2])):
        export(view, None, "jsonl", tmp_path / "out.jsonl")
        assert [json.loads(line)["custom_id"] for line in (tmp_path / "out.jsonl").open()] == wanted
        export(view, None, "csv", tmp_path / "out.csv", columns=["custom_id", "outcome", "attempt"])
        assert [row["custom_id"] for row in rows_of(tmp_path / "out.csv")] == wanted


def test_a_database_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = batch(tmp_path / "b", [good("a"), good("b")], ["a", "b"])
    dest = tmp_path / "out.db"
    dest.write_bytes(b"before")
    with pytest.raises(InputError, match="exists"):
        export(view, None, "sqlite", dest, replace=False)
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        export(view, None, "sqlite", dest, work=Work(stop=stop))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched, pytest.raises(StoreError, match="full"):
        patched.setattr(export_sqlite, "_fill", full)
        export(view, None, "sqlite", dest)
    for format in ("csv", "sqlite"):
        with monkeypatch.context() as patched, pytest.raises(InputError, match="exists"):
            # Another program made the file meanwhile.
            patched.setattr("batchtui.results.export_job.there_already", lambda dest: False)
            export(view, None, format, dest, replace=False)
    assert dest.read_bytes() == b"before"
    fresh = tmp_path / "new.csv"
    with monkeypatch.context() as patched:
        patched.setattr("os.link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EPERM, "no links here")))
        assert export(view, None, "csv", fresh, replace=False) == 2
    assert fresh.exists() and [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []
    with pytest.raises(InputError):
        export(view, None, "sqlite", Path("/dev/null"))


def test_a_file_of_answers_has_its_tool_calls_beside_it(tmp_path: Path) -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"n": 1}}
    lines = [message("a", [{"type": "text", "text": "Done."}, call]), good("b")]
    export(batch(tmp_path / "b", lines, ["a", "b"]), None, "files", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.json", "a.txt", "b.txt", "index.csv"]
    assert json.loads((tmp_path / "out" / "a.json").read_text()) == {"tool_calls": [call]}


@pytest.mark.parametrize(
    ("name", "asked", "found"),
    [
        ("out.csv", None, "csv"),
        ("OUT.DB", None, "sqlite"),
        ("out.txt", None, "jsonl"),
        ("out.txt", "markdown", "markdown"),
        ("/dev/stdout", "csv", "csv"),
        ("out.json", "jsonl", ""),
        ("out.csv", "files", ""),
    ],
)
def test_the_format_is_told_from_the_name(name: str, asked: str | None, found: str) -> None:
    if found:
        assert format_of(Path(name), asked) == found
    else:
        with pytest.raises(InputError):
            format_of(Path(name), asked)


@given(st.lists(st.text(st.sampled_from("'=+-@\t\r\n1.,\" a＝")), min_size=1, max_size=3))
def test_every_cell_has_the_very_text_again(texts: list[str]) -> None:
    assert [given_cell(safe_cell(text)) for text in texts] == texts
    [found] = csv.reader(csv_line(texts).decode().splitlines(keepends=True))
    assert [given_cell(cell) for cell in found] == texts
