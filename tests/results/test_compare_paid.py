"""A comparison says what its cost is of where a side paid for more than the answers that are compared."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from result_lines import PRICES, errored, good, store

from batchtui.present import scores
from batchtui.present.compared import compared_lines
from batchtui.results.compare import compare
from batchtui.results.field_scores import compare_field
from batchtui.results.names import names_of
from batchtui.results.run_view import RunView, open_run
from batchtui.tui.results.compare import totals_line

SAID = json.dumps({"tone": "pos"})


def run(folder: Path, *attempts: list[bytes]) -> RunView:
    members = []
    for number, lines in enumerate(attempts):
        store(folder / str(number), lines, [json.loads(line)["custom_id"] for line in lines])
        members.append((folder / str(number), number))
    return open_run(members, PRICES)


def test_replaced_answers_and_rows_in_one_alone_are_paid_and_not_compared(tmp_path: Path) -> None:
    first = [good("a", SAID), good("b", SAID, stop="max_tokens"), errored("c")]
    retried = run(tmp_path / "retried", first, [good("b", SAID), good("c", SAID)])
    once = run(tmp_path / "once", [good(name, SAID) for name in "abc"])
    more = run(tmp_path / "more", [good(name, SAID) for name in "abcd"])
    cent = Decimal("0.0002")
    for left, right, paid in ((retried, once, (4, 3)), (once, more, (3, 4)), (once, once, None)):
        found = compare(left, right)
        lines = list(compared_lines(found))
        field = compare_field((left, right), (names_of(left), names_of(right)), (names_of(left).resolve("tone"),) * 2)
        figures = "\n".join(scores.comparison_figures(field, ("one", "two")))
        sums = str(totals_line(found.totals(), 200))
        assert found.totals().cost_usd == field.cost_usd == (3 * cent, 3 * cent)
        assert f"cost           {'$0.00060':>14}  {'$0.00060':>14}" in lines
        assert "cost $0.00060 and $0.00060" in figures
        whole = found.totals().paid_usd
        assert whole == field.paid_usd
        if paid is None:
            assert whole == (3 * cent, 3 * cent) and "paid" not in "\n".join([*lines, figures, sums])
            assert "cost $0.00060 → $0.00060" in sums
            continue
        assert whole == (paid[0] * cent, paid[1] * cent)
        one, other = (f"${amount:.5f}" for amount in whole if amount is not None)
        assert f"paid in all    {one:>14}  {other:>14}  with replaced answers and rows in one alone" in lines
        assert f"paid in all {one} and {other}, with replaced answers" in figures
        assert f"cost of these $0.00060 → $0.00060   paid in all {one} → {other}" in sums
