"""The gate of the API's replies: what they say is taken in field by field, each believed or left out.

A batch needs its id and its status; everything else may be refused without the rest.  What passes can be compared,
added to and written to a record without failing later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from batchtui.api import keys, redact
from batchtui.domain import times
from batchtui.domain.batch import Counts, RemoteBatch, RemotePage
from batchtui.domain.models import ModelInfo

T = TypeVar("T")
_STATUSES = ("in_progress", "canceling", "ended")
MOST = 1_000_000_000
"""More of anything is not believed."""
_MOST_REQUESTS = 10_000_000
"""Nor are more requests in one batch: the limit is 100,000."""
_NULL = msgspec.Raw(b"null")


class BadReply(Exception):
    """A reply without what it can't do without."""


class _Batch(msgspec.Struct):
    id: msgspec.Raw = _NULL
    processing_status: msgspec.Raw = _NULL
    request_counts: msgspec.Raw = _NULL
    created_at: msgspec.Raw = _NULL
    expires_at: msgspec.Raw = _NULL
    ended_at: msgspec.Raw = _NULL
    cancel_initiated_at: msgspec.Raw = _NULL
    archived_at: msgspec.Raw = _NULL
    results_url: msgspec.Raw = _NULL


class _Page(msgspec.Struct):
    data: msgspec.Raw = _NULL
    has_more: msgspec.Raw = _NULL
    last_id: msgspec.Raw = _NULL


class _Counts(msgspec.Struct):
    processing: msgspec.Raw = _NULL
    succeeded: msgspec.Raw = _NULL
    errored: msgspec.Raw = _NULL
    canceled: msgspec.Raw = _NULL
    expired: msgspec.Raw = _NULL


class _Model(msgspec.Struct):
    id: msgspec.Raw = _NULL
    display_name: msgspec.Raw = _NULL
    max_input_tokens: msgspec.Raw = _NULL
    max_tokens: msgspec.Raw = _NULL
    lifecycle: msgspec.Raw = _NULL
    retires_at: msgspec.Raw = _NULL
    capabilities: msgspec.Raw = _NULL


class _Tokens(msgspec.Struct):
    input_tokens: msgspec.Raw = _NULL


def batch(raw: bytes | msgspec.Raw, secrets: tuple[str, ...] = ()) -> RemoteBatch:
    """One batch; raises BadReply without a usable id or status."""
    held = _decoded(raw, _Batch)
    batch_id = _id(held.id, secrets)
    status = _value(held.processing_status)
    if status not in _STATUSES:
        status = redact.text(status, secrets, 40)
    if batch_id is None or not status:
        raise BadReply
    return RemoteBatch(
        id=batch_id,
        processing_status=status,
        request_counts=_counts(held.request_counts),
        created_at=_time(held.created_at),
        expires_at=_time(held.expires_at),
        ended_at=_time(held.ended_at),
        cancel_initiated_at=_time(held.cancel_initiated_at),
        archived_at=_time(held.archived_at),
        has_results=isinstance(_value(held.results_url), str),
    )


def page(raw: bytes, secrets: tuple[str, ...] = ()) -> RemotePage:
    """A page of batches; entries that can't be read are counted.  Raises BadReply when it is no page."""
    held = _decoded(raw, _Page)
    entries = _list(held.data)
    found, refused = _each(entries, lambda entry: batch(entry, secrets))
    more = _value(held.has_more)
    # What is neither true nor false leaves open whether more follows, so it is asked for.
    return RemotePage(tuple(found), bool(more), _id(held.last_id, secrets), refused)


def models(raw: bytes, secrets: tuple[str, ...] = ()) -> tuple[ModelInfo, ...]:
    """The list of models, without entries that can't be read; raises BadReply when it is no list."""
    found, _ = _each(_list(_decoded(raw, _Page).data), lambda entry: _model(entry, secrets))
    return tuple(found)


def tokens(raw: bytes) -> int:
    """The answer of count_tokens; raises BadReply."""
    number = _number(_decoded(raw, _Tokens).input_tokens)
    if number is None:
        raise BadReply
    return number


def message(raw: bytes) -> bytes:
    """A message as received; raises BadReply when it is no JSON object."""
    _decoded(raw, dict[str, msgspec.Raw])
    return raw


def _model(raw: msgspec.Raw, secrets: tuple[str, ...]) -> ModelInfo:
    held = _decoded(raw, _Model)
    name = _value(held.id)
    if not isinstance(name, str) or not name or len(name) > 200 or redact.text(name, secrets, 200) != name:
        raise BadReply
    lifecycle, capabilities = _value(held.lifecycle), _value(held.capabilities)
    can = capabilities.get("batch") if isinstance(capabilities, dict) else None
    can = can.get("supported") if isinstance(can, dict) else can
    return ModelInfo(
        id=name,
        display_name=redact.text(_value(held.display_name), secrets, 200),
        max_input_tokens=_number(held.max_input_tokens),
        max_tokens=_number(held.max_tokens),
        lifecycle=redact.text(lifecycle, secrets, 40) or "active",
        retires_at=_time(held.retires_at),
        batch=can if isinstance(can, bool) else None,
    )


def _decoded(raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadReply from None


def _value(raw: msgspec.Raw) -> Any:
    """A field as it is, None when it can't be read."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _list(raw: msgspec.Raw) -> list[msgspec.Raw]:
    if bytes(memoryview(raw)[:1]) != b"[":
        # Nothing is not the same as an empty list.
        raise BadReply
    return _decoded(raw, list[msgspec.Raw])


def _each(entries: list[msgspec.Raw], read: Callable[[msgspec.Raw], T]) -> tuple[list[T], int]:
    found: list[T] = []
    for entry in entries:
        try:
            found.append(read(entry))
        except BadReply:
            continue
    return found, len(entries) - len(found)


def _id(raw: msgspec.Raw, secrets: tuple[str, ...]) -> str | None:
    value = _value(raw)
    return value if keys.is_id(value) and not redact.holds(value, secrets) else None


def _time(raw: msgspec.Raw) -> Any:
    return times.read_time(_value(raw))


def _number(raw: msgspec.Raw, most: int = MOST) -> int | None:
    value = _value(raw)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def _counts(raw: msgspec.Raw) -> Counts:
    """The counts, all 0 when one of them can't be believed: a sum of the others would be wrong."""
    try:
        held = _decoded(raw, _Counts)
    except BadReply:
        return Counts()
    told = {name: getattr(held, name) for name in held.__struct_fields__}
    numbers = {name: 0 if value == _NULL else _number(value, _MOST_REQUESTS) for name, value in told.items()}
    if any(number is None for number in numbers.values()):
        return Counts()
    return Counts(**{name: number or 0 for name, number in numbers.items()})
