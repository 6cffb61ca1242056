"""The demo server's ASGI app: the API's routes, and control routes for this machine only."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from batchtui.demo import calls
from batchtui.demo.fault_effects import Faulty
from batchtui.demo.protocol import ApiError, DemoOptions, error_reply, reply
from batchtui.demo.state import Demo
from batchtui.domain.errors import BatchtuiError, InputError
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


_log = logging.getLogger("batchtui.demo")

Call = Callable[[Demo, Request], Awaitable[Response]]


def make_app(data: Path, options: DemoOptions) -> Starlette:
    """The server over the batches in ``<data>/server``; its parts are at ``app.state.demo``."""
    demo = Demo(data, options)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        demo.store.close()

    app = Starlette(routes=_routes(demo), lifespan=lifespan, exception_handlers={404: _not_found, 405: _not_found})
    app.state.demo = demo
    app.add_middleware(Faulty, book=demo.faults, calls=demo.calls, age=demo.age, clock=demo.clock)
    return app


def _routes(demo: Demo) -> list[BaseRoute]:
    def route(path: str, method: str, call: Call, *, admit: bool = True) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                if admit:
                    demo.admit(request)
                return await call(demo, request)
            except ApiError as error:
                return error_reply(error)
            except BatchtuiError as error:
                return error_reply(ApiError(500, str(error)))
            except Exception:
                _log.exception("%s %s failed", request.method, request.url.path)
                return error_reply(ApiError(500))

        return Route(path, endpoint, methods=[method])

    batches = "/v1/messages/batches"
    return [
        route(batches, "POST", calls.create),
        route(batches, "GET", calls.listing),
        route(batches + "/{id}", "GET", calls.retrieve),
        route(batches + "/{id}", "DELETE", calls.delete),
        route(batches + "/{id}/cancel", "POST", calls.cancel),
        route(batches + "/{id}/results", "GET", calls.results),
        route("/v1/messages/count_tokens", "POST", calls.count_tokens),
        route("/v1/messages", "POST", calls.create_message),
        route("/v1/models", "GET", calls.models),
        route("/v1/models/{id}", "GET", calls.model),
        route("/_demo/health", "GET", health, admit=False),
        route("/_demo/stats", "GET", stats, admit=False),
        route("/_demo/faults", "GET", faults, admit=False),
        route("/_demo/faults", "POST", set_faults, admit=False),
        route("/_demo/clock", "POST", clock, admit=False),
    ]


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return error_reply(ApiError(status, "Not found" if status == 404 else "Method Not Allowed"))
