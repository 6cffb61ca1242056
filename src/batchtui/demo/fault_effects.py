"""What the demo server's faults do: to whole calls, to replies that stay JSON, and to the lines of results."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchtui.demo.connection import close, drop, endless, gone, left, reset
from batchtui.demo.faults import RESULT_FAULTS, Fault, FaultBook
from batchtui.demo.protocol import ApiError, DemoClock, error_reply

_TIMES = ("created_at", "expires_at", "ended_at", "cancel_initiated_at", "archived_at")
_ODD_TIMES = ("2026-11-27T12:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", 1e300, "soon")
_ODD_NUMBERS = (-1, "many", 10**18, 1.5, None, msgspec.Raw(b"1e400"), msgspec.Raw(b"9" * 400))
_ODD_ID = "../../v1/models?x=\x1b[2J\r\n"
_ODD_HEADERS = [(b"date", b"Fri, 31 Dec 9999 23:59:59 -2359"), (b"retry-after", b"1e999")]


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
    changes = [_REPLY_CHANGES[fault.name] for fault in faults if fault.name in _REPLY_CHANGES]
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
        headers += _ODD_HEADERS if _times in changes else []
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


def _wrong_id(body: dict[str, Any], key: str) -> None:
    if "id" in body:
        body["id"] = f"{body['id'][:-4]}none"


def _null(body: dict[str, Any], key: str) -> None:
    body.update(data=None, has_more=True)


_REPLY_CHANGES: dict[str, Callable[[dict[str, Any], str], None]] = {
    "odd-times": _times,
    "odd-numbers": _numbers,
    "odd-ids": _ids,
    "wrong-id": _wrong_id,
    "key-in-reply": _keyed,
    "null-page": _null,
}


_EVERY = 10
_DEEP = 20_000
_COPY_PIECE = 64 * 1024


def corrupts(faults: Sequence[Fault]) -> bool:
    """True when any fault changes the results."""
    return any(fault.name in RESULT_FAULTS or fault.name == "unknown" for fault in faults)


async def corrupted(path: Path, faults: Sequence[Fault], scope: Scope) -> AsyncIterator[bytes]:
    """The results file as the faults leave it, for the connection of ``scope``."""
    size = path.stat().st_size
    ending = next((fault for fault in faults if fault.name in ("cut", "tear", "stall")), None)
    until = int(size * ending.number) if ending else size
    pending = bytearray()
    sent = 0
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if sent + len(line) > until:
                if ending and ending.name != "cut":
                    pending += line[: max(1, len(line) // 2)]
                break
            sent += len(line)
            pending += _changed(line, number, faults)
            if len(pending) > _COPY_PIECE:
                yield bytes(pending)
                pending.clear()
                await asyncio.sleep(0)
    yield bytes(pending)
    if ending and ending.name == "tear":
        close(scope)
        await asyncio.sleep(0.05)
    elif ending and ending.name == "stall":
        while not left(scope):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _changed(line: bytes, number: int, faults: Sequence[Fault]) -> bytes:
    for fault in faults:
        change = _LINE_CHANGES.get(fault.name)
        if change is not None and line:
            line = change(line, number, fault)
    return line


def _every_tenth(change: Callable[[bytes], bytes]) -> Callable[[bytes, int, Fault], bytes]:
    return lambda line, number, fault: change(line) if number % _EVERY == _EVERY // 2 else line


def _unknown(line: bytes, number: int, fault: Fault) -> bytes:
    body = msgspec.json.decode(line)
    body["sent_by"] = "a newer API"
    if number % _EVERY == _EVERY // 2:
        body["result"] = {"type": "deferred", "until": "2027-01-01T00:00:00Z", "reason": {"code": "simulated"}}
    elif body["result"]["type"] == "succeeded":
        message = body["result"]["message"]
        message["mood"] = "[simulated] a field of the future"
        message["usage"]["daydream_tokens"] = 3
        message["content"].append({"type": "hologram", "data": "[simulated] a block of the future"})
    return msgspec.json.encode(body) + b"\n"


def _in_text(line: bytes, more: bytes) -> bytes:
    return line.replace(b"[simulated]", b"[simulated]" + more, 1)


def _long(line: bytes, number: int, fault: Fault) -> bytes:
    return _in_text(line, b" long" * (int(fault.number) // 5)) if number == 0 else line


def _only_sixth(change: Callable[[bytes], bytes]) -> Callable[[bytes, int, Fault], bytes]:
    return lambda line, number, fault: change(line) if number == _EVERY // 2 else line


def _of_another(line: bytes) -> bytes:
    return line.replace(b'"custom_id":"', b'"custom_id":"stranger-', 1)


_LINE_CHANGES: dict[str, Callable[[bytes, int, Fault], bytes]] = {
    "unknown": _unknown,
    "short-count": _every_tenth(lambda line: b""),
    "duplicate-lines": _every_tenth(lambda line: line + line),
    "blank-lines": _every_tenth(lambda line: line + b"\n   \n"),
    "foreign-ids": _every_tenth(_of_another),
    "other-batch": lambda line, number, fault: _of_another(line),
    "garbage-line": _only_sixth(lambda line: b"<html>not JSON</html>\n"),
    "foreign-line": _only_sixth(_of_another),
    "surrogate": _every_tenth(lambda line: _in_text(line, b"\\ud83d lone \\udc00")),
    "bad-line": _every_tenth(lambda line: line + b'{"custom_id":"half\n<html>not JSON</html>\n'),
    "bad-utf8": _every_tenth(lambda line: _in_text(line, b"\xff\xc3(")),
    "deep-line": _every_tenth(lambda line: line.rstrip()[:-1] + b',"deep":' + b"[" * _DEEP + b"]" * _DEEP + b"}\n"),
    "long-line": _long,
}


_BATCH = re.compile(r"/v1/messages/batches/(?P<id>[^/]+)(?P<verb>/cancel|/results)?/?\Z")
_FIXED = {
    ("POST", "/v1/messages/batches"): "create",
    ("GET", "/v1/messages/batches"): "list",
    ("POST", "/v1/messages/count_tokens"): "count_tokens",
    ("POST", "/v1/messages"): "messages",
}
_OF_BATCH = {
    ("GET", None): "retrieve",
    ("DELETE", None): "delete",
    ("POST", "/cancel"): "cancel",
    ("GET", "/results"): "results",
}
_PAGE = (
    b"<!doctype html><html><head><title>Sign in to the network</title></head>"
    b"<body><h1>Welcome</h1><p>Please accept the terms of use to go online.</p></body></html>"
)
_HTML = [(b"content-type", b"text/html; charset=utf-8")]

_AFTER = ("drop", "late", "late-html", "earlier-reply", "torn-reply", "hang", "trickle", "early-hints")
"""Faults of an answer to work that was done."""
_PIECE = 256 * 1024

Age = Callable[[str, str], float | None]


def call_of(method: str, path: str) -> tuple[str, str]:
    """(name of the call, batch id); empty strings where there is none."""
    path = path.rstrip("/") or "/"
    if name := _FIXED.get((method, path)):
        return name, ""
    if method == "GET" and (path == "/v1/models" or path.startswith("/v1/models/")):
        return "models", ""
    match = _BATCH.match(path)
    if match is None:
        return "", ""
    return _OF_BATCH.get((method, match["verb"]), ""), match["id"]


class Faulty:
    """The app with its faults; ``age`` tells how long ago a batch was made, or ended for the results call."""

    def __init__(self, app: ASGIApp, book: FaultBook, calls: Counter[str], age: Age, clock: DemoClock) -> None:
        self.app = app
        self.book = book
        self.calls = calls
        self.age = age
        self.clock = clock
        self._earlier: list[Message] = []
        """The reply to the last create."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call, batch_id = call_of(scope["method"], scope["path"])
        faults = self.book.take(call, self.age(call, batch_id) if batch_id else None) if call else ()
        send = self._dated(send, faults)
        if not call:
            await self.app(scope, receive, send)
            return
        self.calls[call] += 1
        scope.setdefault("state", {})["faults"] = faults
        for fault in faults:
            if fault.name == "slow":
                await self.clock.sleep(fault.number)
        ending = next((fault for fault in faults if fault.ends), None)
        if ending is None and call != "results" and any(fault.name in _REPLY_CHANGES for fault in faults):
            await reshaped(self.app, faults, scope, receive, send)
        elif ending is None or ending.name in ("cut", "tear", "stall"):
            await self.app(scope, receive, self._kept(send) if call == "create" else send)
        elif ending.name in _AFTER:
            await self._after(ending, scope, receive, send)
        else:
            await _before(ending, scope, receive, send)

    def _dated(self, send: Send, faults: Sequence[Fault]) -> Send:
        """Gives each reply a Date by the server's clock, as the faults say."""
        off = sum(fault.number for fault in faults if fault.name == "date-off")
        none = any(fault.name == "no-date" for fault in faults)

        async def dated(message: Message) -> None:
            given = [name.lower() for name, _ in message.get("headers", ())]
            if message["type"] == "http.response.start" and not none and b"date" not in given:
                date = format_datetime(self.clock.of_replies() + timedelta(seconds=off), usegmt=True)
                message = {**message, "headers": [*message.get("headers", ()), (b"date", date.encode())]}
            await send(message)

        return dated

    def _kept(self, send: Send) -> Send:
        """Remembers a create's reply for ``earlier-reply``."""
        reply: list[Message] = []

        async def kept(message: Message) -> None:
            reply.append(message)
            if len(reply) == 2 and reply[0].get("status") == 200:
                self._earlier = reply
            await send(message)

        return kept

    async def _after(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the work, then spoil the answer."""
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start" or len(kept) < 2:
                kept.append(message)

        await self.app(scope, receive, keep)
        match fault.name:
            case "late":
                await _error(fault)(scope, receive, send)
            case "late-html":
                await _plain(send, int(fault.number), _HTML, _PAGE)
            case "earlier-reply":
                for message in self._earlier or kept:
                    await send(message)
            case "hang":
                await gone(receive)
            case "early-hints":
                await endless(scope, receive, b"HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n")
            case "trickle" if len(kept) > 1:
                await _trickle(send, receive, kept, fault.number)
            case "torn-reply" if len(kept) > 1:
                body = kept[1].get("body", b"")
                await send(kept[0])
                await send({"type": "http.response.body", "body": body[: max(1, len(body) // 2)], "more_body": True})
                await drop(scope, receive)
            case _:
                await drop(scope, receive)


async def _before(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, or don't, without doing anything."""
    if fault.name == "refuse":
        await reset(scope, receive)
        return
    await _read_all(receive)
    match fault.name:
        case "status":
            await _error(fault)(scope, receive, send)
        case "notfound":
            await error_reply(ApiError(404, "Not found (not visible yet)"))(scope, receive, send)
        case "html":
            await _plain(send, int(fault.number), _HTML, _PAGE)
        case "key-in-error":
            body, headers = key_error(int(fault.number), key_of(scope))
            await _plain(send, int(fault.number), headers, body)
        case "endless":
            await _endless(send, receive, int(fault.number))
        case _:
            target = fault.arg.rstrip("/") + scope["path"]
            await _plain(send, 307, [(b"location", target.encode())], b"")


async def _trickle(send: Send, receive: Receive, kept: Sequence[Message], seconds: float) -> None:
    """An answer byte by byte, for as long as the client waits."""
    await send(kept[0])
    leaving = asyncio.ensure_future(gone(receive))
    for byte in kept[1].get("body", b""):
        await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
        await asyncio.wait([leaving], timeout=seconds)
        if leaving.done():
            return
    leaving.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _endless(send: Send, receive: Receive, status: int) -> None:
    """A body that does not end before the client leaves."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    leaving = asyncio.ensure_future(gone(receive))
    while not leaving.done():
        await send({"type": "http.response.body", "body": b"x" * _PIECE, "more_body": True})
        await asyncio.sleep(0)


def _error(fault: Fault) -> Response:
    """The API's own error that ``STATUS[,RETRY-AFTER]`` asks for."""
    _, _, wait = fault.arg.partition(",")
    return error_reply(ApiError(int(fault.number), headers={"retry-after": wait} if wait else None))


async def _read_all(receive: Receive) -> None:
    """Read the request to its end, as a server that answers an error does."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass


async def _plain(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
