"""Two batches or runs side by side, row by row: what changed from failed to good and back, and which answers differ."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from difflib import SequenceMatcher

import msgspec

from batchtui.domain.outcome import SUCCEEDED
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.row_match import match
from batchtui.results.source_order import in_source_order
from batchtui.results.text import read_answer
from batchtui.results.view import ResultRow, Rows, View

KINDS = ("broke", "fixed", "differs", "failed", "same", "only_left", "only_right")
"""Good to not good; not good to good; both good, other text; neither good; both good, same text; in one alone."""
BROKE, FIXED, DIFFERS, FAILED, SAME, ONLY_LEFT, ONLY_RIGHT = range(len(KINDS))
_DIFF_LINES = 3_000
"""Longer texts are compared as a whole where they differ: line matching takes time with the square of the lines."""


class Pair(msgspec.Struct, frozen=True):
    """One request in both."""

    custom_id: str
    kind: str
    left: ResultRow | None
    right: ResultRow | None

    @property
    def name(self) -> str:
        """Its custom_id, or both where it was sent under two."""
        if self.left is None or self.right is None or self.left.custom_id == self.right.custom_id:
            return self.custom_id
        return f"{self.left.custom_id} = {self.right.custom_id}"


class DiffLine(msgspec.Struct, frozen=True):
    """A line of two texts side by side; None where one has no such line."""

    left: str | None
    right: str | None
    changed: bool


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the requests that both have, as (left, right)."""

    requests: int
    good: tuple[int, int]
    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]
    cost_usd: tuple[Decimal | None, Decimal | None]
    """Batch price; None when a line has no price."""
    paid_usd: tuple[Decimal | None, Decimal | None]
    """What each side cost whole: also answers that others replaced, and rows that only it has."""


class Comparison:
    """The requests of two views, matched by row identity, in the left one's source order; those only in the right follow."""

    def __init__(self, left: View, right: View, left_rows: Rows, right_rows: Rows, kinds: bytearray) -> None:
        self.left = left
        self.right = right
        self._left_rows = left_rows
        self._right_rows = right_rows
        self._kinds = kinds

    def __len__(self) -> int:
        return len(self._kinds)

    def pair(self, number: int) -> Pair:
        """One request in both."""
        left, right = self._left_rows[number], self._right_rows[number]
        one = self.left.row(left) if left >= 0 else None
        other = self.right.row(right) if right >= 0 else None
        known = one or other
        return Pair(known.custom_id if known else "", KINDS[self._kinds[number]], one, other)

    def kind(self, number: int) -> str:
        """How a request changed, one of KINDS."""
        return KINDS[self._kinds[number]]

    def select(self, kinds: Iterable[str] | None = None) -> Rows:
        """The numbers of the pairs of some kinds; None: all but the same ones."""
        wanted = {KINDS.index(kind) for kind in kinds} if kinds is not None else set(range(len(KINDS))) - {SAME}
        return array("I", (number for number, kind in enumerate(self._kinds) if kind in wanted))

    def counts(self) -> dict[str, int]:
        """Pairs by kind."""
        found = Counter(self._kinds)
        return {name: found[kind] for kind, name in enumerate(KINDS)}

    def texts(self, number: int) -> tuple[str, str]:
        """Both answers' texts, or their errors; '' where there is none.  Raises StoreError."""
        left, right = self._left_rows[number], self._right_rows[number]
        return (
            _said(self.left.raw(left)) if left >= 0 else "",
            _said(self.right.raw(right)) if right >= 0 else "",
        )

    def diff(self, number: int) -> list[DiffLine]:
        """Both texts side by side, those that are JSON with a line for each value."""
        left, right = self.texts(number)
        laid_out = indented(left), indented(right)
        if (laid_out[0] or not left) and (laid_out[1] or not right):
            left, right = laid_out
        return diff_lines(left, right)

    def totals(self) -> Totals:
        """Tokens and costs of the requests that both have."""
        both = [number for number, kind in enumerate(self._kinds) if kind < ONLY_LEFT]
        left = _Sums(self.left, [self._left_rows[number] for number in both])
        right = _Sums(self.right, [self._right_rows[number] for number in both])
        return Totals(
            requests=len(both),
            good=(left.good, right.good),
            input_tokens=(
                left.sum("input", "cache_write", "cache_read"),
                right.sum("input", "cache_write", "cache_read"),
            ),
            output_tokens=(left.sum("output"), right.sum("output")),
            cost_usd=(left.cost(), right.cost()),
            paid_usd=(self.left.paid_usd, self.right.paid_usd),
        )

    def summary(self) -> dict[str, object]:
        """Counts, totals, and the ids of what changed, as JSON values."""
        totals = self.totals()
        return {
            "counts": self.counts(),
            "requests_in_both": totals.requests,
            "good": list(totals.good),
            "input_tokens": list(totals.input_tokens),
            "output_tokens": list(totals.output_tokens),
            "cost_usd": [None if cost is None else float(cost) for cost in totals.cost_usd],
            "changed": {name: [self._id(number) for number in self.select([name])] for name in KINDS if name != "same"},
        }

    def _id(self, number: int) -> str:
        left = self._left_rows[number]
        return self.left.id(left) if left >= 0 else self.right.id(self._right_rows[number])


class _Sums:
    def __init__(self, view: View, rows: Sequence[int]) -> None:
        self._view = view
        self._rows = rows
        self.good = sum(map(_States(view).good, rows))

    def sum(self, *names: str) -> int:
        return sum(sum(map(self._view.column(name).__getitem__, self._rows)) for name in names)

    def cost(self) -> Decimal | None:
        return self._view.cost_of(self._rows)


def compare(left: View, right: View, work: Work = UNWATCHED) -> Comparison:
    """Match two views by row identity and read the answers that both have.  Raises StoreError, Stopped."""
    pairs, first = match(left, right), {name: row for row, name in reversed(list(enumerate(right.ids())))}
    left_rows, right_rows, kinds = array("i"), array("i"), bytearray()
    matched: set[int] = set()
    states = (_States(left), _States(right))
    for number, row in enumerate(in_source_order(left)):
        other = pairs[row]
        work.check("the comparison was stopped")
        work.tell("comparing", number, len(left), "requests")
        left_rows.append(row)
        right_rows.append(other)
        matched.add(other)
        kinds.append(ONLY_LEFT if other < 0 else _kind(left, row, right, other, states))
    for row in in_source_order(right):
        if row not in matched and (not right.id(row) or first[right.id(row)] == row):
            left_rows.append(-1)
            right_rows.append(row)
            kinds.append(ONLY_RIGHT)
    return Comparison(left, right, left_rows, right_rows, kinds)


class _States:
    def __init__(self, view: View) -> None:
        self._outcome, self._cut = view.column("outcome"), view.column("cut")

    def good(self, row: int) -> bool:
        return self._outcome[row] == SUCCEEDED and not self._cut[row]


def _kind(left: View, row: int, right: View, other: int, states: tuple[_States, _States]) -> int:
    was, now = states[0].good(row), states[1].good(other)
    if was != now:
        return FIXED if now else BROKE
    if not was:
        return FAILED
    return SAME if _said(left.raw(row)) == _said(right.raw(other)) else DIFFERS


def _said(line: bytes) -> str:
    answer = read_answer(line)
    if answer.text is None:
        return answer.why
    beside = () if answer.text in answer.inputs else answer.inputs
    return "\n\n".join(part for part in (answer.text, *beside) if part)


def indented(text: str) -> str:
    """A JSON object or list in lines; "" when the text is something else."""
    if text.lstrip()[:1] not in ("{", "["):
        return ""
    try:
        found = msgspec.json.decode(text)
        return msgspec.json.format(msgspec.json.encode(found), indent=2).decode("utf-8", "replace")
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return ""


def diff_lines(left: str, right: str) -> list[DiffLine]:
    """Two texts line by line, side by side; what is equal stands in the same line."""
    one, other = left.split("\n"), right.split("\n")
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    found = [DiffLine(text, text, False) for text in one[:start]]
    middle, opposite = one[start : len(one) - end], other[start : len(other) - end]
    if len(middle) + len(opposite) > _DIFF_LINES:
        found += _beside(middle, opposite)
    else:
        for tag, a, b, c, d in SequenceMatcher(None, middle, opposite, autojunk=False).get_opcodes():
            if tag == "equal":
                found += [DiffLine(text, text, False) for text in middle[a:b]]
            else:
                found += _beside(middle[a:b], opposite[c:d])
    return found + [DiffLine(text, text, False) for text in one[len(one) - end :]]


def _beside(left: Sequence[str], right: Sequence[str]) -> list[DiffLine]:
    return [
        DiffLine(left[n] if n < len(left) else None, right[n] if n < len(right) else None, True)
        for n in range(max(len(left), len(right)))
    ]
