"""Splits checked requests into parts within a batch's limits, and stages them on disk in the same pass."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from batchtui.domain.money import PriceTable
from batchtui.domain.plan import PlanPart
from batchtui.intake.estimate import Meter, total
from batchtui.intake.ids import NOT_SENT
from batchtui.results.row_ids import SourceMark, row_line, source_line, stretch_line
from batchtui.store.files import explain, fsync_dir, open_private

FRAME = 16
"""Bytes a create's body needs beside the staged lines: ``{"requests":[`` and ``]}``."""
MAX_OPEN = 64
"""Sets of betas that may be open at once."""
_FLUSH = 1024 * 1024
_NO_MARK = f'{{"custom_id":"{NOT_SENT}-'.encode()
_AHEAD = 4
"""Pieces that may wait to be written."""


class _File:
    """A staged file: written in large pieces and, when ``hashed``, hashed in a thread beside the reading; on the disk when
    closed."""

    __slots__ = ("_file", "_hash", "_held", "_lines", "_pending", "_writer", "made", "path")

    def __init__(self, path: Path, *, hashed: bool) -> None:
        self.path = path
        self.made = b""
        """How lines with made ids begin, once there are any."""
        self._hash = hashlib.sha256() if hashed else None
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
        self._pending.append(self._writer.submit(self._write, piece, self.made))
        self._wait(_AHEAD)

    def _write(self, piece: bytes, made: bytes) -> None:
        self._file.write(piece)
        if self._hash is not None:
            self._hash.update(piece.replace(made, _NO_MARK) if made else piece)

    def _wait(self, most: int) -> None:
        """Wait until at most so many pieces are still to be written; raises StoreError."""
        try:
            while len(self._pending) > most:
                self._pending.popleft().result()
        except OSError as bad:
            raise explain(bad, f"can't stage {self.path}") from bad

    def close(self) -> str:
        """Make it last; returns the sha256 of what was written, made ids taken without their mark, in hex; '' if not hashed."""
        self._flush()
        try:
            self._wait(0)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as bad:
            raise explain(bad, f"can't stage {self.path}") from bad
        finally:
            self._end()
        return self._hash.hexdigest() if self._hash is not None else ""

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

    __slots__ = (
        *("betas", "bytes", "file", "fingerprint", "ids", "ids_made", "meters", "number", "requests", "sources"),
        "_stretch",
    )

    def __init__(self, number: int, betas: tuple[str, ...], staging: Path | None) -> None:
        self.number = number
        self.betas = betas
        self.requests = 0
        self.bytes = 0
        self.meters: dict[str, Meter] = {}
        self.file = _File(staging / f"part-{number:03d}.jsonl", hashed=True) if staging is not None else None
        self.ids = _File(staging / f"ids-{number:03d}.jsonl", hashed=False) if staging is not None else None
        self.ids_made = True
        """Whether all ids so far were made here."""
        self.sources: set[int] = set()
        """Numbers of the sources its requests are from."""
        self.fingerprint = ""
        self._stretch = (0, 0, 0, 0)
        """First and last request, source and line of requests with ids of their own that follow one another."""

    def note_own(self, count: int, source: int, number: int) -> None:
        """The last ``count`` requests have ids of their own, and come from this line of a source on."""
        self.ids_made = False
        if self.ids is None:
            return
        first, last, held, line = self._stretch
        start = self.requests - count + 1
        if held == source and last + 1 == start and line + start - first == number:
            self._stretch = (first, self.requests, source, line)
            return
        self._write_stretch()
        self.sources.add(source)
        self._stretch = (start, self.requests, source, number)

    def note_row(self, custom_id: str, row_id: str, source: int, number: int, row: object, *, made: bool) -> None:
        """The last request was made from a row, or (``row`` None) has a made id only."""
        self.ids_made = self.ids_made and made
        if self.ids is not None:
            self.sources.add(source)
            self.ids.add(row_line(custom_id, row_id, source, number, row))

    def note_rows(
        self,
        custom_ids: Sequence[str],
        rows: Sequence[tuple[str, object]],
        source: int,
        numbers: Sequence[int],
        *,
        made: bool,
    ) -> None:
        """The same for the last requests, of these rows of a source with their ids; ``made``: all custom_ids were."""
        self.ids_made = self.ids_made and made
        if self.ids is not None:
            self.sources.add(source)
            told = zip(custom_ids, numbers, rows, strict=True)
            self.ids.add(b"\n".join([row_line(each, own, source, number, row) for each, number, (own, row) in told]))

    def _write_stretch(self) -> None:
        if self._stretch[1] and self.ids is not None:
            self.ids.add(stretch_line(*self._stretch))
        self._stretch = (0, 0, 0, 0)

    def close(self, marks: Mapping[int, SourceMark] | None = None) -> None:
        """Make its files last; with ``marks`` its sources are named, which ``name_sources`` does later otherwise."""
        if self.file is not None:
            self.fingerprint = self.file.close()
        if self.ids is not None:
            self._write_stretch()
            for mark in [marks[number] for number in sorted(self.sources)] if marks is not None else ():
                self.ids.add(source_line(mark))
            self.ids.close()

    def name_sources(self, marks: Mapping[int, SourceMark]) -> None:
        """Name the sources of a part that was full before they were read to their ends."""
        if self.ids is None:
            return
        try:
            with open_private(self.ids.path, "ab") as file:
                file.writelines(source_line(marks[number]) + b"\n" for number in sorted(self.sources))
                file.flush()
                os.fsync(file.fileno())
        except OSError as bad:
            raise explain(bad, f"can't stage {self.ids.path}") from bad

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
            ids_made=self.ids_made,
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

    def stop_staging(self) -> None:
        """Write no more, and remove what was staged: the plan can't be sent."""
        if self._staging is None:
            return
        self.discard()
        self._staging = None
        for part in self._parts:
            part.file = part.ids = None

    def finish(self, prices: PriceTable, marks: Mapping[int, SourceMark], keep: bool) -> tuple[PlanPart, ...]:
        """Close all parts and name the sources they are from; staged files stay only when ``keep``."""
        if not keep:
            self.discard()
            return tuple(part.finished(prices, False) for part in self._parts)
        still_open = set(self._open.values())
        for part in self._parts:
            if part in still_open:
                part.close(marks)
            else:
                part.name_sources(marks)
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
