"""Two batches or runs side by side, in words."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from batchtui.present import numbers
from batchtui.results.compare import KINDS, Comparison
from batchtui.results.view import ResultRow


class PairChange(msgspec.Struct, frozen=True):
    """A way in which a request changed, in words."""

    label: str
    none: str
    """That no request changed so."""
    short: str
    """The label of a tab where there is little room."""
    sign: str
    """The name of its symbol."""
    style: str
    listed: str = ""
    """Its word in a narrow list, where that is not the label's."""

    @property
    def word(self) -> str:
        """The label within a line."""
        return self.label.lower()


CHANGES = {
    "differs": PairChange("Differs", "No answer differs.", "differ", "partial", "warn"),
    "fixed": PairChange("Usable now", "No answer became usable.", "usable", "good", "good"),
    "broke": PairChange("Broke", "No answer stopped being usable.", "broke", "refused", "bad"),
    "failed": PairChange("Failed in both", "No request failed in both.", "failed", "warning", "bad", listed="failed"),
    "same": PairChange("Same", "No answer is the same in both.", "same", "dot", "muted"),
    "only_left": PairChange("Only before", "No request is only in the run before.", "before", "gone", "muted"),
    "only_right": PairChange("Only after", "No request is only in the run after.", "after", "gone", "muted"),
}
"""By the kind of a pair, in the order of the tabs."""


def compared_lines(found: Comparison, *, everything: bool = False) -> Iterator[str]:
    """Counts, sums and the requests that changed, a line at a time; text in it is not yet safe to show."""
    totals, counts = found.totals(), found.counts()
    yield "  ".join(f"{CHANGES[name].word} {count:,}" for name, count in counts.items() if count)
    yield f"usable         {totals.good[0]:>14,}  {totals.good[1]:>14,}"
    yield f"tokens in      {totals.input_tokens[0]:>14,}  {totals.input_tokens[1]:>14,}"
    yield f"tokens out     {totals.output_tokens[0]:>14,}  {totals.output_tokens[1]:>14,}"
    costs, paid = numbers.usd_and_paid(totals.cost_usd, totals.paid_usd)
    yield f"cost           {costs[0]:>14}  {costs[1]:>14}"
    if paid:
        yield f"paid in all    {paid[0]:>14}  {paid[1]:>14}  with replaced answers and rows in one alone"
    if not totals.requests and len(found):
        yield "no row is in both: rows without an id match only where both batches were made from the same file"
    for number in found.select(KINDS if everything else None):
        pair = found.pair(number)
        left, right = _state(pair.left), _state(pair.right)
        if pair.kind == "failed" and left == right and not everything:
            continue
        yield f"{CHANGES[pair.kind].word:<14} {pair.name}  {left} → {right}"


def _state(row: ResultRow | None) -> str:
    if row is None:
        return "not in it"
    words = row.flaw or ("usable" if row.good else row.error or row.outcome)
    return f"{words} ({row.output_tokens:,} tokens)" if row.output_tokens else words
