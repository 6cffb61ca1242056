"""Of two downloads the one that holds more of the batch is kept, and never another batch's in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.results.result_lines import PRICES, good, request

from batchtui.domain.errors import IncompleteResults
from batchtui.results.storage import ResultSink, held_in, keep_better, take_short
from batchtui.store.records import NEWER, PART, RESULTS

IDS = ["a", "b", "c", "d"]


def lines(ids: str) -> bytes:
    return b"".join(map(good, ids))


def sent(folder: Path) -> None:
    (folder / "requests.jsonl").write_bytes(b"".join(map(request, IDS)))


@pytest.mark.parametrize(
    ("held", "came", "kept"),
    [
        ("abc", "ab", "abc"),
        ("ab", "abc", "abc"),
        ("abc", "wxyz", "abc"),
        ("abw", "abc", "abc"),
        ("aabb", "cd", "aabb"),
        ("abcx", "abc", "abc"),
    ],
)
@pytest.mark.parametrize("name", [PART, RESULTS])
def test_the_better_of_two_is_kept(tmp_path: Path, held: str, came: str, kept: str, name: str) -> None:
    sent(tmp_path)
    (tmp_path / name).write_bytes(lines(held))
    (tmp_path / NEWER).write_bytes(lines(came))
    assert keep_better(tmp_path, PRICES) is (kept == came)
    assert (tmp_path / name).read_bytes() == lines(kept)
    assert not (tmp_path / NEWER).exists()


def test_a_batch_made_elsewhere_keeps_its_own_results(tmp_path: Path) -> None:
    (tmp_path / PART).write_bytes(lines("abc"))
    (tmp_path / NEWER).write_bytes(lines("vwxyz"))
    assert not keep_better(tmp_path, PRICES)
    sink = ResultSink(tmp_path, expected=5, prices=PRICES, beside=True)
    sink.write(lines("vwxyz"))
    with pytest.raises(IncompleteResults):
        sink.finish()
    assert not keep_better(tmp_path, PRICES) and (tmp_path / PART).read_bytes() == lines("abc")
    sink = ResultSink(tmp_path, expected=5, prices=PRICES, beside=True)
    sink.write(lines("abcde"))
    assert sink.finish().lines == 5
    assert [path.name for path in sorted(tmp_path.glob("results.jsonl*"))] == [RESULTS]


def test_whole_results_stay_when_others_with_the_same_ids_come(tmp_path: Path) -> None:
    sent(tmp_path)
    (tmp_path / RESULTS).write_bytes(lines("abcd"))
    sink = ResultSink(tmp_path, expected=4, prices=PRICES, beside=True)
    sink.write(b"".join(good(each, "another answer") for each in IDS))
    assert sink.finish().succeeded == 4
    assert (tmp_path / RESULTS).read_bytes() == lines("abcd") and not (tmp_path / NEWER).exists()


def test_as_many_lines_are_not_whole_and_what_came_can_be_taken_for_all(tmp_path: Path) -> None:
    sent(tmp_path)
    sink = ResultSink(tmp_path, expected=4, prices=PRICES)
    sink.write(lines("abc") + b"<html>\n")
    with pytest.raises(IncompleteResults) as caught:
        sink.finish()
    assert (caught.value.ours, caught.value.lines, caught.value.expected) == (3, 4, 4)
    held = held_in(tmp_path, PART, PRICES)
    assert held is not None and (held.ours, held.sent, held.unreadable) == (3, 4, 1)
    assert take_short(tmp_path, PRICES).missing == 1
    assert (tmp_path / RESULTS).exists() and not (tmp_path / PART).exists()
