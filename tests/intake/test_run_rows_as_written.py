"""Rows of a run whose own columns pass through as they are written are those that are read in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from batchtui.intake.options import IntakeOptions
from batchtui.intake.row import RunRow
from batchtui.intake.run_rows import RunSource
from batchtui.intake.sandbox import Sandbox
from batchtui.service import Service
from batchtui.store.records import encode_record
from tests.tui.work import add_batch, answered, failed, make_service, request

TEMPLATE = """
model = "claude-haiku-5-5"
max_tokens = 99
prompt = "{{ text }}|{{ row.text }}|{{ answer.mood }}"
"""
NAMES = ("text", "answer", "n", "remark")
TEXTS = (
    "plain",
    "naïve 東京",
    'a "quote": yes',
    "back\\slash",
    "line\nbreak",
    "\u2028",
    "\U0001f600",
    " led",
    "",
    "a: b",
)


def own(number: int, row: dict[str, Any]) -> bytes:
    line = {"custom_id": f"r-{number}", "row_id": "", "source": 1, "number": number + 2, "row": row}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def said(number: int) -> bytes:
    if number % 10 == 7:
        return failed(f"r-{number}", "overloaded_error", "Overloaded")
    text = '{"mood": ""}' if number % 10 == 6 else '{"mood": "good"}'
    blocks = [{"type": "text", "text": text if number % 9 else "It is good."}]
    return answered(f"r-{number}", blocks * (2 if number % 13 == 12 else 1))


def run_of(data: Path, lines: list[bytes]) -> Service:
    service = make_service(data)
    count = len(lines)
    requests = [request(f"r-{number}", f"do {number}") for number in range(count)]
    record = add_batch(service, requests, [said(number) for number in range(count)], title="labels")
    folder = service.history.folder(record.local_id)
    mark = json.dumps({"source": 1, "name": "rows.csv", "sha256": "ab"}).encode() + b"\n"
    (folder / "ids.jsonl").write_bytes(b"".join(lines) + mark)
    assert encode_record(record)
    return service


def columns(number: int) -> dict[str, Any]:
    row: dict[str, Any] = {"text": f"{TEXTS[number % 10]}{number}", "n": number}
    if number % 4 == 0:
        row["remark"] = TEXTS[number % 10] if number % 8 else None
    if number % 11 == 0:
        row["answer"] = {"mood": "own"}
    return row


@pytest.mark.parametrize("gaps", [False, True], ids=["in order", "with gaps"])
def test_rows_are_the_same_when_they_pass_as_they_are_written(tmp_path: Path, gaps: bool) -> None:
    lines = [own(number, columns(number)) for number in range(600)]
    service = run_of(tmp_path, lines[::-1] if gaps else lines)
    run = RunSource(service.open_results("labels"), run="x", name="x", only=("all",))
    rows = [row for row in run.rows if not gaps or row % 3]
    names = list(run.with_answers(rows, NAMES))
    full = list(run.with_answers(rows))
    assert [row.own for row in names] == [row.own for row in full] == [columns(row) for row in rows]
    assert [row.answer for row in names] == [row.answer for row in full]
    for one, other in zip(names, full, strict=True):
        merged, whole = RunRow(one), RunRow(other)
        assert {name: merged.get(name) for name in NAMES} == {name: whole.get(name) for name in NAMES}
        assert list(merged)[: len(one.own)] == list(whole)[: len(one.own)]
    assert any(row.read is None and row.written for row in run.with_answers(rows, NAMES))
    run.close()


def test_columns_are_kept_byte_by_byte_and_empty_ones_counted(tmp_path: Path) -> None:
    lines = [own(number, {"text": TEXTS[number % 10], "n": number}) for number in range(300)]
    service = run_of(tmp_path, lines)
    plan = service.plan(["run:labels"], IntakeOptions(template_text=TEMPLATE, skip_bad=True))
    part = plan.parts[0]
    assert part.ids_path is not None and part.path is not None
    kept = [line.partition(b',"row":')[2] for line in part.ids_path.read_bytes().splitlines()[:-1]]
    before = {line.strip().partition(b',"row":')[2] for line in lines}
    assert len(kept) == part.requests > 200
    assert set(kept) <= before
    held = [json.loads(line[:-1])["text"] for line in kept]
    prompts = [json.loads(line)["params"]["messages"][0]["content"] for line in part.path.read_bytes().splitlines()]
    assert [each.split("|")[:2] for each in prompts] == [[each, each] for each in held]
    found = [group.message for group in plan.problems if "empty" in group.message]
    assert any(each.startswith("text is empty in") for each in found)
    service.discard(plan)


DAMAGED = (
    *(
        b'{"text":"\xff"}',
        b'{"text":"\\ud800"}',
        b'{"text":"x","n":1e999}',
        b'{"text":"x"} {',
        b'{"text":"x"',
        b"null",
        b"5",
    ),
    *(b'["x"]', b'"x"', b'{"text":"x"\x00}', b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
)


@pytest.mark.parametrize("bad", DAMAGED, ids=range(len(DAMAGED)))
def test_columns_that_cannot_be_read_stop_their_row_alone(tmp_path: Path, bad: bytes) -> None:
    lines = [own(number, {"text": f"t{number}"}) for number in range(40)]
    lines[11] = lines[11].replace(b'{"text":"t11"}', bad)
    service = run_of(tmp_path, lines)
    plan = service.plan(["run:labels"], IntakeOptions(template_text=TEMPLATE, skip_bad=True))
    assert plan.parts[0].path is not None
    prompts = [
        json.loads(line)["params"]["messages"][0]["content"] for line in plan.parts[0].path.read_bytes().splitlines()
    ]
    told = [each.split("|")[0] for each in prompts]
    # Rows 7, 17, 27 and 37 failed; those without an object for an answer have no mood.
    usable = [number for number in range(40) if number % 10 != 7 and number % 9]
    assert told == [f"t{number}" for number in usable if number != 11]
    named = [
        group for group in plan.problems if group.level == "error" and "mood" not in group.message.partition(":")[0]
    ]
    assert [group.count for group in named] == [1]
    assert "can't be read" in named[0].message or "'text' is undefined" in named[0].message
    service.discard(plan)
    refused = service.plan(["run:labels"], IntakeOptions(template_text=TEMPLATE))
    assert not refused.ok
    assert any(group.level == "error" for group in refused.problems)
    service.discard(refused)


NAMED = {
    "{{ run.outcome }}{{ run['cost_usd'] }}": {"run.outcome", "run.cost_usd"},
    "{{ run.note }}{{ answer.mood }}": {"run.note", "answer"},
    "{% set r = run %}{{ r.outcome }}{{ run.model }}": {"run"},
    "{{ run }}{{ run.outcome }}": {"run"},
    "{{ run[text] }}": {"run", "text"},
    "{% for run in text %}{{ run.outcome }}{% endfor %}": {"text"},
    "{{ row.run }}{{ row['run.outcome'] }}": {"run", "run.outcome"},
    "{{ row.run }}{{ run.model }}": {"run", "run.model"},
}


def test_only_what_a_template_takes_of_the_run_is_read(tmp_path: Path) -> None:
    assert {text: set(Sandbox().names_in(text)) for text in NAMED} == NAMED
    service = run_of(tmp_path, [own(number, {"text": f"t{number}"}) for number in range(30)])
    run = RunSource(service.open_results("labels"), run="x", name="x", only=("all",))
    whole = [row.run for row in run.with_answers(run.rows)]
    for key in whole[0]:
        given = [row.run for row in run.with_answers(run.rows, {f"run.{key}"})]
        assert [row[key] for row in given] == [row[key] for row in whole], key
    assert [*next(run.with_answers([0], {"run.custom_id"})).run] == ["custom_id"]
    run.close()
