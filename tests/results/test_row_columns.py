"""The rows' own columns have one reader: read at once or row by row they are the same, and ids.jsonl is gone through once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.results.result_lines import PRICES, batch, good

from batchtui import plainfile
from batchtui.domain.errors import StoreError
from batchtui.intake.run_rows import RunSource
from batchtui.results.export import export
from batchtui.results.field_columns import ABSENT, Json
from batchtui.results.gold import gold_by_id
from batchtui.results.names import names_of
from batchtui.results.row_columns import RowColumns
from batchtui.results.row_match import identities, match
from batchtui.results.run_view import open_run
from batchtui.results.view import ResultSet

COUNT = 600
"""More rows than are read together."""
LONG = "a long text " * 40
VALUES: tuple[Any, ...] = ("plain", 7, True, None, "", LONG, [1, LONG], {"in": {"side": 1}}, "größe")


def line(number: int, row: str) -> bytes:
    told = f'"custom_id":"r-{number}","row_id":"","source":1,"number":{number + 2},"row":{row}'
    return f"{{{told}}}\n".encode()


def row_of(number: int) -> str:
    row = {"n": number, "v": VALUES[number % len(VALUES)], **({"sometimes": "x"} if number % 3 else {})}
    return json.dumps(row, ensure_ascii=False)


def lines_of(kind: str) -> list[bytes]:
    lines = [line(number, row_of(number)) for number in range(COUNT)]
    if kind == "another order":
        return lines[::-1]
    if kind == "gaps":
        return [each for number, each in enumerate(lines) if number % 7]
    if kind == "odd":
        odd = (
            '{"v":1.50}',
            '{"v":1e999999999999999999999}',
            r'{"v":"\ud800","n":1}',
            "[1]",
            "{}",
            "{ }",
            '{"v"',
            "null",
        )
        return [line(n, odd[n % 9]) if n % 9 < len(odd) else each for n, each in enumerate(lines)]
    return lines


def made(folder: Path, lines: Sequence[bytes], numbers: Sequence[int], retried: Sequence[int] = ()) -> ResultSet:
    names = [f"r-{number}" for number in numbers]
    opened = batch(folder, [good(name) for name in reversed(names)], names)
    (folder / "ids.jsonl").write_bytes(b"".join(lines) + b'{"source":1,"name":"a.csv","sha256":"%s"}\n' % (b"f" * 64))
    return opened


def told(value: object) -> object:
    """A value of a column as JSON has it."""
    if isinstance(value, Json):
        return json.loads(value.text)
    return float(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("kind", ["as sent", "another order", "gaps", "odd"])
def test_columns_are_the_same_at_once_and_row_by_row(tmp_path: Path, kind: str) -> None:
    lines = lines_of(kind)
    view = made(tmp_path, lines, range(COUNT))
    by_row, at_once = RowColumns(view), RowColumns(view)
    at_once.read_values()
    assert set(by_row.names) == set(at_once.names) == {"n", "v", "sometimes"}
    for name in by_row.names:
        column = at_once.column(name)
        found = [by_row.of(row).get(name, ABSENT) for row in range(COUNT)]
        assert [told(each) for each in column] == [told(each) for each in found]
        assert set(column.sizes) == {
            row
            for row, each in enumerate(column)
            if len(getattr(each, "text", each) if isinstance(each, str | Json) else "") > 256
        }
    if kind in ("as sent", "another order"):
        assert [by_row.of(row) for row in range(COUNT)] == [json.loads(row_of(COUNT - 1 - row)) for row in range(COUNT)]
    if kind == "odd":
        assert by_row.of(COUNT - 1 - 9) == {"v": Decimal("1.50")}
        assert [by_row.of(COUNT - 1 - number) for number in (12, 13, 14, 15, 16)] == [{}] * 5
    assert by_row.column("no such column")[0] is ABSENT
    by_row.close()


def test_a_merged_row_has_the_columns_of_its_own_batch_or_else_of_another(tmp_path: Path) -> None:
    made(tmp_path / "0", [line(number, row_of(number)) for number in range(0, COUNT, 2)], range(COUNT))
    made(tmp_path / "1", [line(number, '{"n":"again"}') for number in (1, 2)] + [line(4, "{}")], (1, 2, 3, 4))
    run = open_run([(tmp_path / "0", 0), (tmp_path / "1", 1)], PRICES)
    own, names = RowColumns(run), names_of(run)
    said = [own.of(row) for row in range(5)]
    assert [each.get("n") for each in said] == [0, "again", "again", None, 4]
    column = names.column(names.resolve("row.n"))
    assert [column[row] for row in range(5)] == [0, "again", "again", ABSENT, 4]
    own.close()
    run.close()


def test_ids_are_gone_through_once_for_all_that_is_made_of_a_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, other = (made(tmp_path / side, lines_of("as sent"), range(COUNT)) for side in "lr")
    opened: list[Path] = []

    def counting(path: str | Path) -> Any:
        opened.append(Path(path))
        return really(path)

    really = plainfile.opened
    monkeypatch.setattr(plainfile, "opened", counting)
    assert match(view, other) == [*range(COUNT)]
    assert len(set(identities(view))) == COUNT
    assert gold_by_id(view, "gold", {"r-3": "x"}).unmatched == 0
    names = names_of(view)
    assert names.column(names.resolve("n"))[0] == COUNT - 1
    assert export(view, None, "csv", tmp_path / "out.csv", all_rows=True) == COUNT
    run = RunSource(view, run="x", name="x")
    assert len([*run.with_answers(run.rows)]) == COUNT
    run.close()
    assert opened.count(tmp_path / "l" / "ids.jsonl") == 1


def test_rows_whose_file_cannot_be_read_have_no_columns_and_no_identity(tmp_path: Path) -> None:
    view = made(tmp_path, [], range(3))
    (tmp_path / "ids.jsonl").unlink()
    (tmp_path / "ids.jsonl").mkdir()
    own = RowColumns(view)
    assert own.names == [] and own.of(0) == {}
    assert export(view, None, "csv", tmp_path / "out.csv") == 3
    with pytest.raises(StoreError, match=r"can't read .*ids\.jsonl"):
        identities(view)
