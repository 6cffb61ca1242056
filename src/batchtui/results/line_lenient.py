"""The second reader of a line of results, for what the quick one refuses: it takes anything odd as it is."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from batchtui.domain.money import Usage
from batchtui.domain.outcome import CODES, EMPTY, SUCCEEDED, UNKNOWN, UNREADABLE, cut_code
from batchtui.results.charges import amount, charges_of, tokens_of

ID_LIMIT = 256
"""Longer custom_ids are cut in the index, in characters; the API allows 64."""
MESSAGE_KEPT = 2_000
"""Of an error's message, in characters."""
_ID_HEAD = re.compile(rb'\s*\{\s*"custom_id"\s*:\s*"([^"\\]{1,256})"')
_TYPE_HEAD = re.compile(
    rb'\s*\{\s*"custom_id"\s*:\s*"[^"\\]{1,256}"\s*,\s*"result"\s*:\s*\{\s*"type"\s*:\s*"(\w{1,64})"'
)
_RAN_CODE = b"code_execution_tool_result"
_LONE = re.compile(rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_UNUSED = Usage()
_NULL = msgspec.Raw(b"null")
_SMALL = 64_000
"""Parts of a very large line that are read, in bytes."""


class LineFacts(msgspec.Struct, gc=False):
    """What the index keeps of one line."""

    custom_id: str
    outcome: int
    kind: str = ""
    """The error's type; for an unknown outcome the type as the API named it."""
    message: str = ""
    code: str = ""
    model: str = ""
    stop: str = ""
    cut: int = 0
    usage: Usage = _UNUSED
    missing: tuple[str, ...] = ()
    """What is not known of its cost; empty when it is known whole."""


class _RawLine(msgspec.Struct, gc=False):
    custom_id: msgspec.Raw = _NULL
    result: msgspec.Raw = _NULL


class _RawResult(msgspec.Struct, gc=False):
    type: msgspec.Raw = _NULL
    message: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL


class _RawMessage(msgspec.Struct, gc=False):
    model: msgspec.Raw = _NULL
    stop_reason: msgspec.Raw = _NULL
    usage: msgspec.Raw = _NULL
    content: msgspec.Raw = _NULL
    container: msgspec.Raw = _NULL


def mend(line: bytes) -> bytes:
    """A line with each lone surrogate escape made the replacement character, which strict readers take."""
    return _LONE.sub(_mended, line)


def _mended(found: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if len(found.group()) == 6 else found.group()


def loads(line: bytes, *, strict: bool) -> Any:
    """A line's JSON as plain values, however it is written; raises ValueError or RecursionError when it is none.

    ``strict`` refuses control characters in strings: a file that a crash left with zeros in it holds no result there.
    """
    return json.loads(mend(line).decode("utf-8-sig", "replace"), parse_constant=str, strict=strict)


def skim(line: bytes | memoryview) -> LineFacts | None:
    """The facts of a line too large to be read leniently: its small parts are read, the large ones skipped, in one pass.

    A large content counts as an answer.  None when it is no JSON, or its result is no object.
    """
    try:
        whole = msgspec.json.decode(line, type=_RawLine)
        held = msgspec.json.decode(whole.result, type=_RawResult)
        result: dict[str, Any] = {"type": _small(held.type), "error": _small(held.error)}
        if memoryview(held.message)[:1].tobytes() == b"{":
            message = msgspec.json.decode(held.message, type=_RawMessage)
            read = ("model", "stop_reason", "usage", "container")
            result["message"] = {name: _small(getattr(message, name)) for name in read}
            result["message"]["content"] = _small(message.content, "too large to inspect")
            if result["message"]["container"] is None and _RAN_CODE in bytes(message.content):
                result["message"]["container"] = True
        return _from_dict({"custom_id": _small(whole.custom_id)}, result)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _small(raw: msgspec.Raw, otherwise: object = None) -> Any:
    return json.loads(bytes(raw).decode("utf-8", "replace")) if len(raw) <= _SMALL else otherwise


def read_leniently(line: bytes | None, head: bytes) -> LineFacts:
    """The facts of a line, by stdlib json or else by its ``head`` alone; ``line`` is None when it is too large to read."""
    if line is not None:
        try:
            parsed = loads(line, strict=True)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, dict) and isinstance(parsed.get("result"), dict):
            return _from_dict(parsed, parsed["result"])
        if isinstance(parsed, dict):
            return LineFacts(_text(parsed.get("custom_id")), UNREADABLE, "unreadable", "The line has no result.")
    found = _ID_HEAD.match(head)
    custom_id = found.group(1).decode("utf-8", "replace") if found else ""
    typed = _TYPE_HEAD.match(head)
    told = f" Its type is {typed.group(1).decode('ascii', 'replace')}." if typed else ""
    what = "The line can't be read as JSON." if line is not None else "The line is too large to be read completely."
    return LineFacts(custom_id, UNREADABLE, "unreadable", what + told)


def _from_dict(parsed: dict[str, Any], result: dict[str, Any]) -> LineFacts:
    custom_id = _text(parsed.get("custom_id"))
    kind = _text(result.get("type"))
    code = CODES.get(kind, UNKNOWN)
    if code >= UNKNOWN:
        return LineFacts(custom_id, UNKNOWN, kind or "unknown", "")
    if code == SUCCEEDED:
        message = result.get("message")
        if not isinstance(message, dict):
            return LineFacts(custom_id, UNREADABLE, "unreadable", "The line says succeeded and has no message.")
        return _message_from_dict(custom_id, message)
    error = result.get("error")
    body = error.get("error", error) if isinstance(error, dict) else {}
    body = body if isinstance(body, dict) else {}
    details = body.get("details")
    stable = _text(details.get("error_code")) if isinstance(details, dict) else ""
    said = _text(body.get("message"))[:MESSAGE_KEPT]
    return LineFacts(custom_id, code, _text(body.get("type")), said, stable)


def _message_from_dict(custom_id: str, message: dict[str, Any]) -> LineFacts:
    usage = _dict(message.get("usage"))
    tools = _dict(usage.get("server_tool_use"))
    read, written, short, hour, cached = tokens_of(usage)
    content = message.get("content")
    blocks = [_dict(block) for block in content] if isinstance(content, list) else []
    speaks = isinstance(content, str) and content.strip()
    silent = ("text", "thinking", "redacted_thinking")
    stop = _text(message.get("stop_reason"))
    cut = cut_code(stop)
    if not cut and not speaks and not any(_text(b.get("text")).strip() or b.get("type") not in silent for b in blocks):
        cut = EMPTY
    model = _text(message.get("model"))
    extra, missing = charges_of(message, usage, model, blocks)
    used = Usage(
        model=model,
        input_tokens=read,
        output_tokens=written,
        cache_write_5m=short,
        cache_write_1h=hour,
        cache_read=cached,
        web_searches=amount(tools.get("web_search_requests")),
        geo=_text(usage.get("inference_geo")),
        extra=extra,
    )
    return LineFacts(custom_id, SUCCEEDED, model=model, stop=stop, cut=cut, usage=used, missing=missing)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)[:MESSAGE_KEPT]
