"""Texts of result and request lines: first words, whole answers, errors, fields of JSON answers."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from batchtui.results.line import Block, Error, ErrorBody, Line, Result, Spoken, ladder
from batchtui.results.line_lenient import loads

_SPEAKS = re.compile(rb'"(?:text|message)"\s*:\s*"')
_INSIDE = re.compile(rb'[^"\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^"\\]*)*')
_TOOL = re.compile(
    rb'"type"\s*:\s*"(?:server_)?tool_use"(?:\s*,\s*"(?:id|caller)"\s*:\s*"[^"]*")*\s*,\s*"name"\s*:\s*"([^"\\]{1,100})"'
)
_SPACE = re.compile(r"\s+")


def unescape(found: bytes) -> str:
    """The characters of the inside of a JSON string; what is not valid is replaced."""
    text = found.decode("utf-8", "replace")
    try:
        return str(json.loads(f'"{text}"', strict=False)) if "\\" in text else text
    except ValueError:
        return text


def first_words(head: bytes, limit: int) -> str:
    """At most ``limit`` characters of the first text, message or tool name in the beginning of a line, on one line."""
    for found in _SPEAKS.finditer(head):
        inside = _INSIDE.match(head, found.end(), found.end() + 4 * limit)
        text = _SPACE.sub(" ", unescape(inside.group())).strip() if inside else ""
        if text:
            return text[:limit]
    tool = _TOOL.search(head)
    return f"tool use: {tool.group(1).decode('utf-8', 'replace')}"[:limit] if tool else ""


WHOLE_LIMIT = 8_000_000
"""Longer lines are searched as they are, in bytes: their JSON is not taken apart."""
_NOT_SAID = frozenset(
    {"type", "id", "signature", "data", "encrypted_content", "encrypted_index", "tool_use_id", "media_type"}
)
"""Keys whose strings are for programs."""


def answer_text(line: bytes) -> str:
    """All that a result says (texts, thinking, tool inputs, citations, or the error); the line itself if unreadable."""
    parsed = load(line)
    if not isinstance(parsed, dict):
        return line.decode("utf-8", "replace")
    result = parsed.get("result")
    if not isinstance(result, dict):
        return line.decode("utf-8", "replace")
    said: list[str] = []
    message = result.get("message")
    if isinstance(message, dict):
        _gather(message.get("content"), said)
    else:
        error = result.get("error")
        body = error.get("error", error) if isinstance(error, dict) else result
        _gather(body, said)
        if isinstance(body, dict) and isinstance(body.get("type"), str):
            said.append(body["type"])
    return "\n".join(said)


def request_text(line: bytes) -> str:
    """All that a request says: system, messages, and what its tools are about."""
    parsed = load(line)
    params = parsed.get("params") if isinstance(parsed, dict) else None
    if not isinstance(params, dict):
        return line.decode("utf-8", "replace")
    said: list[str] = []
    for key in ("system", "messages", "tools"):
        _gather(params.get(key), said)
    return "\n".join(said)


def load(line: bytes) -> Any:
    """A line's JSON as plain values; None when it is too long, too deep, or not JSON."""
    if not line or len(line) > WHOLE_LIMIT:
        return None
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    except RecursionError:
        return None
    try:
        return loads(line, strict=False)
    except (ValueError, RecursionError):
        return None


def _gather(value: object, said: list[str]) -> None:
    """Add every string that is said, in the order it stands; iterative, so that depth is no matter."""
    waiting: list[object] = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, str):
            said.append(here)
        elif isinstance(here, dict):
            waiting.extend(reversed([v for k, v in here.items() if k not in _NOT_SAID]))
        elif isinstance(here, list):
            waiting.extend(reversed(here))
        elif isinstance(here, int | float) and not isinstance(here, bool):
            said.append(str(here))


class Answer(msgspec.Struct, gc=False):
    """What one line says: a text, or why there is none."""

    text: str | None
    """None when there is no answer; a tool call's input as JSON when the answer is nothing but tool calls."""
    error: str = ""
    """The error's type and message."""
    message: str = ""
    inputs: tuple[str, ...] = ()
    """What it calls tools with, as JSON."""


_decode = msgspec.json.Decoder(Line[Spoken]).decode


def read_answer(line: bytes) -> Answer:
    """The answer of a result line; never fails, and an unreadable line is no answer."""
    if not line:
        return Answer(None)
    parsed = ladder(line, _decode) or _leniently(line)
    if parsed is None:
        return Answer(None, "unreadable", "the line can't be read as a result")
    result = parsed.result
    if result.message is not None and result.type == "succeeded":
        blocks = result.message.content
        return Answer(join_text(blocks), inputs=tool_inputs(blocks))
    if result.error is not None and result.error.error is not None:
        return Answer(None, result.error.error.type, result.error.error.message)
    return Answer(None, result.type if result.type != "succeeded" else "unreadable")


def _leniently(line: bytes) -> Line[Spoken] | None:
    parsed = load(line)
    result = parsed.get("result") if isinstance(parsed, dict) else None
    if not isinstance(result, dict):
        return None
    message, error = result.get("message"), result.get("error")
    body = error.get("error", error) if isinstance(error, dict) else None
    return Line(
        Result(
            _string(result.get("type")),
            Spoken(_blocks(message.get("content"))) if isinstance(message, dict) else None,
            Error(ErrorBody(_string(body.get("type")), _string(body.get("message"))))
            if isinstance(body, dict)
            else None,
        )
    )


def _blocks(content: object) -> list[Block]:
    if isinstance(content, str):
        return [Block("text", content)]
    kept = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return [
        Block(
            _string(block.get("type")),
            _string(block.get("text")),
            msgspec.Raw(json.dumps(block["input"], ensure_ascii=False).encode() if "input" in block else b""),
        )
        for block in kept
    ]


def _string(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def tool_inputs(blocks: list[Block]) -> tuple[str, ...]:
    """What the answer calls tools with, as JSON."""
    return tuple(
        bytes(block.input).decode("utf-8", "replace") for block in blocks if block.type == "tool_use" and block.input
    )


def join_text(blocks: list[Block]) -> str:
    """Texts that follow each other are one (citations split them); others stand apart.  Tool inputs, if there is no text."""
    parts: list[str] = []
    apart = False
    for block in blocks:
        if block.type == "text":
            if parts and apart and block.text:
                parts.append("\n\n")
            parts.append(block.text)
            apart = False
        else:
            apart = True
    text = "".join(parts)
    inputs = tool_inputs(blocks)
    if text.strip() or not inputs:
        return text
    return inputs[0] if len(inputs) == 1 else f"[{', '.join(inputs)}]"


def unfolded(text: str) -> dict[str, object] | None:
    """The fields of an answer that is a JSON object, alone or in a fenced block; None when it is none."""
    body = text.strip()
    if body.startswith("```"):
        first, _, rest = body.partition("\n")
        body = rest.rsplit("```", 1)[0].strip() if len(first) < 20 else body
    if not body.startswith("{"):
        return None
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return found if isinstance(found, dict) else None


def cell(value: object) -> str:
    """A JSON value as the text of a table's cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
