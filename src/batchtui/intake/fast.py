"""The shape of a request without fault, as a decoder: what fits it needs no further look, what does not is read with care.

What is rare (cache marks, images, tool results) has no place in it and is read with care.  Everything decoded is typed,
 so strings are checked for UTF-8 and surrogates on the way.  ``Raw`` fields are those whose
content repeats from request to request: they are looked at once each (see ``checker``).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

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


def survey(params: Params) -> tuple[int, int, int]:
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
