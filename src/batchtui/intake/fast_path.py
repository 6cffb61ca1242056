"""The fast path of checks: decoders for plain requests; what fits them needs no further check, the rest is read with care.

What is rare (cache marks, images, tool results) has no place in it and is read with care.  Everything decoded is typed,
 so strings are checked for UTF-8 and surrogates on the way.  ``Raw`` fields are those whose
content repeats from request to request: they are looked at once each (see ``checker``).
"""

from __future__ import annotations

import codecs
import re
import struct
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from batchtui.intake.estimate import BlockTotals
from batchtui.intake.prompt_size import PER_MESSAGE, TOOLS_TOKENS, hidden_bytes

if TYPE_CHECKING:
    from batchtui.intake.checker import Checker

NonEmpty = Annotated[str, Meta(min_length=1)]


class Text(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="text", gc=False):
    """A text block."""

    text: NonEmpty


class Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A turn of plain text."""

    role: Literal["user", "assistant"]
    content: NonEmpty | Annotated[list[Text], Meta(min_length=1)]


class Metadata(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Whose request it is."""

    user_id: str | UnsetType | None = UNSET


class Params(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Params of the common kind."""

    model: str
    max_tokens: Annotated[int, Meta(ge=1)]
    messages: Annotated[list[Message], Meta(min_length=1, max_length=100_000)]
    system: NonEmpty | Annotated[list[Text], Meta(min_length=1)] | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    stop_sequences: list[NonEmpty] | UnsetType = UNSET
    temperature: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    top_p: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    top_k: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    service_tier: Literal["auto", "standard_only"] | UnsetType = UNSET
    inference_geo: Literal["us", "global"] | UnsetType = UNSET
    betas: Annotated[list[NonEmpty], Meta(min_length=1)] | UnsetType = UNSET
    tools: Raw | UnsetType = UNSET
    tool_choice: Raw | UnsetType = UNSET
    thinking: Raw | UnsetType = UNSET
    output_config: Raw | UnsetType = UNSET


class PlainMessage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A turn whose content is only known to be valid JSON: the decoder checks escapes inside Raw too, but not its UTF-8."""

    role: Literal["user", "assistant"]
    content: Raw


class PlainParams(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Params of the most common kind: a conversation without options."""

    model: str
    max_tokens: Annotated[int, Meta(ge=1)]
    messages: Annotated[list[PlainMessage], Meta(min_length=1, max_length=100_000)]
    system: Raw | UnsetType = UNSET


class PlainRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One line of a batch without options."""

    custom_id: str
    params: PlainParams


class Request(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One line of a batch."""

    custom_id: str
    params: Params


PLAIN = msgspec.json.Decoder(PlainRequest)
REQUEST = msgspec.json.Decoder(Request)

_RAWS = ("tools", "tool_choice", "thinking", "output_config")


def raws_of(params: Params) -> tuple[bytes | None, ...]:
    """The bytes of the Raw fields, None for those a request does not have."""
    found = (params.tools, params.tool_choice, params.thinking, params.output_config)
    return tuple(None if raw is UNSET else bytes(raw) for raw in found)


def survey_line(params: Params) -> tuple[int, int, int]:
    """What a conversation with a system prompt holds: quotes in its line, and characters and UTF-8 bytes of text.

    Every key and every string has two quotes, and those inside strings are escaped one by one; so a line with a key
    more than its decoded form shows (a duplicate, an option) has more of them.  Quotes are below 0 where a text is blank,
    or the conversation does not begin and end with the user.
    """
    if params.messages[0].role != "user" or params.messages[-1].role != "user":
        return -1, 0, 0
    quotes, chars, octets = 14, 0, 0
    system = params.system
    if system is not UNSET:
        texts = [system] if type(system) is str else [block.text for block in system]  # type: ignore[union-attr]
        quotes += 4 if type(system) is str else 2 + 8 * len(texts)
        for text in texts:
            if text.isspace():
                return -1, 0, 0
            quotes += text.count('"')
            chars += len(text)
            octets += len(text) if text.isascii() else len(text.encode())
    for message in params.messages:
        content = message.content
        quotes += 8 if type(content) is str else 6 + 8 * len(content)
        for text in (content,) if type(content) is str else [block.text for block in content]:  # type: ignore[union-attr]
            if text.isspace():
                return -1, 0, 0
            quotes += text.count('"')
            chars += len(text)
            octets += len(text) if text.isascii() else len(text.encode())
    return quotes, chars, octets


def quotes_of_options(params: Params) -> int:
    """The quotes that options add, those inside Raw fields aside."""
    quotes = 0
    for name in ("temperature", "top_p", "top_k", *_RAWS):
        quotes += 2 if getattr(params, name) is not UNSET else 0
    for text in (params.service_tier, params.inference_geo):
        quotes += 4 if text is not UNSET else 0
    for texts in (params.stop_sequences, params.betas):
        if texts is not UNSET:
            quotes += 2 + sum(2 + text.count('"') for text in texts)
    if params.metadata is not UNSET:
        user = params.metadata.user_id
        quotes += 2 if user is UNSET else 4 if user is None else 6 + user.count('"')
    return quotes


_LONGEST_EFFORT = 40
"""Bytes of an output_config without a schema."""


def format_size(params: Params) -> int:
    """Bytes of the answer's schema; whether they are charged for as text is not documented."""
    raw = params.output_config
    # What is shorter holds an effort at most.
    return size if raw is not UNSET and (size := len(raw)) > _LONGEST_EFFORT else 0


def hidden_size(params: Params) -> int:
    """What a request's tools bring along unseen at most, as bytes of text; those of the API are known by their dates."""
    raw = params.tools
    return 0 if raw is UNSET else hidden_bytes(bytes(raw).count(b"_20"))


MAX_SHAPES = 512
_LARGEST = 100_000


class Shapes:
    """Options known to be without fault, by their bytes and the model they are for."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], int] = {}

    def option_quotes(self, params: Params) -> int | None:
        """The quotes a request's options have in its line; None when they need the careful look."""
        if params.stop_sequences is not UNSET and not all(stop.strip() for stop in params.stop_sequences):
            return None
        quotes = quotes_of_options(params)
        key = self._key(params)
        if key is None:
            return quotes
        inside = self._known.get(key)
        return None if inside is None else quotes + inside

    def remember(self, line: bytes) -> None:
        """Keep the options of a request that has no fault."""
        if len(self._known) >= MAX_SHAPES:
            return
        try:
            params = REQUEST.decode(line).params
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        key = self._key(params)
        texts = [raw for raw in raws_of(params) if raw is not None]
        if key is not None and sum(map(len, texts)) < _LARGEST:
            self._known[key] = sum(raw.count(b'"') for raw in texts)

    def _key(self, params: Params) -> tuple[object, ...] | None:
        """What decides whether options are allowed, their model among it; None when there are none of that kind."""
        raws = raws_of(params)
        values = (params.temperature, params.top_p, params.top_k)
        if all(raw is None for raw in raws) and all(value is UNSET for value in values):
            return None
        return (*raws, *values, params.max_tokens, params.model)


LARGEST = 4_000_000
"""Blocks over this many bytes hold a long line: it is taken by itself."""
_IDS = re.compile(r"(?:[a-zA-Z0-9_-]{1,64}\n)+\Z")
_OPEN, _CLOSE, _QUOTE = b'{}"'
_DOUBTFUL = frozenset(b' \\"\xc2\xe1\xe2\xe3')
"""First bytes of texts that may be blank: a space, an escape, the end, letters that white space of other scripts begins with."""
_BEGINNING = struct.Struct("BB").unpack_from
"""The first two bytes of a JSON text."""
_REQUEST = len('{"custom_id":"","params":{"model":"","max_tokens":,"messages":[]}}')
_TURN = len('{"role":"","content":}')
_SYSTEM = len(',"system":')
_PROBE = 16_384
"""Bytes of a block in which escapes are counted."""
_PIECE = 32_768
"""Bytes that are decoded at a time to see that they are UTF-8: what they become stays in the processor's cache."""


class PlainBlock(msgspec.Struct, frozen=True):
    """What a block of requests without fault holds."""

    ids: list[str]
    tallies: list[BlockTotals]
    longest: tuple[int, int]
    """Start and end of the longest line."""


def survey(block: bytes, checker: Checker) -> PlainBlock | None:
    """Look at all requests of a block of lines; None when one of them asks for a look of its own."""
    if not block or len(block) > LARGEST or len(block) > checker.room:
        return None
    longest = _longest_line(block)
    if longest is None:
        return None
    try:
        plain = PLAIN.decode_lines(block)
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
    block: bytes, requests: list[PlainRequest], longest: tuple[int, int, int], checker: Checker
) -> PlainBlock | None:
    """A block of conversations without options; what it can't vouch for is looked at request by request."""
    by_model: dict[str, list[PlainParams]] = {}
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
    held = characters(block) if spare in (0, spaces) else -1
    if held < 0:
        return _block_with_options(block, longest, checker)
    chars, octets = _unescaped(block, held)
    tallies = [
        BlockTotals(
            checker.facts_of(share.model),
            "",
            share.requests,
            int(share.text * chars),
            int(share.text * octets),
            PER_MESSAGE * share.turns,
            share.limits,
        )
        for share in shares
        if share is not None
    ]
    return _as_plain(ids, tallies, longest)


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


def _share(model: str, all_params: list[PlainParams]) -> _Share | None:
    """What requests of one model hold; None when one of them needs a look of its own."""
    turns = [turn for params in all_params for turn in params.messages]
    texts = [turn.content for turn in turns]
    texts += (systems := [params.system for params in all_params if params.system is not UNSET])
    ends = [turn.role for params in all_params for turn in (params.messages[0], params.messages[-1])]
    if not _are_texts(texts) or ends.count("user") != len(ends):
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


def _are_texts(raws: list[msgspec.Raw]) -> bool:
    """Whether all contents are strings that hold more than white space."""
    try:
        beginnings = set(map(_BEGINNING, raws))
    except struct.error:  # A number of one digit.
        return False
    return all(quote == _QUOTE and first not in _DOUBTFUL for quote, first in beginnings) or all(map(_is_text, raws))


def _is_text(raw: msgspec.Raw) -> bool:
    """Whether a content is a string that holds more than white space."""
    quote, first = _BEGINNING(raw)
    if quote != _QUOTE:
        return False
    if first not in _DOUBTFUL:
        return True
    try:
        text = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return bool(text) and not text.isspace()


def _unescaped(block: bytes, held: int) -> tuple[float, float]:
    """Characters, and UTF-8 bytes, that a byte of this JSON text stands for; it has ``held`` characters itself."""
    size = min(len(block), _PROBE)
    escapes = block.count(b"\\u", 0, size)
    return (held * (size / len(block)) - 5 * escapes) / size, (size - 3 * escapes) / size


def _block_with_options(block: bytes, longest: tuple[int, int, int], checker: Checker) -> PlainBlock | None:
    """A block with options, text blocks or escapes of another kind; each request is looked at by itself."""
    try:
        requests = REQUEST.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if len(requests) != longest[2]:
        return None
    quotes = 0
    sums: dict[tuple[str, Any], list[int]] = {}
    limits: dict[tuple[str, Any], dict[int, int]] = {}
    for request in requests:
        params = request.params
        inside, chars, octets = survey_line(params)
        options = checker.option_quotes(params)
        if inside < 0 or options is None or params.betas is not UNSET:
            return None
        quotes += inside + options
        key = params.model, params.inference_geo
        share = sums.setdefault(key, [0, 0, 0, 0])
        tools = 0 if params.tools is UNSET else len(params.tools)
        share[0] += 1
        share[1] += chars + tools
        share[2] += octets + tools + format_size(params) + (hidden_size(params) if tools else 0)
        share[3] += PER_MESSAGE * len(params.messages) + (TOOLS_TOKENS if tools else 0)
        counted = limits.setdefault(key, {})
        counted[params.max_tokens] = counted.get(params.max_tokens, 0) + 1
    if block.count(b'"') != quotes or characters(block) < 0:
        return None
    tallies = []
    for (model, geo), (count, chars, octets, fixed) in sums.items():
        place = "" if geo is UNSET else str(geo)
        tallies.append(BlockTotals(checker.facts_of(model), place, count, chars, octets, fixed, limits[model, geo]))
    return _as_plain([request.custom_id for request in requests], tallies, longest)


def _as_plain(ids: list[str], tallies: list[BlockTotals], longest: tuple[int, int, int]) -> PlainBlock | None:
    start, end, _ = longest
    if not _IDS.match("\n".join(ids) + "\n") or not all(_silent(tally, end - start) for tally in tallies):
        return None
    return PlainBlock(ids, tallies, (start, end))


def _silent(tally: BlockTotals, longest: int) -> bool:
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


def characters(block: bytes) -> int:
    """How many characters UTF-8 bytes are; -1 when they are not UTF-8 from end to end."""
    if block.isascii():
        return len(block)
    view, start, count = memoryview(block), 0, 0
    try:
        while start < len(block):
            last = len(block) - start <= _PIECE
            text, taken = codecs.utf_8_decode(view[start : start + _PIECE], "strict", last)
            start += taken
            count += len(text)
    except UnicodeDecodeError:
        return -1
    return count
