"""What becomes of a request: decided by the request itself, so that anyone who repeats it sees the same.

Chance failures strike the first time a request is sent and let its retry through; what is wrong with the params fails
every time.  A word such as ``demo-cut`` in the custom_id or in ``metadata.user_id`` forces an outcome (see WORDS).
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

WORDS = {
    "ok": "succeeds, whatever chance says",
    "error": "invalid_request_error, every time",
    "credit": "invalid_request_error that means 'out of credit', every time",
    "api": "api_error the first time, then succeeds",
    "overloaded": "overloaded_error the first time, then succeeds",
    "flaky": "overloaded_error the first time, then succeeds",
    "timeout": "timeout_error the first time, then succeeds",
    "expire": "expires the first time, then succeeds",
    "cut": "an answer of 3,000 tokens: cut short unless max_tokens allows it",
    "refuse": "stop_reason refusal",
    "pause": "stop_reason pause_turn",
    "context": "stop_reason model_context_window_exceeded",
    "empty": "succeeds with empty text",
    "tool": "uses a tool",
    "think": "thinks before it answers",
    "cite": "cites a document",
    "search": "searches the web",
    "code": "runs code in a container, whose fees no result reports",
    "compact": "compacts the conversation first, which its usage lists apart",
    "advise": "asks an advisor, which its usage lists apart",
    "blocks": "one block of every kind",
    "json": "answers with JSON",
    "hostile": "answers with control characters, markup and bidi marks",
    "long": "an answer of about 1 MB (needs max_tokens to allow it)",
}
_WORD = re.compile(r"demo-(" + "|".join(WORDS) + r")(?![a-z])")
_MARK = re.compile(r"[a-z][a-z2-9]{5}-(?=x?[0-9]{6})")
"""What ids made by batchtui begin with, which differs from run to run."""
_TRANSIENT = {
    "api": "api_error",
    "overloaded": "overloaded_error",
    "flaky": "overloaded_error",
    "timeout": "timeout_error",
    "expire": "expired",
}
_CHANCES = (
    (0.42, "overloaded_error"),
    (0.68, "api_error"),
    (0.82, "expired"),
    (0.92, "timeout_error"),
    (1.0, "rate_limit_error"),
)
_MAX = float(2**64)
_ODD = ((13, "prose"), (43, "bound"), (80, "capitals"))
"""Of 997 answers to a schema."""
_ODD_BITS = 0x5EED_0DD5_5EED_0DD5


class SimulatedOutcome(NamedTuple):
    """One request's lot."""

    key: int
    """Identifies the request (its id and messages), 64 bits."""
    failure: str
    """Error type or ``expired`` when chance or a word strikes now, empty when not."""
    counted: bool
    """True when the key was struck by chance, or spared because it was struck before."""
    word: str
    """The word that was given, empty when none."""
    share: float
    """When in the batch's time it is done, 0 to 1."""
    dice: int
    """64 random bits for whoever shapes the answer."""
    odd: str = ""
    """How an answer to a schema strays from it now: ``prose`` is no JSON, ``bound`` breaks one that is only described,
    ``capitals`` spells a listed value in capitals; empty when it does not.
    """
    odd_key: int = 0
    """What is noted once it strayed, or was spared because it had before; 0 when it never does."""
    noted: int = 0
    """What is noted once it was struck, or was spared: the key, other for each model."""


def word_in(text: str) -> str:
    """The control word in a custom_id or user_id, empty when there is none."""
    match = _WORD.search(text) if "demo-" in text else None
    return match.group(1) if match else ""


@lru_cache(maxsize=256)
def _bits(model: str) -> int:
    return int.from_bytes(blake2b(model.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def decide(
    custom_id: str,
    messages: bytes,
    user_id: str,
    failure_rate: float,
    struck: frozenset[int] | set[int],
    model: str = "",
) -> SimulatedOutcome:
    """The outcome of one request; ``struck`` holds what was noted of those that failed by chance before.

    The model only matters for what was noted: a request that another model answers has not had its turn.
    """
    marked = _MARK.match(custom_id)
    name = custom_id[marked.end() :] if marked else custom_id
    digest = blake2b(messages, digest_size=24, key=name.encode()).digest()
    key = int.from_bytes(digest[:8], "little")
    luck = int.from_bytes(digest[8:16], "little") / _MAX
    dice = int.from_bytes(digest[16:], "little")
    word = word_in(custom_id) or word_in(user_id)
    failure = ""
    if word:
        failure = _TRANSIENT.get(word, "")
    elif luck < failure_rate:
        part = luck / failure_rate
        failure = next(kind for upto, kind in _CHANCES if part <= upto)
    counted = bool(failure)
    noted = key ^ _bits(model)
    if counted and noted in struck:
        failure = ""
    odd = "" if word else next((kind for upto, kind in _ODD if dice % 997 < upto), "")
    odd_key = noted ^ _ODD_BITS if odd else 0
    share = (key >> 11) / float(2**53)
    return SimulatedOutcome(key, failure, counted, word, share, dice, "" if odd_key in struck else odd, odd_key, noted)
