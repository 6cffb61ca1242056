"""A field's answers against gold, and the answers of two runs to the same rows."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from batchtui.domain.outcome import standing
from batchtui.results.gold import Gold, fitted, labels_of
from batchtui.results.names import Name, ValueNames
from batchtui.results.row_match import matched
from batchtui.results.scores import Confusion, Proportion, Score, cohen_kappa, mcnemar, proportion
from batchtui.results.view import Rows, View

Right = Literal["both", "left", "right", "neither"]
_MOST_FIELDS = 50
"""Fields of which the agreement is counted."""


def usable_rows(view: View) -> bytearray:
    """1 for each row whose value is compared with gold, as ``domain.outcome`` says."""
    pairs = [*zip(view.column("outcome"), view.column("cut"), strict=True)]
    counted = {pair: standing(*pair).gold for pair in set(pairs)}
    return bytearray(map(counted.__getitem__, pairs))


def answered(view: View, names: ValueNames, name: Name) -> list[str | None]:
    """A field's labels by row; None where the answer is not usable or has no such field.  Raises StoreError."""
    usable = usable_rows(view)
    labels = labels_of(names.column(name), answers=True)
    return [label if good else None for label, good in zip(labels, usable, strict=True)]


class FieldScore(msgspec.Struct, frozen=True, kw_only=True):
    """One field's answers against gold."""

    field: str
    gold: Gold
    score: Score
    rows: Rows
    """The rows that were looked at."""
    answers: list[str | None]

    def cell(self, gold: str | None, answer: str | None) -> Rows:
        """The rows with this gold and this answer; None is *not usable*."""
        golds, answers = self.gold.labels, self.answers
        return array("I", [row for row in self.rows if golds[row] == gold and answers[row] == answer])

    def wrong(self) -> Rows:
        """The rows whose answer is not the gold one, those without a usable answer among them."""
        golds, answers = self.gold.labels, self.answers
        return array("I", [row for row in self.rows if golds[row] is not None and golds[row] != answers[row]])


def score_field(view: View, names: ValueNames, name: Name, gold: Gold, rows: Sequence[int] | None = None) -> FieldScore:
    """Score a field over ``rows`` or all.  Raises StoreError."""
    answers = answered(view, names, name)
    gold = fitted(view, name, gold, answers)
    chosen = array("I", range(len(view)) if rows is None else rows)
    counts = Counter(zip(map(gold.labels.__getitem__, chosen), map(answers.__getitem__, chosen), strict=True))
    confusion = Confusion()
    for (right, answer), count in counts.items():
        confusion.add(right, answer, count)
    return FieldScore(field=name.bare, gold=gold, score=confusion.score(), rows=chosen, answers=answers)


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How often two runs answer a field alike, over the rows that both answer usably."""

    field: str
    agree: Proportion
    kappa: float | None
    labels: int
    """Different values."""


class GoldCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Which of two is right, over the rows with gold; an answer that is not usable is wrong."""

    both: int
    left: int
    """Only the left one."""
    right: int
    neither: int
    p_value: float | None
    """McNemar's exact test, two-sided; None when the two never differ in being right."""

    @property
    def rows(self) -> int:
        """Rows with gold."""
        return self.both + self.left + self.right + self.neither


class FieldComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One field of two runs, over the rows of the same identity."""

    field: str
    pairs: list[tuple[int, int]]
    """Rows of the left view, and the same rows of the right one."""
    left: list[str | None]
    """Labels by the left view's row."""
    right: list[str | None]
    agreement: Agreement
    matrix: dict[str, dict[str, int]]
    """Rows by the left label, then by the right one, where both are usable."""
    usable: tuple[int, int]
    cost_usd: tuple[Decimal | None, Decimal | None]
    """Of these rows; None when one has no price."""
    paid_usd: tuple[Decimal | None, Decimal | None]
    """What each run cost whole: also answers that others replaced, and rows that only it has."""
    gold: Gold | None = None
    """By the left view's row."""
    counts: GoldCounts | None = None

    def differs(self, number: int) -> bool:
        """Whether the two differ in a pair; two answers that are not usable don't."""
        one, other = self.pairs[number]
        return self.left[one] != self.right[other]

    def right_of(self, number: int) -> Right | None:
        """Which of the two is right in a pair; None without gold."""
        one, other = self.pairs[number]
        gold = self.gold.labels[one] if self.gold is not None else None
        if gold is None:
            return None
        return _which(self.left[one] == gold, self.right[other] == gold)

    def select(self, left: str | None, right: str | None) -> Rows:
        """Numbers of the pairs with these labels."""
        return array(
            "I",
            [n for n, (one, other) in enumerate(self.pairs) if (self.left[one], self.right[other]) == (left, right)],
        )

    def differing(self) -> Rows:
        """Numbers of the pairs that differ."""
        return array("I", filter(self.differs, range(len(self.pairs))))


def _which(left: bool, right: bool) -> Right:
    return ("both" if right else "left") if left else ("right" if right else "neither")


def compare_field(
    views: tuple[View, View],
    names: tuple[ValueNames, ValueNames],
    fields: tuple[Name, Name],
    gold: Gold | None = None,
) -> FieldComparison:
    """Compare a field of two runs; ``gold`` is by the left view's row.  Raises StoreError."""
    pairs = matched(*views)
    left, right = (answered(view, held, name) for view, held, name in zip(views, names, fields, strict=True))
    labels = [(left[one], right[other]) for one, other in pairs]
    matrix, agreement = _agreement(fields[0].bare, labels)
    counts = None
    if gold is not None:
        gold = fitted(views[0], fields[0], gold, [*left, *right])
        counts = _gold_counts((gold.labels[one], *pair) for (one, _), pair in zip(pairs, labels, strict=True))
    return FieldComparison(
        field=fields[0].bare,
        pairs=pairs,
        left=left,
        right=right,
        agreement=agreement,
        matrix=matrix,
        usable=(sum(a is not None for a, _ in labels), sum(b is not None for _, b in labels)),
        cost_usd=(views[0].cost_of(a for a, _ in pairs), views[1].cost_of(b for _, b in pairs)),
        paid_usd=(views[0].paid_usd, views[1].paid_usd),
        gold=gold,
        counts=counts,
    )


def agreements(
    views: tuple[View, View], names: tuple[ValueNames, ValueNames], pairs: list[tuple[int, int]]
) -> list[Agreement]:
    """How two runs agree on each of the first fields that both have, by ``pairs`` of their rows.  Raises StoreError."""
    found = []
    theirs = {name.key: name for name in names[1].answers}
    for name in names[0].answers[:_MOST_FIELDS]:
        if name.key in theirs:
            left, right = answered(views[0], names[0], name), answered(views[1], names[1], theirs[name.key])
            found.append(_agreement(name.bare, [(left[one], right[other]) for one, other in pairs])[1])
    return found


def _agreement(
    field: str, labels: Iterable[tuple[str | None, str | None]]
) -> tuple[dict[str, dict[str, int]], Agreement]:
    matrix: dict[str, dict[str, int]] = {}
    for (one, other), count in Counter(labels).items():
        if one is not None and other is not None:
            matrix.setdefault(one, {})[other] = count
    same = sum(row.get(label, 0) for label, row in matrix.items())
    rows = sum(sum(row.values()) for row in matrix.values())
    known = {*matrix, *(label for row in matrix.values() for label in row)}
    agreement = Agreement(field=field, agree=proportion(same, rows), kappa=cohen_kappa(matrix), labels=len(known))
    return matrix, agreement


def _gold_counts(triples: Iterable[tuple[str | None, str | None, str | None]]) -> GoldCounts:
    found: Counter[Right] = Counter()
    for (gold, one, other), count in Counter(triples).items():
        if gold is not None:
            found[_which(one == gold, other == gold)] += count
    return GoldCounts(
        both=found["both"],
        left=found["left"],
        right=found["right"],
        neither=found["neither"],
        p_value=mcnemar(found["left"], found["right"]),
    )
