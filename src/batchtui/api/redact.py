"""The gate of every text that comes from the API: it loses the key in all its forms, and is bounded."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterator
from urllib.parse import quote

from batchtui import safetext

LIMIT = 500
"""Characters kept of a message."""
SHOWN = "[key]"
_SHARED = 12
"""So many characters of a key in a row are a piece of it."""
_WORD, _LONG = 4, 8
"""Shorter secrets stand in any text by chance: below the first they are left, below the second only replaced as words."""
_HEAD = 6
"""A masked key begins with at least so many of its own characters."""


def text(value: object, secrets: tuple[str, ...] = (), limit: int = LIMIT) -> str:
    """One safe line of at most ``limit`` characters without any secret; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    # A key that the cut would halve is still known by its pieces.
    return safetext.line(without(value[: limit * 4], secrets), limit)


def without(value: str, secrets: tuple[str, ...]) -> str:
    """The text with each secret, each piece and each encoded or masked form of one replaced."""
    return _pattern(secrets).sub(SHOWN, value) if any(len(secret) >= _WORD for secret in secrets) else value


def holds(value: str, secrets: tuple[str, ...]) -> bool:
    """True when a secret, a piece or an encoded form of one stands in the text; quick for short texts."""
    if not secrets:
        return False
    forms, pieces = _known(secrets)
    small = value.lower()
    runs = (small[at : at + _SHARED] for at in range(len(small) - _SHARED + 1))
    return not pieces.isdisjoint(runs) or any(form in small for form in forms)


@functools.lru_cache(8)
def _known(secrets: tuple[str, ...]) -> tuple[tuple[str, ...], frozenset[str]]:
    forms = {form.lower() for secret in secrets if len(secret) >= _LONG for form in _forms(secret)}
    return tuple(forms), frozenset(piece.lower() for secret in secrets for piece in _pieces(secret))


@functools.lru_cache(8)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    whole = {form for secret in secrets for form in _forms(secret)}
    known = [re.escape(form) for form in sorted(whole, key=len, reverse=True)]
    pieces = sorted({re.escape(piece) for secret in secrets for piece in _pieces(secret)})
    masked = {
        re.escape(secret[:_HEAD]) + r"[\w+/=-]{0,200}(?:[*•●…]|\.{2}|x{3}|X{3})[^\s\"',;<>]{0,200}"
        for secret in secrets
        if len(secret) > _HEAD * 2
    }
    return re.compile("|".join((*known, *sorted(masked), *(f"{piece}[\\w+/=%-]{{0,200}}" for piece in pieces))), re.I)


def _forms(secret: str) -> Iterator[str]:
    if len(secret) < _WORD:
        return
    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    if len(secret) < _LONG:
        return
    yield quote(raw, safe="")
    yield quote(quote(raw, safe=""), safe="")
    yield raw.hex()
    yield "".join(f"\\u{ord(c):04x}" for c in secret)
    # In base64 a text looks different by what stands before it: of each of the three ways the letters that are its own.
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw).decode()
        own = coded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        yield own
        yield own.replace("+", "-").replace("/", "_")


def _pieces(secret: str) -> Iterator[str]:
    return (secret[at : at + _SHARED] for at in range(len(secret) - _SHARED + 1))
