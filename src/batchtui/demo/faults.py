"""Faults of the demo server: their names and arguments, when they strike, and what they do to replies."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from batchtui.demo.protocol import ApiError, DemoClock, error_reply
from batchtui.domain.errors import InputError

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


def _wrong_id(body: dict[str, Any], key: str) -> None:
    if "id" in body:
        body["id"] = f"{body['id'][:-4]}none"


def _null(body: dict[str, Any], key: str) -> None:
    body.update(data=None, has_more=True)


CHANGES: dict[str, Callable[[dict[str, Any], str], None]] = {
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


def spoils(faults: Sequence[Fault]) -> bool:
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
        while not _left(scope):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _changed(line: bytes, number: int, faults: Sequence[Fault]) -> bytes:
    for fault in faults:
        change = _CHANGES.get(fault.name)
        if change is not None and line:
            line = change(line, number, fault)
    return line


def _every_tenth(change: Callable[[bytes], bytes]) -> Callable[[bytes, int, Fault], bytes]:
    return lambda line, number, fault: change(line) if number % _EVERY == _EVERY // 2 else line


def _unknown(line: bytes, number: int, fault: Fault) -> bytes:
    body = msgspec.json.decode(line)
    body["sent_by"] = "a newer service"
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


_CHANGES: dict[str, Callable[[bytes, int, Fault], bytes]] = {
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


CALLS = ("create", "retrieve", "list", "cancel", "delete", "results", "count_tokens", "models", "messages")


class Kind(msgspec.Struct, frozen=True):
    """What one name does, and where it strikes when no call is named."""

    does: str
    call: str = "any"
    ends: bool = True
    """True when it settles the call; of those one strikes a request, the others wait for the next."""
    arg: str = ""
    """What stands after the colon, empty when nothing may."""
    default: str = ""


KINDS = {
    "refuse": Kind("reset the connection before anything is read"),
    "status": Kind("answer with an error of this status and do nothing", arg="STATUS[,RETRY-AFTER]", default="500"),
    "html": Kind("answer with a web page, as a captive portal does", arg="STATUS", default="200"),
    "redirect": Kind("answer 307 to another host", arg="URL", default="http://batchtui-elsewhere.invalid"),
    "notfound": Kind(
        "404 for so many seconds after the create, or for results after the end", arg="SECONDS", default="3"
    ),
    "drop": Kind("do the work, then close without an answer", "create"),
    "late": Kind(
        "do the work, then answer with an error of this status", "create", arg="STATUS[,RETRY-AFTER]", default="504"
    ),
    "late-html": Kind("do the work, then answer with a proxy's page", "create", arg="STATUS", default="502"),
    "earlier-reply": Kind("do the work, then answer what the create before was answered", "create"),
    "wrong-id": Kind("do the work, then name an id in the reply that is not known", "create", ends=False),
    "torn-reply": Kind("do the work, then break off in the middle of the answer"),
    "hang": Kind("do the work and never answer"),
    "trickle": Kind("do the work, then answer byte by byte, one every so many seconds", arg="SECONDS", default="1"),
    "early-hints": Kind("do the work, then send one 103 after the other and never the answer"),
    "endless": Kind("answer with this status and a body without end", arg="STATUS", default="500"),
    "key-in-error": Kind(
        "answer with an error of this status that has the API key in every field", arg="STATUS", default="400"
    ),
    "cut": Kind(
        "end the results early on a line boundary, as if all were there", "results", arg="SHARE", default="0.5"
    ),
    "tear": Kind("break the connection in the middle of a line", "results", arg="SHARE", default="0.5"),
    "stall": Kind("send a part of the results, then nothing more", "results", arg="SHARE", default="0.5"),
    "slow": Kind("take so many seconds longer", ends=False, arg="SECONDS", default="2"),
    "unknown": Kind("outcome types and fields that are not known yet", ends=False),
    "foreign-url": Kind(
        "a results_url on another host", ends=False, arg="URL", default="http://batchtui-elsewhere.invalid"
    ),
    "hidden": Kind(
        "leave batches younger than so many seconds out of the list", "list", ends=False, arg="SECONDS", default="3"
    ),
    "null-page": Kind("a page whose data is null", "list", ends=False),
    "odd-times": Kind("times without an offset, of the year 9999, or not times at all, also in headers", ends=False),
    "odd-numbers": Kind("counts that are negative, no numbers, or larger than any", ends=False),
    "odd-ids": Kind("ids that would lead elsewhere", ends=False),
    "key-in-reply": Kind("put the API key into the texts of the answer", ends=False),
    "other-workspace": Kind("answer as to the key of another workspace", ends=False),
    "unordered": Kind("list in no order", "list", ends=False),
    "small-pages": Kind("at most so many batches on a page", "list", ends=False, arg="BATCHES", default="2"),
    "empty-page": Kind("an empty page that says that there is more", "list", ends=False),
    "repeat-page": Kind("the first page again and again, with more to come", "list", ends=False),
    "overlap-page": Kind("begin each page with the last batch of the one before", "list", ends=False),
    "zero-counts": Kind("all request_counts are 0", ends=False),
    "rising-counts": Kind(
        "request_counts add up to all requests only after so many seconds", ends=False, arg="SECONDS", default="3"
    ),
    "no-date": Kind("no Date in the reply", ends=False),
    "date-off": Kind("a Date that is ahead by so many seconds", ends=False, arg="±SECONDS", default="18000"),
    "short-count": Kind("leave every tenth result out", "results", ends=False),
    "duplicate-lines": Kind("send every tenth result twice", "results", ends=False),
    "blank-lines": Kind("put blank lines between the results", "results", ends=False),
    "foreign-ids": Kind("change every tenth custom_id", "results", ends=False),
    "other-batch": Kind("send the results of another batch with as many lines", "results", ends=False),
    "garbage-line": Kind("send one result as a line that is not JSON", "results", ends=False),
    "foreign-line": Kind("send one result with a custom_id that was not sent", "results", ends=False),
    "lag-counts": Kind(
        "count only a share of the requests once a batch has ended", ends=False, arg="SHARE", default="0.5"
    ),
    "archived": Kind("say archived_at of a batch whose results are there", ends=False),
    "forgotten": Kind("know no batch: 404 on each of them, and an empty list", ends=False),
    "surrogate": Kind("put lone surrogates into the answers", "results", ends=False),
    "bad-line": Kind("put lines that are not JSON between the results", "results", ends=False),
    "bad-utf8": Kind("put bytes that are not UTF-8 into the answers", "results", ends=False),
    "deep-line": Kind("add deeply nested JSON to a result", "results", ends=False),
    "long-line": Kind("make one answer so many bytes long", "results", ends=False, arg="BYTES", default="5000000"),
}
RESULT_FAULTS = frozenset(name for name, kind in KINDS.items() if kind.call == "results")


class Fault(msgspec.Struct, frozen=True):
    """One fault as it was asked for."""

    name: str
    arg: str
    call: str
    """A call's name, or ``any``."""
    times: int | None = None
    """How often it strikes; None is always."""

    @property
    def number(self) -> float:
        """The argument as a number."""
        return float(self.arg.partition(",")[0])

    @property
    def ends(self) -> bool:
        """True when it settles the call."""
        return KINDS[self.name].ends


def parse_fault(text: str) -> Fault:
    """Read ``NAME[:ARG][@CALL][*TIMES]``; raises InputError that says what would do."""
    match = re.fullmatch(
        r"(?P<name>[a-z0-9-]+)(?::(?P<arg>.*?))?(?:@(?P<call>[a-z_]+))?(?:\*(?P<times>\d+))?", text.strip()
    )
    kind = KINDS.get(match["name"]) if match else None
    if match is None or kind is None:
        raise InputError(f"there is no fault {text!r}", advice=f"known are {', '.join(KINDS)}")
    call = match["call"] or kind.call
    if call not in (*CALLS, "any"):
        raise InputError(f"fault {text!r}: there is no call {call!r}", advice=f"known are any, {', '.join(CALLS)}")
    if match["arg"] and not kind.arg:
        raise InputError(f"fault {text!r}: {match['name']} takes no argument", advice=f"write {match['name']}")
    fault = Fault(match["name"], match["arg"] or kind.default, call, int(match["times"]) if match["times"] else None)
    if kind.arg and kind.arg != "URL":
        _check_number(text, fault, kind)
    return fault


def _check_number(text: str, fault: Fault, kind: Kind) -> None:
    parts = fault.arg.split(",") if kind.arg.startswith("STATUS[") else [fault.arg]
    try:
        numbers = [float(part) for part in parts]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(fault.arg)
    except ValueError as error:
        raise InputError(
            f"fault {text!r}: {fault.arg!r} is not a number", advice=f"write {fault.name}:{kind.arg}"
        ) from error
    fits = {"STATUS": 200 <= numbers[0] <= 599, "SHARE": 0 <= numbers[0] <= 1}.get(
        kind.arg.split("[")[0], numbers[0] >= 0 or kind.arg.startswith("±")
    )
    if not fits or abs(numbers[0]) > 1e9 or len(numbers) > 2:
        raise InputError(f"fault {text!r}: {fault.arg!r} is out of range", advice=f"write {fault.name}:{kind.arg}")


class FaultBook:
    """The faults in force, and how often each has struck.  Thread-safe."""

    def __init__(self, faults: tuple[str, ...] = ()) -> None:
        self._guard = threading.Lock()
        self._faults: list[Fault] = []
        self._struck: list[int] = []
        self.set(faults)

    def set(self, faults: tuple[str, ...] | list[str]) -> None:
        """Replace all faults; raises InputError and changes nothing when one can't be read."""
        read = [parse_fault(text) for text in faults]
        with self._guard:
            self._faults, self._struck = read, [0] * len(read)

    def take(self, call: str, age: float | None) -> tuple[Fault, ...]:
        """The faults that strike this request now: at most one that settles it, and all that only change it.

        ``age`` is how many seconds ago the batch was made (for results: ended), None when the call names no batch.
        """
        taken: list[Fault] = []
        settled = False
        with self._guard:
            for place, fault in enumerate(self._faults):
                if fault.call not in ("any", call) or (fault.times is not None and self._struck[place] >= fault.times):
                    continue
                if fault.name in RESULT_FAULTS and call != "results":
                    continue
                if fault.name == "notfound" and (age is None or age >= fault.number):
                    continue
                if fault.ends and settled:
                    continue
                settled = settled or fault.ends
                self._struck[place] += 1
                taken.append(fault)
        return tuple(taken)

    def state(self) -> list[dict[str, object]]:
        """Each fault with how often it has struck."""
        with self._guard:
            return [
                {**msgspec.structs.asdict(fault), "struck": n}
                for fault, n in zip(self._faults, self._struck, strict=True)
            ]


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
        if ending is None and call != "results" and any(fault.name in CHANGES for fault in faults):
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
        if fault.name == "late":
            await _error(fault)(scope, receive, send)
        elif fault.name == "late-html":
            await _plain(send, int(fault.number), _HTML, _PAGE)
        elif fault.name == "earlier-reply":
            for message in self._earlier or kept:
                await send(message)
        elif fault.name == "hang":
            await gone(receive)
        elif fault.name == "early-hints":
            await endless(scope, receive, b"HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n")
        elif fault.name == "trickle" and len(kept) > 1:
            await _trickle(send, receive, kept, fault.number)
        elif fault.name == "torn-reply" and len(kept) > 1:
            body = kept[1].get("body", b"")
            await send(kept[0])
            await send({"type": "http.response.body", "body": body[: max(1, len(body) // 2)], "more_body": True})
            await drop(scope, receive)
        else:
            await drop(scope, receive)


async def _before(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, or don't, without doing anything."""
    if fault.name == "refuse":
        await reset(scope, receive)
        return
    await _read_all(receive)
    if fault.name == "status":
        await _error(fault)(scope, receive, send)
    elif fault.name == "notfound":
        await error_reply(ApiError(404, "Not found (not visible yet)"))(scope, receive, send)
    elif fault.name == "html":
        await _plain(send, int(fault.number), _HTML, _PAGE)
    elif fault.name == "key-in-error":
        body, headers = key_error(int(fault.number), key_of(scope))
        await _plain(send, int(fault.number), headers, body)
    elif fault.name == "endless":
        await _endless(send, receive, int(fault.number))
    else:
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


_KEY = "demo_transport"


class DemoProtocol(H11Protocol):
    """Puts the transport into the scope's state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        self.app_state = {**self.app_state, _KEY: transport}
        super().connection_made(transport)


def _transport(scope: Scope) -> Any:
    return scope.get("state", {}).get(_KEY)


def _left(scope: Scope) -> bool:
    """True when the connection is closed, or about to be."""
    transport = _transport(scope)
    return transport is None or transport.is_closing()


def close(scope: Scope) -> None:
    """Send what was written, then close: the client sees the end of the stream."""
    transport = _transport(scope)
    if transport is not None:
        transport.close()


async def drop(scope: Scope, receive: Receive) -> None:
    """Close without an answer and wait until it is closed."""
    close(scope)
    await gone(receive)


async def reset(scope: Scope, receive: Receive) -> None:
    """Reset the connection at once, unread bytes and all."""
    transport = _transport(scope)
    if transport is not None:
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    await gone(receive)


async def endless(scope: Scope, receive: Receive, raw: bytes) -> None:
    """Write the same bytes again and again, beside the protocol, until the client leaves."""
    transport = _transport(scope)
    leaving = asyncio.ensure_future(gone(receive))
    while transport is not None and not leaving.done():
        if transport.get_write_buffer_size() < len(raw) * 64:
            transport.write(raw)
        await asyncio.sleep(0.001)


async def gone(receive: Receive) -> None:
    """Wait until the client's side is closed, reading and throwing away what it still sends."""
    while (await receive())["type"] != "http.disconnect":
        pass
