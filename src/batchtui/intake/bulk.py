"""The quick way for a megabyte of ordinary requests at once: one decoder call, one write, one look at each request.

It changes nothing before it knows that every line of the block is without fault; else the lines are taken one by one.

Duplicate keys, which no decoder tells, show in the length: written anew, the requests of a block are as long as the block
itself, or as that less one space after each colon and comma.  Where source and encoder escape differently, quotes are
counted instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from batchtui.domain.batch import CUSTOM_ID
from batchtui.intake import fast, measure
from batchtui.intake.facts import ModelFacts

if TYPE_CHECKING:
    from batchtui.intake.checker import Checker

LARGEST = 4_000_000
"""Blocks over this many bytes hold a long line: it is taken by itself."""
_OPEN, _CLOSE = 123, 125


class Tally:
    """Sums of one model over a block."""

    __slots__ = ("chars", "facts", "fixed", "geo", "limits", "octets", "requests")

    def __init__(self, facts: ModelFacts, geo: str) -> None:
        self.facts = facts
        self.geo = geo
        self.requests = 0
        self.chars = 0
        self.octets = 0
        self.fixed = 0
        self.limits: dict[int, int] = {}

    def add(self, chars: int, octets: int, params: Any) -> None:
        """Count one request."""
        self.requests += 1
        self.chars += chars
        self.octets += octets
        self.fixed += measure.PER_MESSAGE * len(params.messages)
        limit = params.max_tokens
        try:
            self.limits[limit] += 1
        except KeyError:
            self.limits[limit] = 1


class Bulk(msgspec.Struct, frozen=True):
    """What a block of requests without fault holds."""

    ids: list[str]
    tallies: list[Tally]
    longest: tuple[int, int]
    """Start and end of the longest line."""


def survey(block: bytes, checker: Checker) -> Bulk | None:
    """Look at all requests of a block of lines; None when one of them asks for a look of its own."""
    if len(block) > LARGEST or len(block) > checker.room:
        return None
    try:
        plain = fast.PLAIN.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        plain = None
    if plain is not None and (found := _survey(block, plain, checker, plain=True)) is not None:
        return found
    try:
        requests = fast.REQUEST.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return _survey(block, requests, checker, plain=False)


def _survey(block: bytes, requests: list[Any], checker: Checker, *, plain: bool) -> Bulk | None:
    find, match = block.find, CUSTOM_ID.match
    look: Callable[[Any], tuple[int, int, bool]] = fast.survey_plain if plain else fast.survey
    counted = start = long_start = long_end = 0
    tallies: dict[Any, Tally] = {}
    tally = model = geo = None
    ids: list[str] = []
    for request in requests:
        end = find(b"\n", start)
        if end < 0:
            end = len(block)
        params = request.params
        if block[start] != _OPEN or block[end - 1] != _CLOSE or not match(request.custom_id):
            return None
        inside, chars, ascii_only = look(params)
        if inside < 0 or chars > LARGEST or params.betas is not UNSET:
            return None
        if params.model != model or params.inference_geo is not geo or not ids:
            model, geo = params.model, params.inference_geo
            tally = _tally(tallies, model, geo, checker)
        if end - start > long_end - long_start:
            long_start, long_end = start, end
        counted += inside
        tally.add(chars, chars if ascii_only else min(3 * chars, max(chars, end - start)), params)
        ids.append(request.custom_id)
        start = end + 1
    if start != len(block) + 1 or not all(_plain(tally, long_end - long_start) for tally in tallies.values()):
        return None
    if plain:
        spare = len(block) + 1 - len(fast.ENCODER.encode_lines(requests))
        if spare not in (0, counted):
            return None
    elif block.count(b'"') != counted and not _options_explain(block, counted, requests, tallies, checker):
        return None
    return Bulk(ids, list(tallies.values()), (long_start, long_end))


def _tally(tallies: dict[Any, Tally], model: str, geo: Any, checker: Checker) -> Tally:
    found = tallies.get((model, geo))
    if found is None:
        found = tallies[model, geo] = Tally(checker.facts_of(model), "" if geo is UNSET else str(geo))
    return found


def _plain(tally: Tally, longest: int) -> bool:
    """Whether requests of a model need no look of their own: usable, silent, far from any limit or price step."""
    facts = tally.facts
    if not facts.usable or facts.problems or (facts.max_output and max(tally.limits) > facts.max_output):
        return False
    step = facts.price.step_tokens if facts.price is not None else 0
    return not (0 < facts.context < longest or 0 < step < longest)


def _options_explain(
    block: bytes, quotes: int, requests: list[fast.Request], tallies: dict[Any, Tally], checker: Checker
) -> bool:
    """Whether options of the requests account for all quotes that a plain conversation does not; counts their tools."""
    for request in requests:
        params = request.params
        found = checker.option_quotes(params)
        if found is None:
            return False
        quotes += found
        if params.tools is not UNSET:
            tally, size = tallies[params.model, params.inference_geo], len(bytes(params.tools))
            tally.chars += size
            tally.octets += size
            tally.fixed += measure.TOOLS_TOKENS
    return block.count(b'"') == quotes and (block.isascii() or _is_utf8(block))


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
