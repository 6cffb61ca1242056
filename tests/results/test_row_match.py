"""Two runs over the same rows match by row identity, whatever ids were made; stores of 0.1.0 match as they did."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from result_lines import PRICES, batch, good, request

from batchtui.results.compare import compare
from batchtui.results.export import export
from batchtui.results.row_ids import SourceMark, row_line, source_line, stretch_line
from batchtui.results.row_match import match
from batchtui.results.run_view import open_run
from batchtui.results.source_order import in_source_order
from batchtui.results.view import ResultSet


def made(folder: Path, mark: str, rows: list[str], sha256: str, *, own: str = "", seed: int = 1) -> ResultSet:
    """A batch made from rows of a table, each answered by its own text, results in any order."""
    names = [f"{mark}-{number:06}" for number in range(1, len(rows) + 1)]
    lines = [good(name, text) for name, text in zip(names, rows, strict=True)]
    random.Random(seed).shuffle(lines)
    opened = batch(folder, lines, names)
    kept = [
        row_line(name, own and f"{own}{n}", 1, n + 1, {"t": t})
        for n, (name, t) in enumerate(zip(names, rows, strict=True), 1)
    ]
    (folder / "ids.jsonl").write_bytes(b"\n".join([*kept, source_line(SourceMark(1, "in.csv", sha256))]) + b"\n")
    return opened


def pairs(left: ResultSet, right: ResultSet) -> list[tuple[str, str]]:
    return [(left.id(row), right.id(to) if to >= 0 else "") for row, to in enumerate(match(left, right))]


TEXTS = ["a", "b", "c", "d"]


def test_two_runs_over_the_same_rows_match_though_their_made_ids_differ(tmp_path: Path) -> None:
    left, right = (
        made(tmp_path / "l", "aaaaaa", TEXTS, "f" * 64),
        made(tmp_path / "r", "bbbbbb", TEXTS, "f" * 64, seed=5),
    )
    found = compare(left, right)
    assert found.counts()["same"] == 4 and found.counts()["only_left"] == 0
    assert all(one.replace("aaaaaa", "bbbbbb") == other for one, other in pairs(left, right))
    assert {found.pair(number).name for number in range(4)} == {f"aaaaaa-{n:06} = bbbbbb-{n:06}" for n in range(1, 5)}


def test_rows_of_different_tables_never_match(tmp_path: Path) -> None:
    # Made ids of 0.1.0, row-1 and so on, were the same for both.
    alpha, beta = made(tmp_path / "l", "row", TEXTS, "a" * 64), made(tmp_path / "r", "row", TEXTS, "b" * 64)
    assert match(alpha, beta) == [-1] * 4
    assert compare(alpha, beta).counts()["only_left"] == 4


def test_rows_with_ids_of_their_own_match_across_tables_and_with_native_requests(tmp_path: Path) -> None:
    left = made(tmp_path / "l", "aaaaaa", TEXTS, "a" * 64, own="t-")
    right = made(tmp_path / "r", "bbbbbb", TEXTS, "b" * 64, own="t-")
    assert compare(left, right).counts()["same"] == 4
    native = batch(
        tmp_path / "n", [good(f"t-{n}", text) for n, text in enumerate(TEXTS, 1)], [f"t-{n}" for n in range(1, 5)]
    )
    (tmp_path / "n" / "ids.jsonl").write_bytes(
        stretch_line(1, 4, 1, 1) + b"\n" + source_line(SourceMark(1, "n.jsonl")) + b"\n"
    )
    assert compare(left, native).counts()["same"] == 4


def test_a_row_whose_template_made_another_id_matches_by_its_place(tmp_path: Path) -> None:
    left = made(tmp_path / "l", "aaaaaa", TEXTS, "a" * 64, own="v1-")
    right = made(tmp_path / "r", "bbbbbb", TEXTS, "a" * 64, own="v2-")
    assert compare(left, right).counts()["same"] == 4


def test_rows_with_one_id_several_times_match_in_their_order(tmp_path: Path) -> None:
    sides = []
    for mark in "lr":
        names = [f"{mark}-{n}" for n in range(3)]
        lines = [good(name, text) for name, text in zip(names, "abc", strict=True)]
        sides.append(batch(tmp_path / mark, lines[::-1] if mark == "r" else lines, names))
        kept = [row_line(name, "twice", 1, n + 2, {}) for n, name in enumerate(names)]
        (tmp_path / mark / "ids.jsonl").write_bytes(
            b"\n".join([*kept, source_line(SourceMark(1, "x", mark * 64))]) + b"\n"
        )
    assert compare(*sides).counts()["same"] == 3


def old(folder: Path, texts: list[str], *, rows: bool) -> ResultSet:
    """A batch as 0.1.0 left it: ids.jsonl with numbers for ids, or none at all."""
    names = [f"row-{n}" if rows else f"request-{n}" for n in range(1, len(texts) + 1)]
    opened = batch(folder, [good(name, text) for name, text in zip(names, texts, strict=True)][::-1], names)
    if rows:
        kept = [
            {"custom_id": name, "row_id": str(n), "row": {"t": t}}
            for n, (name, t) in enumerate(zip(names, texts, strict=True), 1)
        ]
        (folder / "ids.jsonl").write_text("".join(json.dumps(each) + "\n" for each in kept))
    return opened


@pytest.mark.parametrize(("sha256", "matches"), [("f" * 64, [2, 3]), ("a" * 64, [0, 1])])
def test_some_rows_of_one_id_match_those_of_their_place_and_of_another_table_in_order(
    tmp_path: Path, sha256: str, matches: list[int]
) -> None:
    views = []
    for name, numbers, source in (("l", (4, 5), sha256), ("r", (2, 3, 4, 5), "f" * 64)):
        ids = [f"{name}-{number}" for number in numbers]
        views.append(batch(tmp_path / name, [good(each, each) for each in ids], ids))
        lines = [row_line(each, "same", 1, number, {}) for each, number in zip(ids, numbers, strict=True)]
        kept = b"\n".join([*lines, source_line(SourceMark(1, "in.csv", source))])
        (tmp_path / name / "ids.jsonl").write_bytes(kept + b"\n")
    assert match(*views) == matches
    assert match(views[1], views[0]) == [matches.index(row) if row in matches else -1 for row in range(4)]


@pytest.mark.parametrize("rows", [True, False])
def test_batches_of_0_1_0_match_each_other_by_custom_id_and_new_ones_in_the_order_of_requests(
    tmp_path: Path, rows: bool
) -> None:
    one, two = old(tmp_path / "1", TEXTS, rows=rows), old(tmp_path / "2", TEXTS, rows=rows)
    assert compare(one, two).counts()["same"] == 4
    new = made(tmp_path / "3", "aaaaaa", TEXTS, "a" * 64, seed=9)
    assert compare(one, new).counts()["same"] == 4
    assert compare(new, one).counts()["same"] == 4
    shorter = made(tmp_path / "4", "bbbbbb", TEXTS[1:], "a" * 64)
    assert compare(one, shorter).counts()["only_left"] == 4, "rows that can't be told are not guessed"


def test_native_batches_of_0_1_0_match_new_ones_by_their_ids(tmp_path: Path) -> None:
    names = ["x", "y"]
    before = batch(tmp_path / "old", [good(name, name) for name in names], names)
    after = batch(tmp_path / "new", [good(name, name) for name in names], names[::-1])
    (tmp_path / "new" / "ids.jsonl").write_bytes(stretch_line(1, 2, 1, 1) + b"\n")
    assert compare(before, after).counts()["same"] == 2


def test_exports_are_in_source_order_even_when_parts_take_turns(tmp_path: Path) -> None:
    mixed = made(tmp_path / "one", "aaaaaa", TEXTS, "a" * 64, seed=4)
    assert [mixed.id(row) for row in in_source_order(mixed)] == [f"aaaaaa-{n:06}" for n in range(1, 5)]
    for part, numbers in (("p1", (1, 3)), ("p2", (2, 4))):
        names = [f"m-{n:06}" for n in numbers]
        batch(tmp_path / part, [good(name, name) for name in names], requests=[request(name) for name in names]).close()
        kept = [row_line(name, "", 1, n + 1, {}) for n, name in zip(numbers, names, strict=True)]
        (tmp_path / part / "ids.jsonl").write_bytes(b"\n".join([*kept, source_line(SourceMark(1, "x", "s"))]) + b"\n")
    run = open_run([(tmp_path / "p1", 0), (tmp_path / "p2", 0)], PRICES)
    out = tmp_path / "out.json"
    export(run, None, "json", out)
    assert list(json.loads(out.read_text())) == [f"m-{n:06}" for n in range(1, 5)]


def test_a_run_of_0_1_0_in_several_parts_keeps_the_order_of_its_parts(tmp_path: Path) -> None:
    for part in ("p1", "p2"):
        names = [f"{part}-{n}" for n in range(3)]
        batch(tmp_path / part, [good(name, name) for name in names[::-1]], names).close()
    run = open_run([(tmp_path / "p1", 0), (tmp_path / "p2", 0)], PRICES)
    for all_rows in (False, True):
        export(run, None, "json", tmp_path / "out.json", all_rows=all_rows)
        assert list(json.loads((tmp_path / "out.json").read_text())) == [
            f"{p}-{n}" for p in ("p1", "p2") for n in range(3)
        ]
