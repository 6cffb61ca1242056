"""The SDK's clients for one profile; nothing else imports ``anthropic``.

Every call is made once (``max_retries=0``), and redirects are not followed, so that a key never goes to another host.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from batchtui.api import faults, keys, proxies
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
C = TypeVar("C", "AsyncAnthropic", "Anthropic")


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

        from batchtui.api import wire

    httpcore2.HTTP11Connection.READ_NUM_BYTES = _READ_AT_ONCE
    url = given_url or keys.default_base_url()
    keys.check_url(url, profile.allow_http)
    timeout = httpx2.Timeout(_READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    same: dict[str, Any] = {
        "api_key": keys.checked(given_key or keys.find_key(profile)) or None,
        "profile": profile.sdk_profile or None,
        "base_url": url or None,
        "max_retries": 0,
        "timeout": timeout,
        "default_headers": {"anthropic-version": profile.api_version} if profile.api_version else None,
    }
    # The environment's proxies are ours to judge: the client itself would send a key through any of them.
    way: dict[str, Any] = {
        "follow_redirects": False,
        "timeout": timeout,
        "trust_env": False,
        "headers": {"accept-encoding": wire.ENCODINGS},
    }
    transport = wire.AsyncWire(_certificates())
    try:
        client = anthropic.AsyncAnthropic(**same, http_client=httpx2.AsyncClient(**way, transport=transport))
    except Exception as error:
        raise NoKey(f"the credentials can't be used: {type(error).__name__}", advice=faults.KEY_ADVICE) from None
    base = str(client.base_url)
    keys.check_url(base, profile.allow_http)
    if client.credentials is not None:
        proxies.check_exchange(base, profile.allow_http_proxy)
    proxy = proxies.proxy_for(base, profile.allow_http_proxy)
    transport.through(proxy)
    _strip(client)
    held = tuple(s for s in (client.api_key, client.auth_token) if s)
    if not held and client.credentials is None and not keys.has_auth_header(client.default_headers):
        raise NoKey("no API key was found", advice=faults.KEY_ADVICE)

    def receiver() -> Anthropic:
        made = wire.SyncWire(transport.certificates)
        made.through(proxy)
        return _strip(anthropic.Anthropic(**same, http_client=httpx2.Client(**way, transport=made)))

    unshown = (*keys.hidden(base, client.default_headers), *keys.hidden(url, {}), *keys.hidden(proxy or "", {}))
    return Clients(client, receiver, tuple(dict.fromkeys((*held, *unshown))))


def _strip(client: C) -> C:
    """The client with a key that can be sent, also where the SDK found it; raises NoKey."""
    client.api_key = keys.checked(client.api_key or "") or None
    client.auth_token = keys.checked(client.auth_token or "") or None
    return client


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
