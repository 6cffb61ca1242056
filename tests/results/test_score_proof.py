"""Scores, agreement and McNemar's test equal those of scikit-learn, statsmodels and pandas on the same answers."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from batchtui.results.field_scores import compare_field, score_field
from batchtui.results.gold import gold_column
from batchtui.results.names import names_of
from batchtui.results.view import ResultSet
from results.result_lines import batch, errored, good, request

LABELS = ("delivery", "price", "quality", "support", "7", "true")
WRONG = "(not usable)"
ROWS = 3_000


def answers_of(luck: random.Random, gold: list[str], right: float) -> list[str | None]:
    return [
        None if luck.random() < 0.05 else each if each and luck.random() < right else luck.choice(LABELS)
        for each in gold
    ]


def made(folder: Path, gold: list[str], answers: list[str | None]) -> ResultSet:
    folder.mkdir()
    ids, lines = [], []
    for number, (right, answer) in enumerate(zip(gold, answers, strict=True)):
        row = {"custom_id": f"r{number}", "row_id": f"R{number}", "source": 1, "number": number, "row": {"g": right}}
        ids.append(json.dumps(row).encode() + b"\n")
        lines.append(errored(f"r{number}") if answer is None else good(f"r{number}", json.dumps({"topic": answer})))
    (folder / "ids.jsonl").write_bytes(b"".join(ids))
    return batch(folder, lines, requests=[request(f"r{number}") for number in range(len(gold))])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_figures_equal_those_of_scikit_learn_and_statsmodels(tmp_path: Path, seed: int) -> None:
    metrics: Any = pytest.importorskip("sklearn.metrics")
    proportions: Any = pytest.importorskip("statsmodels.stats.proportion")
    tables: Any = pytest.importorskip("statsmodels.stats.contingency_tables")
    pandas: Any = pytest.importorskip("pandas")
    luck = random.Random(seed)
    gold = [luck.choice(("", *LABELS)) for _ in range(ROWS)]
    both = [answers_of(luck, gold, 0.8), answers_of(luck, gold, 0.83)]
    views = (made(tmp_path / "a", gold, both[0]), made(tmp_path / "b", gold, both[1]))
    names = (names_of(views[0]), names_of(views[1]))
    fields = names[0].resolve("topic"), names[1].resolve("topic")
    right = gold_column(names[0], names[0].resolve("g"))
    score = score_field(views[0], names[0], fields[0], right).score

    table = pandas.DataFrame({"gold": gold, "one": both[0], "other": both[1]})
    table = table[table["gold"] != ""]
    usable = table[table["one"].notna()]
    filled = table["one"].fillna(WRONG)
    assert score.accuracy.value == pytest.approx(metrics.accuracy_score(table["gold"], filled), abs=1e-12)
    assert score.accuracy_usable.value == pytest.approx(
        metrics.accuracy_score(usable["gold"], usable["one"]), abs=1e-12
    )
    for found in (score.accuracy, score.accuracy_usable):
        low, high = proportions.proportion_confint(found.hits, found.rows, method="wilson")
        assert (found.low, found.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert score.kappa == pytest.approx(metrics.cohen_kappa_score(usable["gold"], usable["one"]), abs=1e-12)
    labels = sorted(LABELS)
    figures = metrics.precision_recall_fscore_support(table["gold"], filled, labels=labels, zero_division=0)
    by_label = {each.label: each for each in score.classes}
    for place, label in enumerate(labels):
        each = by_label[label]
        assert (each.precision, each.recall, each.f1, each.gold) == (
            pytest.approx(figures[0][place], abs=1e-12),
            pytest.approx(figures[1][place], abs=1e-12),
            pytest.approx(figures[2][place], abs=1e-12),
            figures[3][place],
        )
    macro = metrics.f1_score(table["gold"], filled, labels=labels, average="macro")
    assert score.macro_f1 == pytest.approx(macro, abs=1e-12)
    crossed = pandas.crosstab(usable["gold"], usable["one"])
    assert {g: {a: int(n) for a, n in row.items() if n} for g, row in crossed.iterrows()} == score.matrix

    compared = compare_field(views, names, fields, right)
    whole = pandas.DataFrame({"one": both[0], "other": both[1]}).dropna()
    assert compared.agreement.agree.value == pytest.approx((whole["one"] == whole["other"]).mean(), abs=1e-12)
    assert compared.agreement.kappa == pytest.approx(metrics.cohen_kappa_score(whole["one"], whole["other"]), abs=1e-12)
    good_one, good_other = table["one"] == table["gold"], table["other"] == table["gold"]
    counts = compared.counts
    assert counts is not None
    cells = [[int((good_one & good_other).sum()), int((good_one & ~good_other).sum())]]
    cells += [[int((~good_one & good_other).sum()), int((~good_one & ~good_other).sum())]]
    assert cells == [[counts.both, counts.left], [counts.right, counts.neither]]
    assert counts.p_value == pytest.approx(tables.mcnemar(cells, exact=True).pvalue, abs=1e-12)
