"""A cell of very many lines: read whole where it is one, ended early where its quote is not closed, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtui.domain.plan import Plan
from batchtui.intake import tables
from tests.intake.helpers import plan_of, staged

KEPT = 50


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "KEPT_LINES", KEPT)


def plan(tmp_path: Path, text: str) -> Plan:
    template = tmp_path / "t.toml"
    template.write_text('model = "claude-haiku-4-5"\nmax_tokens = 10\nprompt = "{{ id }}: {{ text }}"\n')
    (tmp_path / "t.csv").write_text(text)
    (tmp_path / "plan").mkdir()
    return plan_of(tmp_path / "t.csv", template=template, staging=tmp_path / "plan")


def said(plan: Plan) -> list[tuple[str, str]]:
    return [(each.first[0].where.rpartition(":")[2], each.message) for each in plan.problems]


@pytest.mark.parametrize("lines", [KEPT - 1, KEPT, KEPT + 1, 7 * KEPT])
def test_a_long_cell_is_read_whole(tmp_path: Path, lines: int) -> None:
    cell = "".join(f"line {n}\n" for n in range(lines))
    made = plan(tmp_path, f'id,text\n1,"{cell}"\n2,short\n')
    assert not made.problems
    assert [each["params"]["messages"][0]["content"] for each in staged(made)] == [f"1: {cell}", "2: short"]


@pytest.mark.parametrize("rows", [KEPT - 5, 7 * KEPT])
def test_an_unclosed_quote_costs_its_own_row_where_rows_follow(tmp_path: Path, rows: int) -> None:
    made = plan(tmp_path, 'id,text\n0,"never closed\n' + "".join(f"{n},fine\n" for n in range(1, rows)))
    assert made.requests == rows - 1
    assert said(made) == [("2", "a quote in this row is never closed: everything after it counts as one cell")]


def test_what_is_never_closed_and_no_rows_is_named_and_ends_the_reading(tmp_path: Path) -> None:
    made = plan(tmp_path, 'id,text\n0,fine\n1,"' + "words, and more, words\n" * 7 * KEPT)
    assert made.requests == 1
    assert said(made) == [("3", "a quote in this row is never closed: everything after it counts as one cell")]
