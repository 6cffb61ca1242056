"""Small requests with the verdict that the documentation gives them: the checker and the demo server both give it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.intake.test_rules_agree import (
    CALL,
    CLOSED,
    EPHEMERAL,
    NEW,
    OLD,
    RESULT,
    TEXT,
    TOOL,
    USER,
    base64_of,
    block,
    many,
    pdf,
    png,
    request,
    schema,
    turns,
    verdicts,
)

OPUS_5_5, SONNET_5_5, HAIKU_5_5 = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
FABLE_5, FABLE_5_1, MYTHOS_5_2 = "claude-fable-5", "claude-fable-5-1", "claude-mythos-5-2"
ADAPTIVE, OFF, BETWEEN = {"type": "adaptive"}, {"type": "disabled"}, {"type": "between_tools"}
ENABLED = {"type": "enabled", "budget_tokens": 1024}
ANY = {"tools": [TOOL], "tool_choice": {"type": "any"}}
JPEG = base64.b64encode(
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(9) + b"\xff\xc0\x00\x11\x08\x00\x10\x00\x20" + bytes(9)
)
WEBP = base64.b64encode(
    b"RIFF\x1a\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00" + bytes(4) + b"\x63\x00\x00\x63\x00\x00"
).decode()
GIF = base64.b64encode(b"GIF89a\x10\x00\x10\x00").decode()
DOC = block("document", source={"type": "text", "media_type": "text/plain", "data": "x"})
CITED = {**DOC, "citations": {"enabled": True}}
FOUND = block("search_result", source="s", title="t", content=[TEXT])
MCP = [{"type": "url", "name": "m", "url": "https://m.example"}]
MARKED = {**TEXT, "cache_control": EPHEMERAL}
HOUR = {**TEXT, "cache_control": {**EPHEMERAL, "ttl": "1h"}}
SYSTEM = {"role": "system", "content": "s"}
SERVER = [block("server_tool_use", id="w", name="web_search", input={}),
          block("web_search_tool_result", tool_use_id="w", content=[])]  # fmt: skip
VERDICTS: list[tuple[bool, dict[str, Any]]] = [
    # Whether the API takes it, and what it changes in a request to Claude Haiku 4.5.
    *[(model not in (OPUS_5_5, SONNET_5_5, FABLE_5_1), {"model": model, **ANY})
      for model in (OPUS_5_5, SONNET_5_5, FABLE_5_1, "claude-mythos-5", MYTHOS_5_2, HAIKU_5_5, "claude-sonnet-4-6")],
    *[(model == "claude-opus-4-5", {"model": model, "output_config": {"effort": "low"}})
      for model in ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")],
    *[(fine, {"model": model, "thinking": thinking, "max_tokens": 2000}) for fine, model, thinking in (
        (False, "claude-fable-5-2", OFF), (False, MYTHOS_5_2, ENABLED), (True, MYTHOS_5_2, ADAPTIVE), (False, FABLE_5, OFF),
        (True, "claude-opus-4-8", OFF), (False, "claude-opus-4-7", ENABLED), (True, "claude-opus-4-6", ENABLED),
        (True, "claude-sonnet-4-6", ADAPTIVE), (False, "claude-opus-4-5", ADAPTIVE), (True, "claude-sonnet-4-5", OFF),
        (False, HAIKU_5_5, ENABLED), (True, HAIKU_5_5, OFF), (True, SONNET_5_5, BETWEEN), (False, SONNET_5_5, OFF),
        (False, "claude-haiku-4-5", {**ENABLED, "budget_tokens": 2000}),
        (True, "claude-haiku-4-5", {**ENABLED, "display": "omitted"}),
        (False, "claude-opus-5", {**ADAPTIVE, "budget_tokens": 1024}), (False, "claude-opus-5", {"type": "auto"}))],
    (False, {"model": HAIKU_5_5, "thinking": OFF, "output_config": {"effort": "xhigh"}}),
    (True, {"model": "claude-sonnet-5", "thinking": OFF, "output_config": {"effort": "max"}}),
    (False, {"model": "claude-opus-4-5", "output_config": {"effort": "xhigh"}}),
    (True, {"model": "claude-opus-4-6", "output_config": {"effort": "xhigh"}}),
    (True, {"model": "claude-opus-4-5", "messages": turns("a", "b")}),
    (False, {"model": "claude-sonnet-4-6", "messages": turns("a", "b")}),
    (True, {"model": SONNET_5_5, "messages": turns("a", SERVER)}),
    (False, {"model": "claude-sonnet-4-5", "inference_geo": "global"}),
    (True, {"model": "claude-sonnet-4-6", "inference_geo": "us"}),
    # Images, documents.
    (True, {"messages": turns([base64_of("image", "image/jpeg", JPEG.decode())])}),
    (False, {"messages": turns([base64_of("image", "image/webp", JPEG.decode())])}),
    (True, {"messages": turns([base64_of("image", "image/webp", WEBP)])}),
    (False, {"messages": turns([base64_of("image", "image/png", GIF)])}),
    (False, {"messages": turns([base64_of("image", "image/jpg", JPEG.decode())])}),
    (False, {"messages": turns([base64_of("image", "image/png", "data:image/png;base64," + png())])}),
    (False, {"messages": turns([base64_of("image", "image/png", "")])}),
    (False, {"messages": turns([block("image", source={"type": "file"})])}),
    (True, {"messages": turns([block("image", source={"type": "file", "file_id": "file_1"})])}),
    (False, {"messages": turns([base64_of("document", "application/pdf", png())])}),
    (False, {"messages": turns([base64_of("document", "application/pdf", pdf(extra=b"<</Encrypt 5 0 R>>"))])}),
    (False, {"messages": turns([base64_of("document", "text/plain", "eA==")])}),
    (False, {"messages": turns([block("document", source={"type": "text", "media_type": "text/markdown", "data": "x"})])}),
    (False, {"messages": turns([block("document", source={"type": "text", "media_type": "text/plain", "data": " "})])}),
    (True, {"messages": turns([DOC, FOUND])}),
    (False, {"messages": turns([CITED, FOUND])}),
    (True, {"messages": turns([CITED, {**FOUND, "citations": {"enabled": True}}])}),
    (False, {"messages": turns([CITED, DOC])}),
    (False, {"messages": turns([block("search_result", source="s", title="t", content=[DOC])])}),
    (False, {"messages": turns("a", [block("container_upload", file_id="f"), TEXT], "b")}),
    (False, {"messages": turns("a", [DOC, TEXT], "b")}),
    # The order of turns.
    (True, {"messages": [USER, SYSTEM, {"role": "assistant", "content": "a"}, USER]}),
    (False, {"messages": [USER, {"role": "assistant", "content": "a"}, SYSTEM, USER]}),
    (False, {"messages": [USER, SYSTEM, SYSTEM]}),
    (True, {"messages": [USER, {"role": "assistant", "content": SERVER}, SYSTEM]}),
    (False, {"messages": [USER, {"role": "system", "content": [FOUND]}]}),
    (False, {"messages": [USER, {"role": "system", "content": "s", "clear_at": "later"}]}),
    (True, {"messages": [*turns("a", [CALL], [RESULT]), SYSTEM]}),
    (False, {"messages": turns("a", [CALL, {**CALL, "id": "t2"}], [RESULT])}),
    (False, {"messages": turns("a", [CALL, CALL], [RESULT, RESULT])}),
    (False, {"messages": turns("a", [CALL], [RESULT, RESULT])}),
    (False, {"messages": turns("a", [CALL], [{**RESULT, "tool_use_id": "t9"}])}),
    (False, {"messages": turns("a", [CALL])}),
    (False, {"messages": turns("a", [block("tool_use", id="t1", name="f", input="{}")], [RESULT])}),
    (True, {"messages": turns("a", [CALL], [block("tool_result", tool_use_id="t1")])}),
    (True, {"messages": turns("a", [CALL], [{**RESULT, "content": [FOUND, base64_of("image", "image/png", png())]}])}),
    (False, {"messages": turns("a", [CALL], [{**RESULT, "is_error": "yes"}])}),
    (False, {"messages": turns("a", [block("redacted_thinking"), TEXT], "b")}),
    # Cache marks.
    (True, {"system": [HOUR], "messages": turns([MARKED])}),
    (False, {"messages": turns([MARKED, HOUR])}),
    (False, {"tools": [{**TOOL, "cache_control": EPHEMERAL}], "system": [MARKED] * 3, "messages": turns([MARKED])}),
    (False, {"messages": turns([{**TEXT, "cache_control": {"type": "persistent"}}])}),
    (False, {"messages": turns([block("text", text="", cache_control=EPHEMERAL)])}),
    (False, {"messages": turns("a", [CALL], [{**RESULT, "cache_control": EPHEMERAL}], "b", [MARKED] * 4)}),
    # Tools.
    (False, {"tools": [{"type": "text_editor_20250124", "name": "str_replace_based_edit_tool"}]}),
    (True, {"tools": [{"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}]}),
    (False, {"tools": [{"type": "memory_20250818"}]}),
    (True, {"tools": [{"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}, TOOL]}),
    (False, {"tools": [{"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25_20251119"}, TOOL]}),
    (False, {"tools": [{"type": "browser_toolset_20260801", "strict": True}]}),
    (False, {"tools": [{"type": "web_fetch_20260318", "name": "web_fetch", "allowed_domains": ["a"], "blocked_domains": ["b"]}]}),
    (False, {"tools": [{"type": "advisor_20260301", "name": "advisor"}]}),
    (True, {"model": "claude-opus-5", "tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-5"}]}),
    (False, {"tools": [{"type": "function", "function": {"name": "f"}}]}),
    (False, {"tools": [{"name": "f"}]}),
    (False, {"tools": [{**TOOL, "name": "a.b"}]}),
    (False, {"tools": [{**TOOL, "name": ""}]}),
    (True, {"tools": [{**TOOL, "type": "custom", "strict": False}]}),
    (False, {"tools": [TOOL], "tool_choice": {"type": "required"}}),
    (False, {"tools": [TOOL], "tool_choice": {"type": "tool"}}),
    (False, {"tools": [], "tool_choice": {"type": "auto"}}),
    (False, {"mcp_servers": MCP, "tools": [{"type": "mcp_toolset", "mcp_server_name": "n"}]}),
    (False, {"mcp_servers": MCP, "tools": many(2, lambda n: {"type": "mcp_toolset", "mcp_server_name": "m"})}),
    (False, {"tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}]}),
    # Structured outputs.
    (False, schema(properties={"a": {"type": "string", "minLength": 1}})),
    (False, schema(properties={"a": {"type": "array", "items": {"type": "object"}}})),
    (False, schema(properties={"a": {"type": "string", "pattern": r"\bx\b"}})),
    (True, schema(properties={"a": {"type": "string", "enum": ["x", None, 1, True]}})),
    (False, {"output_config": {"format": {"type": "json_object"}}}),
    (False, {"output_config": {"format": {"type": "json_schema"}}}),
    (False, {"output_config": {"format": {"type": "json_schema", "name": "n", "schema": CLOSED}}}),
    (False, {"output_config": {"task_budget": {"type": "words", "total": 30_000}}}),
    # Fields.
    (False, {"stream": True}), (False, {"max_tokens": -1}), (False, {"max_tokens": 64_001}), (False, {"max_tokens": 1.5}),
    (True, {"stop_sequences": []}), (False, {"stop_sequences": "END"}), (False, {"system": [FOUND]}),
    (True, {"service_tier": "auto"}), (False, {"service_tier": None, "messages": []}),
    (False, {"metadata": {"user_id": 5}}), (False, {"messages": [{"role": "human", "content": "x"}]}),
    (False, {"messages": [{"role": "user"}]}), (False, {"messages": [{"role": "user", "content": 5}]}),
    (False, {"messages": [{"role": "user", "content": [TEXT, "x"]}]}), (True, {"system": ""}),
    (False, {"top_k": 5}), (False, {"temperature": 1}), (False, {"inference_geo": 5}),
    (False, {"diagnostics": {"previous_message_id": 5}}), (False, {"cache_control": {"ttl": "1h"}}),
    (False, {"tools": {}}), (False, {"tool_choice": "auto", "tools": [TOOL]}), (False, {"thinking": True}),
    (False, {"thinking": {"type": "enabled"}}), (False, {"output_config": {"effort": 3}}), (False, {"output_config": []}),
    (False, {"messages": turns([block("text")])}), (False, {"messages": turns([block("text", text=None)])}),
    (False, {"messages": turns([block("image")])}), (False, {"messages": turns([block("document", source="x")])}),
    (False, {"messages": turns([block("image_url", image_url={"url": "x"})])}),
    (False, {"messages": turns([{"text": "x"}])}), (False, {"messages": {"role": "user", "content": "x"}}),
    (False, {"tools": [{**TOOL, "strict": "yes"}]}), (False, {"tools": [{**TOOL, "description": 5}]}),
    (False, {"tools": ["f"]}), (False, {"tools": [{**TOOL, "cache_control": {"type": "ephemeral", "ttl": "1d"}}]}),
    (False, {"mcp_servers": {}}), (False, {"user_profile_id": ["u"]}), (False, {"service_tier": 1}),
    (False, {"stop_sequences": [5]}), (False, {"system": 5}), (False, {"system": [{"text": "x"}]}),
    (False, {"model": "claude-opus-4-1"}), (False, {"model": "claude-3-haiku-20240307"}), (False, {"model": ""}),
    (True, {"model": "claude-opus-4-5-20251101"}), (False, {"model": "claude-opus-4-0"}),
]  # fmt: skip


def test_small_requests_of_the_documentation_get_its_verdict_on_both_sides() -> None:
    wrong = []
    for fine, changed in VERDICTS:
        errors, refused = verdicts(request(**changed), NEW)
        if bool(errors) == fine or bool(refused) == fine:
            wrong.append((fine, changed, errors, refused))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize(
    ("fine", "model", "params"),
    [
        (True, "claude-sonnet-4-5", {"top_p": 0.5}),
        (False, "claude-sonnet-4-5", {"top_p": 0.5, "temperature": 1}),
        (False, "claude-opus-4-8", {"top_p": 0.5}),
        (True, "claude-fable-5", {"temperature": 1, "top_p": 1}),
        (False, HAIKU_5_5, {"top_k": 40}),
        (True, "claude-sonnet-4-6", {"top_k": 40}),
        (False, "claude-haiku-4-5", {"temperature": 1.1}),
        (True, "claude-haiku-4-5", {"messages": turns("a", [DOC, TEXT], "b")}),
        (True, "claude-haiku-4-5", {"messages": turns([block("text", text="x", citations=[{"type": "char_location"}])])}),
    ],
)  # fmt: skip
def test_the_older_version_takes_what_it_took(fine: bool, model: str, params: dict[str, Any]) -> None:
    errors, refused = verdicts(request(model=model, **params), OLD)
    assert (not errors, not refused) == (fine, fine), (errors, refused)
