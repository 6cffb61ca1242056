"""The SDK's clients for one profile; nothing else imports ``anthropic``.

Every call is made once (``max_retries=0``), and redirects are not followed, so that a key never goes to another host.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from batchtui.api import faults, keys
from batchtui.config import Profile
from batchtui.domain.errors import NoKey

if TYPE_CHECKING:
    import ssl

    from anthropic import Anthropic, AsyncAnthropic

CONNECT_TIMEOUT = 15.0
_READ_TIMEOUT = 60.0
_READ_AT_ONCE = 128 * 1024
"""Bytes of results read at a time: twice what the HTTP client takes by itself, for a twentieth less work."""
_IMPORT_LOCK = threading.Lock()


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Leave what is made here out of garbage collection: the SDK's hundred thousands of objects live as long as we do.

    What is garbage by then stays too, so only the first import is worth it.
    """
    if "anthropic" in sys.modules:
        yield
        return
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


class Clients(NamedTuple):
    """The client of all calls, how the one is made that receives results in a thread, and what must never be shown."""

    sender: AsyncAnthropic
    receiver: Callable[[], Anthropic]
    secrets: tuple[str, ...]


def build(profile: Profile, given_url: str, given_key: str) -> Clients:
    """The clients of a profile; ``given_url`` and ``given_key`` go before what the profile says.

    Slow: it imports the SDK and may run the key's command.  Raises NoKey, InputError.
    """
    with _IMPORT_LOCK, _uncollected():
        import anthropic
        import httpcore2
        import httpx2

    httpcore2.HTTP11Connection.READ_NUM_BYTES = _READ_AT_ONCE
    url = given_url or keys.default_base_url()
    keys.check_url(url, profile.allow_http)
    timeout = httpx2.Timeout(_READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    same: dict[str, Any] = {
        "api_key": given_key or keys.find_key(profile) or None,
        "profile": profile.sdk_profile or None,
        "base_url": url or None,
        "max_retries": 0,
        "timeout": timeout,
        "default_headers": {"anthropic-version": profile.api_version} if profile.api_version else None,
    }
    transport: dict[str, Any] = {"follow_redirects": False, "timeout": timeout, "verify": _certificates()}

    def receiver() -> Anthropic:
        return anthropic.Anthropic(**same, http_client=anthropic.DefaultHttpxClient(**transport))

    try:
        client = anthropic.AsyncAnthropic(**same, http_client=anthropic.DefaultAsyncHttpxClient(**transport))
    except Exception as error:
        raise NoKey(f"the credentials can't be used: {type(error).__name__}", advice=faults.KEY_ADVICE) from None
    keys.check_url(str(client.base_url), profile.allow_http)
    held = tuple(s for s in (client.api_key, client.auth_token) if s)
    if not held and client.credentials is None and not keys.has_auth_header(client.default_headers):
        raise NoKey("no API key was found", advice=faults.KEY_ADVICE)
    return Clients(client, receiver, tuple(dict.fromkeys((*held, *keys.hidden(url, client.default_headers)))))


def _certificates() -> ssl.SSLContext:
    """Read once for both clients: reading them anew would take longer than asking.  Raises NoKey."""
    import httpx2

    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        raise NoKey(
            f"the certificates can't be read: {error.strerror or error}",
            advice="see what SSL_CERT_FILE and SSL_CERT_DIR point to",
        ) from None
