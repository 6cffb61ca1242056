"""A comparison is in the order of the source, whatever order results came in."""

from __future__ import annotations

from pathlib import Path

from result_lines import batch, good

from batchtui.results.compare import compare


def test_pairs_are_in_the_order_of_the_source(tmp_path: Path) -> None:
    one = batch(tmp_path / "a", [good("c"), good("a"), good("b")], ["a", "b", "c"])
    other = batch(
        tmp_path / "b", [good("e", "x"), good("b", "x"), good("d", "x"), good("c", "x")], ["b", "c", "d", "e"]
    )
    assert compare(one, other).summary()["changed"] == {
        "broke": [],
        "fixed": [],
        "differs": ["b", "c"],
        "failed": [],
        "only_left": ["a"],
        "only_right": ["d", "e"],
    }
