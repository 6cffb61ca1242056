"""Texts of result and request lines: first words, whole answers with all their blocks, errors, fields of JSON answers."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from batchtui.results.line import mend

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
        return json.loads(mend(line).decode("utf-8-sig", "replace"), strict=False)
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


class Block(msgspec.Struct, gc=False):
    """A block of an answer's content, as far as it is written out."""

    type: str = ""
    text: str = ""
    name: str = ""
    """Of a tool."""
    input: msgspec.Raw = msgspec.Raw(b"")
    """What a tool is called with, as JSON."""
    content: msgspec.Raw = msgspec.Raw(b"")
    thinking: msgspec.Raw = msgspec.Raw(b"")

    @property
    def is_call(self) -> bool:
        """Whether it calls a tool: ours, the API's or an MCP server's."""
        return self.type in TOOL_CALLS

    @property
    def called_with(self) -> str:
        """The input as JSON text."""
        return bytes(self.input).decode("utf-8", "replace")

    @property
    def summary(self) -> str:
        """What a compaction block says; '' for others."""
        return _string(self.content) if self.type == "compaction" else ""


def _string(raw: msgspec.Raw) -> str:
    """The text that a JSON value is; the JSON itself when it is no text, '' for null or nothing."""
    found: object = None
    if raw:
        try:
            found = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            found = raw
    return found if isinstance(found, str) else "" if found is None else bytes(raw).decode("utf-8", "replace")


TOOL_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")


class _Message(msgspec.Struct, gc=False):
    content: list[Block] = []
    stop_details: msgspec.Raw = msgspec.Raw(b"")


class _ErrorBody(msgspec.Struct, gc=False):
    type: str = ""
    message: str = ""


class _Error(msgspec.Struct, gc=False):
    error: _ErrorBody | None = None


class _Result(msgspec.Struct, gc=False):
    type: str = ""
    message: _Message | None = None
    error: _Error | None = None


class _Line(msgspec.Struct, gc=False):
    result: _Result


class _RawMessage(msgspec.Struct, gc=False):
    content: msgspec.Raw = msgspec.Raw(b"[]")


class _RawResult(msgspec.Struct, gc=False):
    message: _RawMessage


class _RawLine(msgspec.Struct, gc=False):
    result: _RawResult


class Answer(msgspec.Struct, gc=False):
    """What one line says: a text and what stands beside it, or why there is none."""

    text: str | None
    """None when there is no answer; a tool call's input as JSON when the answer is nothing but tool calls."""
    error: str = ""
    """The error's type and message."""
    message: str = ""
    blocks: list[Block] = []
    """All of them in their order; none when there is no answer."""
    stop_details: str = ""
    """Why it was refused, or stopped, as JSON; '' when nothing is said."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it calls tools with, as JSON."""
        return tool_inputs(self.blocks)

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
        return "\n\n".join(filter(None, [_string(block.thinking) for block in self.blocks if block.thinking]))


_decode = msgspec.json.Decoder(_Line).decode
_decode_raw = msgspec.json.Decoder(_RawLine).decode
_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NOTHING = (b"", b"null", b"{}")


def read_answer(line: bytes) -> Answer:
    """The answer of a result line; never fails, and an unreadable line is no answer."""
    if not line:
        return Answer(None)
    parsed: _Line | None
    try:
        parsed = _decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        parsed = _leniently(line)
    if parsed is None:
        return Answer(None, "unreadable", "the line can't be read as a result")
    result = parsed.result
    if result.message is not None and result.type == "succeeded":
        blocks, details = result.message.content, bytes(result.message.stop_details)
        said = "" if details in _NOTHING else details.decode("utf-8", "replace")
        return Answer(join_text(blocks), blocks=blocks, stop_details=said)
    if result.error is not None and result.error.error is not None:
        return Answer(None, result.error.error.type, result.error.error.message)
    return Answer(None, result.type if result.type != "succeeded" else "unreadable")


def _leniently(line: bytes) -> _Line | None:
    try:
        return _decode(mend(line))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    parsed = load(line)
    result = parsed.get("result") if isinstance(parsed, dict) else None
    if not isinstance(result, dict):
        return None
    message = result.get("message")
    if not isinstance(message, dict):
        return _Line(_Result(str(result.get("type")), error=_error_of(result.get("error"))))
    blocks = [_loose_block(block) for block in _loose_content(message)]
    return _Line(_Result(str(result.get("type")), _Message(blocks, _raw(message.get("stop_details")))))


def _error_of(error: object) -> _Error | None:
    body = error.get("error", error) if isinstance(error, dict) else None
    if not isinstance(body, dict):
        return None
    return _Error(_ErrorBody(str(body.get("type") or ""), str(body.get("message") or "")))


def _loose_content(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _loose_block(block: dict[str, Any]) -> Block:
    kind, text, name = (str(block.get(key) or "") for key in ("type", "text", "name"))
    called, content, thought = (_raw(block.get(key)) for key in ("input", "content", "thinking"))
    return Block(kind, text, name, called, content, thought)


def _raw(value: object) -> msgspec.Raw:
    """A plain value as JSON again; nothing for null."""
    return msgspec.Raw(b"" if value is None else json.dumps(value).encode())


def raw_content(line: bytes) -> str:
    """The content of a line's answer as JSON, as received; '' when it has none."""
    for made in (line, mend(line)):
        try:
            return bytes(_decode_raw(made).result.message.content).decode("utf-8", "replace")
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
    parsed = load(line)
    result = parsed.get("result") if isinstance(parsed, dict) else None
    message = result.get("message") if isinstance(result, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    return "" if content is None else json.dumps(content, ensure_ascii=False)


def tool_calls(line: bytes, answer: Answer) -> str:
    """The tool calls of a line whose answer was read, as a JSON array of their blocks as received; '' without any."""
    called = [block for block in answer.blocks if block.is_call]
    if not called:
        return ""
    try:
        raws = [raw for raw in _decode_raws(raw_content(line)) if bytes(raw)[:1] == b"{"]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raws = []
    if len(raws) == len(answer.blocks):
        as_received = zip(raws, answer.blocks, strict=True)
        return f"[{', '.join(bytes(raw).decode('utf-8', 'replace') for raw, block in as_received if block.is_call)}]"
    return json.dumps([{"type": each.type, "name": each.name, "input": each.called_with} for each in called])


def tool_inputs(blocks: list[Block]) -> tuple[str, ...]:
    """What the answer calls tools with, as JSON."""
    return tuple(block.called_with for block in blocks if block.type == "tool_use" and block.input)


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
    if len(parts) == len(blocks) or text.strip():
        return text
    inputs = tool_inputs(blocks)
    if not inputs:
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
