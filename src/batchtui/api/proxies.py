"""Which proxy stands between us and the API, if any: none for this machine, and none that would read the key."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchtui.domain.errors import InputError

if TYPE_CHECKING:
    import ipaddress

_KINDS = ("http", "https", "socks5", "socks5h")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|\d*)(\.(0x[0-9a-f]*|\d+)){0,3}\Z", re.I)


def is_loopback(host: str) -> bool:
    """True for this machine under any of its names: ``localhost``, 127.x in every spelling, ``::1`` and what maps to it."""
    name = host.strip("[]").partition("%")[0].removesuffix(".").lower()
    if name == "localhost":
        return True
    address = _address(name)
    if address is None:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    # To connect to the address of no host is to connect to this one.
    return address.is_loopback or address.is_unspecified


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    import ipaddress

    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    if not name or not _NUMERIC.match(name):
        return None
    try:
        return ipaddress.ip_address(socket.inet_aton(name))
    except OSError:
        return None


def proxy_for(url: str, allow_http: bool) -> str | None:
    """The proxy of the environment or the system for a base URL, None to connect directly.

    ``allow_http`` lets the key go through a proxy that can read it.  Raises InputError when it may not, and for a proxy
    that is no address.
    """
    host = urlsplit(url).hostname or ""
    return None if is_loopback(host) else _judged(url, allow_http)


def check_exchange(url: str, allow_http: bool) -> None:
    """Refuse credentials that the SDK exchanges for a token by a client of its own, if a proxy could read them."""
    if urlsplit(url).scheme == "http":
        _judged(url, allow_http)


def _judged(url: str, allow_http: bool) -> str | None:
    import urllib.request

    parts = urlsplit(url)
    host = parts.hostname or ""
    known = urllib.request.getproxies()
    found = (known.get(parts.scheme) or known.get("all") or "").strip()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not found or _excepted(parts.scheme, host, port, known.get("no", "")):
        return None
    proxy = found if "://" in found else f"http://{found}"
    via = _proxy_host(proxy)
    if not via:
        raise InputError(
            f"the proxy for {parts.scheme} is not an address that can be used",
            advice=f"correct {parts.scheme.upper()}_PROXY or ALL_PROXY, or add {host} to NO_PROXY",
        )
    if parts.scheme == "http" and not allow_http:
        raise InputError(
            f"the API key would go unencrypted through the proxy {via}",
            advice=f"use https, add {host} to NO_PROXY, or set allow_http_proxy = true in that profile if you mean it",
        )
    return proxy


def _proxy_host(proxy: str) -> str:
    """The host of a proxy's URL, "" when it can't be used."""
    try:
        via = urlsplit(proxy)
        return (via.hostname or "") if via.scheme.lower() in _KINDS and via.port != 0 else ""
    except ValueError:
        return ""


def _excepted(scheme: str, host: str, port: int, exceptions: str) -> bool:
    """True when NO_PROXY, or the system's list, names the host."""
    import urllib.request

    name = host.removesuffix(".").lower()
    if any(_names(entry.strip().lower(), scheme, name, port) for entry in exceptions.split(",")):
        return True
    return bool(urllib.request.proxy_bypass(f"{name}:{port}" if ":" not in name else f"[{name}]:{port}"))


def _names(entry: str, scheme: str, host: str, port: int) -> bool:
    """True when one entry of NO_PROXY means the host: a name, a domain, an address, a network, each with a port or scheme."""
    if "://" in entry:
        wanted, _, entry = entry.partition("://")
        if wanted not in (scheme, "all"):
            return False
    if entry == "*":
        return True
    bare = re.fullmatch(r"\[?([0-9a-f:.]*:[0-9a-f:.]*)\]?(/\d+)?", entry)
    if bare and entry.count(":") > 1:
        return _within(host, bare[1] + (bare[2] or ""))
    entry, _, wanted_port = entry.partition(":")
    if wanted_port and wanted_port != str(port):
        return False
    if "/" in entry or _address(entry) is not None:
        return _within(host, entry)
    domain = entry.removeprefix("*").removeprefix(".").removesuffix(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _within(host: str, network: str) -> bool:
    import ipaddress

    address = _address(host.strip("[]"))
    try:
        return address is not None and address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return address is not None and address == _address(network)
