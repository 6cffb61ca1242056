"""Checks params as the API does: after the create, with the API's kind of messages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from batchtui.demo import models, request_rules
from batchtui.demo.prose import as_object

_NOT_IN_BATCH = ("stream", "speed", "fallbacks")
_IMAGE_TOKENS = 1_500
_PAGE_TOKENS = 2_000
_TOOL_OVERHEAD = 300


class DemoMessage(msgspec.Struct):
    """One message of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[dict[str, Any]] = ""


class DemoParams(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The params of one request, as far as the demo looks into them."""

    model: str
    max_tokens: int
    messages: list[DemoMessage]
    system: str | list[dict[str, Any]] = ""
    tools: list[dict[str, Any]] = []
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    stop_sequences: list[str] = []
    service_tier: str = "auto"
    inference_geo: str | None = None
    cache_control: dict[str, Any] | None = None
    container: Any = None
    context_management: Any = None
    mcp_servers: Any = None
    diagnostics: dict[str, Any] | None = None
    compaction: Any = None
    billing_policy: Any = None
    fallback_credit_token: Any = None
    thread: Any = None
    user_profile_id: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stream: Any = None
    speed: Any = None
    fallbacks: Any = None
    store: Any = None
    previous_thread_event_id: Any = None
    cache_hint: Any = None
    context_hint: Any = None


class BadParams(Exception):
    """What is wrong with the params; ``kind`` is the error type."""

    def __init__(self, message: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.kind = kind


class _Counting(DemoParams, forbid_unknown_fields=True, kw_only=True):
    """What count_tokens takes: no ``max_tokens``."""

    max_tokens: int = 1


_DECODER = msgspec.json.Decoder(DemoParams)
_COUNTING = msgspec.json.Decoder(_Counting)


def read(raw: bytes | msgspec.Raw, *, version: str, betas: tuple[str, ...] = (), batch: bool = True) -> DemoParams:
    """The checked params; raises BadParams with the first thing that is wrong."""
    params = _decode(_DECODER, raw)
    for name in _NOT_IN_BATCH:
        value = getattr(params, name)
        if batch and value is not None and value is not False:
            raise BadParams(f"{name}: not supported in the Message Batches API")
    model = _check_model(params, betas)
    if not params.messages:
        raise BadParams("messages: at least one message is required")
    try:
        request_rules.check(msgspec.json.decode(raw), model, version, betas)
    except request_rules.Refused as refused:
        raise BadParams(str(refused)) from None
    return params


def read_counting(raw: bytes) -> DemoParams:
    """The params of a count_tokens call; raises BadParams."""
    params = _decode(_COUNTING, raw)
    _check_model(params, ())
    if not params.messages:
        raise BadParams("messages: at least one message is required")
    return params


def _decode(decoder: msgspec.json.Decoder[Any], raw: bytes | msgspec.Raw) -> DemoParams:
    try:
        params: DemoParams = decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise BadParams(_sentence(str(error))) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadParams(f"The request body is not valid JSON: {error}") from error
    return params


def _check_model(params: DemoParams, betas: tuple[str, ...]) -> str:
    """The full name of the model, which takes as many tokens as are asked for."""
    price = models.known(params.model)
    retired = models.prices().retired.get(params.model)
    if price is None or (retired and retired <= datetime.now(UTC).date()):
        raise BadParams(f"model: {params.model[:120]}", "not_found_error")
    longer = any(beta.startswith("output-300k") for beta in betas) and request_rules.traits(price.model).long_output
    limit = 300_000 if longer else price.max_output
    if params.max_tokens < 1:
        raise BadParams("max_tokens: must be greater than or equal to 1")
    if limit and params.max_tokens > limit:
        raise BadParams(
            f"max_tokens: {params.max_tokens} > {limit}, "
            f"which is the maximum allowed number of output tokens for {params.model}"
        )
    return price.model


def tokens(params: DemoParams) -> int:
    """Prompt tokens by the rule of thumb of the model's generation: what count_tokens and the usage say."""
    each = models.chars_per_token(params.model)
    chars, fixed = _weigh(params.system)
    for turn in params.messages:
        more, other = _weigh(turn.content)
        chars, fixed = chars + more + 4, fixed + other
    if params.tools:
        chars += len(msgspec.json.encode(params.tools))
        fixed += _TOOL_OVERHEAD
    return int(chars / each) + fixed + 6


def _weigh(content: str | list[dict[str, Any]]) -> tuple[int, int]:
    """(characters of text, tokens of what is not text)."""
    if isinstance(content, str):
        return len(content), 0
    chars = fixed = 0
    for block in content:
        kind = block.get("type")
        if kind == "text":
            chars += len(str(block.get("text") or ""))
        elif kind == "image":
            fixed += _IMAGE_TOKENS
        elif kind == "document":
            source = as_object(block.get("source"))
            data = source.get("data")
            if isinstance(data, str) and source.get("type") == "text":
                chars += len(data)
            else:
                fixed += _PAGE_TOKENS
        else:
            chars += len(msgspec.json.encode(block))
    return chars, fixed


def _sentence(error: str) -> str:
    """The service's sentence for a field of the wrong kind."""
    if missing := re.search(r"missing required field `(\w+)`(?: - at `\$\.?(.*)`)?", error):
        return f"{_path(missing.group(2) or '', missing.group(1))}: Field required"
    if unknown := re.search(r"unknown field `(.+?)`(?: - at `\$\.?(.*)`)?", error):
        return f"{_path(unknown.group(2) or '', unknown.group(1))}: Extra inputs are not permitted"
    where = re.search(r" - at `\$\.?(.*)`\Z", error)
    place = _path(where.group(1) if where else "", "")
    if place.endswith("role"):
        return f"{place}: Input should be 'user' or 'assistant'"
    wanted = re.search(r"Expected `(.+?)`", error)
    kinds = {"str": "string", "int": "integer", "array": "list", "object": "dictionary", "float": "number"}
    kind = kinds.get(wanted.group(1).split(" ")[0], "value") if wanted else "value"
    return f"{place or 'params'}: Input should be a valid {kind}"


def _path(place: str, field: str) -> str:
    dotted = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", place).strip(".")
    return ".".join(part for part in (dotted, field[:80]) if part)
