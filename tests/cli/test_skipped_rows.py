"""What --skip-bad skips: said where it is, kept, and written with --all-rows in every format."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.calling import Caller
from tests.service.harness import request


def mixed(folder: Path) -> Path:
    """A good request, one with an error, one that is no JSON, and a good one."""
    path = folder / "mixed.jsonl"
    bad = {"custom_id": "bad", "params": {"modle": 1}}
    lines = [json.dumps(request("a")), json.dumps(bad), '{"custom_id": "torn", "params":', json.dumps(request("b"))]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_both_say_how_many_were_skipped_and_where_they_are(call: Caller) -> None:
    said = call("submit", mixed(call.folder), "--skip-bad", "--yes", "--wait", "--json")
    [record] = said.json["batches"]
    kept = call.folder / "data" / "batches" / record["local_id"] / "skipped.jsonl"
    assert record["skipped"] == 2
    assert f"2 requests with errors skipped, kept in {kept}" in said.err
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [(each["custom_id"], each["where"].rpartition(":")[2]) for each in lines] == [("bad", "2"), ("torn", "3")]
    assert lines[0]["request"] == {"custom_id": "bad", "params": {"modle": 1}}
    assert lines[1]["text"] == '{"custom_id": "torn", "params":'
    shown = call("show", "last").out.decode()
    assert "2 requests with errors, not sent, kept in" in shown and str(kept) in shown.replace("\n", "")
    said = call("results", "last")
    assert len(said.out.splitlines()) == 2
    assert f"2 requests with errors skipped, kept in {kept}; --all-rows includes them" in said.err


def test_a_check_promises_no_file_that_there_is_not(call: Caller) -> None:
    said = call("check", mixed(call.folder), "--skip-bad")
    assert "2 requests with errors skipped\n" in said.out.decode()
    bad = call.folder / "bad.jsonl"
    said = call("check", mixed(call.folder), "--skip-bad", "--bad-file", bad)
    assert f"2 requests with errors skipped (written to {bad})" in said.out.decode() and bad.exists()


def test_all_rows_are_written_in_every_format_in_the_order_of_the_source(call: Caller) -> None:
    call("submit", mixed(call.folder), "--skip-bad", "--yes", "--wait")
    out = call.folder / "out"

    def written(format: str, *more: str) -> Path:
        path = out.with_suffix(f".{format}")
        said = call("results", "last", "--all-rows", "--format", format, "-o", path, *more)
        assert said.code == 0, said.err
        assert "skipped" not in said.err
        return path

    rows = list(csv.DictReader(written("csv").open(encoding="utf-8", newline="")))
    assert [(row["custom_id"], row["outcome"].split(" (")[0]) for row in rows] == [
        ("a", "succeeded"),
        ("bad", "not sent"),
        ("torn", "not sent"),
        ("b", "succeeded"),
    ]
    assert "model is missing" in rows[1]["error_message"]
    texts = json.loads(written("json").read_text())
    assert list(texts) == ["a", "bad", "torn", "b"] and texts["bad"] is None and texts["a"]
    lines = [json.loads(line) for line in written("jsonl").read_text().splitlines()]
    assert [each["result"]["type"] for each in lines] == ["succeeded", "not_sent", "not_sent", "succeeded"]
    assert lines[1]["skipped"]["request"]["params"] == {"modle": 1}
    assert "## bad\n\n*not sent · " in written("markdown").read_text()
    folder = written("files")
    assert [row["outcome"] for row in csv.DictReader((folder / "index.csv").open())][1:3] == ["not sent"] * 2
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(written("parquet")).to_pylist()
    assert [row["outcome"] == "not sent" for row in table] == [False, True, True, False]


def test_requests_without_a_result_are_written_as_no_answer(call: Caller) -> None:
    call("submit", call.source(3), "--yes", "--wait")
    [folder] = (call.folder / "data" / "batches").iterdir()
    lines = (folder / "results.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "results.jsonl").write_bytes(b"".join(lines[1:]))
    said = call("results", "last", "--all-rows", "--format", "csv")
    outcomes = [row["outcome"] for row in csv.DictReader(said.out.decode().splitlines())]
    assert len(outcomes) == 3 and outcomes.count("no answer") == 1
    said = call("results", "last", "--all-rows")
    kinds = [json.loads(line)["result"]["type"] for line in said.out.splitlines()]
    assert len(kinds) == 3 and kinds.count("no_answer") == 1
    assert len(call("results", "last").out.splitlines()) == 2


def test_all_rows_can_not_be_a_choice_of_rows(call: Caller) -> None:
    call("submit", call.source(3), "--yes", "--wait")
    assert call("results", "last", "--all-rows", "--only", "errored").code == 2
