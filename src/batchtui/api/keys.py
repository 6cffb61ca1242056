"""Where the key comes from, and where it may go.  The key is handed on, never kept, printed or written."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from batchtui.api.proxies import is_loopback
from batchtui.config import Profile
from batchtui.domain.errors import InputError, NoKey

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
        password = urlsplit(url).password or ""
        found += [password, unquote(password)]
    bare = [text.removeprefix("Bearer ").strip() for text in found]
    # A library that refuses a header with a newline in it quotes it escaped.
    escaped = [repr(text.encode())[2:-1] for text in bare]
    return [text for text in dict.fromkeys((*found, *bare, *escaped)) if len(text) > 3]


def has_auth_header(headers: Mapping[str, object]) -> bool:
    """True when custom headers already carry a key."""
    return any(name.lower() in _AUTH and bool(value) and isinstance(value, str) for name, value in headers.items())
