"""Results on disk: taken in as they come, opened again through their index."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from batchtui import plainfile
from batchtui.domain.batch import Tally
from batchtui.domain.errors import IncompleteResults, Stopped, StoreError
from batchtui.domain.money import PriceTable
from batchtui.domain.plan import Progress
from batchtui.store import files, index
from batchtui.store.history import INDEX, PART, REQUESTS, RESULTS
from batchtui.store.indexer import Indexer, waiting_index
from batchtui.store.matching import Matcher
from batchtui.store.requests import read_requests
from batchtui.store.resultset import ResultSet

BLOCK = 1 << 20
"""Bytes read at a time."""
_AT_ONCE = 512 * 1024
"""Bytes gathered before they are indexed: a quarter quicker than piece by piece."""
_HURRY = 16 << 20
"""Bytes after which the system is told to bring what came to the disk."""


def complete(tally: Tally, expected: int) -> bool:
    """True when there are as many results as were promised: repeated lines count once, and lines that can't be read
    only when each of them can stand for a result.
    """
    once = tally.lines - tally.duplicates
    return once - tally.unreadable >= expected or (once == expected and tally.unreadable < once)


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
        self._fresh: list[bytes] = []
        """Written and not indexed yet."""
        self._fresh_size = 0
        self._hurried = 0
        """Bytes that the system was told to bring to the disk."""
        self._open = True
        self._unread: OSError | None = None
        """Why the requests can't be read: what comes is stored all the same."""
        try:
            self._requests, matcher = _matcher(folder)
        except OSError as error:
            self._requests, matcher, self._unread = index.NOTHING, Matcher(None), error
        try:
            self._file: BinaryIO = files.open_private(self._part, "r+b")
            if not resume:
                self._file.truncate(0)
        except OSError as error:
            raise files.explain(error, f"can't write {self._part}") from error
        self._indexer = Indexer(prices, self._flushed, matcher)
        if resume:
            self._take_up()

    @property
    def lines(self) -> int:
        """Whole lines so far that are not blank."""
        self._index_fresh()
        return self._indexer.lines

    @property
    def bytes(self) -> int:
        """All bytes so far, those of an unfinished line included."""
        return self._size

    def write(self, chunk: Bytes) -> None:
        """Take the next bytes; raises StoreError, and what was written before is kept."""
        try:
            self._file.write(chunk)
            self._size += len(chunk)
            if self._size - self._hurried >= _HURRY and hasattr(os, "posix_fadvise"):
                # Linux begins to bring these bytes to the disk then, so that the fsync at the end has little to wait for.
                os.posix_fadvise(self._file.fileno(), self._hurried, _HURRY, os.POSIX_FADV_DONTNEED)
                self._hurried += _HURRY
            self._fresh.append(chunk)
            self._fresh_size += len(chunk)
            if self._fresh_size >= _AT_ONCE:
                self._index_fresh()
        except OSError as error:
            self._close()
            raise files.explain(error, f"can't write {self._part}") from error

    def _index_fresh(self) -> None:
        fresh, self._fresh, self._fresh_size = b"".join(self._fresh), [], 0
        self._indexer.feed(fresh)

    def finish(self, *, accept_short: bool = False) -> Tally:
        """Everything came: make it ``results.jsonl`` and write its index.

        Raises IncompleteResults when lines are missing or the last one is torn (``accept_short`` takes it all the
        same, for a service that keeps sending so few), and StoreError; the part is kept then.
        """
        indexer = self._indexer
        try:
            self._index_fresh()
            torn = not indexer.tail_is_whole()
            if not torn or accept_short:
                indexer.cutter.take_tail()
            short = indexer.lines < self._expected
            if (short or torn) and not accept_short:
                raise self._incomplete(torn)
            if self._unread is not None:
                raise self._unread
            with ThreadPoolExecutor(1, thread_name_prefix="fsync") as beside:
                synced = beside.submit(os.fsync, self._flushed())
                made = indexer.finish(index.stamp(self._part), self._requests)
                synced.result()
            if not accept_short and not complete(made.header.tally, self._expected):
                raise self._incomplete(torn, made.header.tally)
            self._close()
            self._part.replace(self._folder / RESULTS)
            files.fsync_dir(self._folder)
        except OSError as error:
            self._close()
            raise files.explain(error, f"can't store the results in {self._folder}") from error
        with suppress(StoreError):  # It is made again whenever it is missing.
            index.save(self._folder / INDEX, made)
        return made.header.tally

    def abandon(self) -> None:
        """Stop here; the part is kept and can be taken up again."""
        self._close()

    def _incomplete(self, torn: bool, tally: Tally | None = None) -> IncompleteResults:
        lines, whole = self._indexer.lines, self._indexer.cutter.offset
        self._close()
        what = f"ended {'in the middle of a line' if torn else 'early'}: {lines:,} of {self._expected:,} lines came"
        if tally is not None:
            what = (
                f"are not all there: of {lines:,} lines {tally.duplicates:,} came twice and {tally.unreadable:,} "
                f"can't be read, {self._expected:,} results were promised"
            )
        return IncompleteResults(
            f"the results {what} ({self._size:,} bytes)",
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
            self._size = self._indexer.cutter.offset
            self._file.seek(self._size)
            self._file.truncate(self._size)
        except OSError as error:
            self._close()
            raise files.explain(error, f"can't take up {self._part}") from error
        self._indexer.cutter.drop_tail()

    def _flushed(self) -> int:
        self._file.flush()
        return self._file.fileno()

    def _close(self) -> None:
        if self._open:
            self._open = False
            with suppress(OSError):
                self._file.close()


def open_results(
    folder: Path, prices: PriceTable, *, progress: Report | None = None, stop: threading.Event | None = None
) -> ResultSet:
    """A batch's results; what came so far of results not yet complete; or its requests alone, as rows that wait.

    The index is used when it fits the files and prices, and made anew in one pass (with ``progress``) when it
    doesn't.  Raises StoreError, and Stopped when ``stop`` is set.
    """
    fd: int | None = None
    try:
        fd, partial = _open(folder)
        found = os.fstat(fd) if fd is not None else None
        results = (found.st_size, found.st_mtime_ns) if found else index.NOTHING
        requests = index.stamp(folder / REQUESTS)
        if found is None and requests == index.NOTHING:
            raise StoreError(f"there are no results in {folder}", advice="fetch them first")
        made = None if partial else index.load(folder / INDEX, results, requests, prices)
        if made is None:
            if fd is None:
                made = waiting_index(read_requests(folder / REQUESTS), requests, prices, stop)
                # Results that came in the meantime have an index of their own.
                lasts = index.stamp(folder / RESULTS) == index.NOTHING
            else:
                made = _indexed(folder, fd, results, prices, partial, progress, stop)
                lasts = not partial
            if lasts:
                with suppress(StoreError):  # A read-only disk still shows its results.
                    index.save(folder / INDEX, made)
        return ResultSet(folder, made, fd, partial=partial)
    except BaseException as error:
        if fd is not None:
            os.close(fd)
        if isinstance(error, OSError):
            raise files.explain(error, f"can't read the results in {folder}") from error
        raise


def index_requests(folder: Path, prices: PriceTable) -> None:
    """Index a batch's requests before its results are there: results are matched with them in a moment then."""
    with suppress(StoreError):  # Without it they are read again.
        open_results(folder, prices).close()


def _matcher(folder: Path, stop: threading.Event | None = None) -> tuple[index.Stamp, Matcher]:
    """The requests of a batch and their file's stamp, from an index of them alone when there is one."""
    stamp = index.stamp(folder / REQUESTS)
    if stamp == index.NOTHING:
        return stamp, Matcher(None)
    held = index.load_requests(folder / INDEX, stamp)
    if held is not None and not held.cut_short():
        return stamp, Matcher([(held.id_texts(), held.request_offset, held.request_length)], stop)
    return stamp, Matcher(read_requests(folder / REQUESTS), stop)


def _open(folder: Path) -> tuple[int | None, bool]:
    """The results' file, and whether it is only a part of them; None when nothing came yet."""
    for name in (RESULTS, PART):
        with suppress(FileNotFoundError):
            return plainfile.open_fd(folder / name)[0], name == PART
    return None, False


def _indexed(
    folder: Path,
    fd: int,
    results: index.Stamp,
    prices: PriceTable,
    partial: bool,
    progress: Report | None,
    stop: threading.Event | None,
) -> index.Index:
    """The index of results that lie there, made in one pass."""
    requests, matcher = _matcher(folder, stop)
    indexer = Indexer(prices, lambda: fd, matcher)
    place, size = 0, results[0]
    while place < size and (block := os.pread(fd, min(BLOCK, size - place), place)):
        if stop is not None and stop.is_set():
            raise Stopped("stopped while reading the results")
        indexer.feed(block)
        place += len(block)
        if progress is not None and place % (16 * BLOCK) < BLOCK:
            progress(Progress("reading the results", place, size))
    if partial:
        indexer.cutter.drop_tail()
    indexer.cutter.take_tail()
    return indexer.finish(results, requests, waiting=partial)
