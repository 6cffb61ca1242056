"""The quick way for a block of ordinary requests: a few passes in C over all of them, and one write.

It changes nothing before it knows that every line of the block is without fault; else the lines are taken one by one.

Duplicate keys, which no decoder tells, show in the length: written anew, the requests of a block are as long as the block
itself, or as that less one space after each colon and comma.  Where the source escapes otherwise than the encoder, or
requests have options, quotes are counted instead (see ``fast.survey``).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from batchtui.intake import fast, measure
from batchtui.intake.facts import ModelFacts

if TYPE_CHECKING:
    from batchtui.intake.checker import Checker

LARGEST = 4_000_000
"""Blocks over this many bytes hold a long line: it is taken by itself."""
_IDS = re.compile(r"(?:[a-zA-Z0-9_-]{1,64}\n)+\Z")
_OPEN, _CLOSE = 123, 125


class Tally(msgspec.Struct, frozen=True):
    """Sums of one model over a block."""

    facts: ModelFacts
    geo: str
    requests: int
    chars: int
    octets: int
    fixed: int
    limits: dict[int, int]
    """How many requests have which max_tokens."""


class Bulk(msgspec.Struct, frozen=True):
    """What a block of requests without fault holds."""

    ids: list[str]
    tallies: list[Tally]
    longest: tuple[int, int]
    """Start and end of the longest line."""


def survey(block: bytes, checker: Checker) -> Bulk | None:
    """Look at all requests of a block of lines; None when one of them asks for a look of its own."""
    if not block or len(block) > LARGEST or len(block) > checker.room:
        return None
    longest = _longest_line(block)
    if longest is None:
        return None
    try:
        plain = fast.PLAIN.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        plain = None
    if plain is not None and len(plain) == longest[2]:
        return _plain_block(block, plain, longest, checker)
    try:
        requests = fast.REQUEST.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return _block_with_options(block, requests, longest, checker) if len(requests) == longest[2] else None


def _longest_line(block: bytes) -> tuple[int, int, int] | None:
    """Start and end of the longest line, and how many there are; None when a line is not one object from end to end."""
    find = block.find
    start = count = long_start = long_end = 0
    while True:
        end = find(b"\n", start)
        last = end < 0
        if last:
            end = len(block)
        if start >= end or block[start] != _OPEN or block[end - 1] != _CLOSE:
            return None
        count += 1
        if end - start > long_end - long_start:
            long_start, long_end = start, end
        if last:
            return long_start, long_end, count
        start = end + 1


def _plain_block(
    block: bytes, requests: list[fast.PlainRequest], longest: tuple[int, int, int], checker: Checker
) -> Bulk | None:
    """A block of conversations without options."""
    all_params = [request.params for request in requests]
    turns = [message for params in all_params for message in params.messages]
    contents = [message.content for message in turns]
    systems = [params.system for params in all_params if params.system is not UNSET]
    texts = [each for each in (*contents, *systems) if type(each) is str]
    if len(texts) != len(contents) + len(systems) or any(map(str.isspace, contents)):  # type: ignore[arg-type]
        return _block_with_options(block, None, longest, checker)
    ends = [turn.role for params in all_params for turn in (params.messages[0], params.messages[-1])]
    if ends.count("user") != len(ends):
        return None
    signs = 7 * len(requests) + 4 * len(turns) + 2 * len(systems)
    encoded = len(fast.ENCODER.encode_lines(requests)) - 1
    if len(block) - encoded not in (0, signs):
        return _block_with_options(block, None, longest, checker)
    limits = Counter([(params.model, params.max_tokens) for params in all_params])
    model = all_params[0].model
    if any(name != model for name, _ in limits):
        return _block_with_options(block, None, longest, checker)
    chars = sum(map(len, texts))
    octets = chars if block.isascii() else min(3 * chars, max(chars, encoded - 60 * len(requests)))
    fixed = measure.PER_MESSAGE * len(turns)
    counts = {limit: count for (_, limit), count in limits.items()}
    tally = Tally(checker.facts_of(model), "", len(requests), chars, octets, fixed, counts)
    return _bulk([request.custom_id for request in requests], [tally], longest)


def _block_with_options(
    block: bytes, requests: list[fast.Request] | None, longest: tuple[int, int, int], checker: Checker
) -> Bulk | None:
    """A block of several models, or with options, text blocks or escapes of another kind; each request is looked at by itself."""
    if requests is None:
        requests = fast.REQUEST.decode_lines(block)
    quotes = 0
    sums: dict[tuple[str, Any], list[int]] = {}
    limits: dict[tuple[str, Any], dict[int, int]] = {}
    for request in requests:
        params = request.params
        inside, chars, octets = fast.survey(params)
        options = checker.option_quotes(params)
        if inside < 0 or options is None or params.betas is not UNSET:
            return None
        quotes += inside + options
        key = params.model, params.inference_geo
        share = sums.setdefault(key, [0, 0, 0, 0])
        tools = 0 if params.tools is UNSET else len(bytes(params.tools))
        share[0] += 1
        share[1] += chars + tools
        share[2] += octets + tools
        share[3] += measure.PER_MESSAGE * len(params.messages) + (measure.TOOLS_TOKENS if tools else 0)
        counted = limits.setdefault(key, {})
        counted[params.max_tokens] = counted.get(params.max_tokens, 0) + 1
    if block.count(b'"') != quotes or not (block.isascii() or _is_utf8(block)):
        return None
    tallies = []
    for (model, geo), (count, chars, octets, fixed) in sums.items():
        place = "" if geo is UNSET else str(geo)
        tallies.append(Tally(checker.facts_of(model), place, count, chars, octets, fixed, limits[model, geo]))
    return _bulk([request.custom_id for request in requests], tallies, longest)


def _bulk(ids: list[str], tallies: list[Tally], longest: tuple[int, int, int]) -> Bulk | None:
    start, end, _ = longest
    if not _IDS.match("\n".join(ids) + "\n") or not all(_silent(tally, end - start) for tally in tallies):
        return None
    return Bulk(ids, tallies, (start, end))


def _silent(tally: Tally, longest: int) -> bool:
    """Whether requests of a model need no look of their own: usable, without warning, far from any limit or price step."""
    facts = tally.facts
    if not facts.usable or facts.problems or (facts.max_output and max(tally.limits) > facts.max_output):
        return False
    step = facts.price.step_tokens if facts.price is not None else 0
    return not (0 < facts.context < longest or 0 < step < longest)


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
