"""Counts equal pandas' on the same data: frequencies, crosses, quartiles, histograms."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from batchtui.results.column_counts import ColumnCounts, count
from batchtui.results.names import names_of
from results.result_lines import batch, good

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[dict[str, Any]]]:
    rng = random.Random(5)
    answers = [
        {
            "sentiment": rng.choices(["positive", "negative", "mixed"], [5, 3, 1])[0],
            "urgency": rng.randint(1, 5),
            "score": round(rng.gauss(0, 40), 3),
            "reason": "because " * rng.randint(5, 40) + str(number),
        }
        for number in range(20_000)
    ]
    folder: Path = tmp_path_factory.mktemp("proof") / "b"
    return batch(folder, [good(f"r{n}", json.dumps(each)) for n, each in enumerate(answers)]), answers


def by_label(found: ColumnCounts) -> dict[str, int]:
    return {each.group.label: each.rows for each in found.groups}


def test_counts_are_those_of_pandas(made: tuple[Any, list[dict[str, Any]]]) -> None:
    pandas = pytest.importorskip("pandas")
    view, answers = made
    names, frame = names_of(view), pandas.DataFrame(answers)
    assert by_label(count(view, names, "sentiment")) == frame["sentiment"].value_counts().to_dict()
    crossed, theirs = count(view, names, "sentiment", "urgency"), pandas.crosstab(frame["sentiment"], frame["urgency"])
    for each in crossed.groups:
        across = {int(group.label): rows for group, rows in zip(crossed.across, each.by, strict=True)}
        assert across == theirs.loc[each.group.label].to_dict()
    lengths = frame["reason"].str.len()
    for field, column in (("urgency", frame["urgency"]), ("score", frame["score"]), ("reason", lengths)):
        found = count(view, names, field)
        summary = found.summary
        assert summary is not None
        told = column.describe()
        for ours, name in (
            ("minimum", "min"),
            ("q1", "25%"),
            ("median", "50%"),
            ("q3", "75%"),
            ("maximum", "max"),
            ("mean", "mean"),
        ):
            assert getattr(summary, ours) == pytest.approx(told[name], rel=1e-12)
        edges = [bar.low for bar in summary.bars] + [summary.bars[-1].high]
        if len(set(edges)) == len(edges):
            theirs = pandas.cut(column, edges, right=False).value_counts(sort=False).tolist()
            theirs[-1] += int((column == edges[-1]).sum())
            assert [bar.rows for bar in summary.bars] == theirs
