"""OpenAI batch lines as Messages params."""

import base64
import json
from pathlib import Path
from typing import Any

from batchtui.domain.plan import Plan
from tests.intake.helpers import codes, group, plan_for, staged

USER = {"role": "user", "content": "hi"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = base64.b64encode(
    b"%PDF-1.4\n1 0 obj<</Type/Pages/Kids[2 0 R]/Count 1>>endobj\n2 0 obj<</Type/Page>>endobj\n"
).decode()


def line(custom_id: str = "a", url: str = "/v1/chat/completions", **body: Any) -> dict[str, Any]:
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": url,
        "body": {"model": "gpt-4o", "max_tokens": 9, "messages": [USER], **body},
    }


def translate(tmp_path: Path, *lines: Any, **options: Any) -> Plan:
    return plan_for(tmp_path, *lines, default_model="claude-opus-5", staging=tmp_path / "s", **options)


def one(tmp_path: Path, **body: Any) -> tuple[dict[str, Any], list[str]]:
    plan = translate(tmp_path, line(**body))
    assert plan.ok, [each.first[0].message for each in plan.problems]
    said = [each.message for each in plan.problems if each.code != "openai_model"]
    return staged(plan)[0]["params"], said


def test_a_plain_chat_becomes_a_request(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "And kind."}, USER]
    made, said = one(tmp_path, messages=messages, stop="END", user="u1")
    assert made == {
        "model": "claude-opus-5",
        "max_tokens": 9,
        "system": "Be brief.\n\nAnd kind.",
        "messages": [USER],
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
    }
    assert said == []


def test_another_makers_model_needs_one_of_ours(tmp_path: Path) -> None:
    assert "choose one (--model, or Model on the screen)" in group(plan_for(tmp_path, line()), "openai_model").message
    assert "becomes 'claude-opus-5'" in group(translate(tmp_path, line()), "openai_model").message
    own = plan_for(tmp_path, line(model="anthropic/claude-haiku-5-5"), staging=tmp_path / "s")
    assert staged(own)[0]["params"]["model"] == "claude-haiku-5-5"


def test_a_missing_limit_is_filled_in_and_named(tmp_path: Path) -> None:
    body = {"model": "gpt-4o", "messages": [USER]}
    plan = translate(tmp_path, {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body})
    assert staged(plan)[0]["params"]["max_tokens"] == 4096
    assert "4,096 is used" in group(plan, "openai_max_tokens").message
    made, _ = one(tmp_path, max_completion_tokens=33)
    assert made["max_tokens"] == 33


def test_images_and_files_become_blocks(tmp_path: Path) -> None:
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.jpg"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}},
    ]
    made, _ = one(tmp_path, messages=[{"role": "user", "content": parts}])
    assert made["messages"][0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.jpg"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
    ]


def test_tools_calls_and_results_are_translated(tmp_path: Path) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "f",
            "description": "d",
            "parameters": {"type": "object", "additionalProperties": False},
            "strict": True,
        },
    }
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}} for n in (1, 2)]
    messages = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
    ]
    made, said = one(tmp_path, messages=messages, tools=[tool], tool_choice="required", parallel_tool_calls=False)
    assert made["tools"] == [
        {
            "name": "f",
            "description": "d",
            "input_schema": {"type": "object", "additionalProperties": False},
            "strict": True,
        }
    ]
    assert made["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert [block["id"] for block in made["messages"][1]["content"]] == ["c1", "c2"]
    assert made["messages"][1]["content"][0]["input"] == {"x": 1}
    assert [block["tool_use_id"] for block in made["messages"][2]["content"]] == ["c1", "c2"]
    assert said == []
    named, _ = one(tmp_path, tools=[tool], tool_choice={"type": "function", "function": {"name": "f"}})
    assert named["tool_choice"] == {"type": "tool", "name": "f"}


def test_a_response_format_with_a_schema_is_kept_and_one_without_is_named(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    made, said = one(tmp_path, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    assert made["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert said == ["'name' of json_schema has no counterpart here and is dropped"]
    _, said = one(tmp_path, response_format={"type": "json_object"})
    assert "json_object has no counterpart here" in said[0]


def test_every_field_without_a_counterpart_is_named(tmp_path: Path) -> None:
    fields = {"seed": 1, "logit_bias": {}, "n": 2, "logprobs": True, "temperature": 0.5, "modalities": ["text"]}
    made, said = one(tmp_path, **fields)
    assert set(made) == {"model", "max_tokens", "messages"}
    for name in fields:
        assert any(name in each for each in said), name
    _, quiet = one(tmp_path, n=1, stream=False, frequency_penalty=0)
    assert quiet == []


def test_temperature_is_kept_where_the_version_takes_it(tmp_path: Path) -> None:
    plan = translate(
        tmp_path,
        line("a", **{"model": "claude-haiku-4-5", "temperature": 0.5}),
        line("b", **{"model": "claude-haiku-4-5", "temperature": 1.7}),
        api_version="2023-06-01",
    )
    assert [each["params"]["temperature"] for each in staged(plan)] == [0.5, 1]


def test_what_can_not_be_translated_stops(tmp_path: Path) -> None:
    audio = [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]
    bad_call = [USER, {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{"}}]}]
    plan = translate(
        tmp_path,
        line("fine"),
        line("a", url="/v1/embeddings"),
        line("b", messages=audio),
        line("c", messages=bad_call),
        {"custom_id": "d", "method": "POST", "url": "/v1/chat/completions", "body": 5},
        line("e", messages=[{"role": "narrator", "content": "x"}]),
        line("f", messages=5),
    )
    assert {"openai_url", "openai_part", "openai_arguments", "openai_body", "role", "messages_type"} <= set(codes(plan))
    assert plan.requests == 1


def test_the_format_is_told_in_words(tmp_path: Path) -> None:
    plan = translate(tmp_path, line())
    assert plan.format == "an OpenAI batch"
    assert json.loads(plan.sample[0])["custom_id"] == "a"


def test_every_field_without_counterpart_is_named(tmp_path: Path) -> None:
    text = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}, "mood": "glad"}
    image = {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "high"}}
    file = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}}
    schema = {
        "name": "x",
        "strict": False,
        "schema": {"type": "object", "properties": {}, "additionalProperties": False},
    }
    made, said = one(
        tmp_path,
        messages=[
            {"role": "system", "name": "s", "content": "Be brief."},
            {"role": "user", "content": [text, image, file]},
        ],
        response_format={"type": "json_schema", "json_schema": schema},
        parallel_tool_calls=False,
        tool_choice="required",
        max_completion_tokens=9,
        max_tokens=7,
    )
    blocks = made["messages"][0]["content"]
    assert blocks[0] == {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    assert blocks[2]["title"] == "a.pdf" and made["max_tokens"] == 9 and "tool_choice" not in made
    assert {each for each in said if "prefix" not in each} == {
        "max_completion_tokens is used; max_tokens is dropped",
        *(
            f"{what} has no counterpart here and is dropped"
            for what in (
                "'name' of a message",
                "'mood' of a content part",
                "'detail' of an image",
                "'name' of json_schema",
                "'strict' of json_schema",
                "tool_choice without tools",
                "parallel_tool_calls without tools",
            )
        ),
    }


def test_what_stands_beside_the_body_is_named_and_a_missing_body_too(tmp_path: Path) -> None:
    plan = translate(
        tmp_path, {**line(), "method": "GET", "priority": 1}, {"custom_id": "b", "url": "/v1/chat/completions"}
    )
    said = [each.message for each in plan.problems]
    assert "'priority' beside the body has no counterpart here and is dropped" in said
    assert any(each.startswith("method is not POST") for each in said)
    assert group(plan, "openai_body").message == "body is missing"


def test_odd_values_are_named_and_crash_nothing(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}
    made, said = one(tmp_path, reasoning_effort=["high"], tools=[tool], tool_choice=None, function_call="none")
    assert made["tool_choice"] == {"type": "none"}
    assert said == [
        "'cache_control' of a tool has no counterpart here and is dropped",
        "reasoning_effort of this kind has no counterpart here and is dropped",
    ]
    _, said = one(tmp_path, tool_choice={"type": "none"})
    assert said == ["tool_choice without tools has no counterpart here and is dropped"]
