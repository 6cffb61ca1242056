"""The shape of a request without fault, as a decoder: what fits it needs no further look, what does not is read with care.

Everything decoded is typed, so strings are checked for UTF-8 and surrogates on the way.  ``Raw`` fields are those whose
content repeats from request to request: they are looked at once each (see ``checker``).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

NonEmpty = Annotated[str, Meta(min_length=1)]


class Cache(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A prompt-cache mark."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | UnsetType = UNSET


class Text(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="text", gc=False):
    """A text block."""

    text: NonEmpty
    cache_control: Cache | UnsetType = UNSET


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
    cache_control: Cache | UnsetType = UNSET


class Request(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One line of a batch."""

    custom_id: str
    params: Params


REQUEST = msgspec.json.Decoder(Request)

_SIMPLE = ("stop_sequences", "temperature", "top_p", "top_k", "service_tier", "inference_geo", "betas")
_RAWS = ("tools", "tool_choice", "thinking", "output_config")


def raws_of(params: Params) -> tuple[bytes | None, ...] | None:
    """The bytes of the Raw fields, None when the request has none of them."""
    found = (params.tools, params.tool_choice, params.thinking, params.output_config)
    if found[0] is UNSET and found[1] is UNSET and found[2] is UNSET and found[3] is UNSET:
        return None
    return tuple(None if raw is UNSET else bytes(raw) for raw in found)


def count_keys(text: bytes) -> int:
    """How many object keys stand in JSON text that has no space before its colons."""
    return text.count(b'":') - text.count(b'\\":')


def expected_keys(params: Params) -> int:
    """How many keys a line holds that decoded into ``params`` without a duplicate, those inside Raw fields aside."""
    keys = 5 + 2 * len(params.messages)
    for message in params.messages:
        if type(message.content) is list:
            keys += _block_keys(message.content)
    if params.system is not UNSET:
        keys += 1 if type(params.system) is str else 1 + _block_keys(params.system)  # type: ignore[arg-type]
    for name in _SIMPLE + _RAWS:
        if getattr(params, name) is not UNSET:
            keys += 1
    if params.metadata is not UNSET:
        keys += 1 if params.metadata.user_id is UNSET else 2
    if params.cache_control is not UNSET:
        keys += 1 + _cache_keys(params.cache_control)
    return keys


def _block_keys(blocks: list[Text]) -> int:
    keys = 2 * len(blocks)
    for block in blocks:
        if block.cache_control is not UNSET:
            keys += 1 + _cache_keys(block.cache_control)
    return keys


def _cache_keys(cache: Cache) -> int:
    return 1 if cache.ttl is UNSET else 2
