"""The demo server: the Message Batches API of the service, simulated, on this machine.

Answers are marked as simulated.  ``make_app`` is the whole server as an ASGI app; ``run.serve`` puts it on a port.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from batchtui.demo import batch_calls, control, message_calls
from batchtui.demo.faulty import Faulty
from batchtui.demo.options import DemoOptions
from batchtui.demo.state import Demo
from batchtui.demo.wire import ApiError, error_reply
from batchtui.domain.errors import BatchtuiError

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
    app.add_middleware(Faulty, book=demo.faults, calls=demo.calls, age=demo.age, now=demo.clock.of_replies)
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
        route(batches, "POST", batch_calls.create),
        route(batches, "GET", batch_calls.listing),
        route(batches + "/{id}", "GET", batch_calls.retrieve),
        route(batches + "/{id}", "DELETE", batch_calls.delete),
        route(batches + "/{id}/cancel", "POST", batch_calls.cancel),
        route(batches + "/{id}/results", "GET", batch_calls.results),
        route("/v1/messages/count_tokens", "POST", message_calls.count_tokens),
        route("/v1/messages", "POST", message_calls.create),
        route("/v1/models", "GET", message_calls.models),
        route("/v1/models/{id}", "GET", message_calls.model),
        route("/_demo/health", "GET", control.health, admit=False),
        route("/_demo/stats", "GET", control.stats, admit=False),
        route("/_demo/faults", "GET", control.faults, admit=False),
        route("/_demo/faults", "POST", control.set_faults, admit=False),
        route("/_demo/clock", "POST", control.clock, admit=False),
    ]


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return error_reply(ApiError(status, "Not found" if status == 404 else "Method Not Allowed"))
