"""Simulated answers in the shape of the API's messages, each plainly marked as simulated."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from batchtui.demo import labels, models, prose
from batchtui.demo.outcomes import SimulatedOutcome
from batchtui.demo.prose import MARK, as_object
from batchtui.demo.protocol import base58
from batchtui.demo.request_check import DemoParams, cached_tokens, tokens

_CUT_LENGTH = 3_000
_LONG_LENGTH = 400_000


class _Shape(NamedTuple):
    """How an answer is to be: its text, and what stands around it."""

    text: str
    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
    thinking: int
    stop: str


def question_of(params: DemoParams) -> str:
    """The text of the last user turn."""
    for turn in reversed(params.messages):
        if turn.role != "user":
            continue
        if isinstance(turn.content, str):
            return turn.content
        return "\n".join(str(block.get("text") or "") for block in turn.content if block.get("type") == "text")
    return ""


def message(
    params: DemoParams,
    question: str,
    outcome: SimulatedOutcome,
    *,
    tier: str = "batch",
    answer_bytes: int | None = None,
) -> dict[str, Any]:
    """One whole Message."""
    shape = _shape(params, question, outcome, answer_bytes)
    each = models.chars_per_token(params.model)
    room = max(1, params.max_tokens - shape.thinking)
    text, stop = shape.text, shape.stop
    if len(text) > room * each:
        text, stop = text[: max(1, int(room * each))], "max_tokens"
    content = list(shape.before)
    if text or not (content or shape.after):
        content.append({"type": "text", "text": text})
    if stop != "max_tokens":
        content += shape.after
    said = sum(len(str(block)) for block in shape.after) if shape.after else 0
    output = min(params.max_tokens, max(1, int((len(text) + said) / each)) + shape.thinking)
    if stop == "max_tokens":
        output = params.max_tokens
    price = models.known(params.model)
    container = {"id": f"container_{base58(outcome.key.to_bytes(8, 'little'))}"} if outcome.word == "code" else None
    return {
        **({"container": container} if container else {}),
        "model": price.model if price else params.model,
        "id": f"msg_01{base58(outcome.key.to_bytes(8, 'little') + tier.encode())}",
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "stop_details": _refusal() if stop == "refusal" else None,
        "usage": _usage(params, outcome, output, shape.thinking, tier),
    }


def _refusal() -> dict[str, Any]:
    return {
        "type": "refusal",
        "category": "general_harms",
        "explanation": f"{MARK} The demo declined this request as it was told to.",
    }


def _shape(params: DemoParams, question: str, outcome: SimulatedOutcome, answer_bytes: int | None) -> _Shape:
    word, dice = outcome.word, outcome.dice
    before: list[dict[str, Any]] = []
    after: list[dict[str, Any]] = []
    thinking = 0
    if word in ("think", "blocks") or (params.thinking or {}).get("type") in ("enabled", "adaptive"):
        block, thinking = _thinking(params, question, dice)
        before.append(block)
    if word == "blocks":
        before.append({"type": "redacted_thinking", "data": base58(dice.to_bytes(8, "little"), 60)})
    if word in ("search", "blocks"):
        before += _search(question, dice)
    if word == "code":
        before += _ran_code(dice)
    if word in ("cite", "blocks") or _wants_citations(params):
        before += _cited(params, dice)
    if tool := _tool(params, outcome):
        after.append(tool)
    text = _text(params, question, outcome, answer_bytes)
    if after and (params.tool_choice or {}).get("type") in ("any", "tool"):
        text = ""
    elif after:
        text = f"{MARK} I will look that up."
    stop = {"refuse": "refusal", "pause": "pause_turn", "context": "model_context_window_exceeded"}.get(
        word, "tool_use" if after else "end_turn"
    )
    if not word and not after and dice % 211 == 0:
        stop, text = "refusal", ""
    return _Shape(text, before, after, thinking, stop)


def _text(params: DemoParams, question: str, outcome: SimulatedOutcome, answer_bytes: int | None) -> str:
    word, dice = outcome.word, outcome.dice
    if word in ("refuse", "empty"):
        return ""
    if word == "hostile":
        return (
            f"{MARK} \x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07 [bold]markup[/x] "
            "\u202ereversed\u202c \x07\x00 line\u2028separator"
        )
    schema = schema_of(params)
    if schema is not None:
        system = params.system if isinstance(params.system, str) else ""
        return labels.answer(schema, question, system, params.model, outcome)
    if answer_bytes is not None:
        return f"{MARK} {prose.banks()[0].take(dice, answer_bytes)}"[:answer_bytes]
    hint = question[:1500] if isinstance(params.system, list) else f"{params.system[:1500]}\n{question[:1500]}"
    if word == "json" or "JSON" in hint:
        return _loose_json(question, dice, prose.options_in(hint))
    if not word and (options := prose.options_in(hint)):
        return f"{MARK} {options[dice % len(options)]}"
    length = {"cut": _CUT_LENGTH, "long": _LONG_LENGTH}.get(word) or _natural_length(dice)
    opening = f"{MARK} On \u201c{prose.topic(question)}\u201d: "
    bank = prose.banks()[(0, 0, 1, 0, 2)[dice % 5]]
    return opening + bank.take(dice >> 8, int(length * models.chars_per_token(params.model)) - len(opening))


def _natural_length(dice: int) -> int:
    """Tokens an answer would take if nothing cut it: mostly some 60 to 350."""
    kind, place = dice % 100, (dice >> 20) % 1_000
    if kind < 15:
        return 25 + place // 25
    if kind < 85:
        return 60 + place * 29 // 100
    return 350 + place * 55 // 100


def schema_of(params: DemoParams) -> Any:
    """The schema that the text is to fit, None when none is asked for."""
    asked = (params.output_config or {}).get("format") or {}
    return asked.get("schema") if isinstance(asked, dict) and asked.get("type") == "json_schema" else None


def _loose_json(question: str, dice: int, options: list[str]) -> str:
    body = {
        "simulated": True,
        "label": options[dice % len(options)] if options else ("yes", "no", "unclear")[dice % 3],
        "confidence": (50 + dice % 50) / 100,
        "summary": f"{MARK} {prose.topic(question)}",
    }
    return msgspec.json.encode(body).decode()


def _thinking(params: DemoParams, question: str, dice: int) -> tuple[dict[str, Any], int]:
    wanted = 80 + dice % 200
    budget = min(wanted, max(1, params.max_tokens // 2))
    thought = f"{MARK} The question is about {prose.topic(question)}. " + prose.banks()[0].take(
        dice >> 16, int(budget * models.chars_per_token(params.model))
    )
    return {"type": "thinking", "thinking": thought, "signature": base58(dice.to_bytes(8, "little"), 88)}, budget


def _wants_citations(params: DemoParams) -> bool:
    for turn in params.messages:
        if isinstance(turn.content, list):
            for block in turn.content:
                if block.get("type") == "document" and as_object(block.get("citations")).get("enabled"):
                    return True
    return False


def _cited(params: DemoParams, dice: int) -> list[dict[str, Any]]:
    title, text = "Simulated source", "The demo has no document of its own, so it cites this sentence."
    for turn in params.messages:
        for block in turn.content if isinstance(turn.content, list) else []:
            source = as_object(block.get("source"))
            if block.get("type") == "document" and source.get("type") == "text" and source.get("data"):
                title, text = str(block.get("title") or "document 1"), str(source["data"])
    cited = text[: 40 + dice % 80]
    citation = {
        "type": "char_location",
        "cited_text": cited,
        "document_index": 0,
        "document_title": title,
        "start_char_index": 0,
        "end_char_index": len(cited),
        "file_id": None,
    }
    return [
        {"type": "text", "text": f"{MARK} The document says so: ", "citations": None},
        {"type": "text", "text": "its beginning names the point.", "citations": [citation]},
    ]


def _search(question: str, dice: int) -> list[dict[str, Any]]:
    use = f"srvtoolu_01{base58(dice.to_bytes(8, 'little'))}"
    found = {
        "type": "web_search_result",
        "title": f"{MARK} A page about {prose.topic(question)}",
        "url": "https://example.com/simulated",
        "encrypted_content": base58(dice.to_bytes(8, "big"), 64),
        "page_age": "3 days ago",
    }
    return [
        {"type": "server_tool_use", "id": use, "name": "web_search", "input": {"query": prose.topic(question)}},
        {"type": "web_search_tool_result", "tool_use_id": use, "content": [found]},
    ]


def _ran_code(dice: int) -> list[dict[str, Any]]:
    use = f"srvtoolu_01{base58(dice.to_bytes(8, 'little'))}"
    done = {"type": "code_execution_result", "stdout": f"{MARK} 42\n", "stderr": "", "return_code": 0, "content": []}
    return [
        {"type": "server_tool_use", "id": use, "name": "code_execution", "input": {"code": "print(42)"}},
        {"type": "code_execution_tool_result", "tool_use_id": use, "content": done},
    ]


def _tool(params: DemoParams, outcome: SimulatedOutcome) -> dict[str, Any] | None:
    kind = (params.tool_choice or {}).get("type", "auto")
    named = [tool for tool in params.tools if isinstance(tool.get("input_schema"), dict)]
    if outcome.word not in ("tool", "blocks") and (
        not named or kind == "none" or (kind == "auto" and outcome.dice & 1)
    ):
        return None
    tool: dict[str, Any] = named[outcome.dice % len(named)] if named else {"name": "simulated_tool", "input_schema": {}}
    if kind == "tool":
        wanted = (params.tool_choice or {}).get("name")
        tool = next((each for each in named if each["name"] == wanted), tool)
    schema = tool["input_schema"] or {"properties": {"query": {"type": "string"}}}
    value = prose.sample({"type": "object", **schema}, outcome.dice >> 4)
    return {
        "type": "tool_use",
        "id": f"toolu_01{base58(outcome.dice.to_bytes(8, 'little'))}",
        "name": tool["name"],
        "input": value,
    }


def _usage(params: DemoParams, outcome: SimulatedOutcome, output: int, thinking: int, tier: str) -> dict[str, Any]:
    prompt = tokens(params)
    cached, hour = cached_tokens(params)
    hit = bool(cached) and outcome.dice % 10 < 7
    written = 0 if hit else cached
    searches = 1 if outcome.word in ("search", "blocks") else 0
    geo = params.inference_geo or ("global" if models.chars_per_token(params.model) < 3 else "not_available")
    usage: dict[str, Any] = {
        "input_tokens": max(1, prompt - cached),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached if hit else 0,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if hour else written,
            "ephemeral_1h_input_tokens": written if hour else 0,
        },
        "output_tokens": output,
        "service_tier": tier,
        "inference_geo": geo,
    }
    if thinking:
        usage["output_tokens_details"] = {"thinking_tokens": min(thinking, output)}
    apart = {"compact": {"type": "compaction"}, "advise": {"type": "advisor_message", "model": "claude-opus-5-5"}}
    if outcome.word in apart:
        more = {"input_tokens": prompt + 500, "output_tokens": 100 + outcome.dice % 300}
        whole = {name: usage[name] for name in ("input_tokens", "output_tokens")}
        usage["iterations"] = [{**apart[outcome.word], **more}, {"type": "message", **whole}]
    if searches:
        usage["server_tool_use"] = {"web_search_requests": searches}
    return usage
