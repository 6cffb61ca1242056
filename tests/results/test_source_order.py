"""Rows in the order of their source, and counted by how they ended: the same as the plain way, whatever the index holds."""

from __future__ import annotations

import random
from array import array
from collections import Counter
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_row_places import COUNT, KINDS, held, lines_of, row_line, stretch
from tests.results.told_places import told_of
from tests.tui.work import make_service

from batchtui.domain.outcome import FLAWS, INVALID, OUTCOMES
from batchtui.results.filter import sort
from batchtui.results.row_ids import Place
from batchtui.results.source_order import by_source, in_source_order
from batchtui.results.view import View, as_sent

LAST = 1 << 40


class Indexed:
    """A view of which only some columns are known."""

    counts = View.counts

    def __init__(self, **columns: array[int]) -> None:
        self.columns = columns
        self.kept: dict[str, object] = {}

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, name: str) -> array[int]:
        return self.columns[name]


def view_of(**columns: array[int]) -> View:
    return cast("View", Indexed(**columns))


PLACES = st.one_of(
    st.integers(0, 12).flatmap(lambda count: st.permutations(range(count))),
    # Without a request, twice for one request, with requests that have no row before them.
    st.lists(st.integers(-1, 8), max_size=10),
)


@given(PLACES)
def test_rows_stand_as_their_requests_do_and_those_without_one_at_the_end(places: list[int]) -> None:
    plain = sorted(range(len(places)), key=lambda row: places[row] if places[row] >= 0 else LAST)
    assert [*as_sent(view_of(seq=array("i", places)))] == plain


@given(st.permutations(range(9)), st.sets(st.integers(0, 8)), st.booleans())
def test_any_rows_come_in_the_order_of_the_source(order: list[int], chosen: set[int], reverse: bool) -> None:
    view = view_of(seq=array("i", order))
    kept = view.kept["source_order"] = array("I", order)
    expected = [row for row in order if row in chosen][:: -1 if reverse else 1]
    assert [*by_source(view, chosen, reverse=reverse)] == expected
    assert [*sort(view, array("I", chosen), "source", reverse=reverse)] == expected
    assert [*kept] == order


@given(st.lists(st.tuples(st.integers(0, len(OUTCOMES) - 1), st.integers(0, len(FLAWS) - 1))))
def test_the_counts_are_those_of_the_rows(ended: list[tuple[int, int]]) -> None:
    # Only what succeeded can be flawed.
    ended = [(outcome, 0 if outcome else flaw) for outcome, flaw in ended]
    found = view_of(outcome=array("B", [o for o, _ in ended]), cut=array("B", [f for _, f in ended])).counts()
    plain = Counter(OUTCOMES[outcome] for outcome, _ in ended)
    usable = sum(pair == (OUTCOMES.index("succeeded"), 0) for pair in ended)
    invalid = sum(flaw == INVALID for _, flaw in ended)
    cut = sum(flaw not in (0, INVALID) for _, flaw in ended)
    own = {"all": len(ended), "good": usable, "usable": usable, "cut_short": cut, "invalid": invalid}
    assert found == {**{name: plain[name] for name in OUTCOMES}, **own}


STRETCHES = {
    "first stretch only": [stretch(1, 300, 1)],
    "last stretch only": [stretch(301, COUNT, 301)],
    "stretches with a gap": [stretch(1, 300, 1), stretch(401, COUNT, 401)],
    "stretches of one place": [stretch(1, 300, 1), stretch(301, COUNT, 200)],
    "stretches that follow": [stretch(301, COUNT, 901), stretch(1, 300, 1)],
}


@pytest.mark.parametrize("kind", [*KINDS, *STRETCHES, "sources in turn", "first requests only"])
def test_the_order_is_that_of_the_places_whatever_ids_jsonl_says(tmp_path: Path, kind: str) -> None:
    rows = [row_line(number, source=number % 2 + 1) for number in range(COUNT)]
    odd = {**STRETCHES, "sources in turn": rows, "first requests only": lines_of("own ids")[:300]}
    results = random.Random(kind).sample(range(COUNT), COUNT - 9)
    view = held(make_service(tmp_path), "one", odd.get(kind, []) or lines_of(kind), results)
    # Numbers that no source has say nothing.
    found = told_of(view) if kind != "huge" else [Place("", 0, 0)] * len(view)
    spots = [(each.source or LAST, each.number if each.source else 0) for each in found]
    assert [*in_source_order(view)] == sorted(as_sent(view), key=spots.__getitem__)
