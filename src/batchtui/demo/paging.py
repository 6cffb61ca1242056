"""Pages of a list, the way the service cuts them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request

from batchtui.demo.faults import Fault
from batchtui.demo.wire import ApiError

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
