"""skipped.jsonl: the requests that were left out of a run since they had errors, in its first batch's folder."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from batchtui import plainfile
from batchtui.store import files
from batchtui.store.records import SKIPPED

if TYPE_CHECKING:
    from batchtui.results.view import View


class SkippedRow(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One that was left out: where it stood, what it was, and why."""

    where: str
    """``file:line``, or ``file[item]``."""
    source: int = 0
    number: int = 0
    """The same as numbers: the source's in the plan, from 1, and the line or item."""
    custom_id: str = ""
    """The custom_id it was given with, if it can be told."""
    row_id: str = ""
    """The row's own id, if it has one."""
    problems: list[str] = []
    row: dict[str, object] | None = None
    """The columns, of a row of a table."""
    request: msgspec.Raw = msgspec.Raw()
    """The JSON as it was, of anything else that is JSON."""
    text: str = ""
    """What it was when it is no JSON."""
    base64: str = ""
    """The same when it is no UTF-8."""

    @property
    def name(self) -> str:
        """What it can be called: its custom_id, its row's own id, or its place."""
        return self.custom_id or self.row_id or self.where

    @property
    def why(self) -> str:
        """What is wrong with it, on one line."""
        return "; ".join(self.problems)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(SkippedRow).decode
_any_json = msgspec.json.Decoder(msgspec.Raw).decode


def holding(found: SkippedRow, given: bytes | None) -> SkippedRow:
    """The same with what stood there, as it can best be kept; None is what was too large."""
    if given is None or found.row is not None:
        return found
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        given.decode()
        if b"\n" not in given:
            return msgspec.structs.replace(found, request=_any_json(given))
    try:
        return msgspec.structs.replace(found, text=given.decode())
    except UnicodeDecodeError:
        return msgspec.structs.replace(found, base64=base64.b64encode(given).decode())


def line_of(found: SkippedRow) -> bytes:
    """A line of skipped.jsonl, with its newline."""
    return _encode(found) + b"\n"


def read_skipped(path: Path) -> Iterator[SkippedRow]:
    """All that was left out, in the order of the source; none when there is no file.  Raises StoreError."""
    try:
        with suppress(FileNotFoundError), plainfile.opened(path) as file:
            for line in file:
                with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                    yield _decode(line)
    except OSError as error:
        raise files.explain(error, f"can't read {path}") from error


def skipped_of(view: View) -> list[SkippedRow]:
    """What was skipped since it had errors, as the view's batches keep it.  Raises StoreError."""
    return [each for member in view.members for each in read_skipped(member.folder / SKIPPED)]
