"""Whatever a reply holds, taking it in leaves values that can be used, or one plain refusal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtui.api import errors, gateway
from batchtui.api.gateway import Gateway
from batchtui.config.load import Config, Profile
from batchtui.domain.batch import RESULTS_KEPT, BatchRecord, RemoteBatch
from batchtui.domain.schedule import interval, next_look
from batchtui.service.context import Context
from batchtui.service.sender import seen
from batchtui.store.records import encode_record

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "id": "msgbatch_01abc", "type": "message_batch", "processing_status": "in_progress",
    "request_counts": {"processing": 3, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    "created_at": "2026-11-27T10:00:00.5Z", "expires_at": "2026-11-28T12:00:00+02:00", "ended_at": None,
    "cancel_initiated_at": None, "archived_at": None, "results_url": "https://elsewhere.invalid/x",
}  # fmt: skip
ODD_TIMES = ["2026-11-27T10:00:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "", "soon",
             "2026-13-01T00:00:00Z", 0, 1e300, -1, True, [], {}, "2026-11-27T10:00:00+99:00", "1969-01-01T00:00:00Z"]  # fmt: skip
ODD_NUMBERS: list[Any] = [-1, "3", 1.5, 10**18, True, [], {}, float("1e300")]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
    | st.sampled_from([t for t in ODD_TIMES if isinstance(t, str)]) | st.datetimes().map(lambda d: d.isoformat()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def taken(**fields: Any) -> RemoteBatch:
    return gateway.batch(json.dumps(GOOD | fields).encode())


def usable(tmp_path: Any, remote: RemoteBatch) -> BatchRecord:
    """A record that took the batch over, after all that is ever done with its times and numbers."""
    profile = Profile(base_url="http://127.0.0.1:1")
    context = Context(tmp_path, Config(), profile, lambda: NOW, gateway=Gateway(profile, key="k"))
    record = seen(
        BatchRecord(local_id="20261127T100000Z-abcdef", run="r", id=remote.id, status="in_progress"), remote, context
    )
    assert record.made_at - RESULTS_KEPT < NOW + timedelta(days=100_000)
    assert (record.gone_at or NOW) + timedelta(days=365) > NOW - timedelta(days=100_000)
    assert interval(record, NOW) >= 0 and next_look([record], NOW, NOW)
    for when in (record.created_at, record.expires_at, record.ended_at):
        assert when is None or (when.tzinfo is not None and when.astimezone() and f"{when:%Y}")
    return msgspec.json.decode(encode_record(record), type=BatchRecord)


def test_a_good_batch_is_taken_as_it_is() -> None:
    made = taken()
    assert (made.id, made.processing_status, made.request_counts.total) == ("msgbatch_01abc", "in_progress", 3)
    assert made.created_at == datetime(2026, 11, 27, 10, 0, 0, 500_000, UTC) and made.expires_at == NOW - timedelta(
        hours=2
    ) + timedelta(days=1)


@pytest.mark.parametrize("field", ["created_at", "expires_at", "ended_at", "cancel_initiated_at", "archived_at"])
@pytest.mark.parametrize("odd", ODD_TIMES, ids=repr)
def test_an_odd_time_is_left_out(tmp_path: Any, field: str, odd: Any) -> None:
    made = taken(**{field: odd})
    assert getattr(made, field) is None and made.request_counts.total == 3
    usable(tmp_path, made)


@pytest.mark.parametrize("odd", ODD_NUMBERS, ids=repr)
def test_odd_counts_are_left_out(tmp_path: Any, odd: Any) -> None:
    made = taken(request_counts=GOOD["request_counts"] | {"errored": odd})
    assert made.request_counts.total == 0 and made.created_at is not None
    usable(tmp_path, made)


@pytest.mark.parametrize("raw", [b"1e400", b"9" * 5000, b"-" + b"9" * 400])
@pytest.mark.parametrize("field", ["created_at", "request_counts", "expires_at", "region"])
def test_a_number_without_end_harms_its_field_alone(raw: bytes, field: str) -> None:
    made = gateway.batch(msgspec.json.encode(GOOD | {field: msgspec.Raw(raw)}))
    assert made.id == GOOD["id"]


@pytest.mark.parametrize(
    "odd", ["../x", "a/b", "..", "", "a b", "a\nb", "\x1b[2J", "a?b", "é", 5, None, [], "x" * 300, "%2e%2e"], ids=repr
)
def test_an_id_that_would_lead_elsewhere_is_no_batch(odd: Any) -> None:
    with pytest.raises(gateway.BadReply):
        taken(id=odd)
    page = gateway.page(json.dumps({"data": [GOOD, GOOD | {"id": odd}], "has_more": True, "last_id": odd}).encode())
    assert len(page.data) == 1 and page.refused == 1 and page.last_id is None


@pytest.mark.parametrize("odd", [None, 5, "", [], {}], ids=repr)
def test_a_batch_needs_its_status(odd: Any) -> None:
    with pytest.raises(gateway.BadReply):
        taken(processing_status=odd)


@pytest.mark.parametrize(
    "body", ['{"data":null}', "{}", "[]", "null", '{"data":{}}', '{"data":"x"}', "", "<html>", '{"data":[', "[" * 9000]
)
def test_what_is_no_page_is_not_an_empty_page(body: str) -> None:
    for read in (gateway.page, gateway.models):
        with pytest.raises(gateway.BadReply):
            read(body.encode())


def test_an_unclear_has_more_means_that_more_may_follow() -> None:
    assert not gateway.page(b'{"data":[]}').has_more
    assert gateway.page(b'{"data":[],"has_more":"false"}').has_more


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), VALUES))
def test_any_batch_is_usable_or_refused(tmp_path_factory: Any, fields: dict[str, Any]) -> None:
    try:
        made = taken(**fields)
    except gateway.BadReply:
        return
    usable(tmp_path_factory.getbasetemp(), made)


@given(VALUES, VALUES, VALUES)
def test_any_page_and_list_of_models_is_usable_or_refused(data: Any, more: Any, last: Any) -> None:
    for each in (
        data,
        [data],
        [{"id": "m", "max_tokens": data, "retires_at": more, "capabilities": last, "lifecycle": last}],
    ):
        body = json.dumps({"data": each, "has_more": more, "last_id": last}).encode()
        for read in (gateway.page, gateway.models):
            try:
                msgspec.json.encode(read(body))
            except gateway.BadReply:
                continue


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_plainly(raw: bytes) -> None:
    for read in (gateway.batch, gateway.page, gateway.models, gateway.tokens, gateway.message):
        try:
            read(raw)
        except gateway.BadReply:
            continue


DATES = ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359", "9" * 400,
         "Fri, 27 Nov 2026 12:00:00 +99999999999999999999", "Fri, 27 Nov 2026 12:00:00 -0000",
         "Fri, 27 Nov 99999999999 12:00:00 GMT",
         "Fri, 27 Nov 2026 99:00:00 GMT", "Fri, 99999999999999999999 Nov 2026 12:00:00 GMT",
         "1e999", "-1e999", "nan", "\u0661"]  # fmt: skip


@pytest.mark.parametrize("value", DATES)
def test_an_odd_date_header_gives_a_time_that_can_be_used_or_none(value: str) -> None:
    offset = errors.clock_offset({"date": value}, NOW)
    assert offset is None or NOW + timedelta(seconds=offset) + timedelta(days=400) > NOW - timedelta(days=100_000)
    wait = errors.retry_after({"retry-after": value})
    assert wait is None or 0 <= wait <= 3600
