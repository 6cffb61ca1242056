"""Records with values that is not plausible are still shown: such a value is left out, field by field.

An older batchtui wrote whatever the API said: times without an offset or of the year 9999, numbers without end.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar, get_args

import msgspec

from batchtui.domain import times
from batchtui.domain.batch import BatchRecord, made_by_name

S = TypeVar("S", bound=msgspec.Struct)
MOST = 10**15
"""No number of ours is larger."""
_DECODER = msgspec.json.Decoder(BatchRecord)
_NUMBER = re.compile(rb":0(?:0{15}|0*+e)")
"""A number of 16 digits or with an exponent, where all digits are 0 and all that may stand before a number is a colon."""
_FOLDED = bytes.maketrans(b"123456789.\t\n\r\v\f ,[E", b"0" * 10 + b":" * 8 + b"e")
"""Makes them so: a pattern that begins with letters of its own is searched for ten times as quickly."""
_TIME = re.compile(
    rb'T(?:(?<=\d\dT)\d\d:\d\d:[\d.]++"|(?<="\d{4}-\d\d-\d\dT)(?<!"(?:19|20|21)\d\d-\d\d-\d\dT)|[\d:.]++[+-](?!00:00))'
)
"""A time without an offset, of a far year, or with another offset than UTC's."""
_MUST = frozenset({"schema", "local_id", "id", "run", "status", "results", "retry_of", "foreign", "not_ours"})
"""Fields that decide what may be sent or fetched: without them there is no record."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def read_record(raw: bytes) -> tuple[BatchRecord, bool]:
    """A record of the present version, and whether values were left out; raises msgspec.DecodeError or ValueError."""
    try:
        record = _DECODER.decode(raw)
    except msgspec.ValidationError:
        return _mended(raw), True
    if not _suspect(raw) or _sane(record):
        return record, False
    return _mended(raw), True


def _suspect(raw: bytes) -> bool:
    """True where an unbelievable value may stand; most records have none of it, and need no second look."""
    folded = raw.translate(_FOLDED).replace(b":-", b":")
    return _TIME.search(raw) is not None or _NUMBER.search(folded) is not None


def _mended(raw: bytes) -> BatchRecord:
    record = _fields(BatchRecord, raw)
    if record.intent_at is None and msgspec.json.decode(raw, type=_Intent).intent_at != b"null":
        # Without a time it would count as not sent yet, and be sent again.
        at = times.believed(made_by_name(record.local_id)) or _LONG_AGO
        record = msgspec.structs.replace(record, intent_at=at)
    return record


class _Intent(msgspec.Struct):
    intent_at: msgspec.Raw = msgspec.Raw(b"null")


def _fields(kind: type[S], raw: bytes | msgspec.Raw) -> S:
    held = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in held:
            continue
        value = held[field.encode_name]
        inner = next((each for each in (field.type, *get_args(field.type)) if _is_struct(each)), None)
        try:
            read = msgspec.json.decode(value, type=field.type)
            if not _sane(read):
                raise ValueError(f"{field.name} is not plausible")
            values[field.name] = read
        except (msgspec.ValidationError, ValueError):
            if kind is BatchRecord and field.name in _MUST:
                raise
            if inner is not None and memoryview(value)[:1].tobytes() == b"{":
                values[field.name] = _fields(inner, value)
            elif field.required:
                raise
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _sane(value: object) -> bool:
    if isinstance(value, datetime):
        return times.believed(value) is not None
    if isinstance(value, int):
        return -MOST <= value <= MOST
    if isinstance(value, Decimal):
        return value.is_finite() and (not value or -30 < value.adjusted() < 16)
    if isinstance(value, msgspec.Struct):
        return all(_sane(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return all(_sane(each) for each in value.values())
    return all(_sane(each) for each in value) if isinstance(value, tuple | list) else True
