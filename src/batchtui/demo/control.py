"""What the service does not have: looking into the demo server and steering it, from this machine only."""

from __future__ import annotations

import os

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from batchtui.demo.state import Demo
from batchtui.demo.wire import ApiError, reply
from batchtui.domain.errors import InputError
from batchtui.paths import printable

_HERE = ("127.0.0.1", "::1", "localhost")


def _only_here(request: Request) -> None:
    """Refuse other machines, and web pages that came by another name or another origin."""
    client = request.client.host if request.client else ""
    host = (request.url.hostname or "").strip("[]")
    if client not in _HERE or host not in _HERE or "origin" in request.headers:
        raise ApiError(403)


async def health(demo: Demo, request: Request) -> Response:
    """GET /_demo/health: that it is this server, alive."""
    _only_here(request)
    return reply({"batchtui_demo": True, "pid": os.getpid(), "batches": printable(demo.store.root)})


async def stats(demo: Demo, request: Request) -> Response:
    """GET /_demo/stats: calls seen, batches made, batches there are."""
    _only_here(request)
    batches = [
        {"id": b.meta.id, "requests": b.meta.requests, "status": b.status, "bytes": b.meta.bytes}
        for b in demo.store.newest_first(None)
    ]
    return reply(
        {"calls": dict(demo.calls), "creates": demo.creates, "batches": batches, "faults": demo.faults.state()}
    )


async def faults(demo: Demo, request: Request) -> Response:
    """GET /_demo/faults: the faults in force."""
    _only_here(request)
    return reply({"faults": demo.faults.state()})


async def set_faults(demo: Demo, request: Request) -> Response:
    """POST /_demo/faults with ``{"faults": ["drop@create*1"]}``: replace all faults."""
    _only_here(request)
    try:
        wanted = msgspec.json.decode(await request.body(), type=dict[str, list[str]])
        demo.faults.set(wanted.get("faults", []))
    except (msgspec.DecodeError, InputError) as error:
        raise ApiError(400, str(error)) from error
    return reply({"faults": demo.faults.state()})


async def clock(demo: Demo, request: Request) -> Response:
    """POST /_demo/clock with ``{"advance": SECONDS}``: let time pass at once."""
    _only_here(request)
    try:
        wanted = msgspec.json.decode(await request.body(), type=dict[str, float])
        demo.clock.advance(wanted.get("advance", 0.0))
    except (msgspec.DecodeError, OverflowError) as error:
        raise ApiError(400, str(error)) from error
    return reply({"now": demo.clock.now().isoformat()})
