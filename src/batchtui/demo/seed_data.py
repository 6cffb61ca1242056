"""The batches that the demo begins with: made-up work of a small shop in different states."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

_GOODS = ("kettle", "desk lamp", "rain jacket", "bike light", "coffee grinder", "backpack", "garden hose", "door lock")
_MOODS = ("works well", "came late", "broke in its second week", "is louder than the last one", "was a gift", "fits")
_PLACES = ("in the kitchen", "on the balcony", "at work", "on a long trip", "for my mother", "in the rain")
_TOWNS = ("Utrecht", "Leeds", "Porto", "Graz", "Turku", "Lyon", "Gdynia", "Cork")
_NEWS = (
    "opens a second tram line",
    "votes on the old harbour",
    "plants a thousand trees",
    "closes the ring road for a day",
)


class SeedBatch(NamedTuple):
    """One batch to begin with; times are counted back from now."""

    title: str
    """Batches of one title are one run."""
    age: timedelta
    """How long ago it was made."""
    lasts: timedelta
    """How long it takes from then on."""
    requests: list[tuple[str, dict[str, Any]]]
    """custom_id and params; empty for a retry."""
    note: str = ""
    part: int = 1
    parts: int = 1
    attempt: int = 0
    retry_of: tuple[str, ...] = ()
    """Titles of the batches whose failures it sends again."""
    failure_rate: float = 0.055
    canceled: timedelta | None = None
    """How long after it was made it was canceled."""
    stored: bool = True
    """Whether its results were fetched."""
    source: str = ""


def _params(model: str, most: int, prompt: str, system: str = "", **more: Any) -> dict[str, Any]:
    head: dict[str, Any] = {"model": model, "max_tokens": most}
    if system:
        head["system"] = system
    return {**head, "messages": [{"role": "user", "content": prompt}], **more}


def _many(
    prefix: str, first: int, count: int, one: Callable[[int], dict[str, Any]]
) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{prefix}-{n:04}", one(n)) for n in range(first, first + count)]


def _message(n: int) -> str:
    return f"My {_GOODS[n % 8]} {_MOODS[n // 8 % 6]}. I use it {_PLACES[n % 6]}, order 4{1000 + n}. What now?"


def _label(n: int) -> dict[str, Any]:
    system = "You sort messages to a shop. Answer with exactly one of: refund, repair, delivery, praise, other."
    return _params("claude-haiku-4-5", 100, _message(n), system)


def _summary(n: int) -> dict[str, Any]:
    review = f"The {_GOODS[n % 8]} {_MOODS[n % 6]}. I bought it {_PLACES[n // 2 % 6]}."
    prompt = f"Summarise this review for the shop's page.\n\n{review}"
    return _params("claude-sonnet-5", 1500, prompt)


def _eval(n: int) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if n % 23 == 7:
        more["temprature"] = 0
    elif n % 31 == 9:
        more["temperature"] = 0.2
    prompt = (
        f"Case {n}: a customer says the {_GOODS[n % 8]} {_MOODS[n // 3 % 6]}. Decide, and explain why, step by step."
    )
    return _params("claude-haiku-5-5", 320, prompt, **more)


def _translate(n: int) -> dict[str, Any]:
    return _params(
        "claude-sonnet-4-6",
        800,
        f"Translate into Dutch: The {_GOODS[n % 8]} {_MOODS[n % 6]} {_PLACES[n % 6]}. (note {n})",
    )


def _copy(n: int) -> dict[str, Any]:
    return _params(
        "claude-opus-5", 2000, f"Write a product text for the {_GOODS[n % 8]}, variant {n}, used {_PLACES[n % 6]}."
    )


def _news(n: int) -> dict[str, Any]:
    return _params("claude-haiku-4-5", 600, f"Write a short item: {_TOWNS[n % 8]} {_NEWS[n // 8 % 4]}. Edition {n}.")


def _october(n: int) -> dict[str, Any]:
    return _params(
        "claude-sonnet-4-6",
        900,
        f"Rate this answer from 1 to 5 and say why: the {_GOODS[n % 8]} {_MOODS[n % 6]} (case {n}).",
    )


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

SEED_BATCHES: tuple[SeedBatch, ...] = (
    SeedBatch(
        "october-eval",
        27 * _DAY + 4 * _HOUR,
        38 * _MINUTE,
        _many("case", 1, 120, _october),
        note="download the results before they expire",
        stored=False,
        source="october-eval.jsonl",
    ),
    SeedBatch(
        "review-summaries",
        _DAY + 3 * _HOUR,
        17 * _MINUTE,
        _many("rev", 1, 60, _summary),
        failure_rate=0.0,
        source="reviews.csv with review-summary.toml",
    ),
    SeedBatch(
        "translate-notes",
        6 * _HOUR,
        50 * _MINUTE,
        _many("note", 1, 200, _translate),
        note="wrong language: should have been Danish",
        canceled=21 * _MINUTE,
        source="notes/ (200 text files)",
    ),
    SeedBatch(
        "eval-prompt-b",
        3 * _HOUR,
        24 * _MINUTE,
        _many("case", 1, 180, _eval),
        source="eval-prompt-b.jsonl",
    ),
    SeedBatch(
        "triage",
        2 * _HOUR,
        31 * _MINUTE,
        _many("msg", 1, 240, _label),
        part=1,
        parts=2,
        source="messages.csv",
    ),
    SeedBatch(
        "triage",
        2 * _HOUR - 0.2 * _MINUTE,
        35 * _MINUTE,
        _many("msg", 241, 235, _label),
        part=2,
        parts=2,
        source="messages.csv",
    ),
    SeedBatch("triage", 70 * _MINUTE, 6 * _MINUTE, [], attempt=1, retry_of=("triage",), source="retry of triage"),
    SeedBatch(
        "product-texts",
        41 * _MINUTE,
        96 * _MINUTE,
        _many("text", 1, 320, _copy),
        source="products.tsv with text.toml",
    ),
    SeedBatch(
        "city-news",
        12 * _MINUTE,
        12 * _MINUTE + timedelta(seconds=22),
        _many("item", 1, 96, _news),
        note="ends while you look",
        source="city-news.jsonl",
    ),
)
"""All of them, oldest first."""
