"""Results come in whole, are counted, indexed and opened again, whatever their lines hold."""

from __future__ import annotations

import errno
import json
import os
import random
import tempfile
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from result_lines import MODEL, PRICES, batch, canceled, errored, expired, good, line, message, request, store

from batchtui.domain.errors import IncompleteResults, Stopped, StoreError
from batchtui.domain.money import Usage, load_prices
from batchtui.domain.work import Work
from batchtui.results import index, line_splitter, storage
from batchtui.results.filter import parse_filter
from batchtui.results.index import LAYOUT, Index
from batchtui.results.indexer import Indexer
from batchtui.results.request_matcher import RequestMatcher
from batchtui.results.search import select
from batchtui.results.storage import ResultSink, index_requests, open_results
from batchtui.store.records import INDEX, PART, RESULTS

MIXED = [
    good("a", "Alpha"),
    good("b", "Beta", stop="max_tokens"),
    errored("c"),
    expired("d"),
    canceled("e"),
    line("f", {"type": "postponed", "until": "tomorrow"}),
    b"this is no JSON\n",
]


def test_every_outcome_is_counted_and_shown_for_what_it_is(tmp_path: Path) -> None:
    view = batch(tmp_path, MIXED, list("abcdefg"))
    outcomes = [view.row(i).outcome for i in range(len(view))]
    assert outcomes == ["succeeded", "succeeded", "errored", "expired", "canceled", "unknown", "unreadable", "missing"]
    assert view.row(7).custom_id == "g"
    assert view.row(1).cut_short == "max_tokens"
    assert not view.row(1).good
    tally = view.tally
    assert (tally.lines, tally.succeeded, tally.cut_short, tally.errored, tally.expired, tally.canceled) == (
        7,
        2,
        1,
        1,
        1,
        1,
    )
    assert (tally.unknown, tally.unreadable, tally.missing, tally.unexpected) == (1, 1, 1, 1)
    assert view.counts()["good"] == 1
    assert view.raw(5) == MIXED[5].rstrip(b"\n")
    assert view.raw(7) == b""
    assert json.loads(view.request_raw(7) or b"")["custom_id"] == "g"
    assert view.request_raw(6) is None


def test_finish_and_a_later_rebuild_agree(tmp_path: Path) -> None:
    counted = store(tmp_path, MIXED, list("abcdefg"))
    (tmp_path / INDEX).unlink()
    view = open_results(tmp_path, PRICES)
    assert view.tally == counted
    assert (tmp_path / INDEX).exists()


def test_the_real_lines_of_the_service_are_read(tmp_path: Path) -> None:
    real = (
        b'{"custom_id":"probe-bad","result":{"type":"errored","error":{"type":"error","error":{"details":'
        b'{"error_visibility":"user_facing"},"type":"invalid_request_error","message":"messages: at least one message '
        b'is required"},"request_id":null}}}\n'
        b'{"custom_id":"probe-beta","result":{"type":"succeeded","message":{"model":"claude-haiku-4-5-20251001","id":'
        b'"msg_01","type":"message","role":"assistant","content":[{"type":"text","text":"BETA"}],"stop_reason":'
        b'"end_turn","stop_sequence":null,"stop_details":null,"usage":{"input_tokens":14,"cache_creation_input_tokens"'
        b':0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0'
        b'},"output_tokens":5,"service_tier":"batch","inference_geo":"not_available"}}}}\n'
    )
    view = batch(tmp_path, [real])
    assert view.row(0).error == "invalid_request_error"
    assert view.row(1).good
    assert view.row(1).cost_usd == Decimal("0.0000195")
    assert view.first_words(1) == "BETA"
    assert view.first_words(0) == "messages: at least one message is required"


@pytest.mark.parametrize(
    ("content", "cut"),
    [
        ([], "empty"),
        ([{"type": "text", "text": ""}], "empty"),
        ([{"type": "text", "text": " \n\t"}], "empty"),
        ([{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": ""}], "empty"),
        ([{"type": "text", "text": "\n\nYes"}], ""),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Yes"}], ""),
        ([{"type": "tool_use", "id": "t", "name": "find", "input": {"q": 1}}], ""),
        ([{"type": "something_new", "data": 1}], ""),
        ("plain", ""),
    ],
)
def test_an_answer_without_words_is_cut_short(tmp_path: Path, content: list[object], cut: str) -> None:
    assert batch(tmp_path, [message("a", content)]).row(0).cut_short == cut


@pytest.mark.parametrize("stop", ["max_tokens", "refusal", "pause_turn", "model_context_window_exceeded"])
def test_stop_reasons_that_are_not_usable_are_cut_short(tmp_path: Path, stop: str) -> None:
    row = batch(tmp_path, [good("a", stop=stop)]).row(0)
    assert row.cut_short == stop
    assert not row.good


def test_a_stop_reason_of_tomorrow_is_kept_by_name(tmp_path: Path) -> None:
    row = batch(tmp_path, [good("a", stop="tired")]).row(0)
    assert (row.stop_reason, row.cut_short) == ("tired", "")


def test_duplicates_are_counted_and_both_are_shown(tmp_path: Path) -> None:
    view = batch(tmp_path, [good("a", "one"), good("b"), good("a", "two")], ["a", "b"])
    assert view.tally.duplicates == 1
    assert [view.row(i).duplicate for i in range(3)] == [False, False, True]
    assert [view.row(i).source for i in range(3)] == [0, 1, 0]
    assert view.request_raw(2) == view.request_raw(0)


def test_blank_lines_and_a_last_line_without_newline_are_fine(tmp_path: Path) -> None:
    view = batch(tmp_path, [b"\n", good("a"), b"  \r\n", good("b").rstrip(b"\n")], ["a", "b"])
    assert len(view) == 2
    assert view.header.blank == 2
    assert [view.row(i).line for i in range(2)] == [2, 4]
    assert view.raw(1) == good("b").rstrip(b"\n")


@pytest.mark.parametrize(
    "odd",
    [
        b'{"custom_id":"a\\ud800","result":{"type":"expired"}}',
        b'{"custom_id":"a","result":{"type":"errored","error":null}}',
        b'{"custom_id":"a","result":{"type":"errored","error":{"error":"gone"}}}',
        b'{"custom_id":"a","result":{"type":"errored","error":{"type":"overloaded_error","message":"flat"}}}',
        b'{"custom_id":7,"result":{"type":"canceled"}}',
        b'{"custom_id":"a","result":{"type":"succeeded"}}',
        b'{"custom_id":"a","result":{"type":"succeeded","message":[]}}',
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":null,"usage":{"input_tokens":-5}}}}',
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":[1,null],"usage":{"input_tokens":1e30}}}}',
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"usage":{"output_tokens":99999999999999999999}}}}',
        b'{"custom_id":"a","result":{"type":null}}',
        b'{"custom_id":"a","result":[]}',
        b'{"custom_id":"a"}',
        b'{"result":{"type":"expired"}}',
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"custom_id":"\xff\xfe","result":{"type":"expired"}}',
        b'{"custom_id":"a","result":' + b"[" * 100_000,
        b'{"custom_id":"a","result":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"custom_id":"' + b"x" * 100_000 + b'","result":{"type":"expired"}}',
        b'\xef\xbb\xbf{"custom_id":"a","result":{"type":"expired"}}',
        b'{"custom_id":"a","result":{"type":"succeeded","message":{"content":[],"usage":{"input_tokens":NaN}}}}',
    ],
)
def test_an_odd_line_never_ends_the_view(tmp_path: Path, odd: bytes) -> None:
    view = batch(tmp_path, [good("x"), odd + b"\n", good("y")], ["x", "y", "a"])
    assert view.raw(1) == odd
    assert view.row(1).outcome in ("succeeded", "errored", "canceled", "expired", "unknown", "unreadable")
    assert view.row(2).custom_id == "y"
    assert view.row(2).good
    view.first_words(1)
    view.groups()


def test_very_large_lines_of_an_odd_shape_are_told_for_what_they_are(tmp_path: Path) -> None:
    big = "x" * 2_500_000
    succeeded = {"type": "succeeded", "message": {"model": MODEL, "content": big, "stop_reason": "end_turn"}}
    succeeded["message"]["usage"] = {"input_tokens": 100, "output_tokens": 20}  # type: ignore[index]
    bomb = (
        b'{"custom_id":"bomb","result":{"type":"succeeded","message":{"content":' + b"[" * 1_500_000 + b"]" * 1_500_000
    )
    many = b'{"custom_id":"many","result":{"type":"hologram","x":[' + b"{}," * 1_000_000 + b"{}]}}\n"
    lines = [line("new", {"type": "hologram", "beam": big}), line("text", succeeded), bomb + b"}}}\n", many]
    view = batch(tmp_path, [*lines, good("y")], ["new", "text", "bomb", "many", "y"])
    assert [view.row(n).custom_id for n in range(5)] == ["new", "text", "bomb", "many", "y"]
    assert [view.row(n).outcome for n in range(5)] == ["unknown", "succeeded", "unreadable", "unknown", "succeeded"]
    assert view.row(1).good and (view.row(1).input_tokens, view.row(1).output_tokens) == (100, 20)
    assert view.row(1).cost_usd == view.row(4).cost_usd


def test_lone_surrogates_in_an_answer_leave_it_succeeded(tmp_path: Path) -> None:
    raw = good("a", "PLACE").replace(b"PLACE", b"before \\ud83d after \\\\ud800 \\ud83d\\ude00")
    view = batch(tmp_path, [raw], ["a"])
    assert view.row(0).good
    assert view.row(0).output_tokens == 20


def test_a_line_longer_than_is_held_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_splitter, "HOLD", 1000)
    long = good("long", "word " * 5000)
    (tmp_path / "requests.jsonl").write_bytes(request("short") + request("long"))
    sink = ResultSink(tmp_path, expected=2, prices=PRICES)
    whole = good("short") + long.rstrip(b"\n")
    for start in range(0, len(whole), 700):
        sink.write(whole[start : start + 700])
    assert sink.finish().succeeded == 2
    view = open_results(tmp_path, PRICES)
    assert view.row(1).custom_id == "long"
    assert view.row(1).good
    assert view.raw(1) + b"\n" == long


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([*MIXED, b"\n", b"{}\n", good("ü", "Ärger")]), max_size=12),
    st.integers(1, 200),
    st.booleans(),
)
def test_any_pieces_give_the_same_index(tmp_path: Path, lines: list[bytes], piece: int, newline: bool) -> None:
    whole = b"".join(lines) if newline else b"".join(lines).rstrip(b"\n")
    sink = ResultSink(tmp_path, expected=0, prices=PRICES)
    for start in range(0, len(whole), piece):
        sink.write(whole[start : start + piece])
    counted = sink.finish(accept_short=True)
    assert (tmp_path / RESULTS).read_bytes() == whole
    (tmp_path / INDEX).unlink()
    assert open_results(tmp_path, PRICES).tally == counted
    assert counted.lines == len([part for part in whole.split(b"\n") if part.strip()])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_random_bytes_never_crash(tmp_path: Path, noise: bytes) -> None:
    view = batch(tmp_path, [good("a"), noise, b"\n"])
    for row in range(len(view)):
        view.row(row)
        view.first_words(row)


def test_too_few_lines_are_incomplete_and_the_part_is_kept(tmp_path: Path) -> None:
    sink = ResultSink(tmp_path, expected=3, prices=PRICES)
    sink.write(good("a") + good("b"))
    with pytest.raises(IncompleteResults) as caught:
        sink.finish()
    assert (caught.value.lines, caught.value.expected) == (2, 3)
    assert "2 of 3" in str(caught.value)
    assert (tmp_path / PART).read_bytes() == good("a") + good("b")
    assert not (tmp_path / RESULTS).exists()


def test_a_torn_tail_is_incomplete(tmp_path: Path) -> None:
    sink = ResultSink(tmp_path, expected=2, prices=PRICES)
    sink.write(good("a") + good("b")[:-20])
    with pytest.raises(IncompleteResults) as caught:
        sink.finish()
    assert caught.value.lines == 1
    assert caught.value.whole == len(good("a"))


def test_more_lines_than_expected_are_stored_and_said(tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_bytes(request("a"))
    sink = ResultSink(tmp_path, expected=1, prices=PRICES)
    sink.write(good("a") + good("stranger"))
    assert sink.finish().unexpected == 1


@pytest.mark.parametrize("seed", range(12))
def test_a_part_cut_at_any_byte_is_taken_up_again(tmp_path: Path, seed: int) -> None:
    whole = b"".join(MIXED[:6])
    cut = random.Random(seed).randrange(len(whole))
    (tmp_path / PART).write_bytes(whole[:cut])
    sink = ResultSink(tmp_path, expected=6, prices=PRICES, resume=True)
    assert sink.bytes == whole.rfind(b"\n", 0, cut) + 1
    sink.write(whole[sink.bytes :])
    sink.finish()
    assert (tmp_path / RESULTS).read_bytes() == whole
    assert not (tmp_path / PART).exists()


def test_without_resume_a_part_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / PART).write_bytes(good("old") * 50)
    sink = ResultSink(tmp_path, expected=1, prices=PRICES)
    sink.write(good("new"))
    sink.finish()
    assert (tmp_path / RESULTS).read_bytes() == good("new")


def test_a_full_disk_is_said_and_the_part_can_be_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = ResultSink(tmp_path, expected=2, prices=PRICES)
    sink.write(good("a"))
    sink._flushed()

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(sink_file, name)

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    sink_file = sink._file
    monkeypatch.setattr(sink, "_file", Full())
    with pytest.raises(StoreError) as caught:
        sink.write(good("b"))
    assert "No space left" in str(caught.value)
    assert caught.value.advice
    again = ResultSink(tmp_path, expected=2, prices=PRICES, resume=True)
    assert again.lines == 1
    again.write(good("b"))
    assert again.finish().succeeded == 2


def test_files_are_private_and_links_are_not_followed(tmp_path: Path) -> None:
    store(tmp_path, [good("a")])
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in (RESULTS, INDEX)} == {0o600}
    other = tmp_path / "other"
    other.mkdir()
    (other / PART).symlink_to(tmp_path / RESULTS)
    with pytest.raises(StoreError):
        ResultSink(other, expected=1, prices=PRICES)
    assert (tmp_path / RESULTS).read_bytes() == good("a")


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_index_is_made_anew(tmp_path: Path, seed: int) -> None:
    counted = store(tmp_path, MIXED, list("abcdefg"))
    path = tmp_path / INDEX
    data = bytearray(path.read_bytes())
    random_ = random.Random(seed)
    if seed % 2:
        data[random_.randrange(len(data))] ^= 0x41
    else:
        del data[random_.randrange(len(data)) :]
    path.write_bytes(bytes(data))
    view = open_results(tmp_path, PRICES)
    assert view.tally == counted
    assert [view.row(i).custom_id for i in range(6)] == list("abcdef")


def test_an_index_of_other_files_is_made_anew(tmp_path: Path) -> None:
    store(tmp_path / "one", [good("a"), good("b")])
    store(tmp_path / "two", [good("c")])
    (tmp_path / "two" / INDEX).write_bytes((tmp_path / "one" / INDEX).read_bytes())
    assert open_results(tmp_path / "two", PRICES).ids() == ["c"]
    (tmp_path / "two" / INDEX).write_bytes(b"batchtui-index\n\0" + b"\xff" * 8)
    assert open_results(tmp_path / "two", PRICES).ids() == ["c"]


def test_other_prices_make_the_costs_anew(tmp_path: Path) -> None:
    first = batch(tmp_path, [good("a")]).tally.cost_usd
    dear = load_prices({MODEL: {"input": 200, "output": 1000}})
    assert open_results(tmp_path, dear).tally.cost_usd == (first or 0) * 100


def test_requests_alone_open_as_waiting(tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_bytes(request("a") + request("b"))
    view = open_results(tmp_path, PRICES)
    assert not view.stored
    assert [view.row(i).outcome for i in range(2)] == ["waiting", "waiting"]
    assert view.tally.missing == 0
    with pytest.raises(StoreError):
        open_results(tmp_path / "nowhere", PRICES)


def test_a_part_is_shown_as_far_as_it_came(tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_bytes(request("a") + request("b") + request("c"))
    (tmp_path / PART).write_bytes(good("a", "here") + good("b", "Nadel")[:-30])
    view = open_results(tmp_path, PRICES)
    assert view.partial
    assert [(view.row(i).custom_id, view.row(i).outcome) for i in range(3)] == [
        ("a", "succeeded"),
        ("b", "waiting"),
        ("c", "waiting"),
    ]
    assert not (tmp_path / INDEX).exists()
    assert list(select(view, parse_filter("nadel"))) == []
    assert list(select(view, parse_filter("here"))) == [0]


def test_reading_stops_when_told(tmp_path: Path) -> None:
    store(tmp_path, [good("a")], ["a"])
    (tmp_path / INDEX).unlink()
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        open_results(tmp_path, PRICES, Work(stop=stop))


def test_costs_equal_those_of_the_raw_lines(tmp_path: Path) -> None:
    rng = random.Random(4)
    lines, expected = [], Decimal(0)
    models = [MODEL, "claude-haiku-5-5", "claude-opus-4-8", "claude-haiku-4-5"]
    for number in range(300):
        usage = {
            "input_tokens": rng.randrange(200_000),
            "output_tokens": rng.randrange(5000),
            "cache_creation_input_tokens": 700,
            "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 200},
            "cache_read_input_tokens": rng.randrange(9000),
            "server_tool_use": {"web_search_requests": rng.randrange(3)},
            "inference_geo": rng.choice(["us", "global", None]),
        }
        model = rng.choice(models)
        lines.append(good(f"r{number}", model=model, **usage))
        cost = PRICES.cost(
            Usage(
                model=model,
                input_tokens=usage["input_tokens"],
                output_tokens=usage["output_tokens"],
                cache_write_5m=500,
                cache_write_1h=200,
                cache_read=usage["cache_read_input_tokens"],
                web_searches=usage["server_tool_use"]["web_search_requests"],
                geo=usage["inference_geo"] or "",
            )
        )
        assert cost is not None
        expected += cost
    view = batch(tmp_path, [*lines, errored("e")])
    assert view.tally.cost_usd == expected
    assert sum((view.row(i).cost_usd or Decimal(0) for i in range(len(view))), Decimal(0)) == expected
    assert view.tally.standard_usd is not None
    assert view.tally.standard_usd > expected


def test_unpriced_models_are_named_and_never_guessed(tmp_path: Path) -> None:
    view = batch(tmp_path / "one", [good("a", model="claude-next-9")])
    assert view.row(0).cost_usd is None
    assert view.tally.cost_usd is None
    assert view.tally.unpriced == ("claude-next-9",)
    mixed = batch(tmp_path / "two", [good("a", model="claude-next-9"), good("b")]).tally
    assert mixed.cost_usd == Decimal("0.0002")
    assert mixed.unpriced == ("claude-next-9",)
    assert batch(tmp_path / "three", [errored("a")]).tally.cost_usd == 0


def test_groups_join_equal_errors_and_say_what_helps(tmp_path: Path) -> None:
    view = batch(
        tmp_path,
        [
            *(errored(f"o{n}", "overloaded_error", "Overloaded") for n in range(3)),
            *(
                errored(f"p{n}", "invalid_request_error", f"messages.{n}: prompt is too long: {n}00 tokens")
                for n in range(4)
            ),
            errored("credit", "invalid_request_error", "Your credit balance is too low"),
            errored("limit", "api_error", "Spend", "enforced_spend_limit_reached"),
            expired("x"),
            good("cut", stop="max_tokens"),
            good("fine"),
        ],
    )
    groups = {group.title: group for group in view.groups()}
    long = groups["invalid_request_error: messages.N: prompt is too long: N tokens"]
    assert (long.count, long.retry, long.retry_helps) == (4, "changed", False)
    assert groups["overloaded_error: Overloaded"].retry_helps
    assert groups["invalid_request_error: Your credit balance is too low"].retry == "later"
    assert groups["api_error: Spend"].retry == "later"
    assert groups["expired"].retry_helps
    assert groups["max_tokens"].outcome == "succeeded"
    assert sum(group.count for group in groups.values()) == 11
    assert [g.count for g in view.groups([0, 1, 10])] == [2, 1]


def test_a_closed_view_says_so(tmp_path: Path) -> None:
    view = batch(tmp_path, [good("a")])
    view.close()
    with pytest.raises(StoreError):
        view.raw(0)
    assert view.row(0).good


def test_a_read_only_folder_still_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = store(tmp_path, MIXED)
    (tmp_path / INDEX).unlink()
    real = os.open

    def refuse(path: object, flags: int, *rest: int, **more: object) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    assert open_results(tmp_path, PRICES).tally == counted


def test_lines_taken_together_and_one_by_one_make_the_same_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = {"cache_creation_input_tokens": 70, "cache_read_input_tokens": 9, "inference_geo": "us"}
    lines = [
        good("plain"),
        good("long-prompt", input_tokens=120_000, output_tokens=77),
        good("cached", **cached, cache_creation={"ephemeral_1h_input_tokens": 30, "ephemeral_5m_input_tokens": 50}),
        good("searched", server_tool_use={"web_search_requests": 3}),
        good("cut", stop="max_tokens"),
        good("empty", text=" "),
        good("unpriced", model="claude-of-tomorrow"),
        good("plain"),
        errored("failed"),
        expired("late"),
        canceled("stopped"),
        line("odd", {"type": "vanished"}),
        line("content", {"type": "succeeded", "message": {"content": "words alone"}}),
    ]
    whole = b"\n".join(each.rstrip(b"\n") for each in lines) + b"\n"

    def indexed() -> Index:
        made = Indexer(PRICES, lambda: -1, RequestMatcher(None))
        made.feed(whole)
        return made.finish((1, 1), (0, 0))

    together = indexed()
    monkeypatch.setattr(Indexer, "_take_all", lambda self, chunk, start, end: 0)
    alone = indexed()
    assert together.header == alone.header
    for name, _ in LAYOUT:
        assert getattr(together.columns, name) == getattr(alone.columns, name), name
    assert together.columns.ids == alone.columns.ids


def seqs_and_counts(folder: Path) -> tuple[object, ...]:
    """What an index knows of the requests."""
    view = open_results(folder, PRICES)
    columns = view.columns
    found = list(columns.seq), list(columns.request_offset), list(columns.request_length), columns.id_texts()
    view.close()
    return found, view.tally


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", "", "ü", "x" * 300, "x" * 301]), max_size=9),
    st.lists(st.sampled_from(["a", "b", "c", "stranger", "ü", "x" * 300]), max_size=9),
)
def test_an_index_of_the_requests_made_ahead_changes_nothing(tmp_path: Path, asked: list[str], came: list[str]) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    (folder / "requests.jsonl").write_bytes(b"".join(map(request, asked)))

    def fetched() -> tuple[object, ...]:
        sink = ResultSink(folder, expected=0, prices=PRICES)
        sink.write(b"".join(map(good, came)))
        sink.finish(accept_short=True)
        return seqs_and_counts(folder)

    plain = fetched()
    (folder / RESULTS).unlink()
    (folder / INDEX).unlink()
    index_requests(folder, PRICES)
    assert fetched() == plain


def test_a_request_whose_id_comes_twice_is_counted_each_time(tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_bytes(b"".join(map(request, "abbc")))
    waiting = open_results(tmp_path, PRICES)
    assert len(waiting) == 4 and list(waiting.columns.seq) == [0, 1, 2, 3]
    waiting.close()
    sink = ResultSink(tmp_path, expected=1, prices=PRICES)
    sink.write(good("a"))
    assert sink.finish(accept_short=True).missing == 3


def test_results_that_were_cut_while_open_are_an_error(tmp_path: Path) -> None:
    store(tmp_path, [good("a"), good("b")], ["a", "b"])
    view = open_results(tmp_path, PRICES)
    os.truncate(tmp_path / RESULTS, 10)
    for read in (lambda: view.raw(1), lambda: view.raws([0, 1])):
        with pytest.raises(StoreError, match="shorter than they were"):
            read()


def test_results_are_kept_when_the_requests_cant_be_read(tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").mkdir()
    sink = ResultSink(tmp_path, expected=1, prices=PRICES)
    sink.write(good("a"))
    with pytest.raises(StoreError):
        sink.finish()
    assert (tmp_path / PART).read_bytes() == good("a")


def test_an_index_of_the_requests_that_comes_late_leaves_that_of_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requests.jsonl").write_bytes(request("a"))
    plain = storage.waiting_index

    def slow(*given: Any) -> Any:
        sink = ResultSink(tmp_path, expected=1, prices=PRICES)
        sink.write(good("a"))
        sink.finish()
        return plain(*given)

    monkeypatch.setattr(storage, "waiting_index", slow)
    index_requests(tmp_path, PRICES)
    stamps = index.stamp(tmp_path / RESULTS), index.stamp(tmp_path / "requests.jsonl")
    held = index.load(tmp_path / INDEX, *stamps, PRICES)
    assert held is not None and held.header.tally.succeeded == 1
