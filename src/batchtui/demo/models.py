"""The demo server's models: those of the price table, what each family refuses, and how the Models endpoint tells them.

What a family refuses is written from the documentation, apart from the checker's rules by model.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from batchtui.demo.protocol import stamp
from batchtui.domain.money import Price, PriceTable, load_prices

_LINES = ("haiku", "sonnet", "opus", "fable", "mythos")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
_RELEASED = {
    "5-2": date(2026, 11, 9),
    "5-5": date(2026, 9, 15),
    "5-1": date(2026, 8, 4),
    "5": date(2026, 4, 21),
    "4-8": date(2026, 3, 3),
    "4-7": date(2026, 1, 20),
}


class Traits(NamedTuple):
    """What a family of models refuses, and what it counts by."""

    refused: tuple[str, ...] = ()
    """Types of thinking that are refused."""
    strained: tuple[str, ...] = ()
    """Those that are refused at effort xhigh and max only."""
    efforts: tuple[str, ...] = EFFORTS
    """Efforts that are taken."""
    no_force: bool = False
    force_or_think: bool = False
    no_prefill: bool = True
    no_sampling: bool = True
    one_sampling: bool = False
    no_geo: bool = False
    long_output: bool = True
    media: int = 600
    """Images, and PDF pages, of a request."""
    old_computer: bool = True
    cached: int = 512
    """Tokens of the shortest prefix that is cached."""
    picture: tuple[int, int] = (2576, 4784)
    """Pixels a side is scaled to, and the most tokens of an image."""


_NO_CHOICE = ("enabled", "disabled")
_SMALL = (1568, 1568)
_NEW_5_2 = Traits(_NO_CHOICE, old_computer=False)
_5_1 = Traits(_NO_CHOICE, no_force=True, long_output=False)
_5 = Traits(("enabled",), strained=("disabled",))
_4_7 = Traits(("enabled",), cached=2048)
_4_6 = Traits(force_or_think=True, no_sampling=False, cached=4096, picture=_SMALL)
_4_5 = Traits(
    ("adaptive",),
    efforts=(),
    force_or_think=True,
    no_prefill=False,
    no_sampling=False,
    one_sampling=True,
    no_geo=True,
    long_output=False,
    media=100,
    cached=4096,
    picture=_SMALL,
)
FAMILIES: dict[str, Traits] = {
    "fable-5-2": _NEW_5_2,
    "mythos-5-2": _NEW_5_2,
    "fable-5-1": _5_1,
    "mythos-5-1": _5_1,
    "fable-5": _5_1._replace(no_force=False),
    "mythos-5": _5_1._replace(no_force=False),
    "opus-5-5": _NEW_5_2._replace(no_force=True),
    "opus-5": _5,
    "opus-4-8": _4_7._replace(cached=1024),
    "opus-4-7": _4_7,
    "opus-4-6": _4_6,
    "opus-4-5": _4_5._replace(efforts=("low", "medium", "high"), one_sampling=False),
    "sonnet-5-5": _NEW_5_2._replace(no_force=True, strained=("between_tools",)),
    "sonnet-5": _4_7._replace(cached=1024),
    "sonnet-4-6": _4_6._replace(cached=1024),
    "sonnet-4-5": _4_5._replace(cached=1024),
    "haiku-5-5": _5,
    "haiku-4-5": _4_5,
}


def traits(model: str) -> Traits:
    """The traits of a model by its full name, its date aside."""
    return FAMILIES[re.sub(r"-20\d{6}$", "", model).removeprefix("claude-")]


@lru_cache(maxsize=1)
def prices() -> PriceTable:
    """The built-in table, once."""
    return load_prices()


def known(model: str) -> Price | None:
    """The model behind a name or an alias, None when there is none."""
    return prices().get(model) if model in prices().names() else None


@lru_cache(maxsize=64)
def chars_per_token(model: str) -> float:
    """The rule of thumb of the model's generation."""
    price = known(model)
    return float(price.chars_per_token) if price else 3.0


@lru_cache(maxsize=1)
def listing() -> tuple[dict[str, Any], ...]:
    """All models as the Models endpoint lists them."""
    return tuple(_entry(price) for name in prices().models() if (price := known(name)))


def entry(model: str) -> dict[str, Any] | None:
    """One model as the Models endpoint tells it; aliases are resolved."""
    price = known(model)
    return _entry(price) if price else None


def _entry(price: Price) -> dict[str, Any]:
    parts = price.model.split("-")
    version = "-".join(p for p in parts[2:] if not p.startswith("20"))
    line = parts[1] if parts[1] in _LINES else None
    retires = (
        datetime(price.retires.year, price.retires.month, price.retires.day, tzinfo=UTC) if price.retires else None
    )
    released = _RELEASED.get(version, date(2025, 10, 1))
    return {
        "type": "model",
        "id": price.model,
        "display_name": f"Claude {parts[1].title()} {version.replace('-', '.')}",
        "created_at": stamp(datetime(released.year, released.month, released.day, tzinfo=UTC)),
        "max_input_tokens": price.context or None,
        "max_tokens": price.max_output or None,
        "lifecycle": "deprecated" if retires else "active",
        "deprecated_at": "2026-08-01T00:00:00.000000Z" if retires else None,
        "retires_at": stamp(retires),
        "line": line,
        "capabilities": _capabilities(price.model),
    }


def _capabilities(model: str) -> dict[str, Any]:
    """What a model can do, told as the API tells it."""
    family = traits(model)

    def told(supported: bool) -> dict[str, bool]:
        return {"supported": supported}

    yes = told(True)
    return {
        "batch": yes,
        "citations": yes,
        "code_execution": yes,
        "context_management": {
            "supported": True,
            "clear_thinking_20251015": yes,
            "clear_tool_uses_20250919": yes,
            "compact_20260112": told(family.media > 100),
        },
        "effort": {"supported": bool(family.efforts), **{level: told(level in family.efforts) for level in EFFORTS}},
        "image_input": yes,
        "pdf_input": yes,
        "server_tools": {"supported": True, "web_search": yes, "code_execution": yes},
        "structured_outputs": yes,
        "thinking": {
            "supported": True,
            "types": {
                "adaptive": told("adaptive" not in family.refused),
                # Whether others refuse it is not documented.
                **({"between_tools": yes} if "between_tools" in family.strained else {}),
                "disabled": told("disabled" not in family.refused),
                "enabled": told("enabled" not in family.refused),
            },
        },
    }
