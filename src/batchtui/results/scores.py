"""How well answers agree with the right values, and two runs with each other: the usual figures of agreement.

Everything here is arithmetic over pairs of labels that were counted elsewhere; an undefined figure is None, never 0.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

import msgspec

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution: two-sided intervals of 95 %."""
FEW_ROWS = 30
"""Below this number of rows a figure says little, and that is said beside it."""
_LONGEST_NUMBER = 400
"""Characters; longer digits are compared as text, since arithmetic on them can be made to take for ever."""


class Proportion(msgspec.Struct, frozen=True):
    """A share of rows with its 95 % interval by Wilson; ``value``, ``low`` and ``high`` are None when there is no row."""

    hits: int
    rows: int
    value: float | None
    low: float | None
    high: float | None


class ClassScore(msgspec.Struct, frozen=True, kw_only=True):
    """One label: how often it is right (gold) and answered, and precision, recall and F1 as shares of 1."""

    label: str
    gold: int
    answered: int
    precision: float | None
    recall: float | None
    f1: float | None


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Answers against gold.  ``accuracy`` counts rows without a usable answer as wrong, ``accuracy_usable`` leaves them out."""

    rows: int
    """Rows that have a gold value."""
    usable: int
    """Of these, rows whose answer is usable and has the field."""
    without_gold: int
    accuracy: Proportion
    accuracy_usable: Proportion
    kappa: float | None
    """Cohen's kappa over the usable rows."""
    macro_f1: float | None
    """Unweighted mean of F1 over the gold labels; a label without F1 counts as 0, as in scikit-learn."""
    classes: tuple[ClassScore, ...]
    matrix: dict[str, dict[str, int]]
    """Rows by gold label, then by answered label; only usable rows."""
    unusable: dict[str, int]
    """Rows without a usable answer by gold label."""

    @property
    def few(self) -> bool:
        """True when there are too few rows for the figures to say much."""
        return self.rows < FEW_ROWS


def label_of(value: object) -> str | None:
    """A value as a label that equal values share: numbers numerically, text trimmed and in NFC, booleans as JSON spells them.

    None where there is nothing to compare: None itself, and text that is empty once trimmed.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _number(str(value)) or str(value)
    text = unicodedata.normalize("NFC", str(value)).strip()
    if not text:
        return None
    return _number(text) or {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}.get(text, text)


def _number(text: str) -> str | None:
    """The one spelling of a number, or None when ``text`` is none."""
    if len(text) > _LONGEST_NUMBER or not text.isascii() or not (text[-1].isdigit() or text[-1] == "."):
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    if not found.is_finite() or "_" in text or not -_LONGEST_NUMBER < found.adjusted() < _LONGEST_NUMBER:
        return None
    plain = f"{found:f}"
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if plain in ("-0", "") else plain


def wilson(hits: float, rows: float) -> tuple[float, float] | None:
    """The 95 % interval of a share by Wilson's score method; None when there is no row.

    ``rows`` may be an effective number of rows, and ``hits`` the share times it.
    """
    if rows <= 0:
        return None
    share, square = hits / rows, Z95 * Z95
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = Z95 / (1 + square / rows) * math.sqrt(share * (1 - share) / rows + square / (4 * rows * rows))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return (0.0 if hits == 0 else low), (1.0 if hits == rows else high)


def proportion(hits: int, rows: int) -> Proportion:
    """A share with its interval."""
    found = wilson(hits, rows)
    if found is None:
        return Proportion(hits, rows, None, None, None)
    return Proportion(hits, rows, hits / rows, *found)


def cohen_kappa(matrix: Mapping[str, Mapping[str, int]]) -> float | None:
    """Cohen's kappa of two labelings, from rows by the one, then by the other; None where chance alone agrees always."""
    first = {label: sum(row.values()) for label, row in matrix.items()}
    second: Counter[str] = Counter()
    for row in matrix.values():
        second.update(row)
    rows = sum(first.values())
    if not rows:
        return None
    agreed = sum(row.get(label, 0) for label, row in matrix.items())
    by_chance = sum(count * second[label] for label, count in first.items())
    if by_chance == rows * rows:
        return None
    return (agreed * rows - by_chance) / (rows * rows - by_chance)


def mcnemar(only_first: int, only_second: int) -> float | None:
    """McNemar's exact two-sided p-value from the rows that only one of two gets right; None when there are none."""
    rows, fewer = only_first + only_second, min(only_first, only_second)
    if not rows:
        return None
    if rows > 2_000:  # Sums of such binomials are taken in logarithms, since the coefficients outgrow a float.
        logs = [
            math.lgamma(rows + 1) - math.lgamma(k + 1) - math.lgamma(rows - k + 1) - rows * math.log(2)
            for k in range(fewer + 1)
        ]
        top = max(logs)
        return min(1.0, 2 * math.exp(top) * math.fsum(math.exp(each - top) for each in logs))
    tail, term = 1, 1
    for k in range(1, fewer + 1):
        term = term * (rows - k + 1) // k
        tail += term
    return (
        min(1.0, float(2 * tail / 2**rows)) if rows < 1_000 else min(1.0, float(Decimal(2 * tail) / Decimal(2) ** rows))
    )


class Confusion:
    """Counts pairs of gold and answer, row by row."""

    def __init__(self) -> None:
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._unusable: Counter[str] = Counter()
        self._without_gold = 0

    def add(self, gold: str | None, answer: str | None, rows: int = 1) -> None:
        """Take in rows: labels by ``label_of``; no gold leaves a row out, no answer makes it wrong."""
        if gold is None:
            self._without_gold += rows
        elif answer is None:
            self._unusable[gold] += rows
        else:
            self._pairs[gold, answer] += rows

    def score(self) -> Score:
        """All figures of what was taken in."""
        labels = label_order(
            {*(gold for gold, _ in self._pairs), *(answer for _, answer in self._pairs), *self._unusable}
        )
        place = {label: number for number, label in enumerate(labels)}
        matrix: dict[str, dict[str, int]] = {label: {} for label in labels}
        answered: Counter[str] = Counter()
        for (gold, answer), count in sorted(self._pairs.items(), key=lambda item: place[item[0][1]]):
            matrix[gold][answer] = count
            answered[answer] += count
        classes = tuple(self._class(label, matrix[label], answered[label]) for label in labels)
        usable, right = sum(self._pairs.values()), sum(matrix[label].get(label, 0) for label in labels)
        rows = usable + sum(self._unusable.values())
        with_gold = [each for each in classes if each.gold]
        return Score(
            rows=rows,
            usable=usable,
            without_gold=self._without_gold,
            accuracy=proportion(right, rows),
            accuracy_usable=proportion(right, usable),
            kappa=cohen_kappa(matrix),
            macro_f1=math.fsum(each.f1 or 0.0 for each in with_gold) / len(with_gold) if with_gold else None,
            classes=classes,
            matrix={gold: row for gold, row in matrix.items() if row},
            unusable=dict(self._unusable),
        )

    def _class(self, label: str, row: Mapping[str, int], answered: int) -> ClassScore:
        right = row.get(label, 0)
        gold = sum(row.values()) + self._unusable[label]
        return ClassScore(
            label=label,
            gold=gold,
            answered=answered,
            precision=right / answered if answered else None,
            recall=right / gold if gold else None,
            f1=2 * right / (gold + answered) if gold + answered else None,
        )


def label_order(labels: Iterable[str]) -> list[str]:
    """Labels in the order they are shown: numbers by their size, then text by the alphabet."""

    def key(label: str) -> tuple[bool, Decimal, str]:
        number = _number(label)
        return (number is None, Decimal(number) if number is not None else Decimal(0), label)

    return sorted(labels, key=key)


class Stratum(msgspec.Struct, frozen=True):
    """A part of the rows that was sampled apart: its rows, how many were reviewed, how many of these are right."""

    rows: int
    reviewed: int
    right: int


class SampleEstimate(msgspec.Struct, frozen=True):
    """A share of all rows, estimated from a sample, with its 95 % interval; None where nothing was reviewed."""

    value: float | None
    low: float | None
    high: float | None
    reviewed: int
    effective: float
    """The number of rows of a simple random sample that would say as much."""
    covered: int
    """Rows of the strata of which at least one row was reviewed: what the estimate speaks for."""


def estimate(strata: Sequence[Stratum]) -> SampleEstimate:
    """The share of right answers over all rows from a sample, each stratum weighted by its rows.

    The interval is Wilson's on the effective number of reviewed rows, with the correction for a finite population.
    """
    seen = [each for each in strata if each.reviewed]
    covered, reviewed = sum(each.rows for each in seen), sum(each.reviewed for each in seen)
    if not covered:
        return SampleEstimate(None, None, None, 0, 0.0, 0)
    share = math.fsum(each.rows / covered * (each.right / each.reviewed) for each in seen)
    if all(each.reviewed >= each.rows for each in seen):
        return SampleEstimate(share, share, share, reviewed, math.inf, covered)
    effective = _effective(seen)
    low, high = wilson(share * effective, effective) or (None, None)
    return SampleEstimate(share, low, high, reviewed, effective, covered)


def _effective(strata: Sequence[Stratum]) -> float:
    """The effective sample size: the variance of one row over the variance of the weighted mean.

    Half a right and half a wrong row are added to each stratum, since one that is all right so far varies nonetheless.
    """
    covered, variance, whole = sum(each.rows for each in strata), 0.0, 0.0
    for each in strata:
        weight, inside = each.rows / covered, (each.right + 0.5) / (each.reviewed + 1)
        finite = (each.rows - each.reviewed) / max(1, each.rows - 1)
        variance += weight * weight * inside * (1 - inside) / each.reviewed * finite
        whole += weight * inside
    return whole * (1 - whole) / variance
