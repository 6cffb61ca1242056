"""Stands before the app: counts calls, and does to them what the faults say."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime

from starlette.responses import Response
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

    def __init__(
        self, app: ASGIApp, book: FaultBook, calls: Counter[str], age: Age, now: Callable[[], datetime]
    ) -> None:
        self.app = app
        self.book = book
        self.calls = calls
        self.age = age
        self.now = now
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
                await asyncio.sleep(fault.number)
        ending = next((fault for fault in faults if fault.ends), None)
        if ending is None and call != "results" and any(fault.name in oddities.CHANGES for fault in faults):
            await oddities.reshaped(self.app, faults, scope, receive, send)
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
                date = format_datetime(self.now() + timedelta(seconds=off), usegmt=True)
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
        if fault.name == "late":
            await _error(fault)(scope, receive, send)
        elif fault.name == "late-html":
            await _plain(send, int(fault.number), _HTML, _PAGE)
        elif fault.name == "earlier-reply":
            for message in self._earlier or kept:
                await send(message)
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


async def _before(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, or don't, without doing anything."""
    if fault.name == "refuse":
        await transport.reset(scope, receive)
        return
    await _read_all(receive)
    if fault.name == "status":
        await _error(fault)(scope, receive, send)
    elif fault.name == "notfound":
        await error_reply(ApiError(404, "Not found (not visible yet)"))(scope, receive, send)
    elif fault.name == "html":
        await _plain(send, int(fault.number), _HTML, _PAGE)
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
