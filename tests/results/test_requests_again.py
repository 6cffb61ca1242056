"""A retry sends exactly the chosen requests again, byte for byte or changed as asked."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_lines import batch, canceled, errored, expired, good, request, store

from batchtui.domain.errors import InputError, Stopped
from batchtui.domain.work import Work
from batchtui.results.requests_again import changed, choose, difference, prepare, write_requests
from batchtui.results.view import ResultSet

IDS = ["ok", "cut", "err", "exp", "can", "lost"]
LINES = [good("ok"), good("cut", stop="max_tokens"), errored("err"), expired("exp"), canceled("can")]


@pytest.fixture
def view(tmp_path: Path) -> ResultSet:
    return batch(tmp_path / "batch", LINES, IDS)


def names(view: ResultSet, rows: object) -> list[str]:
    return [view.id(row) for row in rows]  # type: ignore[attr-defined]


def test_what_did_not_succeed_is_chosen_unless_asked_otherwise(view: ResultSet) -> None:
    assert names(view, choose(view)) == ["err", "exp", "can", "lost"]
    assert names(view, choose(view, ["cut-short"])) == ["cut"]
    assert names(view, choose(view, ["errored", "missing"])) == ["err", "lost"]
    assert names(view, choose(view, custom_ids=["lost", "ok", "nobody"])) == ["ok", "lost"]
    with pytest.raises(InputError):
        choose(view, ["succeeded"])


def test_unchanged_requests_are_byte_for_byte_as_sent(tmp_path: Path, view: ResultSet) -> None:
    written = write_requests(view, choose(view), tmp_path / "again.jsonl")
    assert written.custom_ids == ("err", "exp", "can", "lost")
    assert (tmp_path / "again.jsonl").read_bytes() == b"".join(request(i) for i in ("err", "exp", "can", "lost"))


def test_an_id_is_written_once_and_one_without_request_is_named(tmp_path: Path) -> None:
    view = batch(tmp_path / "batch", [errored("a"), errored("a"), errored("stranger")], ["a"])
    written = write_requests(view, range(3), tmp_path / "again.jsonl")
    assert (written.custom_ids, written.without) == (("a",), ("stranger",))
    store(tmp_path / "foreign", [errored("x")])


def test_changes_are_made_where_they_point(tmp_path: Path) -> None:
    raw = request("a", thinking={"type": "enabled", "budget_tokens": 1024}, temperature=0.5, stop_sequences=["x", "y"])
    made = json.loads(
        changed(
            raw,
            prepare(
                {
                    "max_tokens": "4096",
                    "model": "claude-opus-5-5",
                    "thinking.budget_tokens": "2000",
                    "params.metadata.user_id": '"7"',
                    "stop_sequences.1": "z",
                    "temperature": "",
                    "messages.0.content": "Other words",
                }
            ),
        )
    )
    params = made["params"]
    assert made["custom_id"] == "a"
    assert params["max_tokens"] == 4096
    assert params["model"] == "claude-opus-5-5"
    assert params["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert params["metadata"] == {"user_id": "7"}
    assert params["stop_sequences"] == ["x", "z"]
    assert "temperature" not in params
    assert params["messages"] == [{"role": "user", "content": "Other words"}]


def test_parameters_that_are_not_named_keep_their_bytes() -> None:
    raw = b'{"custom_id":"a","params":{"max_tokens":1,"odd":1.50000000000000000001e2,"big":123456789012345678901234567890}}'
    made = changed(raw, prepare({"max_tokens": "2"}))
    assert b"1.50000000000000000001e2" in made
    assert b'"max_tokens":2' in made
    assert b"\n" not in made


@pytest.mark.parametrize(
    "changes",
    [
        {"custom_id": "x"},
        {"": "x"},
        {"a..b": "x"},
        {"messages.7.content": "x"},
        {"model.name": "x"},
        {"messages.x": "1"},
    ],
)
def test_changes_that_can_not_be_made_are_said(changes: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        changed(request("a"), prepare(changes))
    assert caught.value.advice


def test_the_difference_is_shown() -> None:
    shown = difference(
        request("a"), {"max_tokens": "4096", "model": "claude-sonnet-5-5", "system": "Be brief.", "top_k": ""}
    )
    assert shown[:2] == ["- max_tokens: 64", "+ max_tokens: 4096"]
    assert "no change" in shown[2]
    assert '+ system: "Be brief."' in shown
    assert difference(request("a"), {}) == []


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3))
def test_any_change_is_made_or_refused(changes: dict[str, str]) -> None:
    try:
        made = changed(request("a"), prepare(changes))
    except InputError:
        return
    assert json.loads(made)["custom_id"] == "a"
    assert b"\n" not in made


def test_a_stop_leaves_no_file(tmp_path: Path, view: ResultSet) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        write_requests(view, choose(view), tmp_path / "again.jsonl", work=Work(stop=stop))
    assert not (tmp_path / "again.jsonl").exists()


def test_taking_out_what_is_not_there_adds_nothing() -> None:
    raw = request("a").strip()
    before = json.loads(raw)
    assert json.loads(changed(raw, prepare({"thinking.type": "", "metadata.user_id": ""}))) == before
    assert all("no change" in each for each in difference(raw, {"thinking.type": ""}))
