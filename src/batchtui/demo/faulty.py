"""Stands before the app: counts calls, and does to them what the faults say."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from email.utils import formatdate

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchtui.demo import oddities, transport
from batchtui.demo.faults import Fault, FaultBook
from batchtui.demo.wire import ApiError, error_reply

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

    def __init__(self, app: ASGIApp, book: FaultBook, calls: Counter[str], age: Age) -> None:
        self.app = app
        self.book = book
        self.calls = calls
        self.age = age

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call, batch_id = call_of(scope["method"], scope["path"])
        if not call:
            await self.app(scope, receive, _dated(send))
            return
        self.calls[call] += 1
        faults = self.book.take(call, self.age(call, batch_id) if batch_id else None)
        scope.setdefault("state", {})["faults"] = faults
        for fault in faults:
            if fault.name == "slow":
                await asyncio.sleep(fault.number)
        send = _dated(send, sum(fault.number for fault in faults if fault.name == "date"))
        ending = next((fault for fault in faults if fault.ends), None)
        if ending is None and call != "results" and any(fault.name in oddities.CHANGES for fault in faults):
            await oddities.reshaped(self.app, faults, scope, receive, send)
        elif ending is None or ending.name in ("cut", "tear", "stall"):
            await self.app(scope, receive, send)
        elif ending.name in ("drop", "late", "torn-reply", "hang", "trickle", "early-hints"):
            await self._after(ending, scope, receive, send)
        else:
            await _before(ending, scope, receive, send)

    async def _after(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the work, then spoil the answer."""
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start" or len(kept) < 2:
                kept.append(message)

        await self.app(scope, receive, keep)
        if fault.name == "late":
            await error_reply(ApiError(int(fault.number)))(scope, receive, send)
        elif fault.name == "hang":
            await transport.gone(receive)
        elif fault.name == "early-hints":
            await transport.endless(scope, receive, b"HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n")
        elif fault.name == "trickle" and len(kept) > 1:
            await _trickle(send, receive, kept, fault.number)
        elif fault.name == "torn-reply" and len(kept) > 1:
            body = kept[1].get("body", b"")
            await send(kept[0])
            await send({"type": "http.response.body", "body": body[: max(1, len(body) // 2)], "more_body": True})
            await transport.drop(scope, receive)
        else:
            await transport.drop(scope, receive)


def _dated(send: Send, ahead: float = 0.0) -> Send:
    """``send`` with the Date header, which the server itself leaves out."""

    async def dated(message: Message) -> None:
        if message["type"] == "http.response.start":
            date = formatdate(time.time() + ahead, usegmt=True).encode()
            message = {**message, "headers": [*message["headers"], (b"date", date)]}
        await send(message)

    return dated


async def _before(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, or don't, without doing anything."""
    if fault.name == "refuse":
        await transport.reset(scope, receive)
        return
    await _read_all(receive)
    if fault.name == "status":
        _, _, wait = fault.arg.partition(",")
        reply = error_reply(ApiError(int(fault.number), headers={"retry-after": wait} if wait else None))
        await reply(scope, receive, send)
    elif fault.name == "notfound":
        await error_reply(ApiError(404, "Not found (not visible yet)"))(scope, receive, send)
    elif fault.name == "html":
        await _plain(send, int(fault.number), [(b"content-type", b"text/html; charset=utf-8")], _PAGE)
    elif fault.name == "key-in-error":
        body, headers = oddities.key_error(int(fault.number), oddities.key_of(scope))
        await _plain(send, int(fault.number), headers, body)
    elif fault.name == "endless":
        await _endless(send, receive, int(fault.number))
    else:
        target = fault.arg.rstrip("/") + scope["path"]
        await _plain(send, 307, [(b"location", target.encode())], b"")


async def _trickle(send: Send, receive: Receive, kept: Sequence[Message], seconds: float) -> None:
    """An answer byte by byte, for as long as the client waits."""
    await send(kept[0])
    leaving = asyncio.ensure_future(transport.gone(receive))
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
    leaving = asyncio.ensure_future(transport.gone(receive))
    while not leaving.done():
        await send({"type": "http.response.body", "body": b"x" * _PIECE, "more_body": True})
        await asyncio.sleep(0)


async def _read_all(receive: Receive) -> None:
    """Read the request to its end, as a server that answers an error does."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass


async def _plain(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
