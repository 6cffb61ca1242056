"""Verdicts that last, samples that can be weighted back."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchtui.domain.errors import StoreError
from batchtui.results.review import REVIEW, Review, Verdict, draw, gold_of, hash_of

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def test_the_last_verdict_of_a_row_and_field_holds_and_lasts(tmp_path: Path) -> None:
    review, beside = Review(tmp_path), Review(tmp_path)
    review.say(Verdict(row="id:1", field="tone", verdict="right", at=NOW))
    review.say(Verdict(row="id:1", field="topic", verdict="wrong", value="price", note="two topics", at=NOW))
    review.say(Verdict(row="id:1", field="tone", verdict="wrong", at=NOW, result=hash_of(b"{}\n")))
    assert beside.reload() and not beside.reload()
    for each in (review, beside, Review(tmp_path)):
        tone, topic = each.of("id:1", "tone"), each.of("id:1", "topic")
        assert tone and topic and (tone.verdict, topic.value, topic.note) == ("wrong", "price", "two topics")
        assert tone.result == hash_of(b"{}") and each.fields() == ["tone", "topic"] and len(each) == 2
    beside.say(Verdict(row="id:1", field="tone", at=NOW))
    assert review.of("id:1", "tone") is not None and review.reload()
    assert review.of("id:1", "tone") is None and len(review) == 1
    assert (tmp_path / REVIEW).stat().st_mode & 0o777 == 0o600


def test_a_torn_or_foreign_line_costs_itself_only(tmp_path: Path) -> None:
    review = Review(tmp_path)
    review.say(Verdict(row="a", verdict="right", at=NOW))
    path = tmp_path / REVIEW
    path.write_bytes(path.read_bytes() + b'\xff\n[1]\n{"row":"b","verdict":"rig')
    again = Review(tmp_path)
    assert again.unreadable == 2 and again.of("a") is not None
    again.say(Verdict(row="c", verdict="wrong", at=NOW))
    assert again.of("c") is not None and again.unreadable == 3 and Review(tmp_path).of("c") is not None
    assert path.read_bytes().count(b'"rig') == 2  # the first verdict's own, and the torn line, which stays
    path.write_bytes(b"")
    again.reload()
    assert len(again) == 0


def test_what_cant_be_written_changes_nothing(tmp_path: Path) -> None:
    review = Review(tmp_path)
    (tmp_path / REVIEW).mkdir()
    with pytest.raises(StoreError):
        review.say(Verdict(row="a", verdict="right", at=NOW))
    assert len(review) == 0
    with pytest.raises(StoreError):
        Review(tmp_path)


def test_samples(tmp_path: Path) -> None:
    rows = [f"id:{n}" for n in range(100)]
    values = ["pos"] * 80 + ["neg"] * 17 + ["mixed"] * 3
    whole = draw(rows, 30, at=NOW, seed=1)
    assert len(whole.rows) == len({each.row for each in whole.rows}) == 30 and len(whole.strata) == 1
    assert whole.rows == draw(rows, 30, at=NOW, seed=1).rows != draw(rows, 30, at=NOW, seed=2).rows
    equal = draw(rows, 30, at=NOW, by="tone", values=values, seed=1)
    taken = Counter(equal.strata[each.stratum].value for each in equal.rows)
    assert taken == {"pos": 14, "neg": 13, "mixed": 3}
    assert len(draw(rows, 500, at=NOW).rows) == 100 and len(draw(rows, 0, at=NOW).rows) == 1
    with pytest.raises(StoreError):
        draw([], 3, at=NOW)

    review = Review(tmp_path)
    assert review.progress() == (0, 0) and review.accuracy().value is None
    review.begin(equal)
    for each in equal.rows:
        right = equal.strata[each.stratum].value == "pos"
        review.say(Verdict(row=each.row, verdict="right" if right else "wrong", at=NOW))
    found = Review(tmp_path)
    assert found.progress() == (30, 30)
    estimate = found.accuracy()
    assert estimate.value == pytest.approx(0.8) and estimate.low is not None and estimate.low < 0.8


def test_gold_of_verdicts() -> None:
    said = [
        Verdict(row="a", verdict="right", at=NOW),
        Verdict(row="b", verdict="wrong", value="x", at=NOW),
        Verdict(row="c", verdict="wrong", at=NOW),
        Verdict(row="d", note="odd", at=NOW),
    ]
    assert gold_of(said, lambda each: each.row.upper()) == {"a": "A", "b": "x"}
