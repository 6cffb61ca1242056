"""What of a result line can hold fields: the text of a succeeded answer, and the inputs of its tool calls."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal

import msgspec

from batchtui.results.line import UNDECODED, ResultLine, decode_or_mend
from batchtui.results.text import load

_NULL = msgspec.Raw(b"null")
_HELD = frozenset({"text", "tool_use"})


class ToolCall(msgspec.Struct, gc=False):
    """A tool call."""

    name: str
    input: msgspec.Raw | bytes


class AnswerParts(msgspec.Struct, gc=False):
    """The texts of an answer joined, its first text block, and its tool calls in order."""

    text: str
    first_text: str
    calls: Sequence[ToolCall] = ()


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    name: str | None = ""
    input: msgspec.Raw = _NULL


class _Message(msgspec.Struct, gc=False):
    content: list[_Block] = []


class _OneText(msgspec.Struct, gc=False):
    type: Literal["text"]
    text: str


class _OneBlock(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    block: _OneText


class _OneSaid(msgspec.Struct, gc=False):
    content: _OneBlock


class _OneResult(msgspec.Struct, gc=False):
    type: Literal["succeeded"]
    message: _OneSaid


class _OneTextLine(msgspec.Struct, gc=False):
    """A line with an answer that says one text and nothing else."""

    result: _OneResult


_decode_one_texts = msgspec.json.Decoder(_OneTextLine).decode_lines
_decoder: msgspec.json.Decoder[ResultLine[_Message]] = msgspec.json.Decoder(ResultLine[_Message])
_decode_blocks = msgspec.json.Decoder(list[_Block]).decode


def plain_parts(block: bytes, count: int) -> Sequence[AnswerParts | str | None] | None:
    """The parts of ``count`` lines decoded at once; None when a line is odd.

    An answer that says one text and calls no tool is that text alone; None stands for one that did not succeed.
    """
    with suppress(*UNDECODED):
        texts = [line.result.message.content.block.text for line in _decode_one_texts(block)]
        return texts if len(texts) == count else None
    try:
        lines = _decoder.decode_lines(block)
    except UNDECODED:
        return None
    if len(lines) != count:
        return None
    found: list[AnswerParts | str | None] = []
    for line in lines:
        result = line.result
        if result.message is None or result.type != "succeeded":
            found.append(None)
            continue
        content = result.message.content
        plain = len(content) == 1 and content[0].type == "text"
        found.append(content[0].text if plain else _of_blocks(content))
    return found


def content_parts(content: bytes | msgspec.Raw) -> AnswerParts | str | None:
    """The parts of an answer's content alone; None when it is odd."""
    try:
        return _of_blocks(_decode_blocks(content))
    except UNDECODED:
        return None


def _of_blocks(content: list[_Block]) -> AnswerParts | str | None:
    said = [block for block in content if block.type in _HELD] if len(content) != 1 else content
    if len(said) == 1 and said[0].type == "text":
        return said[0].text
    texts = [block.text or "" for block in said if block.type == "text"]
    calls = [ToolCall(block.name or "", block.input) for block in said if block.type == "tool_use"]
    return AnswerParts("".join(texts), next((text for text in texts if text.strip()), ""), calls)


def parts_of(line: bytes) -> AnswerParts | str | None:
    """The parts of one line; None when it has no answer or can't be read."""
    parsed = decode_or_mend(line, _decoder.decode) if line else None
    if parsed is None:
        return _leniently(load(line)) if line else None
    result = parsed.result
    return _of_blocks(result.message.content) if result.message is not None and result.type == "succeeded" else None


def _leniently(parsed: Any) -> AnswerParts | str | None:
    result = parsed.get("result") if isinstance(parsed, dict) else None
    message = result.get("message") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(message, dict) or result.get("type") != "succeeded":
        return None
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    said = [block["text"] for block in blocks if block.get("type") == "text" and isinstance(block.get("text"), str)]
    calls = [
        ToolCall(str(block.get("name") or ""), msgspec.json.encode(block.get("input")))
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    return AnswerParts("".join(said), next((text for text in said if text.strip()), ""), calls)
