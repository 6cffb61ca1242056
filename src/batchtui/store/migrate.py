"""Records of older versions: brought up to date one step at a time, the old file kept beside the new one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from batchtui.store import files


class _Version(msgspec.Struct):
    schema: int = 0


def version_of(raw: bytes) -> int:
    """The record version of a batch.json; raises msgspec.DecodeError when it is no JSON object."""
    return msgspec.json.decode(raw, type=_Version).schema


def _from_0(old: dict[str, Any]) -> dict[str, Any]:
    # Version 0 was written without a schema number; a run of its own was the default.
    old.setdefault("run", old.get("local_id", ""))
    old["schema"] = 1
    return old


def _from_1(old: dict[str, Any]) -> dict[str, Any]:
    # Version 2 knows more of a record; what it does not say of itself has its default.
    old["schema"] = 2
    return old


STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: _from_0, 1: _from_1}


def migrated(raw: bytes, version: int) -> bytes:
    """A record's bytes in the present version; raises msgspec.DecodeError or ValueError when it can't be brought there."""
    record = msgspec.json.decode(raw)
    if not isinstance(record, dict):
        raise ValueError("is not an object")
    here = version
    while here in STEPS:
        record = STEPS[here](record)
        here = record["schema"]
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def migrate_file(path: Path, raw: bytes, version: int) -> bytes:
    """Bring a record file to the present version; the old bytes are kept as ``batch.json.vN``.

    The caller holds the batch's lock.  Raises msgspec.DecodeError or ValueError when it can't be, StoreError when the
    disk says no.
    """
    new = migrated(raw, version)
    kept = path.with_name(f"{path.name}.v{version}")
    if not kept.exists():
        files.write_atomic(kept, raw)
    if os.access(path.parent, os.W_OK):
        files.write_atomic(path, new)
    return new
