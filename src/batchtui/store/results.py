"""Results on disk: taken in as they come, opened again through their index."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from batchtui.domain.batch import Tally
from batchtui.domain.errors import IncompleteResults, Stopped, StoreError
from batchtui.domain.money import PriceTable
from batchtui.domain.plan import Progress
from batchtui.store import files, index
from batchtui.store.indexer import Indexer
from batchtui.store.view import View

RESULTS = "results.jsonl"
PART = "results.jsonl.part"
INDEX = "results.index"
REQUESTS = "requests.jsonl"
BLOCK = 1 << 20
"""Bytes read at a time."""

Bytes = bytes
Report = Callable[[Progress], None]


class ResultSink:
    """Takes results as they come from the service, byte for byte, and indexes them on the way.

    What came is in ``results.jsonl.part`` until ``finish`` finds it complete.  With ``resume`` a part that is there
    is taken up again, cut after its last whole line: ``bytes`` says where to go on.  Raises StoreError.
    """

    def __init__(self, folder: Path, *, expected: int, prices: PriceTable, resume: bool = False) -> None:
        self._folder = folder
        self._part = folder / PART
        self._expected = expected
        self._prices = prices
        self._size = 0
        self._open = True
        try:
            self._file: BinaryIO = files.open_private(self._part, "r+b")
            if not resume:
                self._file.truncate(0)
        except OSError as error:
            raise files.explain(error, f"can't write {self._part}") from error
        self._indexer = Indexer(prices, self._flushed)
        if resume:
            self._take_up()

    @property
    def lines(self) -> int:
        """Whole lines so far that are not blank."""
        return self._indexer.lines

    @property
    def bytes(self) -> int:
        """All bytes so far, those of an unfinished line included."""
        return self._size

    def tail(self, length: int) -> Bytes:
        """The last bytes written, to prove that a resumed answer goes on where the part ends; raises StoreError."""
        try:
            start = max(0, self._size - length)
            return os.pread(self._flushed(), self._size - start, start)
        except OSError as error:
            raise files.explain(error, f"can't read {self._part}") from error

    def write(self, chunk: Bytes) -> None:
        """Take the next bytes; raises StoreError, and what was written before is kept."""
        try:
            self._file.write(chunk)
            self._size += len(chunk)
            self._indexer.feed(chunk)
        except OSError as error:
            self._close()
            raise files.explain(error, f"can't write {self._part}") from error

    def finish(self, *, accept_short: bool = False) -> Tally:
        """Everything came: make it ``results.jsonl`` and write its index.

        Raises IncompleteResults when lines are missing or the last one is torn (``accept_short`` takes it all the
        same, for a service that keeps sending so few), and StoreError; the part is kept then.
        """
        indexer = self._indexer
        requests = self._folder / REQUESTS
        try:
            torn = not indexer.tail_is_whole()
            if not torn or accept_short:
                indexer.take_tail()
            short = indexer.lines < self._expected
            if (short or torn) and not accept_short:
                raise self._incomplete(torn)
            stamp = index.stamp(requests)
            if stamp != (0, 0):
                indexer.match(requests)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._close()
            self._part.replace(self._folder / RESULTS)
            files.fsync_dir(self._folder)
        except OSError as error:
            self._close()
            raise files.explain(error, f"can't store the results in {self._folder}") from error
        made = indexer.finish(index.stamp(self._folder / RESULTS), stamp)
        with suppress(StoreError):  # It is made again whenever it is missing.
            index.save(self._folder / INDEX, made)
        return made.header.tally

    def abandon(self) -> None:
        """Stop here; the part is kept and can be taken up again."""
        self._close()

    def _incomplete(self, torn: bool) -> IncompleteResults:
        lines, whole = self._indexer.lines, self._indexer.whole_bytes
        self._close()
        what = "in the middle of a line" if torn else "early"
        return IncompleteResults(
            f"the results ended {what}: {lines:,} of {self._expected:,} lines came ({self._size:,} bytes)",
            advice="what came is kept; fetch them again",
            lines=lines,
            expected=self._expected,
            size=self._size,
            whole=whole,
        )

    def _take_up(self) -> None:
        try:
            for block in iter(lambda: self._file.read(BLOCK), b""):
                self._indexer.feed(block)
            self._size = self._indexer.whole_bytes
            self._file.seek(self._size)
            self._file.truncate(self._size)
        except OSError as error:
            self._close()
            raise files.explain(error, f"can't take up {self._part}") from error
        self._indexer.drop_tail()

    def _flushed(self) -> int:
        self._file.flush()
        return self._file.fileno()

    def _close(self) -> None:
        if self._open:
            self._open = False
            with suppress(OSError):
                self._file.close()


class ResultSet(View):
    """One batch's stored results, or its requests alone while the results are not here."""

    def __init__(self, folder: Path, made: index.Index, fd: int | None) -> None:
        self.folder = folder
        self.header = made.header
        self.columns = made.columns
        self.stops = made.header.stops
        self.models = made.header.models
        self.group_keys = made.header.groups
        self.members = (self,)
        self._fd = fd
        self._request_fd: int | None = None
        self._ids: list[str] | None = None

    def __len__(self) -> int:
        return len(self.columns)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the files back; reading a row afterwards raises StoreError."""
        for fd in (self._fd, self._request_fd):
            if fd is not None:
                with suppress(OSError):
                    os.close(fd)
        self._fd = self._request_fd = None

    @property
    def stored(self) -> bool:
        """False while there are only requests."""
        return self.header.results != (0, 0)

    @property
    def blank_lines(self) -> int:
        """Lines of results.jsonl with nothing on them."""
        return self.header.blank

    @property
    def tally(self) -> Tally:
        """Counts and real costs."""
        return self.header.tally

    def column(self, name: str) -> Sequence[int]:
        """A column of the index."""
        found: Sequence[int] = getattr(self.columns, name)
        return found

    def id(self, row: int) -> str:
        """A row's custom_id."""
        return self.columns.id(row)

    def ids(self) -> list[str]:
        """All custom_ids, made on each call: not for keeping."""
        return self.columns.id_texts()

    def place(self, row: int) -> tuple[int, int]:
        """This batch, and the row itself."""
        return 0, row

    def row_of(self, member: int, row: int) -> int:
        """The row itself."""
        return row

    def read(self, row: int, limit: int | None = None) -> bytes:
        """A row's line, or its first ``limit`` bytes; empty when it has none.  Raises StoreError."""
        offset, length = self.columns.offset[row], self.columns.length[row]
        if offset < 0:
            return b""
        return self._read_at(self.results_fd(), offset, length if limit is None else min(length, limit))

    def read_request(self, row: int) -> bytes | None:
        """A row's request; None when it is not known.  Raises StoreError."""
        offset, length = self.columns.request_offset[row], self.columns.request_length[row]
        return None if offset < 0 else self._read_at(self.requests_fd(), offset, length)

    def results_fd(self) -> int:
        """The open results.jsonl; raises StoreError once closed."""
        if self._fd is None:
            raise StoreError("these results are closed", advice="open the batch again")
        return self._fd

    def requests_fd(self) -> int:
        """The open requests.jsonl; raises StoreError."""
        if self._request_fd is None:
            path = self.folder / REQUESTS
            try:
                self._request_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise files.explain(error, f"can't read {path}") from error
        return self._request_fd

    def _read_at(self, fd: int, offset: int, length: int) -> bytes:
        try:
            found = os.pread(fd, length, offset)
            while len(found) < length and (more := os.pread(fd, length - len(found), offset + len(found))):
                found += more
        except OSError as error:
            raise files.explain(error, f"can't read the results in {self.folder}") from error
        return found


def open_results(
    folder: Path, prices: PriceTable, *, progress: Report | None = None, stop: threading.Event | None = None
) -> ResultSet:
    """A batch's results; its requests as rows that wait when no results are stored.

    The index is used when it fits the files and prices, and made anew in one pass (with ``progress``) when it
    doesn't.  Raises StoreError, and Stopped when ``stop`` is set.
    """
    path = folder / RESULTS
    fd: int | None = None
    try:
        with suppress(FileNotFoundError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(fd) if fd is not None else None
        results = (found.st_size, found.st_mtime_ns) if found else (0, 0)
        requests = index.stamp(folder / REQUESTS)
        if found is None and requests == (0, 0):
            raise StoreError(f"there are no results in {folder}", advice="fetch them first")
        made = index.load(folder / INDEX, results, requests, prices)
        if made is None:
            made = _rebuild(folder, fd, prices, results=results, requests=requests, progress=progress, stop=stop)
        return ResultSet(folder, made, fd)
    except OSError as error:
        _close(fd)
        raise files.explain(error, f"can't read {path}") from error
    except BaseException:
        _close(fd)
        raise


def _close(fd: int | None) -> None:
    if fd is not None:
        os.close(fd)


def _rebuild(
    folder: Path,
    fd: int | None,
    prices: PriceTable,
    *,
    results: tuple[int, int],
    requests: tuple[int, int],
    progress: Report | None,
    stop: threading.Event | None,
) -> index.Index:
    indexer = Indexer(prices, lambda: fd if fd is not None else -1)
    place, size = 0, results[0]
    while fd is not None and place < size and (block := os.pread(fd, min(BLOCK, size - place), place)):
        if stop is not None and stop.is_set():
            raise Stopped("stopped while reading the results")
        indexer.feed(block)
        place += len(block)
        if progress is not None and place % (16 * BLOCK) < BLOCK:
            progress(Progress("reading the results", place, size))
    indexer.take_tail()
    if requests != (0, 0):
        indexer.match(folder / REQUESTS, waiting=fd is None, stop=stop)
    made = indexer.finish(results, requests)
    with suppress(StoreError):  # A read-only disk still shows its results.
        index.save(folder / INDEX, made)
    return made
