"""The calls around batches: a plain message, token counts, models."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from batchtui.demo import answers, catalogue, fate
from batchtui.demo.paging import page
from batchtui.demo.params import BadParams, read, read_counting, tokens
from batchtui.demo.state import Demo
from batchtui.demo.wire import ApiError, betas_of, reply

_MOST_BODY = 32_000_000
_STATUS = {"not_found_error": 404, "invalid_request_error": 400}


async def _body(request: Request) -> bytes:
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > _MOST_BODY:
            raise ApiError(413)
    return bytes(pieces)


async def create(demo: Demo, request: Request) -> Response:
    """POST /v1/messages, not streamed; chance strikes nobody here."""
    raw = await _body(request)
    try:
        params = read(raw, version=request.headers["anthropic-version"], betas=betas_of(request), batch=False)
    except BadParams as error:
        raise ApiError(_STATUS[error.kind], str(error)) from error
    if params.stream:
        raise ApiError(400, "stream: the demo server does not stream")
    question = answers.question_of(params)
    user_id = str((params.metadata or {}).get("user_id") or "")
    lot = fate.decide("try", question.encode("utf-8", "surrogatepass"), user_id, 0.0, frozenset())
    if lot.word in ("error", "credit"):
        raise ApiError(400, "messages.0.content: the demo was told to refuse this request")
    return reply(answers.message(params, question, lot, tier="standard", answer_bytes=demo.options.answer_bytes))


async def count_tokens(demo: Demo, request: Request) -> Response:
    """POST /v1/messages/count_tokens."""
    try:
        params = read_counting(await _body(request))
    except BadParams as error:
        raise ApiError(_STATUS[error.kind], str(error)) from error
    return reply({"input_tokens": tokens(params)})


async def models(demo: Demo, request: Request) -> Response:
    """GET /v1/models."""
    return reply(page(request, list(catalogue.listing()), lambda e: str(e["id"]), lambda e: e))


async def model(demo: Demo, request: Request) -> Response:
    """GET /v1/models/{id}."""
    name = request.path_params["id"]
    entry = catalogue.entry(name)
    if entry is None:
        raise ApiError(404, f"model: {name[:120]}")
    return reply(entry)
