"""Where the key comes from, and where it may go.  The key is handed on, never kept, printed or written."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from batchtui.config import Profile
from batchtui.domain.errors import InputError, NoKey

DEFAULT_BASE_URL = "https://api.anthropic.com"
_AUTH = ("x-api-key", "authorization", "proxy-authorization")
_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|::1)\Z")


def default_base_url() -> str:
    """``ANTHROPIC_BASE_URL``, or "" to let the SDK choose."""
    return os.environ.get("ANTHROPIC_BASE_URL", "")


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
    if parts.scheme not in ("http", "https") or not host:
        raise InputError("the base URL is not an http(s) address", advice="correct base_url or ANTHROPIC_BASE_URL")
    if parts.scheme == "http" and not allow_http and not _LOOPBACK.match(host):
        raise InputError(
            f"the base URL http://{host} would send the key unencrypted to another machine",
            advice="use https, or set allow_http = true in that profile if you mean it",
        )


def is_here(url: str) -> bool:
    """True when a base URL leads to this machine."""
    try:
        return bool(_LOOPBACK.match(urlsplit(url).hostname or ""))
    except ValueError:
        return False


def path_id(batch_id: str) -> str:
    """An id made safe as one step of a URL path."""
    return quote(batch_id, safe="")


def find_key(profile: Profile) -> str:
    """The key a profile names by variable or command; "" leaves it to the SDK's own order.  Raises NoKey."""
    if profile.api_key_env:
        key = os.environ.get(profile.api_key_env, "").strip()
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
        raise NoKey("api_key_command did not finish", advice="run it by hand and see what it waits for") from None
    key = done.stdout.strip()
    if done.returncode != 0 or not key or "\n" in key:
        what = f"ended with {done.returncode}" if done.returncode else "did not print one line"
        raise NoKey(f"api_key_command {what}", advice="run it by hand: it must print the key and nothing else")
    return key


def hidden(url: str, headers: Mapping[str, object]) -> list[str]:
    """What must never be shown beside the key itself: a URL's password, and custom headers that carry a key."""
    found = [str(value) for name, value in headers.items() if name.lower() in _AUTH and isinstance(value, str)]
    with contextlib.suppress(ValueError):
        found.append(urlsplit(url).password or "")
    bare = [text.removeprefix("Bearer ").strip() for text in found]
    # A library that refuses a header with a newline in it quotes it escaped.
    escaped = [repr(text.encode())[2:-1] for text in bare]
    return [text for text in dict.fromkeys((*found, *bare, *escaped)) if len(text) > 3]


def has_auth_header(headers: Mapping[str, object]) -> bool:
    """True when custom headers already carry a key."""
    return any(name.lower() in _AUTH and bool(value) and isinstance(value, str) for name, value in headers.items())
