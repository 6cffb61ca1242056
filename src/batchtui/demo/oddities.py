"""Replies that say what no program expects: odd times, numbers, ids and pages, the key where it doesn't belong."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchtui.demo.faults import Fault

_TIMES = ("created_at", "expires_at", "ended_at", "cancel_initiated_at", "archived_at")
_ODD_TIMES = ("2026-11-27T12:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", 1e300, "soon")
_ODD_NUMBERS = (-1, "many", 10**18, 1.5, None, msgspec.Raw(b"1e400"), msgspec.Raw(b"9" * 400))
_ODD_ID = "../../v1/models?x=\x1b[2J\r\n"
ODD_HEADERS = [(b"date", b"Fri, 31 Dec 9999 23:59:59 -2359"), (b"retry-after", b"1e999")]


def key_of(scope: Scope) -> str:
    """The API key that came with a request, as it stood in its header."""
    headers: dict[str, str] = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer").strip()


def key_error(status: int, key: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The body and headers of an error that holds the key in every field."""
    inner = {"type": f"error for {key}", "message": f"the key {key} may not", "details": {"error_code": key}}
    body = {"type": "error", "error": inner, "request_id": f"req_{key}"}
    raw = key.encode("latin-1", "replace")
    return msgspec.json.encode(body), [(b"content-type", b"application/json"), (b"request-id", b"req_" + raw)]


async def reshaped(app: ASGIApp, faults: Iterable[Fault], scope: Scope, receive: Receive, send: Send) -> None:
    """Let the app answer, and send its JSON on as the faults make it."""
    changes = [(CHANGES[fault.name]) for fault in faults if fault.name in CHANGES]
    start: Message = {}
    whole = bytearray()

    async def keep(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        whole.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        body = msgspec.json.decode(bytes(whole))
        for change in changes:
            change(body, key_of(scope))
        raw = msgspec.json.encode(body)
        headers = [h for h in start["headers"] if h[0].lower() != b"content-length"]
        headers += ODD_HEADERS if _times in changes else []
        await send({**start, "headers": [*headers, (b"content-length", str(len(raw)).encode())]})
        await send({"type": "http.response.body", "body": raw})

    await app(scope, receive, keep)


def _batches(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in body.get("data", [body]) if isinstance(each, dict)]


def _times(body: dict[str, Any], key: str) -> None:
    odd = itertools.cycle(_ODD_TIMES)
    for each in _batches(body):
        each.update({name: next(odd) for name in _TIMES if each.get(name)})


def _numbers(body: dict[str, Any], key: str) -> None:
    odd = itertools.cycle(_ODD_NUMBERS)
    for each in _batches(body):
        if "request_counts" in each:
            each["request_counts"] = {name: next(odd) for name in each["request_counts"]}
        each.update({name: next(odd) for name in ("input_tokens", "max_tokens", "max_input_tokens") if name in each})


def _ids(body: dict[str, Any], key: str) -> None:
    for each in _batches(body):
        each["id"] = _ODD_ID
    if "last_id" in body:
        body["last_id"] = _ODD_ID


def _keyed(body: dict[str, Any], key: str) -> None:
    for each in _batches(body):
        for name, value in each.items():
            if isinstance(value, str) and name not in _TIMES:
                each[name] = f"{value}-{key}"


def _null(body: dict[str, Any], key: str) -> None:
    body.update(data=None, has_more=True)


CHANGES: dict[str, Callable[[dict[str, Any], str], None]] = {
    "odd-times": _times,
    "odd-numbers": _numbers,
    "odd-ids": _ids,
    "key-in-reply": _keyed,
    "null-page": _null,
}
