"""Results on disk: taken in as they come, opened again through their index."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from batchtui import plainfile
from batchtui.domain.batch import Tally
from batchtui.domain.errors import IncompleteResults, StoreError
from batchtui.domain.money import PriceTable
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results import completeness, index
from batchtui.results.answer_check import AnswerChecker
from batchtui.results.asked import Asked, AskedReader, keep, read_asked, taken
from batchtui.results.completeness import Held
from batchtui.results.indexer import Indexer, waiting_index
from batchtui.results.request_matcher import RequestMatcher, read_requests
from batchtui.results.view import ResultSet
from batchtui.store import files
from batchtui.store.records import ANSWER, INDEX, NEWER, PART, REQUESTS, RESULTS

BLOCK = 1 << 20
"""Bytes read at a time."""
_AT_ONCE = 512 * 1024
"""Bytes gathered before they are indexed: a quarter quicker than piece by piece."""
_HURRY = 16 << 20
"""Bytes after which the system is told to bring what came to the disk."""


Bytes = bytes


class ResultSink:
    """Takes results as they come from the API, byte for byte, and indexes them on the way.

    What came is in ``results.jsonl.part`` until ``finish`` finds it whole; with ``beside`` it is in ``results.jsonl.new``,
    and what is here already stays until ``keep_better`` has compared the two.  With ``resume`` a part that is
    there is taken up again, cut after its last whole line: ``bytes`` says where to go on.  Raises StoreError.
    """

    def __init__(
        self, folder: Path, *, expected: int, prices: PriceTable, resume: bool = False, beside: bool = False
    ) -> None:
        self._folder = folder
        self._part = folder / (NEWER if beside else PART)
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
            self._requests, matcher, self._asked = _matcher(folder)
        except OSError as error:
            self._requests, matcher, self._asked = index.NOTHING, RequestMatcher(None), Asked()
            self._unread = error
        try:
            self._file: BinaryIO = files.open_private(self._part, "r+b")
            if not resume:
                self._file.truncate(0)
        except OSError as error:
            raise files.explain(error, f"can't write {self._part}") from error
        self._indexer = Indexer(prices, self._flushed, matcher, AnswerChecker(self._asked))
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

        Raises IncompleteResults when a request has no result or the last line is torn (``accept_short`` takes it all
        the same, for an API that keeps sending so few), and StoreError; the file is kept then.
        """
        indexer = self._indexer
        try:
            self._index_fresh()
            torn = not indexer.tail_is_whole()
            if not torn or accept_short:
                indexer.splitter.take_tail()
            if self._unread is not None:
                raise self._unread
            with ThreadPoolExecutor(1, thread_name_prefix="fsync") as beside:
                synced = beside.submit(os.fsync, self._flushed())
                schemas = index.stamp(self._folder / ANSWER)
                made = indexer.finish(index.stamp(self._part), self._requests, schemas, keep(self._asked))
                synced.result()
            held = completeness.held(made)
            if self._part.name == NEWER and (here := self._whole_already()) is not None:
                # Equal custom_ids don't prove that it is the same batch: good results that are here stay.
                self.abandon()
                self._part.unlink(missing_ok=True)
                return here
            if not accept_short and (torn or not held.whole(self._expected) or not self._same_batch(made, held)):
                raise self._incomplete(torn, held)
            self._close()
            self._part.replace(self._folder / RESULTS)
            for older in (PART, NEWER):
                (self._folder / older).unlink(missing_ok=True)
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

    def _whole_already(self) -> Tally | None:
        """The tally of stored results that are whole as they are."""
        held = held_in(self._folder, RESULTS, self._prices)
        if held is None or not held.whole(self._expected):
            return None
        opened = open_results(self._folder, self._prices)
        opened.close()
        return opened.tally

    def _same_batch(self, made: index.Index, held: Held) -> bool:
        """False when what is here already is another batch's, by its custom_ids; of a batch made elsewhere nothing else tells."""
        if held.sent or self._part.name != NEWER:
            return True
        found = [held_in(self._folder, name, self._prices) for name in (RESULTS, PART)]
        newer = completeness.held(made, with_ids=True)
        return all(newer.same_batch(older) for older in found if older is not None)

    def _incomplete(self, torn: bool, held: Held) -> IncompleteResults:
        whole = self._indexer.splitter.offset
        self._close()
        expected = max(self._expected, held.sent)
        if torn:
            what = f"the results ended in the middle of a line: {held.ours:,} of {expected:,} came"
        elif held.of_another:
            what = f"the results are another batch's: {held.strangers:,} of {held.lines:,} have a custom_id that was not sent"
        else:
            what = f"{held.ours:,} of {expected:,} results received" + held.oddities()
        return IncompleteResults(
            f"{what} ({self._size:,} bytes)",
            advice="what was received is kept; batchtui downloads them again later, or now: batchtui fetch ID",
            lines=held.lines,
            expected=expected,
            size=self._size,
            whole=whole,
            ours=held.ours,
            strangers=held.strangers,
            torn=torn,
        )

    def _take_up(self) -> None:
        try:
            for block in iter(lambda: self._file.read(BLOCK), b""):
                self._indexer.feed(block)
            self._size = self._indexer.splitter.offset
            self._file.seek(self._size)
            self._file.truncate(self._size)
        except OSError as error:
            self._close()
            raise files.explain(error, f"can't continue {self._part}") from error
        self._indexer.splitter.drop_tail()

    def _flushed(self) -> int:
        self._file.flush()
        return self._file.fileno()

    def _close(self) -> None:
        if self._open:
            self._open = False
            with suppress(OSError):
                self._file.close()


def open_results(folder: Path, prices: PriceTable, work: Work = UNWATCHED) -> ResultSet:
    """A batch's results; what came so far of results not yet complete; or its requests alone, as rows that wait.

    The index is used when it fits the files and prices, and made anew in one pass when it doesn't.
    Raises StoreError, and Stopped.
    """
    fd: int | None = None
    try:
        fd, partial = _open(folder)
        found = os.fstat(fd) if fd is not None else None
        results = (found.st_size, found.st_mtime_ns) if found else index.NOTHING
        requests = index.stamp(folder / REQUESTS)
        if found is None and requests == index.NOTHING:
            raise StoreError(f"no results are downloaded in {folder}", advice="download them first")
        made = None if partial else index.load(folder / INDEX, results, requests, prices, index.stamp(folder / ANSWER))
        if made is None:
            if fd is None:
                made = _waiting(folder, requests, prices, work)
                # Results that came in the meantime have an index of their own.
                lasts = index.stamp(folder / RESULTS) == index.NOTHING
            else:
                made = _indexed(folder, fd, results, prices, partial, work)
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


def _waiting(folder: Path, requests: index.Stamp, prices: PriceTable, work: Work) -> index.Index:
    """The index of requests alone, made in one pass."""
    schemas, reader = index.stamp(folder / ANSWER), AskedReader(folder)
    made = waiting_index(read_requests(folder / REQUESTS, reader.take), requests, prices, work)
    made.header = msgspec.structs.replace(made.header, schemas=schemas, asked=keep(reader.asked))
    return made


def index_requests(folder: Path, prices: PriceTable) -> None:
    """Index a batch's requests before its results are there: results are matched with them in a moment then."""
    with suppress(StoreError):  # Without it they are read again.
        open_results(folder, prices).close()


def held_in(folder: Path, name: str, prices: PriceTable) -> Held | None:
    """What one of a batch's files of results holds, None when it isn't there; raises StoreError."""
    path = folder / name
    try:
        fd, _ = plainfile.open_fd(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise files.explain(error, f"can't read {path}") from error
    try:
        return completeness.held(
            _indexed(folder, fd, index.stamp(path), prices, name != RESULTS, UNWATCHED), with_ids=True
        )
    except OSError as error:
        raise files.explain(error, f"can't read {path}") from error
    finally:
        os.close(fd)


def keep_better(folder: Path, prices: PriceTable) -> bool:
    """Have a download that lies beside older results take their place when it holds more of the batch's own; it goes
    otherwise.

    True when it took their place.  Raises StoreError.
    """
    newer = held_in(folder, NEWER, prices)
    if newer is None:
        return False
    for name in (RESULTS, PART):
        older = held_in(folder, name, prices)
        if older is None:
            continue
        better = newer.better_than(older)
        try:
            if better:
                (folder / NEWER).replace(folder / name)
                files.fsync_dir(folder)
            else:
                (folder / NEWER).unlink(missing_ok=True)
        except OSError as error:
            raise files.explain(error, f"can't store the results in {folder}") from error
        return better
    (folder / NEWER).replace(folder / PART)
    return True


def take_short(folder: Path, prices: PriceTable) -> Tally:
    """Take what came for all there is: requests without a result are missing from now on.  Raises StoreError."""
    try:
        if not (folder / RESULTS).exists():
            (folder / PART).replace(folder / RESULTS)
        (folder / NEWER).unlink(missing_ok=True)
        files.fsync_dir(folder)
    except OSError as error:
        raise files.explain(error, f"can't store the results in {folder}") from error
    opened = open_results(folder, prices)
    opened.close()
    return opened.tally


def _matcher(folder: Path, work: Work = UNWATCHED) -> tuple[index.Stamp, RequestMatcher, Asked]:
    """The requests of a batch, their file's stamp, and what they asked for, from an index of them alone when there is one."""
    stamp = index.stamp(folder / REQUESTS)
    if stamp == index.NOTHING:
        return stamp, RequestMatcher(None), Asked()
    held = index.load_requests(folder / INDEX, stamp)
    if held is not None and not held.columns.cut_short():
        columns = held.columns
        matcher = RequestMatcher([(columns.id_texts(), columns.request_offset, columns.request_length)], work)
        fits = held.header.schemas == index.stamp(folder / ANSWER)
        return stamp, matcher, (taken(held.header.asked) if fits else None) or read_asked(folder, work)
    reader = AskedReader(folder)
    return stamp, RequestMatcher(read_requests(folder / REQUESTS, reader.take), work), reader.asked


def _open(folder: Path) -> tuple[int | None, bool]:
    """The results' file, and whether it is only a part of them; None when nothing came yet."""
    for name in (RESULTS, PART):
        with suppress(FileNotFoundError):
            return plainfile.open_fd(folder / name)[0], name == PART
    return None, False


def _indexed(folder: Path, fd: int, results: index.Stamp, prices: PriceTable, partial: bool, work: Work) -> index.Index:
    """The index of results that lie there, made in one pass."""
    schemas = index.stamp(folder / ANSWER)
    requests, matcher, asked = _matcher(folder, work)
    indexer = Indexer(prices, lambda: fd, matcher, AnswerChecker(asked))
    place, size = 0, results[0]
    while place < size and (block := os.pread(fd, min(BLOCK, size - place), place)):
        work.check("stopped while reading the results")
        indexer.feed(block)
        place += len(block)
        work.tell("reading the results", place, size)
    if partial:
        indexer.splitter.drop_tail()
    indexer.splitter.take_tail()
    return indexer.finish(results, requests, schemas, keep(asked), waiting=partial)
