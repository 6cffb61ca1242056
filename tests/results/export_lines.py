"""Result lines of every block type, made by hypothesis, and what exports must say of them: written apart from the program."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st
from result_lines import MODEL, line

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    ["=1+1", "'=x", "''@", "-5", "'-5", "+", "a,b\r\nc", ' "quoted" ', "\ufeff", "1e5", "NULL", "", "\t", "#", "＝x"]
)
SCALAR = TEXT | st.integers(-(2**70), 2**70) | st.booleans() | st.none() | st.sampled_from([0.5, -1.25, 1e300])
VALUE = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2))
OBJECT = st.dictionaries(st.sampled_from(["label", "Label", "score", "custom_id", "a b", "answer"]), VALUE, max_size=4)
FORMULA = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")
CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")


def given_cell(cell: str) -> str:
    """The text of a cell, as docs/reference.md says that it is restored."""
    return cell[1:] if FORMULA.match(cell) else cell


def _call(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), "id": st.just("t"), "name": TEXT, "input": OBJECT})


BLOCK = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}),
    st.fixed_dictionaries({"type": st.just("text"), "text": OBJECT.map(json.dumps), "citations": st.none()}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXT, "signature": st.just("s")}),
    st.just({"type": "redacted_thinking", "data": "x"}),
    *map(_call, CALLS),
    st.fixed_dictionaries({"type": st.just("compaction"), "content": TEXT | st.none()}),
    st.fixed_dictionaries({"type": st.just("web_search_tool_result"), "tool_use_id": st.just("t"), "content": VALUE}),
    st.fixed_dictionaries({"type": st.just("of_tomorrow"), "text": TEXT, "more": VALUE}),
)
DETAILS = st.none() | st.fixed_dictionaries({"type": st.just("refusal"), "category": TEXT, "explanation": TEXT})


def _message(content: list[Any], details: Any, stop: str) -> dict[str, Any]:
    usage = {"input_tokens": 1, "output_tokens": 2}
    message = {"model": MODEL, "id": "m", "content": content, "stop_reason": stop, "stop_details": details}
    return {"type": "succeeded", "message": {**message, "usage": usage}}


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": text}}}


STOPS = st.sampled_from(["end_turn", "tool_use", "refusal", "max_tokens", "compaction"])
RESULT = st.one_of(
    st.builds(_message, st.lists(BLOCK, max_size=4), DETAILS, STOPS),
    st.builds(lambda held: _message([{"type": "text", "text": json.dumps(held)}], None, "end_turn"), OBJECT),
    st.builds(_error, st.sampled_from(["api_error", "overloaded_error"]), TEXT),
    st.sampled_from([{"type": "expired"}, {"type": "canceled"}]),
)


def lines_of(results: list[dict[str, Any]]) -> list[bytes]:
    return [line(f"r{number}", result) for number, result in enumerate(results)]


def said(result: dict[str, Any]) -> dict[str, Any]:
    """What every export must hold of a result."""
    if result["type"] != "succeeded":
        body = result.get("error", {}).get("error", {})
        nothing = {"answer": None, "tool_calls": [], "compaction": "", "stop_details": None}
        return {**nothing, "error": body.get("type", ""), "error_message": body.get("message", "")}
    message = result["message"]
    content = message["content"]
    return {
        "answer": _text(content),
        "tool_calls": [block for block in content if block["type"] in CALLS],
        "compaction": "\n\n".join(b["content"] for b in content if b["type"] == "compaction" and b["content"]),
        "stop_details": message["stop_details"],
        "error": "",
        "error_message": "",
    }


def _text(content: list[dict[str, Any]]) -> Any:
    """The texts, those that other blocks part set apart; without any the inputs of tool calls as values."""
    found = ""
    parted = begun = False
    for block in content:
        if block["type"] != "text":
            parted = True
            continue
        found += "\n\n" if begun and parted and block["text"] else ""
        found += block["text"]
        begun, parted = True, False
    inputs = [block["input"] for block in content if block["type"] == "tool_use"]
    if found.strip() or not inputs:
        return found
    return inputs[0] if len(inputs) == 1 else inputs
