"""A run's batches are one: the best answer of each request, in the order of the source, nothing dropped."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path

from result_lines import PRICES, batch, canceled, errored, expired, good, line, message, request, store

from batchtui.present.compared import compared_lines
from batchtui.results.compare import compare, diff_lines, indented
from batchtui.results.filter import parse_filter, sort
from batchtui.results.requests_again import choose, write_requests
from batchtui.results.run_view import open_run
from batchtui.results.search import select


def test_success_over_failure_good_over_cut_short_later_over_earlier(tmp_path: Path) -> None:
    ids = ["a", "b", "c", "d", "e"]
    first = [
        good("a", "first a"),
        errored("b"),
        good("c", "half", stop="max_tokens"),
        expired("d"),
        errored("e", text="one"),
    ]
    second = [errored("a"), good("b", "now b"), good("c", "whole"), canceled("d"), errored("e", text="two")]
    store(tmp_path / "0", first, ids)
    store(tmp_path / "1", second, ids)
    run = open_run([(tmp_path / "0", 0), (tmp_path / "1", 1)], PRICES)
    assert [run.first_words(i) for i in range(5)] == ["first a", "now b", "whole", "", "two"]
    assert [run.row(i).attempt for i in range(5)] == [0, 1, 1, 1, 1]
    assert [run.row(i).outcome for i in range(5)] == ["succeeded", "succeeded", "succeeded", "canceled", "errored"]
    assert [run.row(i).older for i in range(5)] == [1] * 5
    member, place = run.older(4)[0]
    assert run.members[member].raw(place) == first[4].strip()
    assert run.good_after() == [(0, 1), (1, 3)]
    assert run.tally.cost_usd == Decimal("0.0002") * 4
    assert run.tally.lines == 5


def test_parts_and_retries_keep_the_order_of_the_source(tmp_path: Path) -> None:
    rng = random.Random(7)
    ids = [f"r{n:03d}" for n in range(90)]
    folders, failed = [], []
    kinds = [errored, expired, canceled, lambda i: errored(i, "api_error"), lambda i: line(i, {"type": "postponed"})]
    for part in range(3):
        own = ids[part * 30 : part * 30 + 30]
        lines = []
        for custom_id in own:
            if rng.random() < 0.3:
                lines.append(rng.choice(kinds)(custom_id))
                failed.append(custom_id)
            else:
                lines.append(good(custom_id, f"answer {custom_id}"))
        rng.shuffle(lines)
        folder = tmp_path / f"part{part}"
        store(folder, lines, own)
        folders.append((folder, 0))
    for attempt in (1, 2):
        again = failed
        failed = again[: len(again) // 2] if attempt == 1 else []
        lines = [good(i, f"answer {i}") if i not in failed else errored(i) for i in again]
        rng.shuffle(lines)
        store(tmp_path / f"retry{attempt}", lines, again)
        folders.append((tmp_path / f"retry{attempt}", attempt))
    run = open_run(folders, PRICES)
    assert run.ids() == ids
    assert [run.row(i).custom_id for i in range(90)] == ids
    assert run.tally.good == len(run)
    assert run.good_after()[-1] == (2, 90)
    assert [run.first_words(i) for i in range(90)] == [f"answer {i}" for i in ids]
    assert [run.id(i) for i in select(run, parse_filter("answer is:good"))] == ids
    first = list(select(run, parse_filter("attempt:1")))
    assert first == [i for i in range(90) if not run.row(i).attempt]  # counted from 1, as columns and templates do
    assert list(select(run, parse_filter("attempt>=2"))) == [i for i in range(90) if run.row(i).attempt]
    assert list(select(run, parse_filter("is:retried"))) == [i for i in range(90) if run.row(i).older]


def test_a_waiting_retry_hides_nothing(tmp_path: Path) -> None:
    store(tmp_path / "0", [errored("a"), good("b")], ["a", "b"])
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "requests.jsonl").write_bytes(request("a"))
    (tmp_path / "2").mkdir()
    run = open_run([(tmp_path / "0", 0), (tmp_path / "1", 1), (tmp_path / "2", 2)], PRICES)
    assert [run.row(i).outcome for i in range(2)] == ["errored", "succeeded"]
    assert run.row(0).older == 0
    assert run.left_out == (tmp_path / "2",)


def test_a_part_not_yet_ended_waits_and_a_missing_line_is_missing(tmp_path: Path) -> None:
    store(tmp_path / "0", [good("a")], ["a", "lost"])
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "requests.jsonl").write_bytes(request("later"))
    run = open_run([(tmp_path / "0", 0), (tmp_path / "1", 0)], PRICES)
    assert [run.row(i).outcome for i in range(3)] == ["succeeded", "missing", "waiting"]
    assert run.tally.missing == 1
    assert run.tally.lines == 1
    assert run.tally.good < len(run)


def test_names_of_all_batches_share_one_numbering(tmp_path: Path) -> None:
    store(
        tmp_path / "0", [errored("a", "api_error"), errored("b", "overloaded_error"), good("c", stop="stop_sequence")]
    )
    store(tmp_path / "1", [errored("d", "overloaded_error"), good("e", model="claude-haiku-5-5")])
    run = open_run([(tmp_path / "0", 0), (tmp_path / "1", 0)], PRICES)
    assert {g.kind: g.count for g in run.groups()} == {"overloaded_error": 2, "api_error": 1}
    assert [run.id(i) for i in select(run, parse_filter("error:overloaded_error"))] == ["b", "d"]
    assert [run.id(i) for i in select(run, parse_filter("model:haiku"))] == ["e"]
    assert run.row(3).error == "overloaded_error"
    assert [run.id(i) for i in sort(run, range(5), "error", reverse=True)] == ["b", "d", "a", "c", "e"]
    assert [run.id(i) for i in sort(run, range(5), "tokens", reverse=True)][:2] == ["c", "e"]


def test_lines_without_an_id_stay_apart(tmp_path: Path) -> None:
    store(tmp_path / "0", [b"torn\n", b"torn too\n"])
    run = open_run([(tmp_path / "0", 0), (tmp_path / "0", 1)], PRICES)
    assert len(run) == 4


def test_a_run_is_put_right_through_its_retry_files(tmp_path: Path) -> None:
    ids = [f"q{n}" for n in range(40)]
    store(tmp_path / "0", [good(i) if int(i[1:]) % 4 else errored(i) for i in ids], ids)
    run = open_run([(tmp_path / "0", 0)], PRICES)
    (tmp_path / "1").mkdir()
    written = write_requests(run, choose(run), tmp_path / "1" / "requests.jsonl")
    assert written.requests == 10
    sent = [json.loads(each)["custom_id"] for each in (tmp_path / "1" / "requests.jsonl").read_bytes().splitlines()]
    store(tmp_path / "1", [good(i) for i in sent])
    again = open_run([(tmp_path / "0", 0), (tmp_path / "1", 1)], PRICES)
    assert again.tally.good == len(again)
    assert again.ids() == ids
    assert again.request_raw(0) == request("q0").strip()


def test_a_comparison_tells_what_changed(tmp_path: Path) -> None:
    left = batch(
        tmp_path / "l",
        [good("same"), good("other", "one\ntwo"), errored("fixed"), good("broke"), errored("bad"), good("left")],
    )
    right = batch(
        tmp_path / "r",
        [
            good("right"),
            good("broke", stop="max_tokens"),
            good("fixed"),
            expired("bad"),
            good("other", "one\n2"),
            good("same"),
        ],
    )
    found = compare(left, right)
    kinds = {found.pair(n).custom_id: found.pair(n).kind for n in range(len(found))}
    assert kinds == {
        "same": "same",
        "other": "differs",
        "fixed": "fixed",
        "broke": "broke",
        "bad": "failed",
        "left": "only_left",
        "right": "only_right",
    }
    assert found.counts()["differs"] == 1
    assert found.totals().requests == 5
    assert found.totals().good == (3, 3)
    assert [(d.left, d.right, d.changed) for d in found.diff(1)] == [("one", "one", False), ("two", "2", True)]
    said = "\n".join(compared_lines(found))
    assert "usable now     fixed" in said
    assert "same       " not in said
    assert len(list(compared_lines(found, everything=True))) == len(list(compared_lines(found))) + 1
    json.dumps(found.summary())


def test_json_is_compared_value_by_value() -> None:
    assert indented('{"a":1,"b":[]}').splitlines() == ["{", '  "a": 1,', '  "b": []', "}"]
    assert indented("[x") == indented("text") == ""


def test_long_texts_are_compared_in_time() -> None:
    left = "\n".join(f"{n % 7}" for n in range(20_000))
    right = "\n".join(f"{n % 5}" for n in range(20_000))
    found = diff_lines(left, right)
    assert "\n".join(d.left for d in found if d.left is not None) == left
    assert "\n".join(d.right for d in found if d.right is not None) == right


def test_other_tool_inputs_are_another_answer_though_the_text_is_the_same(tmp_path: Path) -> None:
    def said(amount: int) -> bytes:
        call = {"type": "tool_use", "id": "t", "name": "set", "input": {"a": amount}}
        return message("a", [{"type": "text", "text": "I set it."}, call])

    one, other = tmp_path / "one", tmp_path / "other"
    left, right = batch(one, [said(1)], ["a"]), batch(other, [said(2)], ["a"])
    assert compare(left, right).counts()["differs"] == 1


def test_a_result_of_an_unknown_type_is_looked_at_before_it_is_sent_again(tmp_path: Path) -> None:
    view = batch(tmp_path, [line("a", {"type": "deferred"})], ["a"])
    [group] = view.groups()
    assert group.retry == "later" and "may hold an answer" in group.advice
