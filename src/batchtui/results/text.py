"""Texts of result and request lines: first words, whole answers, errors."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from batchtui.results.line import (
    UNDECODED,
    ContentBlock,
    Error,
    ErrorBody,
    MessageContent,
    Result,
    ResultLine,
    as_text,
    decode_or_mend,
)
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


class _Contained(msgspec.Struct, gc=False):
    content: msgspec.Raw = msgspec.Raw(b"[]")


class Answer(msgspec.Struct, gc=False):
    """What one line says: a text and what stands beside it, or why there is none."""

    text: str | None
    """None when there is no answer; a tool call's input as JSON when the answer is nothing but tool calls."""
    error: str = ""
    """The error's type."""
    message: str = ""
    """The error's message."""
    blocks: list[ContentBlock] = []
    """All of them in their order; none when there is no answer."""
    stop_details: str = ""
    """Why it was refused, or stopped, as JSON; '' when nothing is said."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it calls tools with, as JSON."""
        return tool_inputs(self.blocks)

    @property
    def why(self) -> str:
        """Why there is no answer: the error's type and message; '' where there is one."""
        return ": ".join(filter(None, (self.error, self.message)))

    @property
    def only_text(self) -> bool:
        """Whether nothing but ``text`` is said."""
        return not self.stop_details and all(block.type == "text" for block in self.blocks)

    @property
    def compaction(self) -> str:
        """The summaries of a conversation that was compacted."""
        return "\n\n".join(filter(None, [block.summary for block in self.blocks]))

    @property
    def thinking(self) -> str:
        """What was thought, where it was sent."""
        return "\n\n".join(filter(None, [as_text(block.thinking) for block in self.blocks if block.thinking]))


_decode = msgspec.json.Decoder(ResultLine[MessageContent]).decode
_decode_content = msgspec.json.Decoder(ResultLine[_Contained]).decode
_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NOTHING_SAID = (b"", b"null", b"{}")


def read_answer(line: bytes) -> Answer:
    """The answer of a result line; never fails, and an unreadable line is no answer."""
    if not line:
        return Answer(None)
    parsed = decode_or_mend(line, _decode) or _leniently(line)
    if parsed is None:
        return Answer(None, "unreadable", "the line can't be read as a result")
    result = parsed.result
    if result.message is not None and result.type == "succeeded":
        blocks, details = result.message.content, bytes(result.message.stop_details)
        said = "" if details in _NOTHING_SAID else details.decode("utf-8", "replace")
        return Answer(join_text(blocks), blocks=blocks, stop_details=said)
    if result.error is not None and result.error.error is not None:
        return Answer(None, result.error.error.type, result.error.error.message)
    return Answer(None, result.type if result.type != "succeeded" else "unreadable")


def _leniently(line: bytes) -> ResultLine[MessageContent] | None:
    parsed = load(line)
    result = parsed.get("result") if isinstance(parsed, dict) else None
    if not isinstance(result, dict):
        return None
    message, error = result.get("message"), result.get("error")
    body = error.get("error", error) if isinstance(error, dict) else None
    return ResultLine(
        Result(
            _string(result.get("type")),
            MessageContent(_blocks(message.get("content")), _raw(message, "stop_details"))
            if isinstance(message, dict)
            else None,
            Error(ErrorBody(_string(body.get("type")), _string(body.get("message"))))
            if isinstance(body, dict)
            else None,
        )
    )


def _blocks(content: object) -> list[ContentBlock]:
    if isinstance(content, str):
        return [ContentBlock("text", content)]
    kept = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return [
        ContentBlock(
            *(_string(block.get("type")), _string(block.get("text")), _string(block.get("name"))),
            input=_raw(block, "input"),
            content=_raw(block, "content"),
            thinking=_raw(block, "thinking"),
        )
        for block in kept
    ]


def _raw(found: dict[str, Any], key: str) -> msgspec.Raw:
    """A value as JSON again; nothing when there is none."""
    return msgspec.Raw(json.dumps(found[key], ensure_ascii=False).encode("utf-8", "replace") if key in found else b"")


def _string(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def raw_content(line: bytes) -> str:
    """The content of a line's answer as JSON, as received; '' when it has none."""
    found = decode_or_mend(line, _decode_content)
    if found is not None:
        message = found.result.message
        return "" if message is None else bytes(message.content).decode("utf-8", "replace")
    parsed = load(line)
    for key in ("result", "message", "content"):
        parsed = parsed.get(key) if isinstance(parsed, dict) else None
    return "" if parsed is None else json.dumps(parsed, ensure_ascii=False)


def tool_calls(line: bytes, answer: Answer) -> str:
    """The tool calls of a line whose answer was read, as a JSON array of their blocks as received; '' without any."""
    called = [block for block in answer.blocks if block.is_call]
    if not called:
        return ""
    try:
        raws = [raw for raw in map(bytes, _decode_raws(raw_content(line))) if raw[:1] == b"{"]
    except UNDECODED:
        raws = []
    if len(raws) == len(answer.blocks):
        as_received = [raw.decode() for raw, block in zip(raws, answer.blocks, strict=True) if block.is_call]
        return f"[{', '.join(as_received)}]"
    return json.dumps([{"type": each.type, "name": each.name, "input": as_text(each.input)} for each in called])


def tool_inputs(blocks: list[ContentBlock]) -> tuple[str, ...]:
    """What the answer calls tools with, as JSON."""
    return tuple(
        bytes(block.input).decode("utf-8", "replace") for block in blocks if block.type == "tool_use" and block.input
    )


def join_text(blocks: list[ContentBlock]) -> str:
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
    if len(parts) == len(blocks) or text.strip():
        return text
    inputs = tool_inputs(blocks)
    if not inputs:
        return text
    return inputs[0] if len(inputs) == 1 else f"[{', '.join(inputs)}]"
