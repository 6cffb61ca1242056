"""What of a result line can hold fields: the text of a succeeded answer, and the inputs of its tool calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from batchtui.results.line_lenient import mend
from batchtui.results.text import load

_NULL = msgspec.Raw(b"null")
_HELD = frozenset({"text", "tool_use"})


class Call(msgspec.Struct, gc=False):
    """A tool call."""

    name: str
    input: msgspec.Raw | bytes


class Parts(msgspec.Struct, gc=False):
    """The texts of an answer joined, its first text block, and its tool calls in order."""

    text: str
    first_text: str
    calls: Sequence[Call] = ()


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    name: str | None = ""
    input: msgspec.Raw = _NULL


class _Message(msgspec.Struct, gc=False):
    content: list[_Block] = []


class _Result(msgspec.Struct, gc=False):
    type: str = ""
    message: _Message | None = None


class _Line(msgspec.Struct, gc=False):
    result: _Result


_decoder = msgspec.json.Decoder(_Line)


def plain_parts(block: bytes, count: int) -> Sequence[Parts | str | None] | None:
    """The parts of ``count`` lines decoded at once; None when a line is odd.

    An answer that says one text and calls no tool is that text alone; None stands for one that did not succeed.
    """
    try:
        lines = _decoder.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if len(lines) != count:
        return None
    found: list[Parts | str | None] = []
    for line in lines:
        result = line.result
        if result.message is None or result.type != "succeeded":
            found.append(None)
            continue
        content = result.message.content
        said = [block for block in content if block.type in _HELD] if len(content) != 1 else content
        if len(said) == 1 and said[0].type == "text":
            found.append(said[0].text)
        else:
            found.append(_parts(result))
    return found


def parts_of(line: bytes) -> Parts | None:
    """The parts of one line; None when it has no answer or can't be read."""
    if not line:
        return None
    for tried in (line, mend(line)):
        try:
            return _parts(_decoder.decode(tried).result)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
    return _leniently(load(line))


def _parts(result: _Result) -> Parts | None:
    if result.message is None or result.type != "succeeded":
        return None
    content = result.message.content
    if len(content) == 1 and content[0].type == "text":
        text = content[0].text or ""
        return Parts(text, text)
    texts = [block.text or "" for block in content if block.type == "text"]
    calls = [Call(block.name or "", block.input) for block in content if block.type == "tool_use"]
    return Parts("".join(texts), next((text for text in texts if text.strip()), ""), calls)


def _leniently(parsed: Any) -> Parts | None:
    result = parsed.get("result") if isinstance(parsed, dict) else None
    message = result.get("message") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(message, dict) or result.get("type") != "succeeded":
        return None
    content = message.get("content")
    if isinstance(content, str):
        return Parts(content, content)
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    said = [block["text"] for block in blocks if block.get("type") == "text" and isinstance(block.get("text"), str)]
    calls = [
        Call(str(block.get("name") or ""), msgspec.json.encode(block.get("input")))
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    return Parts("".join(said), next((text for text in said if text.strip()), ""), calls)
