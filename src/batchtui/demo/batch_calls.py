"""The six calls of Message Batches."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from batchtui.demo import transport
from batchtui.demo.batches import BODY, Batch
from batchtui.demo.faults import Fault
from batchtui.demo.paging import page
from batchtui.demo.splitter import BadBody, split
from batchtui.demo.spoil import spoiled, spoils
from batchtui.demo.state import Demo
from batchtui.demo.transfer import send_results, spool
from batchtui.demo.wire import ApiError, betas_of, new_id, reply, stamp


def _faults(request: Request) -> Sequence[Fault]:
    return getattr(request.state, "faults", ())


def _workspace(request: Request) -> str:
    """The workspace that the header names, or the key: ``…-workspace-NAME``."""
    key = request.headers.get("x-api-key") or request.headers.get("authorization", "")
    name = request.headers.get("anthropic-workspace-id", "") or key.partition("-workspace-")[2]
    return f"{name} (another)" if any(f.name == "other-workspace" for f in _faults(request)) else name


def view(demo: Demo, request: Request, batch: Batch) -> dict[str, Any]:
    """A MessageBatch as the service writes it."""
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
        if fault.name == "foreign-url" and body["results_url"]:
            body["results_url"] = f"{fault.arg.rstrip('/')}/v1/messages/batches/{meta.id}/results"
        elif fault.name == "lag-counts" and meta.ended_at:
            counts |= {name: int(count * fault.number) for name, count in counts.items()}
        elif fault.name == "archived" and meta.ended_at:
            body["archived_at"], body["results_url"] = stamp(meta.ended_at), None
        elif fault.name == "unknown":
            body["region"] = {"name": "of the future"}
            counts["deferred"] = 0
        elif fault.name == "zero-counts":
            counts.update(dict.fromkeys(counts, 0))
        elif fault.name == "rising-counts":
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
    if spoils(faults):
        body = spoiled(path, faults, lambda: transport.close(request.scope))
        return StreamingResponse(body, 200, {"request-id": new_id("req")}, "application/x-jsonl")
    return send_results(request, path, f'"{batch.meta.id}-{batch.meta.results_bytes}"', ranges=demo.options.ranges)
