"""The demo server's API calls: batches, results, messages, token counts, models, and pages of lists."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from batchtui.demo import answers, outcomes
from batchtui.demo import models as demo_models
from batchtui.demo.batches import BODY, Batch
from batchtui.demo.body_parser import BadBody, split
from batchtui.demo.fault_effects import corrupted, corrupts
from batchtui.demo.faults import Fault
from batchtui.demo.protocol import ApiError, betas_of, new_id, reply, stamp
from batchtui.demo.request_check import BadParams, read, read_counting, tokens
from batchtui.demo.state import Demo
from batchtui.store import files

_DEFAULT_LIMIT = 20
_MOST = 1_000
T = TypeVar("T")


def page(
    request: Request,
    entries: list[T],
    id_of: Callable[[T], str],
    shown: Callable[[T], dict[str, Any]],
    faults: Sequence[Fault] = (),
) -> dict[str, Any]:
    """The page that ``limit``, ``after_id`` and ``before_id`` ask for, as the faults leave it; raises ApiError 400."""
    limit = _limit(request)
    names = {fault.name: fault for fault in faults}
    if "unordered" in names:
        entries = sorted(entries, key=lambda entry: hashlib.sha256(id_of(entry).encode()).digest())
    if "small-pages" in names:
        limit = min(limit, max(1, int(names["small-pages"].number)))
    if "empty-page" in names:
        return {"data": [], "has_more": True, "first_id": None, "last_id": None}
    after, before = request.query_params.get("after_id"), request.query_params.get("before_id")
    if after and before:
        raise ApiError(400, "Only one of `after_id` and `before_id` may be given")
    places = {id_of(entry): place for place, entry in enumerate(entries)}
    for name, cursor in (("after_id", after), ("before_id", before)):
        if cursor and cursor not in places:
            raise ApiError(400, f"{name}: there is nothing with id {cursor[:80]}")
    if before:
        end = places[before]
        start = max(0, end - limit)
    else:
        start = places[after] + 1 if after and "repeat-page" not in names else 0
        start -= 1 if start and limit > 1 and "overlap-page" in names else 0
        end = min(start + limit, len(entries))
    data = [shown(entry) for entry in entries[start:end]]
    more = start > 0 if before else end < len(entries)
    return {
        "data": data,
        "has_more": more or "repeat-page" in names,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _limit(request: Request) -> int:
    given = request.query_params.get("limit")
    if given is None:
        return _DEFAULT_LIMIT
    if not given.lstrip("-").isdecimal() or not given.isascii():
        raise ApiError(400, "limit: Input should be a valid integer")
    number = int(given[:12])
    if number < 1:
        raise ApiError(400, "limit: Input should be greater than or equal to 1")
    if number > _MOST:
        raise ApiError(400, f"limit: Input should be less than or equal to {_MOST}")
    return number


_PIECE = 512 * 1024
_DRAIN = 3
_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")


async def spool(request: Request, path: Path, limit: int) -> int:
    """Write the body to ``path``; raises ApiError 413 over ``limit`` bytes, ClientDisconnect when the client went.

    What comes beyond the limit is read and thrown away, so that the client hears the answer.
    """
    total = 0
    pending: list[bytes] = []
    held = 0
    with files.open_private(path) as file:
        async for piece in request.stream():
            total += len(piece)
            if total > limit:
                if total > limit * _DRAIN:
                    break
                continue
            pending.append(piece)
            held += len(piece)
            if held >= _PIECE:
                await asyncio.to_thread(file.writelines, pending)
                pending, held = [], 0
        if total <= limit:
            file.writelines(pending)
    if total > limit:
        raise ApiError(413, f"Request exceeds the maximum size of {limit} bytes")
    return total


def send_results(request: Request, path: Path, etag: str, *, ranges: bool) -> Response:
    """The whole results file as a stream without a length, as the API sends it, or the range asked for."""
    size = path.stat().st_size
    headers = {"request-id": new_id("req")}
    wanted = request.headers.get("range", "")
    if ranges:
        headers |= {"etag": etag, "accept-ranges": "bytes"}
    match = _RANGE.match(wanted) if ranges and request.headers.get("if-range", etag) == etag else None
    if match is None:
        return StreamingResponse(pieces(path, 0, size), 200, headers, "application/x-jsonl")
    first = int(match[1])
    last = min(int(match[2]) if match[2] else size - 1, size - 1)
    if first > last:
        return Response(b"", 416, headers | {"content-range": f"bytes */{size}"})
    headers |= {"content-range": f"bytes {first}-{last}/{size}", "content-length": str(last - first + 1)}
    return StreamingResponse(pieces(path, first, last + 1), 206, headers, "application/x-jsonl")


async def pieces(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    """The bytes of a file from ``start`` up to ``end``."""
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0:
            piece = await asyncio.to_thread(file.read, min(_PIECE, left))
            if not piece:
                return
            left -= len(piece)
            yield piece


def _faults(request: Request) -> Sequence[Fault]:
    return getattr(request.state, "faults", ())


def _workspace(request: Request) -> str:
    """The workspace that the header names, or the key: ``…-workspace-NAME``."""
    key = request.headers.get("x-api-key") or request.headers.get("authorization", "")
    name = request.headers.get("anthropic-workspace-id", "") or key.partition("-workspace-")[2]
    return f"{name} (another)" if any(f.name == "other-workspace" for f in _faults(request)) else name


def view(demo: Demo, request: Request, batch: Batch) -> dict[str, Any]:
    """A MessageBatch as the API writes it."""
    meta = batch.meta
    url = f"{request.url.scheme}://{request.headers.get('host', 'localhost')}/v1/messages/batches/{meta.id}/results"
    counts: dict[str, Any] = msgspec.structs.asdict(demo.store.counts(batch))
    archived = demo.store.archived_at(batch)
    body = {
        "id": meta.id,
        "type": "message_batch",
        "processing_status": batch.status,
        "request_counts": counts,
        "ended_at": stamp(meta.ended_at),
        "created_at": stamp(meta.created_at),
        "expires_at": stamp(meta.expires_at),
        "archived_at": stamp(archived),
        "cancel_initiated_at": stamp(meta.cancel_initiated_at),
        "results_url": url if meta.ended_at and not archived else None,
    }
    for fault in _faults(request):
        match fault.name:
            case "foreign-url" if body["results_url"]:
                body["results_url"] = f"{fault.arg.rstrip('/')}/v1/messages/batches/{meta.id}/results"
            case "lag-counts" if meta.ended_at:
                counts |= {name: int(count * fault.number) for name, count in counts.items()}
            case "archived" if meta.ended_at:
                body["archived_at"], body["results_url"] = stamp(meta.ended_at), None
            case "unknown":
                body["region"] = {"name": "of the future"}
                counts["deferred"] = 0
            case "zero-counts":
                counts.update(dict.fromkeys(counts, 0))
            case "rising-counts":
                age = (demo.clock.now() - meta.created_at).total_seconds()
                if age < fault.number:
                    counts.update({**dict.fromkeys(counts, 0), "processing": int(meta.requests * age / fault.number)})
    return body


async def create(demo: Demo, request: Request) -> Response:
    """POST /v1/messages/batches."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise ApiError(400, "content-type: must be application/json")
    upload = demo.store.new_folder()
    try:
        await spool(request, upload / BODY, demo.options.max_bytes)
        offsets = await asyncio.to_thread(split, upload / BODY, demo.options.max_requests)
        batch = demo.store.add(
            upload,
            offsets,
            version=request.headers["anthropic-version"],
            betas=betas_of(request),
            workspace=_workspace(request),
        )
        demo.creates += 1
    except BadBody as error:
        raise ApiError(400, str(error)) from error
    except ClientDisconnect:
        return Response(status_code=499)
    except OSError as error:
        raise ApiError(500, f"Internal server error: {error.strerror}") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, upload, ignore_errors=True)
    return reply(view(demo, request, batch))


async def retrieve(demo: Demo, request: Request) -> Response:
    """GET /v1/messages/batches/{id}."""
    return reply(view(demo, request, _batch(demo, request)))


def _batch(demo: Demo, request: Request) -> Batch:
    if any(fault.name == "forgotten" for fault in _faults(request)):
        raise ApiError(404, f"Message batch with id {request.path_params['id'][:80]} not found")
    return demo.store.get(request.path_params["id"], _workspace(request))


async def cancel(demo: Demo, request: Request) -> Response:
    """POST /v1/messages/batches/{id}/cancel."""
    batch = _batch(demo, request)
    demo.store.cancel(batch)
    return reply(view(demo, request, batch))


async def delete(demo: Demo, request: Request) -> Response:
    """DELETE /v1/messages/batches/{id}."""
    batch = _batch(demo, request)
    demo.store.delete(batch)
    return reply({"id": batch.meta.id, "type": "message_batch_deleted"})


async def listing(demo: Demo, request: Request) -> Response:
    """GET /v1/messages/batches: newest first, a page before or after a cursor."""
    batches = demo.store.newest_first(_workspace(request))
    for fault in _faults(request):
        if fault.name == "hidden":
            now = demo.clock.now()
            batches = [b for b in batches if (now - b.meta.created_at).total_seconds() >= fault.number]
        elif fault.name == "forgotten":
            batches = []
    found = page(request, batches, lambda b: b.meta.id, lambda b: view(demo, request, b), _faults(request))
    return reply(found)


async def results(demo: Demo, request: Request) -> Response:
    """GET /v1/messages/batches/{id}/results."""
    batch = _batch(demo, request)
    path = demo.store.results(batch)
    faults = _faults(request)
    if corrupts(faults):
        body = corrupted(path, faults, request.scope)
        return StreamingResponse(body, 200, {"request-id": new_id("req")}, "application/x-jsonl")
    return send_results(request, path, f'"{batch.meta.id}-{batch.meta.results_bytes}"', ranges=demo.options.ranges)


_MOST_BODY = 32_000_000
_STATUS = {"not_found_error": 404, "invalid_request_error": 400}


async def _body(request: Request) -> bytes:
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > _MOST_BODY:
            raise ApiError(413)
    return bytes(pieces)


async def create_message(demo: Demo, request: Request) -> Response:
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
    lot = outcomes.decide("try", question.encode("utf-8", "surrogatepass"), user_id, 0.0, frozenset())
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
    return reply(page(request, list(demo_models.listing()), lambda e: str(e["id"]), lambda e: e))


async def model(demo: Demo, request: Request) -> Response:
    """GET /v1/models/{id}."""
    name = request.path_params["id"]
    entry = demo_models.entry(name)
    if entry is None:
        raise ApiError(404, f"model: {name[:120]}")
    return reply(entry)
