"""Each rule of a request, by the mistake that breaks it."""

import json
from pathlib import Path
from typing import Any

import pytest

from batchtui.domain.plan import ModelInfo
from tests.intake.helpers import MODEL, codes, group, plan_for, request, staged

USER = {"role": "user", "content": "hi"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}
ANSWER = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {"model": {"type": "string"}}}}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def image(**source: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image", "source": source}]}


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("model_missing", {"model": None}, "model is missing"),
    ("model_type", {"model": 5}, "not a number"),
    ("model_retired", {"model": "claude-3-opus-20240229"}, "retired on 2026-01-05"),
    ("max_tokens_missing", {"max_tokens": None}, "max_tokens is missing"),
    ("max_tokens_type", {"max_tokens": "100"}, "without quotes"),
    ("max_tokens_type", {"max_tokens": True}, "whole number"),
    ("max_tokens_type", {"max_tokens": 1.5}, "whole number"),
    ("max_tokens_small", {"max_tokens": 0}, "at least 1"),
    ("max_tokens_large", {"max_tokens": 128_001}, "limit of 128,000"),
    ("unknown_field", {"max_token": 5}, "did you mean max_tokens?"),
    ("unknown_field", {"maxTokens": 5}, "did you mean max_tokens?"),
    ("unknown_field", {"stop": "x"}, "did you mean stop_sequences?"),
    ("messages_missing", {"messages": None}, "messages is missing"),
    ("messages_type", {"messages": "hi"}, "a list of turns"),
    ("messages_empty", {"messages": []}, "at least one message"),
    ("message_type", {"messages": ["hi"]}, "role and content"),
    ("role", {"messages": [{"content": "hi"}]}, "no role"),
    ("role", {"messages": [{"role": "assistent", "content": "hi"}]}, "did you mean assistant?"),
    ("role", {"messages": [{"role": "human", "content": "hi"}]}, "did you mean user?"),
    ("role", {"messages": [{"role": "system", "content": "hi"}, USER]}, "field system"),
    ("message_field", {"messages": [{**USER, "name": "x"}]}, "unknown field 'name'"),
    ("content_missing", {"messages": [{"role": "user"}]}, "no content"),
    ("content_type", {"messages": [{"role": "user", "content": 5}]}, "string or a list"),
    ("content_empty", {"messages": [{"role": "user", "content": ""}]}, "empty"),
    ("content_empty", {"messages": [{"role": "user", "content": []}]}, "empty"),
    ("content_blank", {"messages": [{"role": "user", "content": " \n"}]}, "white space"),
    ("content_blank", {"messages": [{"role": "user", "content": [{"type": "text", "text": "\t"}]}]}, "white space"),
    ("block_type", {"messages": [{"role": "user", "content": ["hi"]}]}, "object with a type"),
    ("block_type", {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, "has no type"),
    ("block_unknown", {"messages": [{"role": "user", "content": [{"type": "txt"}]}]}, "did you mean text?"),
    ("block_unknown", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "did you mean image?"),
    ("block_missing", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "no text"),
    ("block_field", {"messages": [{"role": "user", "content": [{"type": "text", "txt": "a"}]}]}, "did you mean text?"),
    ("source_type", {"messages": [image(type="http")]}, "base64, url, file"),
    ("source_url", {"messages": [image(type="url", url="cat.png")]}, "https address"),
    ("media_type", {"messages": [image(type="base64", media_type="image/jpg", data="AAAA")]}, "image/jpeg"),
    (
        "base64",
        {"messages": [image(type="base64", media_type="image/png", data="data:image/png;base64,A")]},
        "only the base64",
    ),
    ("base64", {"messages": [image(type="base64", media_type="image/png", data="!!")]}, "not base64"),
    ("block_role", {"messages": [{"role": "user", "content": CALL["content"]}]}, "in an assistant message"),
    ("tool_pairing", {"messages": [USER, CALL, USER]}, "no tool_result"),
    ("tool_pairing", {"messages": [USER, CALL]}, "no tool_result"),
    ("tool_pairing", {"messages": [USER, ANSWER]}, "answers no tool_use"),
    ("prefill", {"messages": [USER, {"role": "assistant", "content": "I "}]}, "white space"),
    ("system", {"system": 5}, "string or a list"),
    ("system", {"system": [{"type": "image"}]}, "text blocks only"),
    ("tools", {"tools": {}}, "must be a list"),
    ("tool", {"tools": [{"type": "function", "function": {}}]}, "another provider"),
    ("tool_name", {"tools": [{**TOOL, "name": "my tool"}]}, "letters, digits"),
    ("tool_schema", {"tools": [{"name": "f"}]}, "no input_schema"),
    ("tool_schema", {"tools": [{"name": "f", "input_schema": {}}]}, '"type": "object"'),
    ("tool_twice", {"tools": [TOOL, TOOL]}, "same name"),
    ("tool_choice", {"tool_choice": "auto"}, '{"type": "auto"}'),
    ("tool_choice", {"tool_choice": {"type": "required"}, "tools": [TOOL]}, "did you mean any?"),
    ("tool_choice", {"tool_choice": {"type": "any"}}, "needs tools"),
    ("tool_choice", {"tool_choice": {"type": "tool", "name": "g"}, "tools": [TOOL]}, "not among the tools"),
    ("thinking", {"thinking": True}, "object with a type"),
    ("thinking", {"thinking": {"type": "on"}}, "unknown thinking type"),
    ("thinking_budget", {"thinking": {"type": "enabled", "budget_tokens": 100}}, "at least 1,024"),
    ("thinking_budget", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "less than max_tokens"),
    ("sampling", {"temperature": 0.5}, "refused under API version 2026-10-21"),
    ("sampling", {"top_k": 5}, "refused under API version 2026-10-21"),
    ("unsupported", {"stream": True}, "stream is not supported"),
    ("unsupported", {"speed": "fast"}, "speed is not supported"),
    ("unsupported", {"fallbacks": []}, "fallbacks is not supported"),
    ("sdk_argument", {"extra_headers": {}}, "argument of the SDK"),
    ("sdk_argument", {"timeout": 5}, "argument of the SDK"),
    ("betas", {"betas": "x"}, "list of names"),
    ("stop_sequences", {"stop_sequences": "x"}, "list of strings"),
    ("stop_sequences", {"stop_sequences": ["\n"]}, "white space"),
    ("metadata", {"metadata": {"user": "x"}}, "only user_id"),
    ("service_tier", {"service_tier": "batch"}, "auto or standard_only"),
    ("output_config", {"output_config": {"effort": "huge"}}, "effort"),
    ("output_config", {"output_config": {"format": {"type": "json"}}}, "json_schema"),
    (
        "cache_control",
        {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "2h"}}]},
        "5m or 1h",
    ),
    (
        "cache_marks",
        {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5},
        "more than 4",
    ),
]


@pytest.mark.parametrize(
    ("code", "changed", "words"), MISTAKES, ids=[f"{code}-{n}" for n, (code, _, _) in enumerate(MISTAKES)]
)
def test_a_mistake_in_params_stops_and_is_named_with_its_place(
    tmp_path: Path, code: str, changed: dict[str, Any], words: str
) -> None:
    plan = plan_for(tmp_path, request("fine"), request("wrong", **changed))
    assert not plan.ok
    found = [each for each in plan.problems if each.code == code and words in each.first[0].message]
    assert found, [each.first[0].message for each in plan.problems]
    assert found[0].level == "error"
    problem = found[0].first[0]
    assert problem.where == f"{tmp_path}/in.jsonl:2"
    assert problem.custom_id == "wrong"


LINES: list[tuple[str, bytes, str]] = [
    ("json", b'{"custom_id":"a","params":{"model":"x",}}', "column 39"),
    ("json", b'{"custom_id":"a","params":{"model":"x", }}', "extra comma before }"),
    ("json", b'{"custom_id":"a","params":{"stop_sequences":["x" , ]}}', "extra comma before ]"),
    ("json", b'{"custom_id":"a","params":{"model":"x"', "cut off"),
    ("json", b"{'custom_id':'a'}", "double quotes"),
    ("json", b'{"custom_id":"a","params":{}} {"custom_id":"b"}', "one request per line"),
    ("json", b'{"custom_id":"a","params":{"max_tokens":NaN}}', "NaN"),
    ("json", b'{"custom_id":"a","params":{"max_tokens":1e999}}', "too large"),
    ("json", b'{"custom_id":"a\\ud800","params":{}}', "surrogate"),
    ("json", b"[" * 100_000, "deeply"),
    ("utf8", b'{"custom_id":"a","params":{"model":"\xff"}}', "byte 37"),
    ("envelope", b"[1]", "not a list"),
    ("envelope", b'{"model":"x","messages":[]}', "--format params"),
    ("custom_id_missing", b'{"params":{}}', "custom_id is missing"),
    ("params_missing", b'{"custom_id":"a"}', "params is missing"),
    ("params_type", b'{"custom_id":"a","params":[]}', "must be an object"),
    ("custom_id_type", b'{"custom_id":5,"params":{}}', "must be a string"),
    ("custom_id", b'{"custom_id":"a b","params":{}}', "letters, digits"),
    ("custom_id", b'{"custom_id":"a\\n","params":{}}', "letters, digits"),
    ("custom_id", b'{"custom_id":"","params":{}}', "1 to 64"),
    ("envelope_field", b'{"custom_id":"a","params":{},"priority":1}', "unknown field 'priority'"),
    ("envelope_field", b'{"customId":"a","params":{}}', "did you mean custom_id?"),
]


@pytest.mark.parametrize(("code", "line", "words"), LINES, ids=[f"{code}-{n}" for n, (code, _, _) in enumerate(LINES)])
def test_a_mistake_around_params_stops_and_is_named_with_its_place(
    tmp_path: Path, code: str, line: bytes, words: str
) -> None:
    plan = plan_for(tmp_path, request("fine"), line, format="native")
    found = [each for each in plan.problems if each.code == code and words in each.first[0].message]
    assert found, [each.first[0].message for each in plan.problems]
    assert found[0].first[0].where.endswith(":2")


GOOD = b'{"custom_id":"a","params":{"model":"claude-opus-5","max_tokens":2,"messages":[{"role":"user","content":"x"}]}}'


@pytest.mark.parametrize(
    "line",
    [
        GOOD.replace(b'"params"', b'"custom_id":"a","params"'),
        GOOD.replace(b'"max_tokens":2', b'"max_tokens":1,"max_tokens":2'),
        GOOD.replace(b'"max_tokens":2', b'"max_tokens":1,"max_tokens" : 2'),
        GOOD.replace(b'"content":"x"', b'"content":"y","content":"x"'),
        GOOD.replace(b'"content":"x"', b'"content":[{"type":"text","text":"x","text":"x"}]'),
        GOOD.replace(b"}}", b',"tools":[{"name":"a","name":"a","input_schema":{"type":"object"}}]}}'),
    ],
)
def test_a_duplicate_key_is_found_at_any_depth(tmp_path: Path, line: bytes) -> None:
    assert plan_for(tmp_path, GOOD).ok
    plan = plan_for(tmp_path, line)
    assert "appears twice" in group(plan, "duplicate_key").message


def test_quotes_and_key_names_inside_texts_are_no_duplicates(tmp_path: Path) -> None:
    tricky = 'he said "model": and \\"max_tokens\\": "messages" : {"custom_id":1}\n\\'
    plan = plan_for(
        tmp_path,
        request("a", messages=[{"role": "user", "content": tricky}], system=tricky),
        request("b", messages=[{"role": "user", "content": [{"type": "text", "text": tricky}]}], tools=[TOOL]),
        request("c", metadata={"user_id": 'x"y'}, stop_sequences=['"', "model"], tools=[TOOL]),
        staging=tmp_path / "s",
    )
    assert plan.ok
    assert not plan.problems
    assert staged(plan)[0]["params"]["system"] == tricky


def test_requests_without_fault_of_every_kind_pass_without_a_word(tmp_path: Path) -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    plan = plan_for(
        tmp_path,
        request("a", system="Be brief.", metadata={"user_id": None}, service_tier="auto", inference_geo="us"),
        request("b", messages=[USER, CALL, ANSWER], tools=[TOOL], tool_choice={"type": "tool", "name": "f"}),
        request("c", messages=[image(type="base64", media_type="image/png", data=PNG)]),
        request("d", messages=[image(type="url", url="https://example.org/cat.png")]),
        request("e", system=[{"type": "text", "text": "x", "cache_control": mark}], cache_control=mark),
        request("f", model="claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000),
        request("g", thinking={"type": "adaptive"}, output_config={"effort": "low"}, stop_sequences=["END"]),
        request("h", tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}], stream=False),
        request(
            "i",
            output_config={
                "format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}
            },
        ),
        request("j", model="claude-haiku-4-5", messages=[USER, {"role": "assistant", "content": "I"}]),
        request(
            "k",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
                    ],
                }
            ],
        ),
        staging=tmp_path / "s",
    )
    # Its marks are on a single letter.
    assert [each.code for each in plan.problems] == ["cache_short"]
    assert plan.ok
    assert [each["custom_id"] for each in staged(plan)] == list("abcdefghijk")


def test_sampling_is_allowed_and_checked_under_the_older_version(tmp_path: Path) -> None:
    old = {"api_version": "2023-06-01"}
    assert plan_for(tmp_path, request(temperature=0.5, top_p=1, top_k=3), **old).ok
    wrong = plan_for(tmp_path, request(temperature=1.5), **old)
    assert "between 0 and 1" in group(wrong, "sampling").message


def test_both_places_of_a_duplicate_id_are_told(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, request("a"), request("b"), request("a"))
    problem = group(plan, "duplicate_id").first[0]
    assert problem.where.endswith("in.jsonl:3")
    assert "first at" in problem.message
    assert "in.jsonl:1" in problem.message


def test_ids_are_unique_over_all_sources(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for name in ("one.jsonl", "two.jsonl"):
        (folder / name).write_text(json.dumps(request("a")) + "\n")
    plan = plan_for(tmp_path, request("b"))
    assert plan.ok
    from tests.intake.helpers import plan_of

    assert "one.jsonl:1" in group(plan_of(folder), "duplicate_id").first[0].message


def test_a_retirement_that_comes_soon_is_a_warning_with_its_date(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, request(model="claude-sonnet-4-5"))
    assert plan.ok
    assert "2026-11-30" in group(plan, "model_retiring").message
    from datetime import date

    later = plan_for(tmp_path, request(model="claude-sonnet-4-5"), today=date(2026, 12, 5))
    assert "was to be retired" in group(later, "model_retiring").message


def test_an_unknown_model_is_a_warning_with_the_nearest_name(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, *(request(str(n), model="claude-sonet-4-6") for n in range(30)))
    assert plan.ok
    found = group(plan, "model_unknown")
    assert found.count == 30
    assert len(found.first) == 20
    assert "claude-sonnet-4-6" in found.message
    assert plan.estimate.unpriced == ("claude-sonet-4-6",)


def test_what_the_service_tells_about_models_goes_first(tmp_path: Path) -> None:
    told = {
        MODEL: ModelInfo(id=MODEL, max_tokens=50),
        "gone": ModelInfo(id="gone", lifecycle="retired"),
        "live-only": ModelInfo(id="live-only", batch=False),
    }
    assert "limit of 50" in group(plan_for(tmp_path, request(), models=told), "max_tokens_large").message
    assert codes(plan_for(tmp_path, request(model="gone"), models=told)) == ["model_retired"]
    assert codes(plan_for(tmp_path, request(model="live-only"), models=told)) == ["model_no_batch"]
    assert (
        "does not list"
        in group(plan_for(tmp_path, request(model="claude-opus-5"), models=told), "model_unknown").message
    )


def test_the_long_output_beta_raises_the_limit(tmp_path: Path) -> None:
    assert not plan_for(tmp_path, request(max_tokens=300_000)).ok
    assert plan_for(tmp_path, request(max_tokens=300_000, betas=["output-300k-2026-03-24"])).ok


def test_every_problem_of_one_request_is_told_at_once(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, request("bad id", max_tokens="5", max_token=1, stream=True, messages=[]))
    assert {"custom_id", "max_tokens_type", "unknown_field", "unsupported", "messages_empty"} <= set(codes(plan))


def test_equal_problems_are_one_group_with_a_count_and_the_first_places(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, *(request(f"a{n}", max_tokens=0) for n in range(500)))
    found = group(plan, "max_tokens_small")
    assert (found.count, len(found.first), plan.errors) == (500, 20, 500)
    assert [each.where.rsplit(":", 1)[1] for each in found.first] == [str(n) for n in range(1, 21)]


def test_ever_new_problems_are_held_down_to_a_bounded_number_of_groups(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, *(request(f"a{n}", **{f"zzq{n}qq": 1}) for n in range(1000)))
    assert plan.warnings == 1000
    assert len(plan.problems) <= 302
    assert sum(each.count for each in plan.problems) == 1000


def test_a_prompt_over_the_context_window_is_a_warning(tmp_path: Path) -> None:
    long = request(model="claude-haiku-4-5", messages=[{"role": "user", "content": "word " * 300_000}])
    assert "likely too long" in group(plan_for(tmp_path, long), "context").message


def test_a_default_model_fills_in_where_none_is_named(tmp_path: Path) -> None:
    plan = plan_for(
        tmp_path, request("a", model=None), request("b"), default_model="claude-opus-5", staging=tmp_path / "s"
    )
    assert plan.ok
    assert [each["params"]["model"] for each in staged(plan)] == ["claude-opus-5", MODEL]


def test_hostile_text_in_messages_is_shown_clean_and_short(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, request("a", **{"\x1b[31m" + "x" * 5000: 1}))
    message = plan.problems[0].first[0].message
    assert "\x1b" not in message
    assert len(message) < 300
