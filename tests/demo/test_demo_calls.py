"""Every call of the demo server through the official SDK, and its replies against the published shapes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import anthropic
import pytest
import wire_schema
from demo_help import http, lines_of, params, requests, run_batch, sdk, until_ended

from batchtui.demo.outcomes import WORDS
from demo_server import RunningDemo, running_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with running_demo(tmp_path_factory.mktemp("demo"), failure_rate=0.0) as running:
        yield running


def test_a_batch_goes_from_create_to_results_through_the_sdk(demo: RunningDemo) -> None:
    client = sdk(demo)
    batch = client.messages.batches.create(requests=requests("a", "b", "c"))
    assert batch.processing_status == "in_progress"
    assert batch.request_counts.processing == 3
    assert batch.results_url is None
    assert batch.ended_at is None
    assert batch.expires_at - batch.created_at == timedelta(hours=24)

    batch = until_ended(client, batch.id)
    assert batch.request_counts.succeeded == 3
    assert batch.request_counts.processing == 0
    assert batch.results_url == f"{demo.base_url}/v1/messages/batches/{batch.id}/results"
    assert batch.ended_at is not None and batch.ended_at > batch.created_at

    answers = {entry.custom_id: entry.result for entry in client.messages.batches.results(batch.id)}
    assert set(answers) == {"a", "b", "c"}
    for result in answers.values():
        assert result.type == "succeeded"
        assert result.message.content[0].type == "text"
        assert result.message.content[0].text.startswith("[simulated]")
        assert result.message.usage.service_tier == "batch"


def test_every_reply_has_the_published_shape(demo: RunningDemo) -> None:
    wanted = requests("plain", *(f"demo-{word}" for word in WORDS))
    wanted.append({"custom_id": "broken", "params": {"model": "nobody"}})
    with http(demo) as client:
        made = client.post("/v1/messages/batches", json={"requests": wanted})
        wire_schema.check(wire_schema.BATCH, made.json())
        ended = until_ended(sdk(demo), made.json()["id"])
        told = client.get(f"/v1/messages/batches/{ended.id}")
        wire_schema.check(wire_schema.BATCH, told.json())
        wire_schema.check(wire_schema.PAGE, client.get("/v1/messages/batches").json())
        lines = lines_of(demo, ended.id)
        for line in lines:
            wire_schema.check(wire_schema.RESULT, line)
        assert sorted(line["custom_id"] for line in lines) == sorted(each["custom_id"] for each in wanted)
        for call in (
            client.get("/v1/messages/batches/msgbatch_none"),
            client.get("/nowhere"),
            client.put("/v1/messages/batches"),
        ):
            wire_schema.check(wire_schema.ERROR, call.json())
            assert call.headers["request-id"] == call.json()["request_id"]
        gone = client.delete(f"/v1/messages/batches/{ended.id}")
        wire_schema.check(wire_schema.DELETED, gone.json())
        for reply in (made, told, gone):
            assert reply.headers["request-id"].startswith("req_")


def test_results_are_typed_as_json_lines_and_come_without_a_length(demo: RunningDemo) -> None:
    client = sdk(demo)
    batch = client.messages.batches.create(requests=requests("only"))
    until_ended(client, batch.id)
    with http(demo) as plain:
        reply = plain.get(f"/v1/messages/batches/{batch.id}/results")
    assert reply.headers["content-type"] == "application/x-jsonl"
    assert "content-length" not in reply.headers


def test_lists_are_newest_first_and_paged_both_ways(tmp_path: object, demo: RunningDemo) -> None:
    client = sdk(demo, default_headers={"anthropic-workspace-id": "wrkspc_pages"})
    made = [client.messages.batches.create(requests=requests("x")).id for _ in range(5)]
    newest_first = made[::-1]
    assert [b.id for b in client.messages.batches.list(limit=2)] == newest_first, "the SDK follows the pages to the end"
    page = client.messages.batches.list(limit=2)
    assert ([b.id for b in page.data], page.has_more) == (newest_first[:2], True)
    page = client.messages.batches.list(limit=2, after_id=newest_first[3])
    assert ([b.id for b in page.data], page.has_more) == (newest_first[4:], False)
    page = client.messages.batches.list(limit=2, before_id=newest_first[3])
    assert ([b.id for b in page.data], page.has_more) == (newest_first[1:3], True)
    assert page.first_id == newest_first[1] and page.last_id == newest_first[2]
    assert client.messages.batches.list(before_id=newest_first[0]).data == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=-1", "limit=ten", "after_id=nobody", "before_id=nobody", "after_id=a&before_id=b"],
)
def test_lists_refuse_what_makes_no_sense(demo: RunningDemo, query: str) -> None:
    with http(demo) as client:
        reply = client.get(f"/v1/messages/batches?{query}")
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"


def test_workspaces_do_not_see_each_other(demo: RunningDemo) -> None:
    one = sdk(demo, default_headers={"anthropic-workspace-id": "wrkspc_one"})
    two = sdk(demo, default_headers={"anthropic-workspace-id": "wrkspc_two"})
    batch = one.messages.batches.create(requests=requests("x"))
    assert [b.id for b in one.messages.batches.list()] == [batch.id]
    assert list(two.messages.batches.list()) == []
    with pytest.raises(anthropic.NotFoundError):
        two.messages.batches.retrieve(batch.id)


def test_delete_needs_an_ended_batch_and_forgets_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_demo(tmp_path_factory.mktemp("demo"), duration=3600) as demo:
        client = sdk(demo)
        batch = client.messages.batches.create(requests=requests("x"))
        with pytest.raises(anthropic.BadRequestError):
            client.messages.batches.delete(batch.id)
        with http(demo) as plain:
            assert plain.get(f"/v1/messages/batches/{batch.id}/results").status_code == 404
        demo.clock.advance(3600)
        until_ended(client, batch.id)
        assert client.messages.batches.delete(batch.id).id == batch.id
        with pytest.raises(anthropic.NotFoundError):
            client.messages.batches.retrieve(batch.id)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"x-api-key": "", "authorization": "Bearer token"}, 200),
        ({"x-api-key": ""}, 401),
        ({"x-api-key": "bad-key"}, 401),
        ({"x-api-key": "", "authorization": "Bearer wrong-token"}, 401),
        ({"x-api-key": "forbidden-key"}, 403),
        ({"x-api-key": "broke-key"}, 402),
        ({"anthropic-version": ""}, 400),
        ({"anthropic-version": "soon"}, 400),
        ({"anthropic-beta": "output-300k-2026-03-24"}, 200),
        ({"anthropic-beta": "no such beta"}, 400),
    ],
)
def test_keys_versions_and_betas_are_checked(demo: RunningDemo, headers: dict[str, str], status: int) -> None:
    with http(demo, **headers) as client:
        reply = client.get("/v1/messages/batches")
    assert reply.status_code == status
    if status != 200:
        wire_schema.check(wire_schema.ERROR, reply.json())


def test_models_are_listed_and_found_by_alias(demo: RunningDemo) -> None:
    client = sdk(demo)
    models = {model.id: model for model in client.models.list()}
    haiku = models["claude-haiku-4-5-20251001"]
    assert haiku.max_tokens == 64_000 and haiku.max_input_tokens == 200_000
    assert haiku.capabilities is not None and haiku.capabilities.batch.supported
    assert models["claude-sonnet-4-5-20250929"].lifecycle == "deprecated"
    assert models["claude-sonnet-4-5-20250929"].retires_at is not None
    assert client.models.retrieve("claude-haiku-4-5").id == haiku.id
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-nobody")
    first = client.models.list(limit=1)
    assert first.has_more and len(first.data) == 1


def test_count_tokens_agrees_with_the_usage_of_the_answer(demo: RunningDemo) -> None:
    client = sdk(demo)
    messages = [{"role": "user", "content": "How much wood would a woodchuck chuck? " * 40}]
    counted = client.messages.count_tokens(model="claude-sonnet-5", messages=messages, system="Be brief.")  # type: ignore[arg-type]
    answer = client.messages.create(model="claude-sonnet-5", max_tokens=500, messages=messages, system="Be brief.")  # type: ignore[arg-type]
    assert counted.input_tokens == answer.usage.input_tokens
    older = client.messages.count_tokens(model="claude-haiku-4-5", messages=messages, system="Be brief.")  # type: ignore[arg-type]
    assert older.input_tokens < counted.input_tokens, "newer generations take more tokens for the same text"


def test_a_plain_message_answers_as_the_batch_would(demo: RunningDemo) -> None:
    client = sdk(demo)
    answer = client.messages.create(
        model="claude-haiku-4-5", max_tokens=500, messages=[{"role": "user", "content": "Hello"}]
    )
    assert answer.content[0].type == "text" and answer.content[0].text.startswith("[simulated]")
    assert answer.usage.service_tier == "standard"
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model="claude-haiku-4-5", max_tokens=500, messages=[])
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="claude-nobody", max_tokens=500, messages=[{"role": "user", "content": "Hello"}])


def test_a_range_of_the_results_is_sent_when_asked_for(demo: RunningDemo) -> None:
    client = sdk(demo)
    batch = client.messages.batches.create(requests=requests(*(f"r{n}" for n in range(30))))
    until_ended(client, batch.id)
    path = f"/v1/messages/batches/{batch.id}/results"
    with http(demo) as plain:
        whole = plain.get(path)
        tail = plain.get(path, headers={"range": "bytes=1000-", "if-range": whole.headers["etag"]})
        assert tail.status_code == 206
        assert tail.content == whole.content[1000:]
        assert tail.headers["content-range"] == f"bytes 1000-{len(whole.content) - 1}/{len(whole.content)}"
        assert plain.get(path, headers={"range": "bytes=5-9"}).content == whole.content[5:10]
        assert plain.get(path, headers={"range": f"bytes={len(whole.content)}-"}).status_code == 416
        assert plain.get(path, headers={"range": "bytes=5-", "if-range": '"other"'}).status_code == 200


def test_ranges_can_be_switched_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_demo(tmp_path_factory.mktemp("demo"), ranges=False) as demo:
        client = sdk(demo)
        batch = client.messages.batches.create(requests=requests("a"))
        until_ended(client, batch.id)
        with http(demo) as plain:
            assert (
                plain.get(f"/v1/messages/batches/{batch.id}/results", headers={"range": "bytes=5-"}).status_code == 200
            )


def test_control_calls_are_for_this_machine_only(demo: RunningDemo) -> None:
    with http(demo) as client:
        assert client.get("/_demo/stats").status_code == 200
        assert client.get("/_demo/stats", headers={"host": "evil.example"}).status_code == 403
        assert (
            client.post("/_demo/faults", json={"faults": []}, headers={"origin": "http://evil.example"}).status_code
            == 403
        )
        assert client.post("/_demo/faults", json={"faults": ["no-such-fault"]}).status_code == 400
        assert client.post("/_demo/clock", json={"advance": "soon"}).status_code == 400


def test_the_answer_says_what_params_ask_for(demo: RunningDemo) -> None:
    tool = {
        "name": "save",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    }
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["good", "bad"]}},
        "required": ["mood"],
        "additionalProperties": False,
    }
    wanted = [
        {"custom_id": "tool", "params": params(tools=[tool], tool_choice={"type": "tool", "name": "save"})},
        {"custom_id": "json", "params": params(output_config={"format": {"type": "json_schema", "schema": schema}})},
        {
            "custom_id": "thinking",
            "params": params(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=4000),
        },
        {"custom_id": "label", "params": params("Answer with one of: red, green, blue.")},
    ]
    got = run_batch(demo, wanted)
    used = got["tool"]["message"]["content"][-1]
    assert used["type"] == "tool_use" and used["name"] == "save" and set(used["input"]) == {"city", "days"}
    assert got["tool"]["message"]["stop_reason"] == "tool_use"
    assert got["json"]["message"]["content"][0]["text"] in ('{"mood":"good"}', '{"mood":"bad"}')
    assert got["thinking"]["message"]["content"][0]["type"] == "thinking"
    assert got["label"]["message"]["content"][0]["text"].removeprefix("[simulated] ") in ("red", "green", "blue")
