"""A small table worked by hand: a field against gold of every kind, and two runs by a field."""

from __future__ import annotations

import json
from array import array
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchtui.present import scores as present
from batchtui.present.matrix import Figures, matrix
from batchtui.results.field_scores import FieldScore, agreements, compare_field, score_field
from batchtui.results.gold import Gold, gold_by_id, gold_column, gold_review
from batchtui.results.names import ValueNames, names_of
from batchtui.results.review import Review, Verdict
from batchtui.results.row_match import matched
from batchtui.results.scores import Confusion
from batchtui.results.view import ResultSet
from results.result_lines import batch, errored, good, request

SCHEMA = {
    "type": "object",
    "properties": {"tone": {"type": "string", "enum": ["pos", "neg", "mixed"]}, "stars": {"type": "number"}},
    "required": ["tone"],
    "additionalProperties": False,
}
FORMAT = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
NOW = datetime(2026, 11, 28, tzinfo=UTC)
# gold, and the answers of two runs; None is an error.
ROWS: list[tuple[str, Any, Any]] = [
    ("pos", {"tone": "pos", "stars": 5}, {"tone": "pos", "stars": 5.0}),
    ("POS", {"tone": "pos", "stars": 4}, {"tone": "neg"}),
    (" neg ", {"tone": "neg", "stars": 1}, {"tone": "neg", "stars": 1}),
    ("neg", {"tone": "pos", "stars": 2}, {"tone": "neg", "stars": 2}),
    ("neg", None, {"tone": "neg"}),
    ("mixed", {"tone": "bad"}, {"tone": "mixed"}),
    ("", {"tone": "pos", "stars": 5}, {"tone": "pos", "stars": 5}),
]


def made(folder: Path, answers: list[Any]) -> ResultSet:
    folder.mkdir()
    ids, lines = [], []
    for number, answer in enumerate(answers):
        gold = ROWS[number][0]
        row = {
            "custom_id": f"r{number}",
            "row_id": f"R{number}",
            "source": 1,
            "number": number + 2,
            "row": {"gold_tone": gold, "n": ["5", "4.0", "01", "2", "", "x", "5"][number]},
        }
        ids.append(json.dumps(row).encode() + b"\n")
        lines.append(errored(f"r{number}") if answer is None else good(f"r{number}", json.dumps(answer)))
    (folder / "ids.jsonl").write_bytes(b"".join(ids))
    return batch(folder, lines, requests=[request(f"r{n}", **FORMAT) for n in range(len(answers))])


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> tuple[ResultSet, ResultSet]:
    folder = tmp_path_factory.mktemp("scores")
    return made(folder / "a", [a for _, a, _ in ROWS]), made(folder / "b", [b for _, _, b in ROWS])


def names(view: ResultSet) -> ValueNames:
    return names_of(view)


def test_a_field_against_a_column(views: tuple[ResultSet, ResultSet]) -> None:
    view, held = views[0], names(views[0])
    tone = held.resolve("tone")
    found = score_field(view, held, tone, gold_column(held, held.resolve("gold_tone")))
    score = found.score
    # Six rows have gold; the errored and the invalid one are wrong, and one of the other four is.
    assert (score.rows, score.usable, score.without_gold, found.gold.folded) == (6, 4, 1, 1)
    assert score.accuracy.value == 3 / 6 and score.accuracy_usable.value == 3 / 4
    assert score.accuracy.low == pytest.approx(0.18762, abs=1e-5)
    assert score.accuracy.high == pytest.approx(0.81238, abs=1e-5)
    # Agreement 3/4, by chance (2·3 + 2·1)/16 = 1/2.
    assert score.kappa == pytest.approx(0.5)
    by_label = {each.label: each for each in score.classes}
    assert by_label["pos"].precision == 2 / 3 and by_label["pos"].recall == 1 and by_label["neg"].recall == 1 / 3
    assert by_label["mixed"].precision is None and by_label["mixed"].recall == 0
    assert list(found.cell("neg", "pos")) == [3] and list(found.cell("neg", None)) == [4]
    assert list(found.cell("neg", "neg")) == [2] and list(found.wrong()) == [3, 4, 5]
    said = "\n".join(present.score_lines(found, 80))
    assert "of 6 rows: accuracy 50.0% (95%: 18.8–81.2)" in said and "of 4 usable: accuracy 75.0%" in said
    assert "Fewer than 30 rows" in said and "1 row without gold left out" in said and "–" in said
    assert present.score_json(found)["kappa"] == score.kappa and present.score_csv(found)[0][0] == "gold"
    few = score_field(view, held, tone, gold_column(held, held.resolve("gold_tone")), [6])
    assert few.score.accuracy.value is None and "accuracy –" in present.score_lines(few, 80)[1]


def test_numbers_are_compared_by_size(views: tuple[ResultSet, ResultSet]) -> None:
    view, held = views[0], names(views[0])
    found = score_field(view, held, held.resolve("stars"), gold_column(held, held.resolve("n")))
    assert (found.score.rows, found.score.accuracy.hits, found.score.without_gold) == (6, 5, 1)


def test_gold_of_a_file_and_of_a_review(views: tuple[ResultSet, ResultSet], tmp_path: Path) -> None:
    view, held = views[0], names(views[0])
    tone = held.resolve("tone")
    found = score_field(view, held, tone, gold_by_id(view, "f.csv", {"R0": "pos", "r1": "neg", "X": "pos"}))
    assert (found.score.rows, found.score.accuracy.hits, found.gold.unmatched) == (2, 1, 1)
    review = Review(tmp_path)
    review.say(Verdict(row="id:R0", field="tone", verdict="right", value="pos", at=NOW))
    review.say(Verdict(row="id:R1", field="tone", verdict="wrong", value="mixed", at=NOW))
    review.say(Verdict(row="id:R2", field="tone", verdict="wrong", at=NOW))
    review.say(Verdict(row="id:R3", field="stars", verdict="right", at=NOW))
    for each, hits in ((view, 1), (views[1], 1)):  # Of the next run too: R0 is pos in both.
        gold = gold_review(each, names(each), review, names(each).resolve("tone"))
        score = score_field(each, names(each), names(each).resolve("tone"), gold).score
        assert (score.rows, score.accuracy.hits) == (2, hits)


def test_two_runs_by_a_field(views: tuple[ResultSet, ResultSet]) -> None:
    held = names(views[0]), names(views[1])
    tones = held[0].resolve("tone"), held[1].resolve("tone")
    found = compare_field(views, held, tones, gold_column(held[0], held[0].resolve("gold_tone")))
    # Usable in both: r0 r1 r2 r3 r6; alike in r0 r2 r6.
    assert len(found.pairs) == 7 and (found.agreement.agree.hits, found.agreement.agree.rows) == (3, 5)
    # By chance (4·2 + 1·3)/25 = 11/25.
    assert found.agreement.kappa == pytest.approx((3 / 5 - 11 / 25) / (1 - 11 / 25))
    assert found.matrix == {"pos": {"pos": 2, "neg": 2}, "neg": {"neg": 1}} and found.usable == (5, 7)
    counts = found.counts
    # r0 r2 both, r1 left, r3 r4 r5 right; p = 2·(1 + 4)/16.
    assert counts is not None and (counts.both, counts.left, counts.right, counts.neither) == (2, 1, 3, 0)
    assert counts.p_value == pytest.approx(0.625)
    assert [found.right_of(number) for number in range(7)] == ["both", "left", "both", "right", "right", "right", None]
    assert list(found.differing()) == [1, 3, 4, 5] and list(found.select("pos", "neg")) == [1, 3]
    assert all(isinstance(cost, Decimal) for cost in found.cost_usd)
    said = "\n".join(present.comparison_lines(found, ("one", "one"), 80))
    assert "agree 60.0%" in said and "only one (1) 1 · only one (2) 3 (p 0.625)" in said and "Fewer than 30" in said
    assert [(each.field, each.agree.hits) for each in agreements(views, held, matched(*views))] == [
        ("tone", 3),
        ("stars", 4),
    ]


def test_runs_that_share_no_row_say_so(views: tuple[ResultSet, ResultSet], tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "ids.jsonl").write_bytes(
        b'{"custom_id":"z0","row_id":"Z0","source":1,"number":9,"row":{"gold_tone":"pos"}}\n'
    )
    other = batch(folder, [good("z0", '{"tone":"pos"}')], requests=[request("z0", **FORMAT)])
    held = names(views[0]), names(other)
    found = compare_field((views[0], other), held, (held[0].resolve("tone"), held[1].resolve("tone")))
    assert present.comparison_lines(found, ("a", "b"), 80) == [present.no_rows_shared()]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_matrix_of_many_values_is_bounded(width: int) -> None:
    counts: dict[str, dict[str | None, int]] = {f"value {n}": {f"value {n % 7}": n + 1, None: 1} for n in range(300)}
    drawn = matrix(counts, ("gold", "answer"), width, 20)
    assert len(drawn.lines) <= 20 and all(len(line) <= width for line in drawn.lines) and drawn.hidden > 200
    assert any(spot.column is None for spot in drawn.spots[0]) and "not shown" in drawn.lines[-1]
    for spot in drawn.spots[-1]:
        assert drawn.lines[spot.line][spot.start : spot.end].strip() in (f"{spot.rows:,}", "·")


def test_a_column_that_does_not_fit_is_said_and_figures_go_first() -> None:
    counts: dict[str, dict[str | None, int]] = {f"value{n}": {f"value{n}": 9, None: 1} for n in range(4)}
    beside = Figures(beside=("recall", "F1"), by_row=dict.fromkeys(counts, ("90%", "0.95")))
    sizes = {width: matrix(counts, ("gold", "answer"), width, figures=beside) for width in (80, 60, 40)}
    assert [drawn.hidden for drawn in sizes.values()] == [0, 0, 3]
    assert ["recall" in drawn.lines[1] for drawn in sizes.values()] == [True, False, True]
    assert "3 more values not shown" in sizes[40].lines[-1]


def test_a_hundred_thousand_different_values_are_scored_and_drawn() -> None:
    confusion = Confusion()
    for number in range(100_000):
        confusion.add(f"text {number}", f"text {number + number % 2}")
    score = confusion.score()
    assert score.accuracy.value == 0.5 and len(score.classes) == 100_001
    gold = Gold(kind="column", name="g", labels=[])
    found = FieldScore(field="f", gold=gold, score=score, rows=array("I"), answers=[])
    drawn = present.score_matrix(found, 80, 20)
    assert len(drawn.lines) <= 20 and drawn.hidden > 99_000
    assert len(present.score_csv(found)[1]) == 5 and len(present.score_lines(found, 80)) < 400
