"""Records that hold what an older batchtui took from the API unseen are shown, without those values."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.calling import program

from batchtui.domain.batch import BatchRecord, Counts, Tally
from batchtui.store import record_repair
from batchtui.store.records import RECORD, History, encode_record

LOCAL = "20261127T100000Z-abcdef"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
GOOD = BatchRecord(
    local_id=LOCAL, run=LOCAL, id="msgbatch_01abc", status="ended", results="stored", requests=3, intent_at=NOW, created_at=NOW,
    counts=Counts(succeeded=3), tally=Tally(lines=3, succeeded=3, cost_usd=Decimal("0.01")), title="a title",
)  # fmt: skip
TIMES = [
    "intent_at",
    "created_at",
    "expires_at",
    "ended_at",
    "cancel_initiated_at",
    "archived_at",
    "seen_at",
    "next_try_at",
    "lost_at",
]
ODD_TIMES = [
    "2026-11-27T10:00:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+10:00",
    5,
    "soon",
]
ODD_NUMBERS = ["1e400", "9" * 400, "1" + "0" * 18, '"many"', "1.5", "-1e300"]


def store(tmp_path: Path, text: str) -> History:
    folder = tmp_path / "batches" / LOCAL
    folder.mkdir(parents=True, mode=0o700)
    (folder / RECORD).write_text(text)
    return History(tmp_path)


def one(history: History) -> BatchRecord:
    [record] = history.all()
    assert not history.unreadable() and record.title == "a title" and record.id == "msgbatch_01abc"
    return record


def with_field(**fields: Any) -> str:
    return json.dumps(json.loads(encode_record(GOOD)) | fields)


@pytest.mark.parametrize("field", TIMES)
@pytest.mark.parametrize("odd", ODD_TIMES, ids=repr)
def test_a_time_that_cant_be_believed_is_left_out(tmp_path: Path, field: str, odd: Any) -> None:
    record = one(store(tmp_path, with_field(**{field: odd})))
    assert record.gone_at is None or record.gone_at > NOW
    if field == "intent_at":
        assert record.intent_at is not None, "it would count as not sent yet"
    else:
        assert getattr(record, field) is None


@pytest.mark.parametrize(
    "place",
    [
        "requests",
        "bytes",
        "counts.errored",
        "tally.lines",
        "tally.output_tokens",
        "cost_usd",
        "tally.cost_usd",
        "looks",
    ],
)
@pytest.mark.parametrize("odd", ODD_NUMBERS)
def test_a_number_that_cant_be_believed_is_left_out(tmp_path: Path, place: str, odd: str) -> None:
    held = json.loads(encode_record(GOOD))
    inner, _, name = place.rpartition(".")
    (held[inner] if inner else held)[name] = "HERE"
    record = one(store(tmp_path, json.dumps(held).replace('"HERE"', odd)))
    assert len(encode_record(record)) < 5000 and f"{record.cost_usd or 0:.2f}"
    assert record.tally is not None and record.tally.succeeded == 3, "the rest of a group is kept"


def test_candidates_and_models_may_be_odd_too(tmp_path: Path) -> None:
    odd = {"id": "msgbatch_2", "created_at": "9999-12-31T23:59:59-05:00", "requests": 3}
    record = one(store(tmp_path, with_field(candidates=[odd], models={"m": 10**30})))
    assert record.candidates == () and record.models == {}


def test_what_decides_over_sending_is_not_guessed(tmp_path: Path) -> None:
    for number, fields in enumerate([{"status": "sent?"}, {"id": 5}, {"results": None}, {"local_id": "x"}]):
        history = store(tmp_path / str(number), with_field(**fields))
        assert history.all() == [] and len(history.unreadable()) == 1


def test_a_change_keeps_the_old_bytes_beside(tmp_path: Path) -> None:
    text = with_field(created_at="9999-12-31T23:59:59Z")
    history = store(tmp_path, text)
    history.update(LOCAL, lambda r: r.__class__(**{n: getattr(r, n) for n in r.__struct_fields__} | {"note": "n"}))
    assert (tmp_path / "batches" / LOCAL / f"{RECORD}.odd").read_text() == text
    assert one(History(tmp_path)).note == "n"


def test_a_record_without_fault_is_read_as_it_is(tmp_path: Path) -> None:
    assert one(store(tmp_path, encode_record(GOOD).decode())) == GOOD


SUSPECT = re.compile(
    rb'[:\s,\[]-?[\d.]{16}|[:\s,\[]-?[\d.]+[eE]|\d\dT\d\d:\d\d:[\d.]+"|"(?!19|20|21)\d{4}-\d\d-\d\dT|T[\d:.]+[+-](?!00:00)'
)
"""What an unbelievable value looks like, in one pattern that is easy to read and slow."""
PIECES = [b"0", b"7", b".", b"-", b"+", b"e", b"E", b" ", b"\n", b":", b",", b"[", b"{", b'"', b"T", b"Z", b"x"]
PIECES += [
    b"123456789012345",
    b"1234567890.123456",
    b"2026-11-27T",
    b'"1899-01-02T',
    b'"2201-01-02T',
    b"10:00:00",
    b"00:00",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_the_quick_look_for_suspect_values_finds_what_the_plain_pattern_finds(raw: bytes) -> None:
    assert record_repair._suspect(raw) == (SUSPECT.search(raw) is not None)


def test_list_and_show_tell_such_a_record(tmp_path: Path) -> None:
    store(tmp_path, with_field(created_at="9999-12-31T23:59:59-23:59", ended_at="2026-11-27T10:00:00", requests=10**30))
    for verb in (["list", "--all"], ["list", "--json"], ["show", "last"]):
        said = program(*verb, "--data-dir", tmp_path)
        assert said.code == 0 and b"a title" in said.out and "unexpected" not in said.err
