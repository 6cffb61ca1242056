"""The SDK's clients: where the key comes from, and where it may go.  It is handed on, never kept, printed or written."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from batchtui.api import errors, proxies
from batchtui.api.proxies import is_loopback
from batchtui.config.load import Profile
from batchtui.domain.errors import InputError, NoKey

if TYPE_CHECKING:
    import ssl

    from anthropic import Anthropic, AsyncAnthropic

DEFAULT_BASE_URL = "https://api.anthropic.com"
_UNFIT = re.compile(r"[\x00-\x20\x7f\\]")
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")
_AUTH = ("x-api-key", "authorization", "proxy-authorization")
_AROUND = " \t\r\n\v\f\x00\u00a0\u200b\u2028\u2029\ufeff"
"""What a copied key may bring along; none of it is ever part of one."""


def default_base_url() -> str:
    """``ANTHROPIC_BASE_URL``, or "" to let the SDK choose."""
    return os.environ.get("ANTHROPIC_BASE_URL", "").strip()


def public_url(url: str) -> str:
    """A base URL without user, password, query and last slash, fit for records and screens; the SDK's default for ""."""
    try:
        parts = urlsplit(url or DEFAULT_BASE_URL)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(not an address)"
    if ":" in host:
        host = f"[{host}]"
    netloc = f"{host}:{port}" if port else host
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))


def check_url(url: str, allow_http: bool) -> None:
    """Refuse a base URL that would send the key in the clear to another machine; raises InputError."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # Raises ValueError when it is no number.
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or _UNFIT.search(url):
        raise InputError("the base URL is not an http(s) address", advice="correct base_url or ANTHROPIC_BASE_URL")
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise InputError(
            f"the base URL http://{host} would send the key unencrypted to another machine",
            advice="use https, or set allow_http = true in that profile if you mean it",
        )


def is_id(text: object) -> bool:
    """True for what can be an id of the API's: letters, digits, dash and underscore, at most 200."""
    return isinstance(text, str) and _ID.match(text) is not None


def is_here(url: str) -> bool:
    """True when a base URL leads to this machine."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def path_id(batch_id: str) -> str:
    """An id made safe as one step of a URL path; raises InputError for a step that would lead elsewhere."""
    if batch_id.strip(".") == "":
        raise InputError(f"{batch_id!r} is not the id of a batch", advice="batchtui list --all shows the ids")
    return quote(batch_id, safe="")


def checked(key: str) -> str:
    """The key without what was copied around it; raises NoKey when it can't be sent as it is."""
    key = key.strip(_AROUND)
    odd = next((place for place, char in enumerate(key, 1) if not "!" <= char <= "~"), 0)
    if odd:
        char = key[odd - 1]
        what = "a space or a line break" if char.isspace() or char < " " else "a character that is not ASCII"
        raise NoKey(f"the API key can't be sent: its character {odd} is {what}", advice="copy the key again, whole")
    return key


def find_key(profile: Profile) -> str:
    """The key a profile names by variable or command; "" leaves it to the SDK's own order.  Raises NoKey."""
    if profile.api_key_env:
        key = os.environ.get(profile.api_key_env, "").strip(_AROUND)
        if not key:
            raise NoKey(
                f"the variable {profile.api_key_env} is not set",
                advice=f"set it, or change profile {profile.name} in config.toml",
            )
        return key
    if profile.api_key_command:
        return _from_command(profile)
    return ""


def _from_command(profile: Profile) -> str:
    try:
        done = subprocess.run(
            profile.api_key_command,
            shell=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        raise NoKey("api_key_command did not finish", advice="run it by hand to see what it waits for") from None
    key = done.stdout.strip()
    if done.returncode != 0 or not key or "\n" in key:
        what = f"ended with {done.returncode}" if done.returncode else "did not print one line"
        raise NoKey(f"api_key_command {what}", advice="run it by hand: it must print the key and nothing else")
    return key


def hidden(url: str, headers: Mapping[str, object]) -> list[str]:
    """What must never be shown beside the key itself: a URL's password, and custom headers that carry a key."""
    found = [str(value) for name, value in headers.items() if name.lower() in _AUTH and isinstance(value, str)]
    with contextlib.suppress(ValueError):
        password = urlsplit(url).password or ""
        found += [password, unquote(password)]
    bare = [text.removeprefix("Bearer ").strip() for text in found]
    # A library that refuses a header with a newline in it quotes it escaped.
    escaped = [repr(text.encode())[2:-1] for text in bare]
    return [text for text in dict.fromkeys((*found, *bare, *escaped)) if len(text) > 3]


def has_auth_header(headers: Mapping[str, object]) -> bool:
    """True when custom headers already carry a key."""
    return any(name.lower() in _AUTH and bool(value) and isinstance(value, str) for name, value in headers.items())


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

        from batchtui.api import http

    httpcore2.HTTP11Connection.READ_NUM_BYTES = _READ_AT_ONCE
    url = given_url or default_base_url()
    check_url(url, profile.allow_http)
    timeout = httpx2.Timeout(_READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    same: dict[str, Any] = {
        "api_key": checked(given_key or find_key(profile)) or None,
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
        "headers": {"accept-encoding": http.ENCODINGS},
    }
    transport = http.AsyncWire(_certificates())
    try:
        client = anthropic.AsyncAnthropic(**same, http_client=httpx2.AsyncClient(**way, transport=transport))
    except Exception as error:
        raise NoKey(f"the credentials can't be used: {type(error).__name__}", advice=errors.KEY_ADVICE) from None
    base = str(client.base_url)
    check_url(base, profile.allow_http)
    if client.credentials is not None:
        proxies.check_exchange(base, profile.allow_http_proxy)
    proxy = proxies.proxy_for(base, profile.allow_http_proxy)
    transport.through(proxy)
    _strip(client)
    held = tuple(s for s in (client.api_key, client.auth_token) if s)
    if not held and client.credentials is None and not has_auth_header(client.default_headers):
        raise NoKey("no API key was found", advice=errors.KEY_ADVICE)

    def receiver() -> Anthropic:
        made = http.SyncWire(transport.certificates)
        made.through(proxy)
        return _strip(anthropic.Anthropic(**same, http_client=httpx2.Client(**way, transport=made)))

    unshown = (*hidden(base, client.default_headers), *hidden(url, {}), *hidden(proxy or "", {}))
    return Clients(client, receiver, tuple(dict.fromkeys((*held, *unshown))))


def _strip(client: C) -> C:
    """The client with a key that can be sent, also where the SDK found it; raises NoKey."""
    client.api_key = checked(client.api_key or "") or None
    client.auth_token = checked(client.auth_token or "") or None
    return client


def _certificates() -> ssl.SSLContext:
    """Read once for both clients: reading them anew would take longer than asking.  Raises NoKey."""
    import httpx2

    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        raise NoKey(
            f"the certificates can't be read: {error.strerror or error}",
            advice="check SSL_CERT_FILE and SSL_CERT_DIR",
        ) from None
