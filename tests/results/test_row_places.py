"""Where rows are from, kept in arrays: the same as read line by line, whatever stands in ids.jsonl."""

from __future__ import annotations

import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from tests.results.told_places import told_of
from tests.tui.work import add_batch, answered, make_service, request

from batchtui.intake.row import RunRow
from batchtui.intake.run_rows import RunSource
from batchtui.results.row_ids import Place
from batchtui.results.row_places import Places
from batchtui.results.view import View
from batchtui.service import Service

HASH = "ab" * 32


def ids(count: int) -> list[str]:
    return [f"r-{number}" for number in range(count)]


def row_line(n: int, **more: Any) -> bytes:
    told = {"custom_id": f"r-{n}", "row_id": "", "source": 1, "number": n + 2, "row": {"n": n}}
    return json.dumps({**told, **more}).encode() + b"\n"


def stretch(first: int, last: int, number: int) -> bytes:
    return b'{"first":%d,"last":%d,"source":2,"number":%d}\n' % (first, last, number)


MARKS = b'{"source":1,"name":"a.csv","sha256":"%s"}\n{"source":2,"name":"b.jsonl","sha256":""}\n' % HASH.encode()
COUNT = 700
"""More rows than one block has."""


def lines_of(kind: str) -> list[bytes]:
    rows = [row_line(number) for number in range(COUNT)]
    if kind == "own ids":
        return [row_line(number, row_id=f"r-{number}") for number in range(COUNT)]
    if kind == "other ids":
        return [row_line(number, row_id=("größe ", "", f"r-{number}", "x" * 99)[number % 4]) for number in range(COUNT)]
    if kind == "another order":
        return rows[::-1]
    if kind == "turned":
        return sorted(rows, key=lambda each: hash(each[:20]))
    if kind == "with gaps":
        return [row for number, row in enumerate(rows) if number % 7]
    if kind == "damaged":
        return [row[: len(row) // 2] + b"\n" if number % 50 == 3 else row for number, row in enumerate(rows)]
    if kind == "stretches":
        return [*rows[:100], stretch(101, 400, 9), *rows[400:500], stretch(501, COUNT, 1)]
    if kind == "twice":
        return [*rows, row_line(5, number=999)]
    if kind == "of 0.1.0":
        return [json.dumps({"custom_id": f"row-{n}", "row_id": f"{n}"}).encode() + b"\n" for n in range(COUNT)] + [
            json.dumps({"custom_id": f"r-{n}", "row_id": f"mine {n}"}).encode() + b"\n" for n in range(0, COUNT, 3)
        ]
    if kind == "strangers":
        return [row_line(9_999), *rows[:300], row_line(8_888), *rows[300:]]
    if kind == "huge":
        return [row_line(n, number=-1 if n % 3 else 1 << 70, source=1 << 40) for n in range(COUNT)]
    return []


def held(service: Service, name: str, lines: list[bytes], results: list[int], **fields: Any) -> View:
    requests = [request(each, f"do {each}") for each in ids(COUNT)]
    answers = [answered(f"r-{number}", [{"type": "text", "text": '{"mood":"good"}'}]) for number in results]
    record = add_batch(service, requests, answers, title=name, **fields)
    (service.history.folder(record.local_id) / "ids.jsonl").write_bytes(b"".join(lines) + MARKS)
    return service.open_results(name)


KINDS = (
    *("own ids", "other ids", "in order", "another order", "turned", "with gaps", "damaged", "stretches", "twice"),
    *("of 0.1.0", "strangers", "huge", "nothing"),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shuffled", [False, True], ids=["as sent", "shuffled"])
def test_places_are_those_of_the_lines(tmp_path: Path, kind: str, shuffled: bool) -> None:
    results = [*range(COUNT)]
    if shuffled:
        random.Random(1).shuffle(results)
        results += results[:20]
    lines = lines_of(kind) or ([row_line(n) for n in range(COUNT)] if kind == "in order" else [])
    view = held(make_service(tmp_path), "labels", lines, results)
    found, told = Places(view), told_of(view)
    if kind == "huge":
        assert [*found] == [Place(each.row_id, 0, each.number) for each in found]
    else:
        assert [*found] == told
        assert [*found.sources] == [each.source for each in told]
        spots = [
            (each.source or 1 << 40, each.number if each.source else 0) for each in map(told.__getitem__, found.order)
        ]
        assert spots == sorted(spots)
    run = RunSource(view, run="x", name="x", only=("all",))
    whole = [json.loads(line) for line in lines if line.endswith(b"}\n")]
    read = {line["custom_id"]: line["row"]["n"] for line in whole if "row" in line}
    for row, parts in zip(run.rows, run.with_answers(run.rows, ("n", "answer")), strict=True):
        own = read.get(view.id(row)) if kind != "huge" else None
        assert parts.own.get("n") == own, view.id(row)
        assert parts.row_id == found[row].row_id
        assert RunRow(parts)["mood"] == "good"
    marks = [(mark.number, [*rows]) for mark, rows in run.stretches()]
    assert [row for _, rows in marks for row in rows] == [*run.rows]
    assert all({found.sources[row] for row in rows} == {number} for number, rows in marks)
    run.close()


def test_opening_a_run_keeps_a_few_bytes_of_each_row(tmp_path: Path) -> None:
    lines = [row_line(number, row_id=f"another {number}") for number in range(COUNT)]
    view = held(make_service(tmp_path), "labels", lines, [*range(COUNT)])
    tracemalloc.start()
    try:
        run = RunSource(view, run="x", name="x")
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(run.rows) == COUNT
    assert size < 80 * COUNT + 8_000
    run.close()


def test_rows_of_a_run_with_a_retry_have_the_columns_that_either_batch_kept(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    again = [number for number in range(COUNT) if number % 5 == 0]
    held(service, "labels", [row_line(n) for n in range(COUNT)], [n for n in range(COUNT) if n not in again])
    for local_id, mine, lines in (
        ("20261122T120000Z-bbbbbb", again[::2], [row_line(n) for n in again[::2]]),
        ("20261122T120000Z-cccccc", again[1::2], [row_line(n, row={}) for n in again[1::2]]),
    ):
        requests = [request(f"r-{number}", "do") for number in mine]
        answers = [answered(f"r-{number}", [{"type": "text", "text": "again"}]) for number in mine]
        record = add_batch(
            *(service, requests, answers[::-1]), local_id=local_id, run="20261122T110000Z-aaaaaa", attempt=1
        )
        (service.history.folder(record.local_id) / "ids.jsonl").write_bytes(b"".join(lines) + MARKS)
    view = service.open_results("labels", run=True)
    assert [*Places(view)] == told_of(view)
    run = RunSource(view, run="x", name="x")
    made = [*run.with_answers(run.rows, ("n", "answer"))]
    assert [each.own for each in made] == [{"n": number} for number in range(COUNT)]
    assert [number for number, each in enumerate(made) if each.run["answer"] == "again"] == again
    assert [mark.name for mark, _ in run.stretches()] == ["a.csv"]
    run.close()
