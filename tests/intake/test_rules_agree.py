"""batchtui's checks and the demo server's own rules, written apart, say the same of every request."""

import base64
import struct
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtui.demo import request_check as demo
from batchtui.intake.model_limits import ModelCatalog
from batchtui.intake.options import IntakeOptions
from batchtui.intake.rules import check_params
from tests.intake.helpers import PRICES, TODAY

NEW, OLD = "2026-10-21", "2023-06-01"
MODELS = PRICES.models()
FACTS = ModelCatalog(IntakeOptions(today=TODAY), PRICES)
USER = {"role": "user", "content": "Hello"}
EPHEMERAL = {"type": "ephemeral"}
BETAS = ("interleaved-thinking-2025-05-14", "output-300k-2026-03-24")


def png(width: int = 1, height: int = 1) -> str:
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + bytes(9)
    ).decode()


def pdf(pages: int = 1, extra: bytes = b"", packed: bool = False) -> str:
    tree = b"<</Type/Pages/Count %d>>\n" % pages + b"<</Type/Page >>\n" * pages
    if packed:
        tree = b"5 0 obj<</Type/ObjStm/Filter/FlateDecode>>stream\n" + zlib.compress(tree) + b"\nendstream"
    return base64.b64encode(b"%PDF-1.7\n" + tree + extra).decode()


def verdicts(params: dict[str, Any], version: str = NEW, betas: tuple[str, ...] = ()) -> tuple[list[str], str]:
    """What the checker stops for, and what the demo server refuses it with."""
    errors = [found.text for found in check_params(params, FACTS, version, betas) if found.level == "error"]
    try:
        demo.read(msgspec.json.encode(params), version=version, betas=betas)
    except demo.BadParams as refused:
        return errors, str(refused)
    return errors, ""


def block(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


def base64_of(kind: str, media_type: str, data: str) -> dict[str, Any]:
    return block(kind, source={"type": "base64", "media_type": media_type, "data": data})


def turns(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[n % 2], "content": content} for n, content in enumerate(contents)]


CALL = block("tool_use", id="t1", name="f", input={})
RESULT = block("tool_result", tool_use_id="t1", content="ok")
TEXT = block("text", text="x")
TOOL = {"name": "f", "input_schema": {"type": "object"}}
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def schema(**changed: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": {**CLOSED, **changed}}}}


def many(count: int, make: Any) -> list[Any]:
    return [make(n) for n in range(count)]


RULES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # (rule, what is right, what is wrong): each changes a request to Claude Haiku 4.5 unless it names a model.
    (
        "thinking: adaptive",
        {"model": "claude-opus-5-5", "thinking": {"type": "adaptive"}},
        {"thinking": {"type": "adaptive"}},
    ),
    (
        "thinking: enabled",
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
        {"model": "claude-sonnet-5", "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
    ),
    (
        "thinking: disabled",
        {"model": "claude-sonnet-5", "thinking": {"type": "disabled"}},
        {"model": "claude-sonnet-5-5", "thinking": {"type": "disabled"}},
    ),
    (
        "thinking: disabled at high effort",
        {"model": "claude-opus-5", "thinking": {"type": "disabled"}, "output_config": {"effort": "high"}},
        {"model": "claude-opus-5", "thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
    ),
    (
        "thinking: between_tools at high effort",
        {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}, "output_config": {"effort": "high"}},
        {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}, "output_config": {"effort": "xhigh"}},
    ),
    (
        "thinking: between_tools alone",
        {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}},
        {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools", "display": "omitted"}},
    ),
    (
        "thinking: budget",
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1025},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024},
    ),
    ("thinking: fields", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled", "budget_tokens": 1024}}),
    (
        "effort: none",
        {"model": "claude-opus-4-5", "output_config": {"effort": "high"}},
        {"output_config": {"effort": "low"}},
    ),
    (
        "effort: values",
        {"model": "claude-opus-5", "output_config": {"effort": "max"}},
        {"model": "claude-opus-4-5", "output_config": {"effort": "max"}},
    ),
    (
        "forced tool",
        {"model": "claude-opus-5", "tools": [TOOL], "tool_choice": {"type": "any"}},
        {"model": "claude-opus-5-5", "tools": [TOOL], "tool_choice": {"type": "any"}},
    ),
    (
        "forced tool and thinking",
        {
            "tools": [TOOL],
            "tool_choice": {"type": "auto"},
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "max_tokens": 2000,
        },
        {
            "tools": [TOOL],
            "tool_choice": {"type": "any"},
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "max_tokens": 2000,
        },
    ),
    ("tool_choice needs tools", {"tools": [TOOL], "tool_choice": {"type": "auto"}}, {"tool_choice": {"type": "auto"}}),
    (
        "tool_choice: none alone",
        {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tools": [TOOL], "tool_choice": {"type": "none", "disable_parallel_tool_use": True}},
    ),
    (
        "tool_choice: the name of a tool",
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}},
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}},
    ),
    (
        "prefill",
        {"messages": turns("hi", "The answer is")},
        {"model": "claude-opus-4-6", "messages": turns("hi", "The answer is")},
    ),
    ("prefill: white space", {"messages": turns("hi", "I")}, {"messages": turns("hi", [block("text", text="I ")])}),
    ("first role", {"messages": turns("hi")}, {"messages": turns("hi", "x", "y")[1:]}),
    ("geo", {"model": "claude-opus-5", "inference_geo": "us"}, {"inference_geo": "us"}),
    (
        "300k output",
        {"model": "claude-opus-5", "max_tokens": 128_000},
        {"model": "claude-opus-5", "max_tokens": 128_001},
    ),
    ("fallbacks", {"store": True}, {"fallbacks": []}),
    ("speed", {"stream": False}, {"speed": "fast"}),
    ("max_tokens", {"max_tokens": 1}, {"max_tokens": 0}),
    ("user_profile_id", {"user_profile_id": "u"}, {"user_profile_id": 5}),
    ("diagnostics", {"diagnostics": {"previous_message_id": "m"}}, {"diagnostics": {"other": 1}}),
    ("billing policy", {"billing_policy": "self"}, {"billing_policy": "user_profile"}),
    ("metadata", {"metadata": {"user_id": "u"}}, {"metadata": {"name": "u"}}),
    ("stop sequences", {"stop_sequences": ["END"]}, {"stop_sequences": [" "]}),
    ("service tier", {"service_tier": "standard_only"}, {"service_tier": "priority"}),
    ("unknown field", {"container": None}, {"temprature": 1}),
    (
        "version: documents",
        {
            "messages": turns(
                [block("document", source={"type": "text", "media_type": "text/plain", "data": "x"}), TEXT]
            )
        },
        {
            "messages": turns(
                "a", [block("document", source={"type": "text", "media_type": "text/plain", "data": "x"})], "b"
            )
        },
    ),
    (
        "version: citations on text",
        {"messages": turns([block("text", text="x", citations=[])])},
        {"messages": turns([block("text", text="x", citations=[{"type": "char_location"}])])},
    ),
    (
        "cache: number",
        {"system": [{**TEXT, "cache_control": EPHEMERAL}] * 4},
        {"system": [{**TEXT, "cache_control": EPHEMERAL}] * 4, "cache_control": EPHEMERAL},
    ),
    (
        "cache: order",
        {
            "system": [{**TEXT, "cache_control": {**EPHEMERAL, "ttl": "1h"}}],
            "messages": turns([{**TEXT, "cache_control": EPHEMERAL}]),
        },
        {
            "system": [{**TEXT, "cache_control": EPHEMERAL}],
            "messages": turns([{**TEXT, "cache_control": {**EPHEMERAL, "ttl": "1h"}}]),
        },
    ),
    (
        "cache: tools come first",
        {
            "tools": [{**TOOL, "cache_control": {**EPHEMERAL, "ttl": "1h"}}],
            "system": [{**TEXT, "cache_control": EPHEMERAL}],
        },
        {
            "tools": [{**TOOL, "cache_control": EPHEMERAL}],
            "system": [{**TEXT, "cache_control": {**EPHEMERAL, "ttl": "1h"}}],
        },
    ),
    (
        "cache: inside a tool result",
        {
            "messages": turns(
                "a", [CALL], [block("tool_result", tool_use_id="t1", content=[{**TEXT, "cache_control": EPHEMERAL}])]
            )
        },
        {
            "messages": turns(
                "a",
                [CALL],
                [block("tool_result", tool_use_id="t1", content=[{**TEXT, "cache_control": EPHEMERAL}] * 5)],
            )
        },
    ),
    (
        "cache: not on thinking",
        {"messages": turns("a", [block("thinking", thinking="h", signature="s"), TEXT], "b")},
        {"messages": turns("a", [block("thinking", thinking="h", signature="s", cache_control=EPHEMERAL), TEXT], "b")},
    ),
    ("cache: ttl", {"cache_control": {**EPHEMERAL, "ttl": "1h"}}, {"cache_control": {**EPHEMERAL, "ttl": "2h"}}),
    ("tool use is answered", {"messages": turns("a", [CALL], [RESULT])}, {"messages": turns("a", [CALL], "b")}),
    ("tool result answers", {"messages": turns("a", [CALL], [RESULT, TEXT])}, {"messages": turns([RESULT])}),
    (
        "tool results first",
        {"messages": turns("a", [CALL], [RESULT, TEXT])},
        {"messages": turns("a", [CALL], [TEXT, RESULT])},
    ),
    (
        "tool results in the next turn, whatever its messages",
        {"messages": [*turns("a", [CALL]), {"role": "user", "content": [RESULT]}, {"role": "user", "content": "b"}]},
        {"messages": [*turns("a", [CALL]), {"role": "user", "content": "b"}, {"role": "user", "content": [RESULT]}]},
    ),
    (
        "tool use is the assistant's",
        {"messages": turns("a", [CALL], [RESULT])},
        {"messages": turns([CALL], "b", [RESULT])},
    ),
    (
        "tool result content",
        {"messages": turns("a", [CALL], [{**RESULT, "content": [TEXT]}])},
        {"messages": turns("a", [CALL], [{**RESULT, "content": [CALL]}])},
    ),
    (
        "system message: place",
        {"messages": [USER, {"role": "system", "content": "s"}]},
        {"messages": [{"role": "system", "content": "s"}, USER]},
    ),
    (
        "system message: what follows",
        {"messages": [USER, {"role": "system", "content": "s"}, {"role": "assistant", "content": "a"}, USER]},
        {"messages": [USER, {"role": "system", "content": "s"}, USER]},
    ),
    (
        "system message: text",
        {"messages": [USER, {"role": "system", "content": [TEXT]}]},
        {"messages": [USER, {"role": "system", "content": [base64_of("image", "image/png", png())]}]},
    ),
    ("message fields", {"messages": [USER]}, {"messages": [{**USER, "name": "x"}]}),
    ("blank text", {"messages": turns([TEXT])}, {"messages": turns([block("text", text=" \n")])}),
    (
        "image: type fits the bytes",
        {"messages": turns([base64_of("image", "image/png", png())])},
        {"messages": turns([base64_of("image", "image/jpeg", png())])},
    ),
    (
        "image: an image",
        {"messages": turns([base64_of("image", "image/png", png())])},
        {"messages": turns([base64_of("image", "image/png", "AAAA")])},
    ),
    (
        "image: side",
        {"messages": turns([base64_of("image", "image/png", png(8000, 10))])},
        {"messages": turns([base64_of("image", "image/png", png(10, 8001))])},
    ),
    (
        "image: side of many",
        {"messages": turns(many(20, lambda n: base64_of("image", "image/png", png(2001, 10))))},
        {"messages": turns(many(21, lambda n: base64_of("image", "image/png", png(2001, 10))))},
    ),
    (
        "images: number",
        {"messages": turns(many(100, lambda n: base64_of("image", "image/png", png())))},
        {"messages": turns(many(101, lambda n: base64_of("image", "image/png", png())))},
    ),
    (
        "image: size",
        {"messages": turns([base64_of("image", "image/png", png() + "A" * 9_999_000)])},
        {"messages": turns([base64_of("image", "image/png", png() + "A" * 10_000_000)])},
    ),
    (
        "pdf: a PDF",
        {"messages": turns([base64_of("document", "application/pdf", pdf())])},
        {"messages": turns([base64_of("document", "application/pdf", png())])},
    ),
    (
        "pdf: password",
        {"messages": turns([base64_of("document", "application/pdf", pdf())])},
        {"messages": turns([base64_of("document", "application/pdf", pdf(extra=b"trailer<</Encrypt 9 0 R>>"))])},
    ),
    (
        "pdf: pages",
        {"messages": turns([base64_of("document", "application/pdf", pdf(100))])},
        {
            "messages": turns(
                [
                    base64_of("document", "application/pdf", pdf(60)),
                    base64_of("document", "application/pdf", pdf(41, packed=True)),
                ]
            )
        },
    ),
    (
        "document: text",
        {"messages": turns([block("document", source={"type": "text", "media_type": "text/plain", "data": "x"})])},
        {"messages": turns([block("document", source={"type": "text", "media_type": "text/html", "data": "x"})])},
    ),
    (
        "document: content",
        {"messages": turns([block("document", source={"type": "content", "content": [TEXT]})])},
        {"messages": turns([block("document", source={"type": "content", "content": [CALL]})])},
    ),
    (
        "citations on all or none",
        {
            "messages": turns(
                [block("document", source={"type": "content", "content": "x"}, citations={"enabled": True})] * 2
            )
        },
        {
            "messages": turns(
                [
                    block("document", source={"type": "content", "content": "x"}, citations={"enabled": True}),
                    block("document", source={"type": "content", "content": "x"}),
                ]
            )
        },
    ),
    (
        "search result",
        {"messages": turns([block("search_result", source="s", title="t", content=[TEXT])])},
        {"messages": turns([block("search_result", source="s", content=[TEXT])])},
    ),
    (
        "container upload",
        {"messages": turns([block("container_upload", file_id="f"), TEXT])},
        {"messages": turns([block("container_upload"), TEXT])},
    ),
    (
        "thinking block",
        {"messages": turns("a", [block("thinking", thinking="", signature="s"), TEXT], "b")},
        {"messages": turns("a", [block("thinking", thinking=""), TEXT], "b")},
    ),
    (
        "redacted thinking",
        {"messages": turns("a", [block("redacted_thinking", data="d"), TEXT], "b")},
        {"messages": turns([block("redacted_thinking", data="d"), TEXT])},
    ),
    (
        "server tool results",
        {"messages": turns("a", [block("web_search_tool_result", tool_use_id="w", content=[]), TEXT], "b")},
        {"messages": turns("a", [block("web_search_tool_result", tool_use_id="w"), TEXT], "b")},
    ),
    (
        "tool: typed name",
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"tools": [{"type": "bash_20250124", "name": "sh"}]},
    ),
    (
        "tool: toolsets have no name",
        {"tools": [{"type": "computer_toolset_20260801"}]},
        {"tools": [{"type": "computer_toolset_20260801", "name": "computer"}]},
    ),
    (
        "tool: domains",
        {"tools": [{"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.example"]}]},
        {
            "tools": [
                {
                    "type": "web_search_20250305",
                    "name": "web_search",
                    "allowed_domains": ["a.example"],
                    "blocked_domains": ["b.example"],
                }
            ]
        },
    ),
    (
        "tool: display",
        {"tools": [{"type": "computer_20250124", "name": "computer", "display_width_px": 9, "display_height_px": 9}]},
        {"tools": [{"type": "computer_20250124", "name": "computer", "display_width_px": 9}]},
    ),
    (
        "tool: computer by model",
        {
            "model": "claude-opus-5",
            "tools": [{"type": "computer_20251124", "name": "computer", "display_width_px": 9, "display_height_px": 9}],
        },
        {
            "model": "claude-opus-5-5",
            "tools": [{"type": "computer_20251124", "name": "computer", "display_width_px": 9, "display_height_px": 9}],
        },
    ),
    (
        "tool: advisor",
        {
            "model": "claude-fable-5-2",
            "tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-mythos-5-2"}],
        },
        {
            "model": "claude-fable-5-2",
            "tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"}],
        },
    ),
    (
        "tool: not all deferred",
        {
            "tools": [
                {**TOOL, "defer_loading": True},
                {"type": "tool_search_tool_regex", "name": "tool_search_tool_regex"},
            ]
        },
        {"tools": [{**TOOL, "defer_loading": True}]},
    ),
    ("tool: names are unique", {"tools": [TOOL, {**TOOL, "name": "g"}]}, {"tools": [TOOL, TOOL]}),
    ("tool: schema", {"tools": [TOOL]}, {"tools": [{"name": "f", "input_schema": {"type": "string"}}]}),
    ("tool: name", {"tools": [{**TOOL, "name": "a" * 128}]}, {"tools": [{**TOOL, "name": "a b"}]}),
    (
        "mcp",
        {
            "mcp_servers": [{"type": "url", "name": "m", "url": "https://m.example"}],
            "tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}],
        },
        {"mcp_servers": [{"type": "url", "name": "m", "url": "https://m.example"}]},
    ),
    (
        "mcp: https",
        {"mcp_servers": []},
        {
            "mcp_servers": [{"type": "url", "name": "m", "url": "http://m.example"}],
            "tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}],
        },
    ),
    (
        "strict: closed",
        {"tools": [{**TOOL, "strict": True, "input_schema": CLOSED}]},
        {"tools": [{**TOOL, "strict": True}]},
    ),
    (
        "strict: number",
        {"tools": many(20, lambda n: {"name": f"f{n}", "strict": True, "input_schema": CLOSED})},
        {"tools": many(21, lambda n: {"name": f"f{n}", "strict": True, "input_schema": CLOSED})},
    ),
    ("format: closed", schema(), schema(additionalProperties=True)),
    ("format: closed inside", schema(properties={"a": CLOSED}), schema(properties={"a": {"type": "object"}})),
    (
        "format: bounds",
        schema(properties={"a": {"enum": [1, 2]}}),
        schema(properties={"a": {"type": "integer", "minimum": 1}}),
    ),
    (
        "format: lengths",
        schema(properties={"a": {"type": "array", "minItems": 1}}),
        schema(properties={"a": {"type": "array", "minItems": 2}}),
    ),
    ("format: enum", schema(properties={"a": {"enum": [None, "x"]}}), schema(properties={"a": {"enum": [{"x": 1}]}})),
    (
        "format: pattern",
        schema(properties={"a": {"pattern": "^[a-z]+$"}}),
        schema(properties={"a": {"pattern": "(?=a)b"}}),
    ),
    (
        "format: references",
        schema(properties={"a": {"$ref": "#/$defs/b"}}, **{"$defs": {"b": {"type": "string"}}}),
        schema(
            properties={"a": {"$ref": "#/$defs/b"}},
            **{"$defs": {"b": {"type": "array", "items": {"$ref": "#/$defs/b"}}}},
        ),
    ),
    ("format: references inside", schema(), schema(properties={"a": {"$ref": "https://a.example/s.json"}})),
    (
        "format: optional",
        schema(properties={f"p{n}": {} for n in range(24)}, required=[]),
        schema(properties={f"p{n}": {} for n in range(25)}, required=[]),
    ),
    (
        "format: unions",
        schema(
            properties={f"p{n}": {"type": ["string", "null"]} for n in range(16)}, required=[f"p{n}" for n in range(16)]
        ),
        schema(
            properties={f"p{n}": {"type": ["string", "null"]} for n in range(17)}, required=[f"p{n}" for n in range(17)]
        ),
    ),
    ("format: no prefill", {**schema(), "messages": turns("a", "b", "c")}, {**schema(), "messages": turns("a", "b")}),
    (
        "format: no citations",
        {**schema(), "messages": turns([block("document", source={"type": "content", "content": "x"})])},
        {
            **schema(),
            "messages": turns(
                [block("document", source={"type": "content", "content": "x"}, citations={"enabled": True})]
            ),
        },
    ),
    (
        "task budget",
        {"output_config": {"task_budget": {"type": "tokens", "total": 20_000}}},
        {"output_config": {"task_budget": {"type": "tokens", "total": 19_999}}},
    ),
]


def request(**changed: Any) -> dict[str, Any]:
    made = {"model": "claude-haiku-4-5", "max_tokens": 500, "messages": [USER], **changed}
    return {name: value for name, value in made.items() if value is not None}


@pytest.mark.parametrize(("right", "wrong"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_each_rule_lets_the_right_request_pass_and_stops_the_wrong_one_on_both_sides(
    right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    assert verdicts(request(**right)) == ([], "")
    errors, refused = verdicts(request(**wrong))
    assert errors and refused


def test_sampling_under_the_older_version_by_model() -> None:
    for model, params, fine in (
        ("claude-haiku-4-5", {"temperature": 0.5}, True),
        ("claude-haiku-4-5", {"temperature": 0.5, "top_p": 0.9}, False),
        ("claude-opus-4-5", {"temperature": 0.5, "top_p": 0.9}, True),
        ("claude-opus-4-6", {"temperature": 0.2, "top_k": 5}, True),
        ("claude-opus-5", {"temperature": 1}, True),
        ("claude-opus-5", {"temperature": 0.9}, False),
        ("claude-sonnet-5-5", {"top_k": 5}, False),
    ):
        errors, refused = verdicts(request(model=model, **params), OLD)
        assert (not errors, not refused) == (fine, fine), (model, params, errors, refused)
        errors, refused = verdicts(request(model=model, **params), NEW)
        assert errors and refused


def test_the_longer_output_is_for_some_models_only() -> None:
    for model, fine in (("claude-opus-5", True), ("claude-fable-5-1", False), ("claude-haiku-4-5", False)):
        errors, refused = verdicts(request(model=model, max_tokens=250_000), betas=("output-300k-2026-03-24",))
        assert (not errors, not refused) == (fine, fine), (model, errors, refused)


BLOCKS = st.sampled_from(
    [
        *(TEXT, CALL, RESULT, block("text", text=" "), block("text", text="x", cache_control=EPHEMERAL)),
        block("text", text="x", cache_control={**EPHEMERAL, "ttl": "1h"}),
        block("tool_use", id="t2", name="g", input={}),
        block("tool_result", tool_use_id="t2", content=[TEXT]),
        block("thinking", thinking="h", signature="s"),
        block("redacted_thinking", data="d"),
        block("thinking", thinking="h"),
        base64_of("image", "image/png", png(30, 40)),
        base64_of("image", "image/gif", png()),
        base64_of("document", "application/pdf", pdf(3)),
        block(
            "document", source={"type": "text", "media_type": "text/plain", "data": "x"}, citations={"enabled": True}
        ),
        block("document", source={"type": "url", "url": "https://a.example/a.pdf"}),
        block("search_result", source="s", title="t", content=[TEXT]),
        block("container_upload", file_id="f"),
        block("web_search_tool_result", tool_use_id="w", content=[]),
    ]
)
CONTENTS = st.one_of(st.sampled_from(["hi", "hi", "", " ", "x "]), st.lists(BLOCKS, min_size=1, max_size=3))
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "user", "assistant", "assistant", "system"]), "content": CONTENTS}
    ),
    min_size=1,
    max_size=5,
)
TOOLS = st.sampled_from(
    [
        TOOL,
        {**TOOL, "strict": True},
        {"name": "g", "strict": True, "input_schema": CLOSED},
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "bash_20250124", "name": "f"},
        {"type": "computer_toolset_20260801"},
        {"type": "computer_20251124", "name": "computer", "display_width_px": 9, "display_height_px": 9},
        {"name": "h", "input_schema": {"type": "object"}, "cache_control": {**EPHEMERAL, "ttl": "1h"}},
    ]
)
THINKING = st.fixed_dictionaries(
    {"type": st.sampled_from(["enabled", "adaptive", "disabled", "between_tools", "on"])},
    optional={
        "budget_tokens": st.sampled_from([1023, 1024, 2000, None]),
        "display": st.sampled_from(["omitted", "full"]),
    },
)
SUBSCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "integer", "minimum": 1},
            {"enum": ["a", "b"]},
            {"$ref": "#/$defs/x"},
            {"type": ["string", "null"]},
        ]
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner}, optional={"minItems": st.sampled_from([1, 2])}
        ),
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2)},
            optional={"additionalProperties": st.sampled_from([False, False, True]), "required": st.just(["a"])},
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}),
    ),
    max_leaves=5,
)
SCHEMAS = st.builds(
    lambda inner, defs: {**CLOSED, "properties": {"a": inner}, **defs},
    SUBSCHEMAS,
    st.sampled_from([{}, {"$defs": {"x": {"type": "string"}}}]),
)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "effort": st.sampled_from(["low", "high", "xhigh", "max", "huge"]),
        "format": st.builds(lambda made: {"type": "json_schema", "schema": made}, SCHEMAS),
    },
)
REQUESTS = st.fixed_dictionaries(
    {"model": st.sampled_from(MODELS), "max_tokens": st.sampled_from([1, 500, 2000, 64_000, 100_000, 200_000])},
    optional={
        "messages": MESSAGES,
        "tools": st.lists(TOOLS, max_size=3),
        "tool_choice": st.sampled_from(
            [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "f"}, {"type": "none"}]
        ),
        "thinking": THINKING,
        "output_config": CONFIGS,
        "system": st.sampled_from(["s", " ", [TEXT], [{**TEXT, "cache_control": EPHEMERAL}]]),
        "temperature": st.sampled_from([0, 0.5, 1]),
        "top_p": st.sampled_from([0.9, 1]),
        "inference_geo": st.sampled_from(["us", "global"]),
        "cache_control": st.just(EPHEMERAL),
        "stop_sequences": st.sampled_from([["x"], [" "]]),
    },
)


def agree(params: dict[str, Any], version: str, betas: tuple[str, ...]) -> None:
    errors, refused = verdicts({"messages": [USER], **params}, version, betas)
    assert bool(errors) == bool(refused), (errors, refused)


BETA_SETS = st.sampled_from([(), (), BETAS[:1], BETAS])


@settings(max_examples=300, deadline=None)
@given(REQUESTS, st.sampled_from([NEW, OLD]), BETA_SETS)
def test_both_agree_on_requests_made_from_the_rules(
    params: dict[str, Any], version: str, betas: tuple[str, ...]
) -> None:
    agree(params, version, betas)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(REQUESTS, st.sampled_from([NEW, OLD]), BETA_SETS)
def test_both_agree_on_ten_thousand_requests(params: dict[str, Any], version: str, betas: tuple[str, ...]) -> None:
    agree(params, version, betas)
