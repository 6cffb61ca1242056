"""Simulated answers to a schema: a better model is right more often, and a few answers are not what was asked for.

What is right is told by the example table where the prompt holds a row of it; for any other text it is made of the text
and the field's name alone, so that all models mean the same.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from batchtui.demo import prose
from batchtui.demo.examples import examples_dir
from batchtui.demo.outcomes import SimulatedOutcome
from batchtui.demo.prose import MARK, as_object

_RIGHT = {"haiku": 0.76, "sonnet": 0.87, "opus": 0.93, "fable": 0.96, "mythos": 0.96}
"""How often a model of a line is right."""
_INSTRUCTED = 0.04
"""What a system prompt of more than ``_LONG`` characters adds."""
_LONG = 200
_AT_MOST = re.compile(r"\bat most ([\d.]+)", re.IGNORECASE)
_AT_LEAST = re.compile(r"\bat least ([\d.]+)", re.IGNORECASE)


def answer(schema: Any, question: str, system: str, model: str, outcome: SimulatedOutcome) -> str:
    """The text of an answer to a schema."""
    dice = outcome.dice
    if outcome.odd == "prose":
        return f"{MARK} I can't tell from this text."
    known = as_object(schema.get("properties")) if isinstance(schema, dict) else {}
    value = prose.sample(schema, dice)
    if not isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    share = _RIGHT.get(model.split("-")[1] if model.count("-") else "", 0.8) + _INSTRUCTED * (len(system) > _LONG)
    told = _row_in(question)
    for name, each in known.items():
        if not isinstance(each, dict) or name not in value:
            continue
        options = each.get("enum")
        if isinstance(options, list) and len(options) > 1:
            value[name] = _chosen(name, options, question, model + system, share, told)
        else:
            value[name] = _bounded(each, value[name], outcome)
    if outcome.odd == "capitals":
        listed = [name for name, each in known.items() if isinstance(each, dict) and isinstance(each.get("enum"), list)]
        value |= {name: held.upper() for name in listed[:1] if isinstance(held := value.get(name), str)}
    return msgspec.json.encode(value).decode()


def _bounded(schema: dict[str, Any], sampled: Any, outcome: SimulatedOutcome) -> Any:
    """A sampled value within the bounds that its description tells, or beyond them."""
    said, too_much = str(schema.get("description", "")), outcome.odd == "bound"
    if isinstance(sampled, str):
        most = schema.get("maxLength") or _bound(_AT_MOST, said)
        if most is None:
            return sampled
        if too_much:
            return f"{sampled} {prose.banks()[0].take(outcome.dice, int(most) + 20)}"
        return sampled if len(sampled) <= most else sampled[: int(most)].rsplit(" ", 1)[0]
    if isinstance(sampled, int | float) and not isinstance(sampled, bool):
        return _number(schema, said, sampled, too_much, outcome.dice)
    return sampled


def _number(schema: dict[str, Any], said: str, sampled: float, too_much: bool, dice: int) -> float:
    low = schema.get("minimum", _bound(_AT_LEAST, said))
    high = schema.get("maximum", _bound(_AT_MOST, said))
    if low is None or high is None:
        return sampled
    if too_much:
        return type(sampled)(high + (high - low))
    return type(sampled)(round(low + (high - low) * (dice % 101) / 100, 2))


def _chosen(name: str, options: list[Any], question: str, who: str, share: float, told: dict[str, str]) -> Any:
    """The right option, or with the model's chance another one."""
    gold = told.get(f"gold_{name}")
    right = next((each for each in options if str(each) == gold), None)
    if right is None:
        right = options[_hash(name, question) % len(options)]
    if _hash(who, name, question) % 10_000 < share * 10_000:
        return right
    others = [each for each in options if each != right]
    return others[_hash(question, who, name) % len(others)]


def _bound(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    return float(found.group(1).rstrip(".")) if found else None


def _hash(*parts: str) -> int:
    return int.from_bytes(blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _row_in(question: str) -> dict[str, str]:
    """The row of the example table whose text the prompt holds; {} when it holds none."""
    rows = _rows(_example)
    return next((rows[line] for line in map(str.strip, question[:20_000].splitlines()) if line in rows), {})


def _example() -> Path:
    return examples_dir() / "feedback.csv"


@lru_cache(maxsize=1)
def _rows(where: Callable[[], Path]) -> dict[str, dict[str, str]]:
    try:
        with where().open(newline="", encoding="utf-8") as file:
            return {row["text"]: row for row in csv.DictReader(file)}
    except OSError:
        return {}
