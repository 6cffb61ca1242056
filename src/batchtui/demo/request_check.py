"""Checks params as the API does: after the create, with the API's kind of messages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from batchtui.demo import media, models, request_rules
from batchtui.demo.prose import as_object

_NOT_IN_BATCH = ("stream", "speed", "fallbacks")
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
    longer = any(beta.startswith("output-300k") for beta in betas) and models.traits(price.model).long_output
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
    weights = _Weights(params.model)
    weights.add(params.system)
    for turn in params.messages:
        weights.add(turn.content)
        weights.chars += 4
    if params.tools:
        weights.chars += len(msgspec.json.encode(params.tools))
        weights.fixed += _TOOL_OVERHEAD
    return int(weights.chars / each) + weights.fixed + 6


def cached_tokens(params: DemoParams) -> tuple[int, bool]:
    """Tokens under the last cache mark (0 when the model caches no prefix so short), and whether it is a 1-hour mark."""
    weights = _Weights(params.model)
    each, best, hour = models.chars_per_token(params.model), 0, False
    if params.tools:
        weights.fixed += _TOOL_OVERHEAD
    pieces: list[Any] = [*params.tools]
    for content in (params.system, *(turn.content for turn in params.messages)):
        pieces += [content] if isinstance(content, str) else content
    for number, piece in enumerate(pieces):
        if number < len(params.tools):
            weights.chars += len(msgspec.json.encode(piece))
        else:
            weights.add(piece if isinstance(piece, str) else [piece])
        mark = piece.get("cache_control") if isinstance(piece, dict) else None
        mark = params.cache_control if mark is None and number == len(pieces) - 1 else mark
        if isinstance(mark, dict):
            best, hour = int(weights.chars / each) + weights.fixed, mark.get("ttl") == "1h"
    price = models.known(params.model)
    least = models.traits(price.model).cached if price else 0
    return (best if best >= least else 0), hour


class _Weights:
    """Characters of text, and tokens of what is not text."""

    def __init__(self, model: str) -> None:
        price = models.known(model)
        self._picture = models.traits(price.model if price else "claude-opus-5").picture
        self.chars = 0
        self.fixed = 0

    def add(self, content: str | list[dict[str, Any]]) -> None:
        """Count a text or a list of blocks."""
        if isinstance(content, str):
            self.chars += len(content)
            return
        for block in content:
            kind = block.get("type")
            source, inner = as_object(block.get("source")), block.get("content")
            if kind == "text":
                self.chars += len(str(block.get("text") or ""))
            elif kind in ("image", "document") and source.get("type") in ("base64", "url", "file"):
                self.fixed += media.tokens(source, self._picture)
            elif kind == "document":
                inner = source.get("content") if source.get("type") == "content" else source.get("data")
                self.add(inner if isinstance(inner, str | list) else "")
            elif kind == "tool_result" and isinstance(inner, str | list):
                self.add(inner)
            else:
                self.chars += len(msgspec.json.encode(block))


def _sentence(error: str) -> str:
    """The API's sentence for a field of the wrong kind."""
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
