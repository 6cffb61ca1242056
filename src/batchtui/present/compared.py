"""Two batches or runs side by side, in words."""

from __future__ import annotations

from collections.abc import Iterator

from batchtui.present import numbers
from batchtui.results.compare import KINDS, Comparison
from batchtui.results.view import ResultRow

CHANGED = {
    "broke": "broke",
    "fixed": "usable now",
    "differs": "differs",
    "failed": "failed in both",
    "same": "same",
    "only_left": "only before",
    "only_right": "only after",
}
"""How a request changed, by the kind of a pair."""


def compared_lines(found: Comparison, *, everything: bool = False) -> Iterator[str]:
    """Counts, sums and the requests that changed, a line at a time; text in it is not yet safe to show."""
    totals, counts = found.totals(), found.counts()
    yield "  ".join(f"{CHANGED[name]} {count:,}" for name, count in counts.items() if count)
    yield f"usable         {totals.good[0]:>14,}  {totals.good[1]:>14,}"
    yield f"tokens in      {totals.input_tokens[0]:>14,}  {totals.input_tokens[1]:>14,}"
    yield f"tokens out     {totals.output_tokens[0]:>14,}  {totals.output_tokens[1]:>14,}"
    costs = numbers.usd_alike(totals.cost_usd)
    yield f"cost           {costs[0]:>14}  {costs[1]:>14}"
    if not totals.requests and len(found):
        yield "no row is in both: rows without an id match only where both batches were made from the same file"
    for number in found.select(KINDS if everything else None):
        pair = found.pair(number)
        left, right = _state(pair.left), _state(pair.right)
        if pair.kind == "failed" and left == right and not everything:
            continue
        yield f"{CHANGED[pair.kind]:<14} {pair.name}  {left} → {right}"


def _state(row: ResultRow | None) -> str:
    if row is None:
        return "not in it"
    words = row.flaw or ("usable" if row.good else row.error or row.outcome)
    return f"{words} ({row.output_tokens:,} tokens)" if row.output_tokens else words
