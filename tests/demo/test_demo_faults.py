"""Every fault as a client meets it: over real sockets, through the official SDK and plain HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from demo_help import http, lines_of, requests, sdk, until_ended
from hypothesis import given
from hypothesis import strategies as st

from batchtui.demo.faults import CALLS, KINDS, RESULT_FAULTS, FaultBook, parse_fault
from batchtui.domain.errors import InputError
from demo_server import RunningDemo, running_demo

Call = Callable[[anthropic.Anthropic, str], Any]

MESSAGES: Any = [{"role": "user", "content": "Hello"}]


def _read(client: anthropic.Anthropic, batch_id: str) -> list[Any]:
    """The results by a plain GET, so that only the results call is struck."""
    reply = client.get(f"/v1/messages/batches/{batch_id}/results", cast_to=httpx2.Response)
    return reply.read().splitlines()


BY_NAME: dict[str, Call] = {
    "create": lambda client, _: client.messages.batches.create(requests=requests("new")),
    "retrieve": lambda client, batch: client.messages.batches.retrieve(batch),
    "list": lambda client, _: client.messages.batches.list(),
    "cancel": lambda client, batch: client.messages.batches.cancel(batch),
    "delete": lambda client, batch: client.messages.batches.delete(batch),
    "results": _read,
    "count_tokens": lambda client, _: client.messages.count_tokens(model="claude-haiku-4-5", messages=MESSAGES),
    "models": lambda client, _: client.models.list(),
    "messages": lambda client, _: client.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=MESSAGES),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningDemo, str]]:
    with running_demo(tmp_path_factory.mktemp("demo"), failure_rate=0.0, duration=0.0) as running:
        client = sdk(running)
        batch = client.messages.batches.create(requests=requests(*(f"r{n:02}" for n in range(60))))
        until_ended(client, batch.id)
        yield running, batch.id


@pytest.fixture
def demo(shared: tuple[RunningDemo, str]) -> Iterator[RunningDemo]:
    shared[0].set_faults([])
    yield shared[0]
    shared[0].set_faults([])


@pytest.fixture
def ended(shared: tuple[RunningDemo, str]) -> str:
    return shared[1]


def _victim(demo: RunningDemo, call: str, ended: str) -> str:
    """The batch for a call: one of its own for what changes it."""
    if call not in ("cancel", "delete"):
        return ended
    client = sdk(demo)
    made = client.messages.batches.create(requests=requests("victim"))
    return until_ended(client, made.id).id if call == "delete" else made.id


def test_every_call_has_a_test() -> None:
    assert set(BY_NAME) == set(CALLS)


@pytest.mark.parametrize("call", CALLS)
def test_a_refused_call_breaks_the_connection_and_does_nothing(demo: RunningDemo, ended: str, call: str) -> None:
    victim, before = _victim(demo, call, ended), demo.stats()
    demo.set_faults([f"refuse@{call}*1"])
    with pytest.raises(anthropic.APIConnectionError):
        BY_NAME[call](sdk(demo), victim)
    after = demo.stats()
    assert after["creates"] == before["creates"]
    assert len(after["batches"]) == len(before["batches"])


@pytest.mark.parametrize("call", CALLS)
def test_a_dropped_reply_breaks_the_connection_after_the_work_was_done(
    demo: RunningDemo, ended: str, call: str
) -> None:
    victim, before = _victim(demo, call, ended), demo.stats()
    demo.set_faults([f"drop@{call}*1"])
    with pytest.raises(anthropic.APIConnectionError):
        BY_NAME[call](sdk(demo), victim)
    after = demo.stats()
    assert after["creates"] == before["creates"] + (call == "create")
    assert len(after["batches"]) == len(before["batches"]) + {"create": 1, "delete": -1}.get(call, 0)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (529, anthropic.InternalServerError),
    ],
)
def test_a_status_comes_with_its_envelope_and_does_nothing(
    demo: RunningDemo, ended: str, call: str, status: int, error: type[anthropic.APIStatusError]
) -> None:
    before = demo.stats()["creates"]
    demo.set_faults([f"status:{status},7@{call}*1"])
    with pytest.raises(error) as caught:
        BY_NAME[call](sdk(demo), ended)
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.request_id
    assert demo.stats()["creates"] == before


def test_a_late_error_hides_that_the_batch_was_made(demo: RunningDemo) -> None:
    before = demo.stats()["creates"]
    demo.set_faults(["late:502*1"])
    with pytest.raises(anthropic.InternalServerError):
        BY_NAME["create"](sdk(demo), "")
    assert demo.stats()["creates"] == before + 1


@pytest.mark.parametrize("call", CALLS)
def test_a_torn_reply_ends_in_the_middle(demo: RunningDemo, ended: str, call: str) -> None:
    victim = _victim(demo, call, ended)
    demo.set_faults([f"torn-reply@{call}*1"])
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        BY_NAME[call](sdk(demo), victim)


@pytest.mark.parametrize("call", CALLS)
def test_a_hanging_call_ends_only_by_the_clients_patience(demo: RunningDemo, ended: str, call: str) -> None:
    victim = _victim(demo, call, ended)
    demo.set_faults([f"hang@{call}*1"])
    with pytest.raises(anthropic.APITimeoutError):
        BY_NAME[call](sdk(demo).with_options(timeout=0.3), victim)


@pytest.mark.parametrize("status", [200, 502])
def test_a_captive_portal_answers_with_a_page(demo: RunningDemo, status: int) -> None:
    demo.set_faults([f"html:{status}@any"])
    with http(demo) as client:
        reply = client.get("/v1/messages/batches")
    assert reply.status_code == status
    assert reply.headers["content-type"].startswith("text/html")
    assert "<html>" in reply.text


def test_a_redirect_names_another_host(demo: RunningDemo) -> None:
    demo.set_faults(["redirect:http://elsewhere.invalid:81@create"])
    with http(demo) as client:
        reply = client.post("/v1/messages/batches", json={"requests": requests("a")}, follow_redirects=False)
    assert reply.status_code == 307
    assert reply.headers["location"] == "http://elsewhere.invalid:81/v1/messages/batches"


def test_slow_only_takes_longer(demo: RunningDemo, ended: str) -> None:
    demo.set_faults(["slow:0.6@retrieve*1"])
    with pytest.raises(anthropic.APITimeoutError):
        BY_NAME["retrieve"](sdk(demo).with_options(timeout=0.2), ended)
    assert BY_NAME["retrieve"](sdk(demo), ended).id == ended


def test_passing_404s_pass(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_demo(tmp_path_factory.mktemp("demo"), faults=["notfound:60"], duration=0) as demo:
        client = sdk(demo)
        batch = client.messages.batches.create(requests=requests("a"))
        with pytest.raises(anthropic.NotFoundError):
            client.messages.batches.retrieve(batch.id)
        demo.clock.advance(61)
        until_ended(client, batch.id)
        demo.clock.advance(61)
        assert lines_of(demo, batch.id), "the age of results counts from the end"


def test_a_batch_can_be_hidden_from_the_list_for_a_while(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_demo(tmp_path_factory.mktemp("demo"), faults=["hidden:60"]) as demo:
        client = sdk(demo)
        batch = client.messages.batches.create(requests=requests("a"))
        assert client.messages.batches.list().data == []
        demo.clock.advance(61)
        assert [b.id for b in client.messages.batches.list()] == [batch.id]


def _raw(demo: RunningDemo, batch_id: str) -> bytes:
    with http(demo) as client:
        return client.get(f"/v1/messages/batches/{batch_id}/results").content


def test_cut_results_end_silently_on_a_line_boundary(demo: RunningDemo, ended: str) -> None:
    whole = _raw(demo, ended)
    demo.set_faults(["cut*1"])
    part = _raw(demo, ended)
    assert whole.startswith(part) and part.endswith(b"\n") and 0 < len(part) < len(whole)
    assert _raw(demo, ended) == whole, "it struck once"


def test_torn_results_break_in_the_middle_of_a_line(demo: RunningDemo, ended: str) -> None:
    whole = _raw(demo, ended)
    demo.set_faults(["tear:0.3"])
    got = b""
    with (
        http(demo) as client,
        client.stream("GET", f"/v1/messages/batches/{ended}/results") as reply,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        for piece in reply.iter_raw():
            got += piece
    assert whole.startswith(got) and got and not got.endswith(b"\n")


def test_stalled_results_stop_coming(demo: RunningDemo, ended: str) -> None:
    demo.set_faults(["stall"])
    with (
        http(demo) as client,
        pytest.raises(httpx2.ReadTimeout),  # On a loaded machine the headers may not be there in time either.
        client.stream("GET", f"/v1/messages/batches/{ended}/results", timeout=httpx2.Timeout(120, read=0.5)) as reply,
    ):
        for _ in reply.iter_raw():
            pass


def _line_facts(raw: bytes) -> tuple[int, int, int]:
    """(lines, blank ones, lines that are not JSON)"""
    lines = raw.split(b"\n")[:-1]
    bad = 0
    for line in lines:
        try:
            json.loads(line or b"null")
        except (ValueError, RecursionError):
            bad += 1
    return len(lines), sum(not line.strip() for line in lines), bad


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        ("short-count", lambda raw: _line_facts(raw)[0] == 54),
        ("duplicate-lines", lambda raw: _line_facts(raw)[0] == 66 and len(set(raw.splitlines())) == 60),
        ("blank-lines", lambda raw: _line_facts(raw)[1] == 12),
        ("foreign-ids", lambda raw: raw.count(b'"custom_id":"stranger-') == 6),
        ("other-batch", lambda raw: raw.count(b'"custom_id":"stranger-') == 60),
        ("garbage-line", lambda raw: raw.count(b"<html>") == 1),
        ("foreign-line", lambda raw: raw.count(b'"custom_id":"stranger-') == 1),
        ("surrogate", lambda raw: b"\\ud83d lone" in raw),
        ("bad-line", lambda raw: _line_facts(raw)[2] == 12),
        ("bad-utf8", lambda raw: b"\xff\xc3(" in raw),
        ("deep-line", lambda raw: b"[" * 20_000 in raw),
        ("long-line:100000", lambda raw: max(map(len, raw.splitlines())) > 100_000),
        ("unknown", lambda raw: b'"type":"deferred"' in raw and b'"type":"hologram"' in raw and b"daydream" in raw),
    ],
)
def test_results_are_spoiled_as_asked(
    demo: RunningDemo, ended: str, fault: str, holds: Callable[[bytes], bool]
) -> None:
    demo.set_faults([f"{fault}@results"])
    assert holds(_raw(demo, ended))


def test_every_results_fault_has_a_test() -> None:
    covered = {"cut", "tear", "stall", "short-count", "duplicate-lines", "blank-lines", "foreign-ids"}
    covered |= {"other-batch", "garbage-line", "foreign-line"}
    assert covered | {"surrogate", "bad-line", "bad-utf8", "deep-line", "long-line"} == RESULT_FAULTS


def test_the_sdk_survives_unknown_fields_and_a_foreign_url_shows(demo: RunningDemo, ended: str) -> None:
    demo.set_faults(["unknown@retrieve", "foreign-url:http://127.0.0.2:9"])
    batch = sdk(demo).messages.batches.retrieve(ended)
    assert batch.results_url == f"http://127.0.0.2:9/v1/messages/batches/{ended}/results"
    assert "region" in (batch.model_extra or {})


def test_two_faults_on_one_call_strike_one_after_the_other(demo: RunningDemo) -> None:
    demo.set_faults(["status:529@create*1", "drop@create*1"])
    before = demo.stats()["creates"]
    with pytest.raises(anthropic.InternalServerError):
        BY_NAME["create"](sdk(demo), "")
    with pytest.raises(anthropic.APIConnectionError):
        BY_NAME["create"](sdk(demo), "")
    BY_NAME["create"](sdk(demo), "")
    assert demo.stats()["creates"] == before + 2
    assert [fault["struck"] for fault in demo.stats()["faults"]] == [1, 1]


@pytest.mark.parametrize("text", ["", "nothing", "drop@nowhere", "drop:1", "status:99", "status:x", "cut:2", "slow:-1"])
def test_bad_faults_are_refused_in_words(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_fault(text)
    assert caught.value.advice


@given(st.sampled_from(sorted(KINDS)), st.sampled_from(["", *CALLS, "any"]), st.none() | st.integers(0, 99))
def test_faults_read_back_as_they_were_written(name: str, call: str, times: int | None) -> None:
    text = name + (f"@{call}" if call else "") + (f"*{times}" if times is not None else "")
    fault = parse_fault(text)
    assert (fault.name, fault.times) == (name, times)
    assert fault.call == (call or KINDS[name].call)


def test_a_bad_set_of_faults_changes_nothing() -> None:
    book = FaultBook(("drop",))
    with pytest.raises(InputError):
        book.set(["cut", "nonsense"])
    assert [fault["name"] for fault in book.state()] == ["drop"]
