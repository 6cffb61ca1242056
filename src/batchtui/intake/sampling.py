"""Requests picked out of a plan: to be counted by the API, or tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from batchtui.domain.money import PriceTable
from batchtui.domain.plan import Plan
from batchtui.intake.estimate import tokens_of
from batchtui.intake.model_limits import ModelCatalog
from batchtui.intake.options import IntakeOptions
from batchtui.intake.prompt_size import size_of

_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")
"""Fields that ``count_tokens`` takes."""
_LONGEST_LINE = 64_000_000


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a plan, ready for ``count_tokens``."""

    custom_id: str
    model: str
    body: bytes
    """JSON for ``POST /v1/messages/count_tokens``."""
    estimated: tuple[int, int]
    """Input tokens by the rule of thumb."""


def sample_requests(plan: Plan, count: int, *, prices: PriceTable) -> tuple[Sample, ...]:
    """Up to ``count`` requests from all over the plan's staged parts, or from what it shows when nothing is staged."""
    facts = ModelCatalog(IntakeOptions(), prices)
    lines = (
        _spread(plan, count)
        if any(part.path for part in plan.parts)
        else [text.encode() for text in plan.sample[:count]]
    )
    samples: dict[str, Sample] = {}
    for line in lines:
        request = msgspec.json.decode(line)
        params: dict[str, Any] = request["params"]
        known = facts.of(params["model"])
        size = size_of(params, known.rules)
        samples[request["custom_id"]] = Sample(
            custom_id=request["custom_id"],
            model=params["model"],
            body=msgspec.json.encode({name: params[name] for name in _COUNTED if name in params}),
            estimated=tokens_of(*size, known),
        )
    return tuple(samples.values())


def _spread(plan: Plan, count: int) -> list[bytes]:
    """The lines that stand at evenly spread bytes of the staged parts."""
    paths: list[tuple[Path, int]] = [(part.path, part.bytes) for part in plan.parts if part.path is not None]
    whole = sum(size for _, size in paths)
    lines: dict[bytes, None] = {}
    for number in range(count):
        place = whole * number // max(1, count)
        for path, size in paths:
            if place < size:
                lines[_line_from(path, place)] = None
                break
            place -= size
    return [line for line in lines if line]


def _line_from(path: Path, place: int) -> bytes:
    """The first whole line that begins at or after a place, or the file's first line past its last one."""
    with path.open("rb") as file:
        if place:
            file.seek(place - 1)
            file.readline(_LONGEST_LINE)
        line = file.readline(_LONGEST_LINE)
        if not line:
            file.seek(0)
            line = file.readline(_LONGEST_LINE)
    return line.rstrip(b"\n")
