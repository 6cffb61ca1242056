"""Scores, agreement and reviews as text for both faces: figures, tables of answers by gold, CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.cells import cell_len

from batchtui.present import numbers
from batchtui.present.cells import cut, dot, name_of, pad
from batchtui.present.matrix import GAP, Figures, Matrix, matrix, row_name
from batchtui.present.symbols import GLYPHS
from batchtui.results.field_columns import ValueColumn, as_text
from batchtui.results.field_scores import Agreement, FieldComparison, FieldScore, GoldCounts
from batchtui.results.gold import Gold
from batchtui.results.names import Name
from batchtui.results.review import REVIEW, Review
from batchtui.results.scores import FEW_ROWS, ClassScore, Proportion, SampleEstimate

_CROSSED = 1_000
"""Labels that a CSV crosses with each other."""


# --- figures --------------------------------------------------------------------------------------------------------


def percent(value: float | None, digits: int = 1) -> str:
    """A share of 1 as ``91.1%``; ``–`` where it is undefined."""
    return GLYPHS.dash if value is None else f"{value:.{digits}%}"


def figure(value: float | None) -> str:
    """Kappa or F1 as ``0.84``; ``–`` where it is undefined."""
    return GLYPHS.dash if value is None else f"{value:.2f}"


def p_value(value: float | None) -> str:
    """``p 0.012``, ``p <0.001``; ``p –`` where it is undefined."""
    if value is None:
        return f"p {GLYPHS.dash}"
    return "p <0.001" if value < 0.001 else f"p {value:.3f}"


def interval(low: float | None, high: float | None) -> str:
    """``95%: 87.3–93.9``."""
    return "" if low is None or high is None else f"95%: {100 * low:.1f}{GLYPHS.dash}{100 * high:.1f}"


def proportion(found: Proportion) -> str:
    """``91.1% (95%: 87.3–93.9)``."""
    said = interval(found.low, found.high)
    return percent(found.value) + (f" ({said})" if said else "")


def gold_name(gold: Gold) -> str:
    """``column gold_sentiment``, ``file labels.csv``, ``review``."""
    name = name_of(gold.name, 60)
    return name if gold.kind == "review" else f"{gold.kind} {name}"


# --- against gold ---------------------------------------------------------------------------------------------------


def score_title(found: FieldScore) -> str:
    """``sentiment against gold (column label) · 292 rows``; of some rows only, ``30 of 300 rows``."""
    rows, whole = numbers.plural(found.score.rows, "row"), len(found.gold.labels)
    if len(found.rows) < whole:
        rows = f"{found.score.rows:,} of {numbers.plural(whole, 'row')}"
    return dot(f"{name_of(found.field)} against gold ({gold_name(found.gold)})", rows)


def score_figures(found: FieldScore) -> list[str]:
    """Accuracy over all rows with gold, beside it over the usable ones, kappa and macro F1."""
    score = found.score
    kappa, whole = f"kappa {figure(score.kappa)}", f"accuracy {proportion(score.accuracy)}"
    if score.usable == score.rows:
        return [f"{whole}   {kappa}   macro F1 {figure(score.macro_f1)}"]
    usable = f"of {score.usable:,} usable: accuracy {proportion(score.accuracy_usable)}   {kappa}"
    return [f"of {score.rows:,} rows: {whole}   macro F1 {figure(score.macro_f1)}", usable]


def score_notes(found: FieldScore) -> list[str]:
    """What has to be known beside the figures: few rows, rows without gold, ids that match no row."""
    score, gold, notes = found.score, found.gold, []
    if score.rows == 0:
        notes.append("No row has gold: nothing to score.")
    elif score.few:
        notes.append(f"Fewer than {FEW_ROWS} rows: these figures say little.")
    if score.rows != score.usable:
        notes.append(f"{numbers.plural(score.rows - score.usable, 'answer')} not usable, counted as wrong.")
    if score.without_gold:
        notes.append(f"{numbers.plural(score.without_gold, 'row')} without gold left out.")
    if gold.unmatched:
        what = "reviewed row" if gold.kind == "review" else "id"
        notes.append(f"{numbers.plural(gold.unmatched, what)} of the gold not among these rows.")
    if gold.repeated:
        notes.append(f"{numbers.plural(gold.repeated, 'id')} twice with different values: the last one counts.")
    if gold.folded:
        notes.append(
            f"Gold of {numbers.plural(gold.folded, 'row')} differs from the schema only in case and counts as equal."
        )
    if gold.near:
        pairs = ", ".join(f"{name_of(a)}/{name_of(b)}" for a, b in gold.near[:3])
        notes.append(f"Gold and answers differ only in case and count as different: {pairs}.")
    return notes


def score_matrix(found: FieldScore, width: int, height: int = 0) -> Matrix:
    """Answers by gold with recall and F1 of each class beside it and precision below, within ``width`` cells."""
    score = found.score
    classes = {each.label: each for each in score.classes}
    counts: dict[str, dict[str | None, int]] = {}
    for label in (each.label for each in score.classes if each.gold):
        cells: dict[str | None, int] = dict(score.matrix.get(label, {}).items())
        if label in score.unusable:
            cells[None] = score.unusable[label]
        counts[label] = cells
    figures = Figures(
        beside=("recall", "F1"),
        by_row={label: (percent(each.recall, 0), figure(each.f1)) for label, each in classes.items()},
        below="precision",
        by_column={label: percent(each.precision, 0) for label, each in classes.items()},
    )
    return matrix(counts, ("gold", "answer"), width, height, figures)


def score_lines(found: FieldScore, width: int) -> list[str]:
    """The whole score for a terminal of ``width`` cells, or a file where it is 0."""
    drawn = score_matrix(found, width)
    lines = [score_title(found), *(f"  {line}" for line in score_figures(found))]
    if found.score.rows:
        lines += ["", *drawn.lines]
    if drawn.hidden:
        lines += ["", *class_table(found, 0 if not width else 40)]
    return [*lines, *([""] if score_notes(found) else []), *(f"  {note}" for note in score_notes(found))]


def class_table(found: FieldScore, most: int = 0) -> list[str]:
    """Precision, recall and F1 a class, the most frequent first where only ``most`` are shown."""
    classes = list(found.score.classes)
    if most and len(classes) > most:
        classes = sorted(classes, key=lambda each: -each.gold)[:most]
    rows = [("class", "gold", "answered", "precision", "recall", "F1"), *map(_class_row, classes)]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(6)]
    lines = [
        "  " + pad(row[0], widths[0]) + "".join(GAP + row[n].rjust(widths[n]) for n in range(1, 6)) for row in rows
    ]
    rest = len(found.score.classes) - len(classes)
    return (
        [*lines, f"  {GLYPHS.ellipsis} {numbers.plural(rest, 'more class', 'more classes')}: --format csv has all"]
        if rest
        else lines
    )


def _class_row(each: ClassScore) -> tuple[str, ...]:
    shares = percent(each.precision), percent(each.recall), figure(each.f1)
    return row_name(each.label), f"{each.gold:,}", f"{each.answered:,}", *shares


def score_json(found: FieldScore) -> dict[str, Any]:
    """The value of ``score --json``."""
    score = found.score
    return {
        "field": found.field,
        "gold": {"kind": found.gold.kind, "name": found.gold.name},
        "rows": score.rows,
        "usable": score.usable,
        "without_gold": score.without_gold,
        "unmatched": found.gold.unmatched,
        "repeated": found.gold.repeated,
        "few": score.few,
        "accuracy": score.accuracy,
        "accuracy_usable": score.accuracy_usable,
        "kappa": score.kappa,
        "macro_f1": score.macro_f1,
        "classes": score.classes,
        "matrix": score.matrix,
        "not_usable": score.unusable,
    }


def score_csv(found: FieldScore) -> list[list[str]]:
    """The matrix as rows of a table: a line a gold value, a column an answer, then precision, recall and F1 of the class.

    Of more than a thousand values only the figures of each.
    """
    score = found.score
    labels = [each.label for each in score.classes]
    if len(labels) > _CROSSED:
        labels = []
    head = ["gold", *(f"answer:{label}" for label in labels), "not_usable", "precision", "recall", "f1"]
    rows = [head]
    for each in score.classes:
        row = score.matrix.get(each.label, {})
        shares = ["" if share is None else repr(round(share, 6)) for share in (each.precision, each.recall, each.f1)]
        lost = str(score.unusable.get(each.label, 0))
        rows.append([each.label, *(str(row.get(label, 0)) for label in labels), lost, *shares])
    return rows


# --- two runs -------------------------------------------------------------------------------------------------------


def no_rows_shared() -> str:
    """What is said of runs without a row in both."""
    return "No row is in both runs: rows match by their ids, or where both runs were made from the same file."


def comparison_title(found: FieldComparison, names: Sequence[str]) -> str:
    """``haiku vs sonnet · sentiment · 288 rows in both``."""
    shared = f"{numbers.plural(len(found.pairs), 'row')} in both"
    return dot(f"{name_of(names[0])} vs {name_of(names[1])}", name_of(found.field), shared)


def comparison_figures(found: FieldComparison, names: Sequence[str]) -> list[str]:
    """Agreement, kappa, which of the two is right, what each cost."""
    agreement = found.agreement
    lines = [
        f"agree {proportion(agreement.agree)} of {numbers.plural(agreement.agree.rows, 'row')} usable in both"
        f"   kappa {figure(agreement.kappa)}"
    ]
    if found.counts is not None:
        lines.append(gold_counts(found.counts, names))
    costs, paid = numbers.usd_and_paid(found.cost_usd, found.paid_usd)
    gold = f"   gold: {gold_name(found.gold)}" if found.gold is not None else ""
    lines.append(f"usable {found.usable[0]:,} and {found.usable[1]:,}   cost {costs[0]} and {costs[1]}{gold}")
    if paid:
        lines.append(f"paid in all {paid[0]} and {paid[1]}, with replaced answers and rows in one alone")
    return lines


def gold_counts(counts: GoldCounts, names: Sequence[str]) -> str:
    """``right of 288: both 262 · only haiku 4 · only sonnet 16 (p 0.012) · neither 6``."""
    one, other = short_names(names, 24)
    return f"right of {counts.rows:,}: " + dot(
        f"both {counts.both:,}",
        f"only {one} {counts.left:,}",
        f"only {other} {counts.right:,} ({p_value(counts.p_value)})",
        f"neither {counts.neither:,}",
    )


def comparison_matrix(found: FieldComparison, names: Sequence[str], width: int, height: int = 0) -> Matrix:
    """One run's values by the other's."""
    rows, columns = short_names(names, 24)
    heads = cut(rows, 16), columns
    counts: dict[str, dict[str | None, int]] = {row: dict(cells.items()) for row, cells in found.matrix.items()}
    return matrix(counts, heads, width, height)


def comparison_notes(found: FieldComparison) -> list[str]:
    """What has to be known beside the figures."""
    if not found.pairs:
        return [no_rows_shared()]
    notes = []
    rows = found.counts.rows if found.counts is not None else found.agreement.agree.rows
    if rows < FEW_ROWS:
        notes.append(f"Fewer than {FEW_ROWS} rows: these figures say little.")
    lost = len(found.pairs) - found.agreement.agree.rows
    if lost:
        notes.append(f"{numbers.plural(lost, 'row')} not usable in one or both, left out of agreement and kappa.")
    if found.counts is not None:
        without = len(found.pairs) - found.counts.rows
        notes += [f"{numbers.plural(without, 'row')} without gold left out of what is right."] if without else []
    return notes


def comparison_lines(found: FieldComparison, names: Sequence[str], width: int) -> list[str]:
    """The whole comparison of a field, for a terminal of ``width`` cells or a file where it is 0."""
    if not found.pairs:
        return [no_rows_shared()]
    names = told_apart(names)
    lines = [comparison_title(found, names), *(f"  {line}" for line in comparison_figures(found, names))]
    if found.matrix:
        lines += ["", *comparison_matrix(found, names, width).lines]
    notes = comparison_notes(found)
    return [*lines, *([""] if notes else []), *(f"  {note}" for note in notes)]


LOOKS = 12
"""How many cells of a name a narrow column shows."""


def told_apart(names: Sequence[str]) -> tuple[str, str]:
    """Two names that differ: equal ones are called first and second."""
    one, other = names
    return (one, other) if one != other else (f"{one} (1)", f"{other} (2)")


def short_names(names: Sequence[str], limit: int) -> tuple[str, str]:
    """Two names of at most ``limit`` cells, without the words that both begin with where that much would look the same."""
    one, other = (each.split() for each in names)
    shared = 0
    if cut(names[0], LOOKS) == cut(names[1], LOOKS):
        while shared < min(len(one), len(other)) - 1 and one[shared] == other[shared]:
            shared += 1
    if not shared:
        return name_of(names[0], limit), name_of(names[1], limit)
    left, right = (f"{GLYPHS.ellipsis}{' '.join(words[shared:])}" for words in (one, other))
    return name_of(left, limit), name_of(right, limit)


def agreement_lines(found: Sequence[Agreement]) -> list[str]:
    """Agreement and kappa a field, a line each."""
    if not found:
        return []
    width = max(5, *(cell_len(name_of(each.field)) for each in found))
    lines = [f"{pad('field', width)}   agree   kappa    rows"]
    for each in found:
        agree = percent(each.agree.value).rjust(6)
        lines.append(
            f"{pad(name_of(each.field), width)}  {agree}  {figure(each.kappa).rjust(6)}  {each.agree.rows:>6,}"
        )
    return lines


def comparison_json(found: FieldComparison, names: Sequence[str]) -> dict[str, Any]:
    """The value of ``compare --field --json``."""
    return {
        "field": found.field,
        "runs": list(names),
        "rows": len(found.pairs),
        "usable": list(found.usable),
        "agree": found.agreement.agree,
        "kappa": found.agreement.kappa,
        "matrix": found.matrix,
        "differ": len(found.differing()),
        "gold": None if found.gold is None else {"kind": found.gold.kind, "name": found.gold.name},
        "right": found.counts,
        "cost_usd": list(found.cost_usd),
    }


def comparison_csv(
    found: FieldComparison,
    id_of: Callable[[int], str],
    own: Sequence[tuple[Name, ValueColumn]],
    titles: Sequence[str],
    *,
    everything: bool = False,
) -> Iterator[list[str]]:
    """The rows that differ, or all, as cells: own columns, both values, gold and which of the two is correct."""
    golden = ["gold", "correct"] if found.gold is not None else []
    values = [f"{title}: {found.field}" for title in titles]
    yield ["custom_id", *(name.bare for name, _ in own), *values, *golden]
    for number, (row, other) in enumerate(found.pairs):
        if not everything and not found.differs(number):
            continue
        cells = [id_of(row), *("" if column[row] is None else as_text(column[row]) for _, column in own)]
        cells += [found.left[row] or "", found.right[other] or ""]
        if found.gold is not None:
            which = found.right_of(number)
            cells += [
                found.gold.labels[row] or "",
                {"left": titles[0], "right": titles[1]}.get(which or "", which or ""),
            ]
        yield cells


# --- review ---------------------------------------------------------------------------------------------------------


def estimate(found: SampleEstimate) -> str:
    """``accuracy 91.1% (95%: 87.3–93.9)``."""
    said = interval(found.low, found.high)
    return f"accuracy {percent(found.value)}" + (f" ({said})" if said else "")


def hidden(count: int) -> str:
    """Why answers are not shown: ``12 answers of the blind sample are hidden until your verdict``."""
    return f"{numbers.plural(count, 'answer')} of the blind sample {'is' if count == 1 else 'are'} hidden until your verdict"


def hidden_exported(count: int) -> str:
    """What is said before hidden answers are exported; "" for none."""
    return f"{hidden(count)}; the export holds {'it' if count == 1 else 'them'}" if count else ""


def unreadable_verdicts(count: int) -> str:
    """``2 lines of review.jsonl can't be read and are left out``; "" when there are none."""
    left_out = "is" if count == 1 else "are"
    return f"{numbers.plural(count, 'line')} of {REVIEW} can't be read and {left_out} left out" if count else ""


def review_line(review: Review) -> str:
    """How far the review of the sample is, and what it says so far."""
    sample = review.sample
    if sample is None:
        return f"{len(review):,} reviewed" if len(review) else ""
    done, total = review.progress()
    found = review.accuracy()
    what = f"{name_of(sample.field, 24)} " if sample.field else ""
    said = interval(found.low, found.high).removeprefix("95%: ")
    right = f"{percent(found.value)} right" + (f" ({said})" if said else "") if done else ""
    few = "few rows" if 0 < done < FEW_ROWS else ""
    return dot(f"{what}{done:,} of {total:,} reviewed", right, few)
