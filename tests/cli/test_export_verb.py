"""results -o: the format by the file's ending, nothing replaced without a yes, columns by name, values instead of text."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from batchtui.results.row_ids import row_line
from batchtui.store.records import IDS
from tests.cli.calling import Caller, Said
from tests.tui.work import add_batch, answered, make_service, request

ANSWERS = ['{"sentiment": "good", "outcome": 1}', '{"sentiment": "bad", "n": 1.50}', "=1+1"]


def stored(call: Caller) -> Path:
    """Results of a table of rows, received in another order than they were sent."""
    service = make_service(call.folder / "data")
    ids = [f"r{number}" for number in range(len(ANSWERS))]
    lines = [answered(each, [{"type": "text", "text": answer}]) for each, answer in zip(ids, ANSWERS, strict=True)]
    record = add_batch(service, [request(each, "x") for each in ids], lines[::-1])
    rows = [{"id": f"t{n}", "Ticket text": f"text {n}", "sentiment": f"own {n}"} for n in range(len(ids))]
    made = [
        row_line(each, row["id"], 1, n + 2, row) + b"\n" for n, (each, row) in enumerate(zip(ids, rows, strict=True))
    ]
    (service.history.folder(record.local_id) / IDS).write_bytes(b"".join(made))
    (call.folder / "rows.csv").write_text("id\n1\n")
    return call.folder


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8", newline="")))


def refused(said: Said, *words: str) -> None:
    assert said.code == 2 and all(word in said.err for word in words), said.err


def test_a_file_is_written_as_its_name_says(call: Caller) -> None:
    folder = stored(call)
    out = folder / "out.csv"
    assert call("results", "last", "-o", out, "--unfold", "--bom").code == 0
    assert out.read_bytes().startswith(b"\xef\xbb\xbfid,Ticket text,sentiment,answer.sentiment,n,outcome,")
    named = 'id,row."Ticket text",answer.sentiment,run.outcome,run.answer,n'
    refused(call("results", "last", "-o", out), "exists", "--force")
    refused(call("results", "last", "-o", out, "--yes"), "exists", "--force")
    assert call("results", "last", "-o", out, "--force", "--columns", named).code == 0
    rows = rows_of(out)
    assert list(rows[0]) == ["id", "Ticket text", "answer.sentiment", "run.outcome", "answer", "n"]
    assert [row["answer.sentiment"] for row in rows] == ["good", "bad", ""]
    assert [row["n"] for row in rows] == ["", "1.50", ""]
    assert rows[2]["answer"] == "'=1+1" and rows[0]["run.outcome"] == "succeeded"
    refused(call("results", "last", "-o", folder / "x.csv", "--columns", "sentimnt"), "did you mean sentiment")
    refused(call("results", "last", "-o", folder / "x.json", "--format", "csv"), "ends like json")
    refused(call("results", "last", "-o", folder / "x.json", "--columns", "id"), "--columns is not for json")
    refused(call("results", "last", "--format", "sqlite"), "needs -o")
    assert not (folder / "x.csv").exists() and not (folder / "x.json").exists()
    assert call("results", "last", "-o", "-").out.splitlines() and not Path("-").exists()
    refused(call("submit", folder / "rows.csv", "--yes", "-o", folder / "rows.csv", "--force"), "is a source")
    assert call("results", "last", "-o", folder / "p.json", "--parsed").code == 0
    parsed = json.loads((folder / "p.json").read_text())
    assert list(parsed.values()) == [{"sentiment": "good", "outcome": 1}, {"sentiment": "bad", "n": 1.5}, "=1+1"]
    assert "1.50" in (folder / "p.json").read_text()
    assert [json.loads(line)["custom_id"] for line in call("results", "last").out.splitlines()] == list(parsed)


def test_sqlite_has_rows_answers_and_fields(call: Caller) -> None:
    folder = stored(call)
    assert call("results", "last", "-o", folder / "run.db").code == 0
    with closing(sqlite3.connect(folder / "run.db")) as database:
        joined = database.execute(
            'SELECT rows."Ticket text", rows.sentiment, fields.sentiment, fields.n, answers.outcome, answers.answer '
            "FROM rows JOIN answers USING (row_number) JOIN fields USING (row_number) ORDER BY row_number"
        ).fetchall()
    assert joined[1] == ("text 1", "own 1", "bad", 1.5, "succeeded", ANSWERS[1])
    assert joined[2] == ("text 2", "own 2", None, None, "succeeded", "=1+1")
    before = (folder / "run.db").read_bytes()
    refused(call("results", "last", "-o", folder / "run.db"), "exists")
    assert (folder / "run.db").read_bytes() == before and not list(folder.glob(".run.db*"))
