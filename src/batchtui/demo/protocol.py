"""The demo server's options and clock, and the headers, ids, times and errors of its replies."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from batchtui import clock
from batchtui.domain.plan import MAX_BYTES, MAX_REQUESTS


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one demo server."""

    duration: float | None = None
    """Seconds every batch takes; None lets its size decide (8 to 25 s)."""
    speed: float = 1.0
    """Divides the time a batch takes."""
    moving_counts: bool = False
    """Let request_counts move while a batch runs; the API keeps them all-processing until it ended."""
    failure_rate: float = 0.055
    """Share of requests that fail by chance the first time they are sent, 0 to 1."""
    answer_bytes: int | None = None
    """Length of every answer's text in bytes; None lets the request decide."""
    max_requests: int = MAX_REQUESTS
    max_bytes: int = MAX_BYTES
    """Limits of one batch; a create beyond them is refused."""
    queue_limit: int | None = None
    """Requests that may be in the processing queue at once (of all batches); None is no limit."""
    rate_limit: int | None = None
    """Calls a minute before 429; None is no limit."""
    ranges: bool = True
    """Whether results can be fetched from an offset (Range)."""
    faults: tuple[str, ...] = ()
    """Faults in the words of ``faults.parse_fault``."""


class DemoClock:
    """The server's clock: the one in use (``batchtui.clock``), moved forward at will so that expiry can be seen."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self._base = clock.from_environment()

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self._base() + self.offset

    def of_replies(self) -> datetime:
        """The time that replies tell as their Date: not moved forward, so that it stays the client's."""
        return self._base()

    async def sleep(self, seconds: float) -> None:
        """Wait until ``seconds`` have passed."""
        await clock.sleep(self._base, seconds)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        self.offset += timedelta(seconds=seconds)


_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]

ORGANIZATION = "00000000-0000-4000-8000-0000000000de"
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
NO_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. "
    "Please go to Plans & Billing to upgrade or purchase credits."
)
_MESSAGES = {
    401: "invalid x-api-key",
    402: NO_CREDIT,
    403: "Your API key does not have permission to use the specified resource.",
    404: "Not found",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your organization's rate limit.",
    504: "Request timeout",
    529: "Overloaded",
}


class ApiError(Exception):
    """An error reply to be."""

    def __init__(self, status: int, message: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message or _MESSAGES.get(status, "Internal server error" if status >= 500 else "Invalid request")
        self.headers = headers or {}


def base58(seed: bytes, length: int = 22) -> str:
    """Letters and digits decided by ``seed``."""
    number = int.from_bytes(hashlib.blake2b(seed, digest_size=64).digest(), "big")
    out = []
    for _ in range((length + 1) // 2):
        number, index = divmod(number, 58 * 58)
        out.append(_PAIRS[index])
    return "".join(out)[:length]


def new_id(prefix: str) -> str:
    """A fresh id such as ``msgbatch_01…``."""
    return f"{prefix}_01{base58(secrets.token_bytes(16))}"


def stamp(moment: datetime | None) -> str | None:
    """RFC 3339 with microseconds, as the API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


def reply(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON reply with its own request id."""
    extra = {"request-id": new_id("req"), "anthropic-organization-id": ORGANIZATION, **(headers or {})}
    return Response(msgspec.json.encode(body), status, extra, "application/json")


def error_reply(error: ApiError) -> Response:
    """The error envelope, its request id in the header and in the body."""
    request_id = new_id("req")
    kind = ERROR_TYPES.get(error.status) or ("api_error" if error.status >= 500 else "invalid_request_error")
    body = {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": request_id}
    return reply(body, error.status, {"request-id": request_id, **error.headers})


def betas_of(request: Request) -> tuple[str, ...]:
    """The values of the anthropic-beta headers."""
    given = ",".join(request.headers.getlist("anthropic-beta"))
    return tuple(beta.strip() for beta in given.split(",") if beta.strip())
