"""The quick way for a block of ordinary requests: a few passes in C over all of them, and one write.

It changes nothing before it knows that every line of the block is without fault; else the lines are taken one by one.

Duplicate keys, which no decoder tells, show in the length: from the lengths of all values follows how long the block must
be, written without spaces or with one after each colon and comma.  Where it is not, or where requests have options, quotes
are counted instead (see ``fast.survey``).
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
_OPEN, _CLOSE, _QUOTE = b'{}"'
_DOUBTFUL = frozenset(b' \\"\xc2\xe1\xe2\xe3')
"""First bytes of texts that may be blank: a space, an escape, the end, letters that white space of other scripts begins with."""
_REQUEST = len('{"custom_id":"","params":{"model":"","max_tokens":,"messages":[]}}')
_TURN = len('{"role":"","content":}')
_SYSTEM = len(',"system":')
_PROBE = 16_384
"""Bytes of a block in which escapes are counted."""


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
    return _block_with_options(block, longest, checker)


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
    """A block of conversations without options; what it can't vouch for is looked at request by request."""
    by_model: dict[str, list[fast.PlainParams]] = {}
    for request in requests:
        by_model.setdefault(request.params.model, []).append(request.params)
    shares = [_share(model, params) for model, params in by_model.items()]
    ids = [request.custom_id for request in requests]
    spare = len(block) + 1 - sum(map(len, ids))
    spaces = 0
    for share in shares:
        if share is None:
            return _block_with_options(block, longest, checker)
        spare -= share.size
        spaces += share.spaces
    if spare not in (0, spaces) or not (block.isascii() or _is_utf8(block)):
        return _block_with_options(block, longest, checker)
    chars, octets = _unescaped(block[:_PROBE])
    tallies = [
        Tally(
            checker.facts_of(share.model),
            "",
            share.requests,
            int(share.text * chars),
            int(share.text * octets),
            measure.PER_MESSAGE * share.turns,
            share.limits,
        )
        for share in shares
        if share is not None
    ]
    return _bulk(ids, tallies, longest)


class _Share(msgspec.Struct, frozen=True):
    """One model's requests in a plain block."""

    model: str
    requests: int
    turns: int
    text: int
    """Bytes of JSON text between its quotes."""
    size: int
    """Bytes its lines have when written without spaces, custom_ids aside."""
    spaces: int
    """How many more they have with a space after each colon and comma."""
    limits: dict[int, int]


def _share(model: str, all_params: list[fast.PlainParams]) -> _Share | None:
    """What requests of one model hold; None when one of them needs a look of its own."""
    turns = [turn for params in all_params for turn in params.messages]
    texts = [turn.content for turn in turns]
    texts += (systems := [params.system for params in all_params if params.system is not UNSET])
    ends = [turn.role for params in all_params for turn in (params.messages[0], params.messages[-1])]
    if not all(map(_is_text, texts)) or ends.count("user") != len(ends):
        return None
    limits = Counter([params.max_tokens for params in all_params])
    inside = sum(map(len, texts))
    roles = 9 * len(turns) - 5 * [turn.role for turn in turns].count("user")
    digits = sum(len(str(limit)) * count for limit, count in limits.items())
    syntax = (_REQUEST + len(model)) * len(all_params) + (_TURN + 1) * len(turns) + _SYSTEM * len(systems)
    return _Share(
        model=model,
        requests=len(all_params),
        turns=len(turns),
        text=inside - 2 * len(texts),
        size=syntax + digits + roles + inside,
        spaces=7 * len(all_params) + 4 * len(turns) + 2 * len(systems),
        limits=dict(limits),
    )


def _is_text(raw: msgspec.Raw) -> bool:
    """Whether a content is a string that holds more than white space."""
    view = memoryview(raw)
    if view[0] != _QUOTE:
        return False
    if view[1] not in _DOUBTFUL:
        return True
    try:
        text = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return bool(text) and not text.isspace()


def _unescaped(probe: bytes) -> tuple[float, float]:
    """Characters, and UTF-8 bytes, that a byte of this JSON text stands for."""
    escapes = probe.count(b"\\u")
    chars = len(probe.decode("utf-8", "ignore")) - 5 * escapes
    return chars / len(probe), (len(probe) - 3 * escapes) / len(probe)


def _block_with_options(block: bytes, longest: tuple[int, int, int], checker: Checker) -> Bulk | None:
    """A block with options, text blocks or escapes of another kind; each request is looked at by itself."""
    try:
        requests = fast.REQUEST.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if len(requests) != longest[2]:
        return None
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
    if (
        not facts.usable
        or facts.problems
        or (tally.geo and facts.refuses_geo)
        or (facts.max_output and max(tally.limits) > facts.max_output)
    ):
        return False
    step = facts.price.step_tokens if facts.price is not None else 0
    return not (0 < facts.context < longest or 0 < step < longest)


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
