"""Bodies in and out: a create goes to disk as it comes, results come from disk as they are asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from batchtui.demo.wire import ApiError, new_id
from batchtui.store import files

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
    """The whole results file as a stream without a length, as the service sends it, or the range asked for."""
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
