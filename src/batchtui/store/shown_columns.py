"""Which columns a run's results are shown with: one small file for all runs, no record; the latest choices are kept."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from batchtui import plainfile
from batchtui.domain.errors import StoreError
from batchtui.store import files

NAME = "columns.json"
_MOST = 500
"""Runs that are remembered."""
_MAX_BYTES = 4_000_000


def remembered(data: Path, run: str) -> list[str]:
    """The names that were chosen for a run, in their order; none for the usual ones, or when the file can't be read."""
    return _read(data).get(run, [])


def remember(data: Path, run: str, names: list[str]) -> None:
    """Keep a run's choice; none forgets it.  A folder that can't be written keeps nothing."""
    chosen = {key: value for key, value in _read(data).items() if key != run}
    if names:
        chosen[run] = names
    kept = dict(list(chosen.items())[-_MOST:])
    with suppress(StoreError):
        files.write_atomic(data / NAME, msgspec.json.encode(kept))


def _read(data: Path) -> dict[str, list[str]]:
    try:
        return msgspec.json.decode(plainfile.read(data / NAME, _MAX_BYTES), type=dict[str, list[str]])
    except (OSError, ValueError):
        return {}
