"""A second process that reads the fields of a batch's later answers, while this one reads those before."""

from __future__ import annotations

import os
import select
import subprocess
import time
from bisect import bisect_left
from contextlib import suppress
from types import TracebackType

import msgspec

from batchtui import subpython
from batchtui.domain.errors import StoreError
from batchtui.domain.work import Work
from batchtui.results import field_file
from batchtui.results.field_builder import ColumnParts, LeftOut
from batchtui.results.field_columns import Key
from batchtui.results.field_worker import LaterLines
from batchtui.results.view import ResultSet

_ALONE = 32_000_000
"""Bytes of results that one process reads as quickly as two."""
_HEAD_START = 16_000_000
"""Bytes that are read here before the other has started."""
_PATIENCE = 2.0
"""Seconds that the other may take longer than this one took, and twice as long as it took, before it is given up."""


def second_share(results: ResultSet) -> int:
    """The line from which a second process reads; the number of lines where one process is as quick."""
    lines, size = results.header.lines, results.header.results[0]
    if size < _ALONE or _processors() < 2:
        return lines
    return bisect_left(results.columns.offset, (size + _HEAD_START) // 2, 0, lines)


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class FieldProcess:
    """The second process; leaving its ``with`` ends it."""

    def __init__(self, results: ResultSet, first: int) -> None:
        self._results = results
        self._began = time.monotonic()
        self._child: subprocess.Popen[bytes] | None = None
        task = LaterLines(os.fsencode(results.folder), results.header.results, results.header.requests, first)
        with suppress(OSError, ValueError):
            self._child = subpython.start("batchtui.results.field_worker")
            assert self._child.stdin is not None
            assert self._child.stdout is not None
            subpython.widen(self._child.stdout)
            self._child.stdin.write(msgspec.json.encode(task))
            self._child.stdin.close()

    def __enter__(self) -> FieldProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            subpython.end(self._child)

    def answer(self, work: Work) -> tuple[list[tuple[int, Key, ColumnParts]], LeftOut] | None:
        """What it read, once it is whole; None when it did not manage.  Raises Stopped."""
        data = self._all(work)

        def read(start: int, size: int) -> bytes:
            return data[start : start + size]

        with suppress(StoreError, ValueError):
            found = field_file.read_header(read, len(data), self._results)
            if found is not None:
                header, start = found
                return field_file.unpack_all(header, read, start), header.left_out
        return None

    def _all(self, work: Work) -> bytes:
        """All that it wrote; less where it takes too long."""
        child, found = self._child, bytearray()
        if child is None:
            return b""
        assert child.stdout is not None
        now = time.monotonic()
        until = now + _PATIENCE + 2 * (now - self._began)
        ready = select.poll()
        ready.register(child.stdout, select.POLLIN)
        while time.monotonic() < until:
            work.check("stopped while reading the fields")
            if not ready.poll(100):
                continue
            piece = os.read(child.stdout.fileno(), subpython.PIPE)
            if not piece:
                break
            found += piece
        return bytes(found)
