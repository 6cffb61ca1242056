"""Splits checked requests into parts within a batch's limits, and stages them on disk in the same pass."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import msgspec

from batchtui.domain.money import PriceTable
from batchtui.domain.plan import PlanPart
from batchtui.intake.estimate import Meter, total
from batchtui.store.files import explain, fsync_dir, open_private

FRAME = 16
"""Bytes a create's body needs beside the staged lines: ``{"requests":[`` and ``]}``."""
MAX_OPEN = 64
"""Sets of betas that may be open at once."""
_FLUSH = 1024 * 1024
_AHEAD = 4
"""Pieces that may wait to be written."""


class _File:
    """A staged file: written in large pieces and hashed in a thread beside the reading, on the disk when closed."""

    __slots__ = ("_file", "_hash", "_held", "_lines", "_pending", "_writer", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hash = hashlib.sha256()
        self._lines: list[bytes] = []
        self._held = 0
        self._pending: deque[Future[None]] = deque()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="staging")
        try:
            self._file: BinaryIO = open_private(path, "wb")
        except OSError as bad:
            raise explain(bad, f"can't stage {path}") from bad

    def add(self, line: bytes) -> None:
        self._lines.append(line)
        self._held += len(line)
        if self._held >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        if not self._lines:
            return
        self._lines.append(b"")
        piece = b"\n".join(self._lines)
        self._lines, self._held = [], 0
        self._pending.append(self._writer.submit(self._write, piece))
        self._wait(_AHEAD)

    def _write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._hash.update(piece)

    def _wait(self, most: int) -> None:
        """Wait until at most so many pieces are still to be written; raises StoreError."""
        try:
            while len(self._pending) > most:
                self._pending.popleft().result()
        except OSError as bad:
            raise explain(bad, f"can't stage {self.path}") from bad

    def close(self) -> str:
        """Make it last; returns the sha256 of what was written, in hex."""
        self._flush()
        try:
            self._wait(0)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as bad:
            raise explain(bad, f"can't stage {self.path}") from bad
        finally:
            self._end()
        return self._hash.hexdigest()

    def _end(self) -> None:
        self._writer.shutdown(cancel_futures=True)
        self._pending.clear()
        self._file.close()

    def discard(self) -> None:
        """Close and remove it."""
        self._lines = []
        self._end()
        self.path.unlink(missing_ok=True)


class Part:
    """One batch while it fills."""

    __slots__ = ("betas", "bytes", "file", "fingerprint", "ids", "meters", "number", "requests")

    def __init__(self, number: int, betas: tuple[str, ...], staging: Path | None) -> None:
        self.number = number
        self.betas = betas
        self.requests = 0
        self.bytes = 0
        self.meters: dict[str, Meter] = {}
        self.file = _File(staging / f"part-{number:03d}.jsonl") if staging is not None else None
        self.ids: _File | None = None
        self.fingerprint = ""

    def close(self) -> None:
        if self.file is not None:
            self.fingerprint = self.file.close()
        if self.ids is not None:
            self.ids.close()

    def finished(self, prices: PriceTable, kept: bool) -> PlanPart:
        estimates = [meter.estimate(prices) for meter in self.meters.values()]
        return PlanPart(
            requests=self.requests,
            bytes=self.bytes,
            path=self.file.path if self.file is not None and kept else None,
            fingerprint=self.fingerprint if kept else "",
            models={each.model: sum(e.requests for e in estimates if e.model == each.model) for each in estimates},
            betas=self.betas,
            estimate=total(estimates, prices),
            ids_path=self.ids.path if self.ids is not None and kept else None,
        )


class TooManyBetas(Exception):
    """More sets of betas than make sense in one plan."""


class Splitter:
    """Puts each request into the open part of its betas, and opens a new one when that is full."""

    def __init__(self, max_requests: int, max_bytes: int, staging: Path | None) -> None:
        self._max_requests = max_requests
        self.room = max_bytes - FRAME
        """Bytes of lines that fit one batch."""
        self._staging = staging
        self._open: dict[tuple[str, ...], Part] = {}
        self._parts: list[Part] = []

    def has_room(self, betas: tuple[str, ...], count: int, size: int) -> bool:
        """Whether ``count`` lines of ``size`` bytes in all, newlines included, fit the open part of these betas."""
        part = self._open.get(betas)
        requests, octets = (part.requests, part.bytes) if part is not None else (0, 0)
        return requests + count <= self._max_requests and octets + size <= self.room

    def part_for(self, betas: tuple[str, ...], count: int, size: int) -> Part:
        """The part that takes ``count`` lines of ``size`` bytes in all, newlines included; counts them there.

        Raises TooManyBetas when too many parts would be open at once.
        """
        part = self._open.get(betas)
        if part is None or part.requests + count > self._max_requests or part.bytes + size > self.room:
            part = self._next(betas)
        part.requests += count
        part.bytes += size
        return part

    def keep_row(self, part: Part, row: bytes) -> None:
        """Stage a line of the part's ids.jsonl."""
        if part.file is None or self._staging is None:
            return
        if part.ids is None:
            part.ids = _File(self._staging / f"ids-{part.number:03d}.jsonl")
        part.ids.add(row)

    def stop_staging(self) -> None:
        """Write no more, and remove what was staged: the plan can't be sent."""
        if self._staging is None:
            return
        self.discard()
        self._staging = None
        for part in self._parts:
            part.file = part.ids = None

    def finish(self, prices: PriceTable, keep: bool) -> tuple[PlanPart, ...]:
        """Close all parts; staged files stay only when ``keep``."""
        if not keep:
            self.discard()
            return tuple(part.finished(prices, False) for part in self._parts)
        for part in self._open.values():
            part.close()
        if self._staging is not None:
            fsync_dir(self._staging)
        return tuple(part.finished(prices, True) for part in self._parts)

    def discard(self) -> None:
        """Remove what was staged."""
        for part in self._parts:
            for file in (part.file, part.ids):
                if file is not None:
                    file.discard()

    def _next(self, betas: tuple[str, ...]) -> Part:
        full = self._open.pop(betas, None)
        if full is not None:
            full.close()
        elif len(self._open) >= MAX_OPEN:
            raise TooManyBetas
        part = Part(len(self._parts) + 1, betas, self._staging)
        self._open[betas] = part
        self._parts.append(part)
        return part


def row_line(custom_id: str, row_id: str, row: object) -> bytes:
    """A line of ids.jsonl."""
    return msgspec.json.encode({"custom_id": custom_id, "row_id": row_id, "row": row})
