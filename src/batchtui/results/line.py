"""One line of results: its structs, how every reader decodes it, and what the index keeps of it.

Whoever reads a line first decodes it as documented, then once more with broken surrogates mended, and then takes it
leniently, as anything; so nothing that a line can hold makes a reader fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Generic, TypeVar

import msgspec

from batchtui.domain.money import Tokens, Usage
from batchtui.domain.outcome import CODES, CUT_CODES, EMPTY, SUCCEEDED, UNKNOWN, cut_code
from batchtui.results.charges import MOST
from batchtui.results.line_lenient import MESSAGE_KEPT, LineFacts, mend, read_leniently, skim

SLOW_LIMIT = 2_000_000
"""Longer lines that the quick reader refuses are only skimmed, in bytes: their JSON as objects would fill the memory."""
UNDECODED = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What a decoder raises for what it does not take."""
M = TypeVar("M")
T = TypeVar("T")
_Amount = Annotated[int, msgspec.Meta(ge=0, le=MOST)]


class ErrorDetails(msgspec.Struct, gc=False):
    """What an error tells in codes."""

    error_code: str | None = None


class ErrorBody(msgspec.Struct, gc=False):
    """An error's type and words."""

    type: str = ""
    message: str = ""
    details: ErrorDetails | None = None


class Error(msgspec.Struct, gc=False):
    """An error as the API wraps it."""

    error: ErrorBody | None = None


class Result(msgspec.Struct, Generic[M], gc=False):
    """How the request ended; ``M`` is what is wanted of its message."""

    type: str = ""
    message: M | None = None
    error: Error | None = None


class ResultLine(msgspec.Struct, Generic[M], gc=False):
    """A line of results."""

    result: Result[M]
    custom_id: str = ""


class ContentBlock(msgspec.Struct, gc=False):
    """A block of an answer's content."""

    type: str = ""
    text: str = ""
    name: str = ""
    """Of a tool."""
    input: msgspec.Raw = msgspec.Raw(b"")
    content: msgspec.Raw = msgspec.Raw(b"")
    thinking: msgspec.Raw = msgspec.Raw(b"")

    @property
    def is_call(self) -> bool:
        """Whether it calls a tool: ours, the API's or an MCP server's."""
        return self.type in TOOL_CALLS

    @property
    def summary(self) -> str:
        """What a compaction block says; '' for others."""
        return as_text(self.content) if self.type == "compaction" else ""


TOOL_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")


def as_text(raw: msgspec.Raw) -> str:
    """The text that a JSON value is; the JSON itself when it is no text, '' for null or nothing."""
    found: object = None
    if raw:
        try:
            found = msgspec.json.decode(raw)
        except UNDECODED:
            found = raw
    return found if isinstance(found, str) else "" if found is None else bytes(raw).decode("utf-8", "replace")


class MessageContent(msgspec.Struct, gc=False):
    """Of a message what it says."""

    content: list[ContentBlock] = []
    stop_details: msgspec.Raw = msgspec.Raw(b"")


def decode_or_mend(line: bytes | memoryview, decode: Callable[[bytes | memoryview], T]) -> T | None:
    """What ``decode`` makes of a line, or of the line mended; None when it takes neither: then it is read leniently."""
    try:
        return decode(line)
    except UNDECODED as error:
        if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
            with suppress(*UNDECODED):
                return decode(mend(bytes(line)))
    return None


_NULL = msgspec.Raw(b"null")


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: _Amount = 0
    ephemeral_1h_input_tokens: _Amount = 0


class _ServerTools(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """Those whose fees are known; others are read leniently."""

    web_search_requests: _Amount = 0
    web_fetch_requests: _Amount = 0


class _Usage(msgspec.Struct, frozen=True, gc=False):
    input_tokens: _Amount = 0
    output_tokens: _Amount = 0
    cache_creation_input_tokens: _Amount | None = 0
    cache_read_input_tokens: _Amount | None = 0
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerTools | None = None
    inference_geo: str | None = None
    iterations: msgspec.Raw = _NULL


_NO_USAGE = _Usage()
_SPOKE = msgspec.Raw(b'[{"type":"text","text":"."}]')


class AnswerMessage(msgspec.Struct, gc=False):
    """Of a message what the index keeps, its content unread."""

    model: str = ""
    stop_reason: str | None = None
    content: msgspec.Raw = _NULL
    usage: _Usage = _NO_USAGE
    container: msgspec.Raw = _NULL

    @property
    def plain(self) -> bool:
        """Whether its usage says all that it is charged for."""
        return self.usage.iterations == _NULL and self.container == _NULL


_lines: msgspec.json.Decoder[ResultLine[AnswerMessage]] = msgspec.json.Decoder(ResultLine[AnswerMessage])
_decode_blocks = msgspec.json.Decoder(list[ContentBlock]).decode
_SPEAKING = re.compile(rb'\{\s*"type"\s*:\s*"text"\s*,\s*"text"\s*:\s*"[^"\\\s]')
"""A text block that says something; inside a text its quotes would have backslashes."""
RAN_CODE = b"code_execution"
"""In each answer for which code was run."""
_SPOKEN = frozenset({"tool_use", "server_tool_use"})


def decode_block(block: bytes | memoryview, count: int) -> list[ResultLine[AnswerMessage]] | None:
    """``count`` whole lines decoded at once; None when one of them is not of the documented shape, or blank."""
    try:
        found = _lines.decode_lines(block)
    except UNDECODED:
        return None
    return found if len(found) == count else None


class Plain(msgspec.Struct, gc=False):
    """Lines that plainly succeeded, column by column; ``odd`` are the places of the others, which hold nothing there."""

    odd: list[int]
    cuts: list[int]
    """Why an answer is not usable as it stands, as its place in CUT_SHORT, 0 when it is."""
    stops: list[str]
    models: list[str]
    geos: list[str]
    read: list[int]
    written: list[int]
    cached: list[Tokens] | None
    """Tokens of each line with those of the prompt cache; None when no line used it."""


def plain_lines(lines: list[ResultLine[AnswerMessage]]) -> Plain | None:
    """The lines as columns; None when no line plainly succeeded.  One that did not, or used the API's tools, is odd."""
    results = [each.result for each in lines]
    filler = next((r.message for r in results if r.message is not None and r.type == "succeeded"), None)
    if filler is None:
        return None
    nothing = AnswerMessage(model=filler.model, content=_SPOKE)
    messages = [r.message if r.type == "succeeded" and r.message is not None else nothing for r in results]
    usages = [message.usage for message in messages]
    stops = [message.stop_reason or "" for message in messages]
    matches = map(_SPEAKING.search, [message.content for message in messages])
    spoke = CUT_CODES.keys().isdisjoint(stops)
    cuts = [
        0 if match and (spoke or stop not in CUT_CODES) else _cut_or_odd(message)
        for match, stop, message in zip(matches, stops, messages, strict=True)
    ]
    odd = [
        place
        for place, (message, cut, usage) in enumerate(zip(messages, cuts, usages, strict=True))
        if message is nothing or cut < 0 or usage.server_tool_use is not None or not message.plain
    ]
    for place in odd:
        cuts[place], messages[place], usages[place], stops[place] = 0, nothing, _NO_USAGE, ""
    used_cache = any(
        u.cache_creation_input_tokens or u.cache_read_input_tokens or u.cache_creation is not None for u in usages
    )
    return Plain(
        odd,
        cuts,
        stops,
        [message.model for message in messages],
        [usage.inference_geo or "" for usage in usages],
        [usage.input_tokens for usage in usages],
        [usage.output_tokens for usage in usages],
        [charged(usage) for usage in usages] if used_cache else None,
    )


def _cut_or_odd(message: AnswerMessage) -> int:
    try:
        return _cut(message.stop_reason or "", message.content)
    except UNDECODED:
        return -1


def _cut(stop: str, content: msgspec.Raw) -> int:
    cut = cut_code(stop)
    if not cut and not _SPEAKING.search(content) and _is_empty(content):
        cut = EMPTY
    return cut


def charged(usage: _Usage) -> Tokens:
    """The tokens of an answer."""
    made = usage.cache_creation
    written = usage.cache_creation_input_tokens or 0
    hour = 0
    if made is not None:
        hour = made.ephemeral_1h_input_tokens
        written = max(written, hour + made.ephemeral_5m_input_tokens)
    return usage.input_tokens, usage.output_tokens, written - hour, hour, usage.cache_read_input_tokens or 0


def read_line(line: bytes | memoryview) -> LineFacts:
    """The facts of one line; what can't be read at all has the outcome ``unreadable``."""
    found = decode_or_mend(line, _read_quickly)
    if found is not None:
        return found
    if len(line) > SLOW_LIMIT:
        return skim(line) or read_leniently(None, bytes(line[:1000]))
    return read_leniently(bytes(line), bytes(line[:1000]))


def message_facts(message: bytes) -> LineFacts:
    """The facts of a message that came by itself, not on a line of results."""
    return read_line(message_line(message))


def message_line(message: bytes) -> bytes:
    """The line of results that a message would be on."""
    return b'{"custom_id":"","result":{"type":"succeeded","message":' + message + b"}}"


def _read_quickly(line: bytes | memoryview) -> LineFacts:
    """The facts of a line of the documented shape; raises what msgspec raises for any other."""
    parsed = _lines.decode(line)
    result = parsed.result
    message = result.message
    if result.type == "succeeded" and message is not None:
        return _succeeded(parsed.custom_id, message)
    code = CODES.get(result.type, UNKNOWN)
    body = result.error.error if result.error is not None else None
    if not SUCCEEDED < code < UNKNOWN or (result.error is not None and body is None):
        raise msgspec.ValidationError("not a documented result")
    if body is None:
        return LineFacts(parsed.custom_id, code)
    detail = body.details.error_code or "" if body.details else ""
    return LineFacts(parsed.custom_id, code, body.type, body.message[:MESSAGE_KEPT], detail)


def _succeeded(custom_id: str, message: AnswerMessage) -> LineFacts:
    if not message.plain or RAN_CODE in bytes(message.content):
        raise msgspec.ValidationError("charged for more than its usage says")
    usage = message.usage
    stop = message.stop_reason or ""
    read, written, short, hour, cached = charged(usage)
    used = Usage(
        model=message.model,
        input_tokens=read,
        output_tokens=written,
        cache_write_5m=short,
        cache_write_1h=hour,
        cache_read=cached,
        web_searches=usage.server_tool_use.web_search_requests if usage.server_tool_use else 0,
        geo=usage.inference_geo or "",
    )
    return LineFacts(custom_id, SUCCEEDED, "", "", "", message.model, stop, _cut(stop, message.content), used)


def _is_empty(content: msgspec.Raw) -> bool:
    """True when no block speaks: no text beyond white space, no tool call, and nothing of an unknown kind."""
    return not any(
        block.text.strip() or block.type in _SPOKEN or block.type not in ("text", "thinking", "redacted_thinking")
        for block in _decode_blocks(content)
    )
