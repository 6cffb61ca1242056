"""What becomes of requests: decided by the request, put right by a retry, and bounded by time."""

from __future__ import annotations

from array import array
from datetime import timedelta
from pathlib import Path
from typing import Any

import anthropic
import msgspec
import pytest
from demo_help import http, lines_of, params, requests, run_batch, sdk, until_ended
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtui.demo import outcomes
from batchtui.demo import results as demo_results
from batchtui.demo.results import Job
from batchtui.domain.batch import RESULTS_KEPT
from demo_server import running_demo


def _kinds(results: dict[str, Any]) -> dict[str, str]:
    return {
        name: result["error"]["error"]["type"] if result["type"] == "errored" else result["type"]
        for name, result in results.items()
    }


def test_the_same_requests_meet_the_same_fate_anywhere(tmp_path: Path) -> None:
    wanted = requests(*(f"r{n}" for n in range(300)))
    with running_demo(tmp_path / "one") as one, running_demo(tmp_path / "two") as two:
        first, second = run_batch(one, wanted), run_batch(two, wanted)
    assert first == second


def test_outcomes_are_a_believable_mix(tmp_path: Path) -> None:
    wanted = requests(*(f"r{n}" for n in range(1500)), max_tokens=300)
    with running_demo(tmp_path) as demo:
        results = run_batch(demo, wanted)
    kinds = list(_kinds(results).values())
    assert 0.90 < kinds.count("succeeded") / 1500 < 0.98
    assert {"overloaded_error", "api_error", "timeout_error", "expired"} <= set(kinds)
    stops = [r["message"]["stop_reason"] for r in results.values() if r["type"] == "succeeded"]
    assert 0.05 < stops.count("max_tokens") / len(stops) < 0.5
    assert "refusal" in stops


def test_what_failed_by_chance_succeeds_when_sent_again_even_after_a_restart(tmp_path: Path) -> None:
    wanted = requests(*(f"r{n}" for n in range(400)))
    with running_demo(tmp_path, failure_rate=0.3) as demo:
        failed = {name for name, kind in _kinds(run_batch(demo, wanted)).items() if kind != "succeeded"}
    assert len(failed) > 50
    again = [each for each in wanted if each["custom_id"] in failed]
    with running_demo(tmp_path, failure_rate=0.3) as demo:
        assert set(_kinds(run_batch(demo, again)).values()) == {"succeeded"}


def test_an_answer_cut_short_is_whole_with_more_room(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        short = run_batch(demo, requests("demo-cut"))["demo-cut"]["message"]
        assert short["stop_reason"] == "max_tokens" and short["usage"]["output_tokens"] == 1000
        whole = run_batch(demo, requests("demo-cut", max_tokens=4000))["demo-cut"]["message"]
        assert whole["stop_reason"] == "end_turn"
        assert 1000 < whole["usage"]["output_tokens"] < 4000


def test_words_force_outcomes_by_id_or_by_user(tmp_path: Path) -> None:
    wanted = requests(
        "demo-error", "demo-credit-2", "x-demo-overloaded", "demo-api", "demo-timeout", "demo-expire", "demo-ok"
    )
    wanted.append({"custom_id": "quiet", "params": params(metadata={"user_id": "demo-error"})})
    with running_demo(tmp_path, failure_rate=1.0) as demo:
        first = run_batch(demo, wanted)
        second = run_batch(demo, wanted)
    assert _kinds(first) == {
        "demo-error": "invalid_request_error",
        "quiet": "invalid_request_error",
        "demo-credit-2": "invalid_request_error",
        "x-demo-overloaded": "overloaded_error",
        "demo-api": "api_error",
        "demo-timeout": "timeout_error",
        "demo-expire": "expired",
        "demo-ok": "succeeded",
    }
    assert "credit" in first["demo-credit-2"]["error"]["error"]["message"]
    assert {name for name, kind in _kinds(second).items() if kind != "succeeded"} == {
        "demo-error",
        "quiet",
        "demo-credit-2",
    }


BAD: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": None}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": 0}, "max_tokens: must be greater"),
    ({"max_tokens": 64_001}, "maximum allowed number of output tokens"),
    ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": [{"role": "human", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "first message must use"),
    ({"messages": [{"role": "user", "content": ""}]}, "non-empty content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        "text content blocks must be non-empty",
    ),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type: Field required"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    ({"temprature": 1}, "temprature: Extra inputs are not permitted"),
    ({"betas": ["x"]}, "betas: Extra inputs are not permitted"),
    ({"stream": True}, "stream: not supported"),
    ({"speed": "fast"}, "speed: not supported"),
    ({"temperature": 0.5}, "temperature: not supported"),
    ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema"),
    (
        {"tool_choice": {"type": "tool", "name": "b"}, "tools": [{"name": "a", "input_schema": {"type": "object"}}]},
        "not found in provided tools",
    ),
    ({"thinking": {"type": "enabled", "budget_tokens": 10}}, "greater than or equal to 1024"),
]


def test_wrong_params_are_errored_lines_after_the_end(tmp_path: Path) -> None:
    wanted = [{"custom_id": f"bad{n}", "params": params(**more)} for n, (more, _) in enumerate(BAD)]
    with running_demo(tmp_path) as demo:
        results = run_batch(demo, wanted)
    for number, (_, says) in enumerate(BAD):
        result = results[f"bad{number}"]
        assert result["type"] == "errored"
        assert result["error"]["error"]["type"] == "invalid_request_error"
        assert says in result["error"]["error"]["message"]


def test_models_that_are_unknown_or_retired_are_not_found(tmp_path: Path) -> None:
    wanted = [
        {"custom_id": "gone", "params": params(model="claude-3-opus-20240229")},
        {"custom_id": "no", "params": params(model="gpt-4o")},
    ]
    with running_demo(tmp_path) as demo:
        assert set(_kinds(run_batch(demo, wanted)).values()) == {"not_found_error"}


def test_sampling_parameters_depend_on_the_api_version(tmp_path: Path) -> None:
    wanted = [{"custom_id": "warm", "params": params(temperature=0.5, metadata={"user_id": "demo-ok"})}]
    with running_demo(tmp_path) as demo:
        assert _kinds(run_batch(demo, wanted)) == {"warm": "invalid_request_error"}
        assert _kinds(run_batch(demo, wanted, **{"anthropic-version": "2023-06-01"})) == {"warm": "succeeded"}


def test_cached_prefixes_show_in_the_usage(tmp_path: Path) -> None:
    system = [
        {"type": "text", "text": "Rules of the house. " * 800, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    with running_demo(tmp_path, failure_rate=0.0) as demo:
        results = run_batch(demo, requests(*(f"r{n}" for n in range(60)), system=system))
    usages = [result["message"]["usage"] for result in results.values()]
    assert any(usage["cache_read_input_tokens"] for usage in usages)
    assert any(usage["cache_creation"]["ephemeral_1h_input_tokens"] for usage in usages)
    assert all(usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"] > 1024 for usage in usages)


def test_cancel_ends_soon_with_partial_results(tmp_path: Path) -> None:
    with running_demo(tmp_path, duration=1000, failure_rate=0.0) as demo:
        client = sdk(demo)
        batch = client.messages.batches.create(requests=requests(*(f"r{n}" for n in range(200))))
        demo.clock.advance(400)
        canceling = client.messages.batches.cancel(batch.id)
        assert canceling.processing_status == "canceling"
        assert canceling.cancel_initiated_at is not None
        assert client.messages.batches.cancel(batch.id).cancel_initiated_at == canceling.cancel_initiated_at
        demo.clock.advance(10)
        ended = until_ended(client, batch.id)
        assert 60 < ended.request_counts.succeeded < 100
        assert ended.request_counts.canceled + ended.request_counts.succeeded == 200
        kinds = [line["result"]["type"] for line in lines_of(demo, batch.id)]
        assert kinds.count("canceled") == ended.request_counts.canceled
        with pytest.raises(anthropic.BadRequestError):
            client.messages.batches.cancel(batch.id)


def test_a_batch_that_takes_too_long_expires_after_a_day(tmp_path: Path) -> None:
    with running_demo(tmp_path, duration=48 * 3600, failure_rate=0.0) as demo:
        client = sdk(demo)
        batch = client.messages.batches.create(requests=requests(*(f"r{n}" for n in range(100))))
        demo.clock.advance(24 * 3600 + 1)
        ended = until_ended(client, batch.id)
        assert ended.ended_at == ended.expires_at
        assert 25 < ended.request_counts.expired < 75


def test_results_go_after_29_days_and_the_batch_stays(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        client = sdk(demo)
        batch = client.messages.batches.create(requests=requests("a"))
        until_ended(client, batch.id)
        demo.clock.advance(RESULTS_KEPT.total_seconds())
        archived = client.messages.batches.retrieve(batch.id)
        assert archived.archived_at == batch.created_at + timedelta(days=29)
        with http(demo) as plain:
            reply = plain.get(f"/v1/messages/batches/{batch.id}/results")
        assert reply.status_code == 404 and reply.json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("moving", [False, True])
def test_counts_move_only_when_they_are_let(tmp_path: Path, moving: bool) -> None:
    with running_demo(tmp_path, duration=1000, moving_counts=moving) as demo:
        client = sdk(demo)
        batch = client.messages.batches.create(requests=requests(*(f"r{n}" for n in range(100))))
        demo.clock.advance(500)
        counts = client.messages.batches.retrieve(batch.id).request_counts
        while moving and counts.succeeded == 0:
            counts = client.messages.batches.retrieve(batch.id).request_counts
        total = counts.processing + counts.succeeded + counts.errored + counts.expired + counts.canceled
        assert total == 100
        assert (counts.processing < 100) == moving


def test_the_queue_limit_refuses_until_there_is_room(tmp_path: Path) -> None:
    with running_demo(tmp_path, duration=1000, queue_limit=5) as demo:
        client = sdk(demo)
        first = client.messages.batches.create(requests=requests("a", "b", "c"))
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.batches.create(requests=requests("d", "e", "f"))
        assert "queue" in str(caught.value)
        demo.clock.advance(1000)
        until_ended(client, first.id)
        assert client.messages.batches.create(requests=requests("d", "e", "f")).request_counts.processing == 3
        assert demo.stats()["creates"] == 2


def test_the_rate_limit_says_how_long_to_wait(tmp_path: Path) -> None:
    with running_demo(tmp_path, rate_limit=2) as demo:
        client = sdk(demo)
        client.messages.batches.list()
        client.messages.batches.list()
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.batches.list()
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 61


def test_answers_can_be_given_a_length(tmp_path: Path) -> None:
    with running_demo(tmp_path, answer_bytes=500, failure_rate=0.0) as demo:
        result = run_batch(demo, requests("a"))["a"]
    assert len(result["message"]["content"][0]["text"]) == 500


_WORDS = "type text content tool_use document source data id name input_schema properties enum anyOf items object array"
_words = st.sampled_from([*_WORDS.split(), "citations", "enabled", "cache_control", "ttl", "schema", "minimum"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=4),
    max_leaves=10,
)
_object = st.dictionaries(_words, _json, max_size=4)


@settings(deadline=None)
@given(
    blocks=st.lists(_object | st.just({"type": "text", "text": "JSON, one of: a, b"}), min_size=1, max_size=3),
    schema=_object,
    more=st.dictionaries(
        st.sampled_from(["thinking", "tool_choice", "output_format", "system", "max_tokens"]), _object
    ),
    word=st.sampled_from(["", "demo-tool", "demo-cite", "demo-blocks", "demo-json"]),
)
def test_any_params_have_an_outcome(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[Any], schema: Any, more: Any, word: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    tool = {"name": "t", "input_schema": schema}
    asked = params(messages=[{"role": "user", "content": blocks}], tools=[tool], metadata={"user_id": word}) | more
    body = msgspec.json.encode({"custom_id": "a", "params": asked})
    (folder / "any-body").write_bytes(body)
    (folder / "any-offsets").write_bytes(array("Q", (0, len(body))).tobytes())
    job = Job(
        body=str(folder / "any-body"),
        offsets=str(folder / "any-offsets"),
        out=str(folder / "any-results"),
        batch_id="any",
        version="2023-06-01",
    )
    assert demo_results.run(job).counts.total == 1
    line = msgspec.json.decode((folder / "any-results").read_bytes())
    assert line["result"]["type"] in ("succeeded", "errored", "expired")


def test_a_request_that_strayed_is_answered_well_the_next_time_by_each_model() -> None:
    def lot(number: int, noted: set[int], model: str) -> outcomes.SimulatedOutcome:
        return outcomes.decide(f"r-{number}", b"text", "", 0.05, noted, model)

    odd = next(n for n in range(10_000) if (first := lot(n, set(), "one")).odd and not first.failure)
    failed = next(n for n in range(10_000) if lot(n, set(), "one").failure)
    noted = {lot(odd, set(), "one").odd_key, lot(failed, set(), "one").noted}
    # Another model has the same luck, and its turn is its own.
    assert lot(odd, noted, "two").odd == lot(odd, set(), "one").odd and lot(failed, noted, "two").failure
    assert not lot(odd, noted, "one").odd and not lot(failed, noted, "one").failure
