"""Exceptions of the SDK and the connection translated into errors of domain.errors, with advice."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from batchtui.api import redact
from batchtui.domain import times
from batchtui.domain.errors import (
    BatchtuiError,
    NoKey,
    NoNetwork,
    NotFound,
    RateLimited,
    Rejected,
    ServiceError,
    SpendLimit,
    TooLarge,
    Unavailable,
    WrongKey,
)

KEY_ADVICE = (
    "set ANTHROPIC_API_KEY, or a profile with api_key_env or api_key_command in config.toml; "
    "without a key try: batchtui demo"
)
PORTAL_ADVICE = (
    "a proxy or a sign-in page may be in between: open a web page in a browser, check the base URL, then try again"
)
_NETWORK_ADVICE = "check the connection and the base URL, then try again; batchtui keeps trying while it runs"


_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}\Z")
_LONGEST_WAIT = 3600.0


def timeout(read: float, connect: float) -> Any:
    """An SDK time-out in seconds: ``read`` for reading and writing, ``connect`` for connecting."""
    import httpx2

    return httpx2.Timeout(read, connect=connect)


def translate(error: BaseException, secrets: tuple[str, ...] = (), sent: bool | None = None) -> BatchtuiError:
    """Our error for any exception of a call; texts lose every secret.

    ``sent`` says whether any byte of the request may have left; None leaves it to the kind of exception.
    """
    ours = _ours(error, secrets)
    if sent is not None and isinstance(ours, ServiceError):
        ours.sent = sent
    return ours


def _ours(error: BaseException, secrets: tuple[str, ...]) -> BatchtuiError:
    import anthropic

    raised = _raised_by_us(error)
    if raised is not None:
        return raised
    if isinstance(error, anthropic.APIStatusError):
        return _from_status(error, secrets)
    if isinstance(error, anthropic.APIConnectionError):
        return _ours(error.__cause__, secrets) if error.__cause__ else _from_connection(error, secrets)
    if isinstance(error, TimeoutError):
        return NoNetwork("the reply was not complete in time", advice=_NETWORK_ADVICE)
    if isinstance(error, TypeError) and "authentication" in str(error):
        return NoKey("no API key was found", advice=KEY_ADVICE)
    if isinstance(error, OSError):
        return _from_connection(error, secrets)
    if type(error).__name__ == "LocalProtocolError" or isinstance(error, UnicodeError):
        # Their texts quote the header, the key among them.
        return ServiceError(
            "the request can't be sent: a header holds a character that is not allowed",
            advice="check the API key, the betas, the API version and ANTHROPIC_CUSTOM_HEADERS",
        )
    if type(error).__module__.partition(".")[0] in ("httpx2", "httpcore2", "ssl", "anyio"):
        return _from_connection(error, secrets)
    if isinstance(error, anthropic.AnthropicError):
        return NoKey(redact.text(f"the credentials can't be used: {error}", secrets), advice=KEY_ADVICE)
    return ServiceError(
        redact.text(f"an unexpected {type(error).__name__}: {error}", secrets),
        advice="try again; if it stays, report it",
    )


def _raised_by_us(error: BaseException | None) -> BatchtuiError | None:
    """Our own error, also from under those that the SDK and the HTTP client put around it."""
    for _ in range(8):
        if isinstance(error, BatchtuiError):
            return error
        error = error.__cause__ if error is not None else None
    return None


def _from_connection(error: BaseException, secrets: tuple[str, ...]) -> NoNetwork:
    import httpx2

    # Only these are raised before a byte of the request has left.
    unsent = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.UnsupportedProtocol,
        httpx2.ProxyError,
    )
    sent = not isinstance(error, unsent)
    if isinstance(error, httpx2.ConnectTimeout | httpx2.PoolTimeout):
        what = "the API could not be reached in time"
    elif isinstance(error, httpx2.TimeoutException):
        what = "no reply in time"
    elif isinstance(error, httpx2.ConnectError):
        what = f"no connection to the API ({str(error) or 'refused'})"
    elif isinstance(error, httpx2.ProxyError):
        what = f"the proxy did not let the connection through ({str(error) or 'refused'})"
    else:
        what = f"the connection broke ({str(error) or type(error).__name__})"
    return NoNetwork(redact.text(what, secrets), advice=_NETWORK_ADVICE, sent=sent)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _from_status(error: Any, secrets: tuple[str, ...]) -> ServiceError:
    status = int(error.status_code)
    inner = _object(_object(error.body).get("error"))
    details = _object(inner.get("details"))
    given = redact.text(inner.get("type"), secrets, 64)
    # A proxy writes errors of its own; those of the API say what they are, too.
    ours = bool(given) and _object(error.body).get("type") == "error"
    # A type that is no word says nothing; it is shown, and nothing follows from it.
    kind = given if ours and _KIND.match(given) else ""
    said = redact.text(inner.get("message"), secrets) if ours else ""
    message = f"{said or 'the API answered'} ({given if ours and given else 'HTTP'} {status})"
    facts: dict[str, Any] = {
        "status": status,
        "kind": kind,
        "request_id": redact.text(error.request_id, secrets, 80),
    }
    if 300 <= status < 400:
        return Unavailable(
            "the reply redirects to another address; the redirect was not followed", advice=PORTAL_ADVICE, **facts
        )
    if status == 402 or details.get("error_code") == "enforced_spend_limit_reached" or kind == "billing_error":
        return SpendLimit(
            message,
            advice="add credit or raise the spend limit in the Console, then try again",
            **facts,
        )
    if status in (401, 403):
        advice = (
            "check the key: " + KEY_ADVICE if status == 401 else "this key may not do that: use another key or profile"
        )
        return WrongKey(message, advice=advice, **facts)
    if status == 429:
        wait = retry_after(error.response.headers)
        return RateLimited(message, retry_after=wait, kind=kind, request_id=facts["request_id"])
    if status == 413:
        return TooLarge(message, advice="make batches smaller: lower max_bytes in [limits] of config.toml", **facts)
    if status >= 500 or not ours:
        advice = PORTAL_ADVICE if not ours else "the API has trouble: wait a little, then try again"
        return Unavailable(message, advice=advice, retry_after=retry_after(error.response.headers), **facts)
    if status == 404:
        return NotFound(message, advice="it may not be visible yet, or belong to another workspace or profile", **facts)
    return Rejected(message, advice="fix what the message names, then submit again", **facts)


def retry_after(headers: Any) -> float | None:
    """Seconds the API asks to wait (``retry-after`` in seconds or as a date), None when it names none."""
    value = (headers.get("retry-after") or "").strip()[:100]
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        when = _date(value, assumed=True)
        if when is None:
            return None
        seconds = (when - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else None


def clock_offset(headers: Any, now: datetime) -> float | None:
    """Seconds the API's clock is ahead of ours (``now``), by the Date of a reply; None when it has none.

    A Date has whole seconds (RFC 9110), so that a second says nothing.
    """
    when = _date((headers.get("date") or "")[:100])
    if when is None:
        return None
    apart = (when - now).total_seconds()
    return apart if abs(apart) > 1.0 else 0.0


def _date(value: str, *, assumed: bool = False) -> datetime | None:
    """A believed time from a header's date; without an offset it is UTC if that is ``assumed``, else none."""
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if when.tzinfo is None and assumed:
        when = when.replace(tzinfo=UTC)
    return times.believed(when)


def nothing_made(error: BatchtuiError) -> bool:
    """True when a create's error is the API's own no, or tells that nothing was sent.

    That is no proof yet: what went out once is looked for before it goes out again.
    """
    if isinstance(error, NoNetwork):
        return not error.sent
    if isinstance(error, Unavailable):
        return False
    if isinstance(error, ServiceError):
        # What has no kind is not the API's own answer: a proxy's page says nothing of what the API did.
        return isinstance(error, NoKey) or (400 <= error.status < 500 and error.status != 408 and bool(error.kind))
    return True
