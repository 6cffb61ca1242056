"""Cuts a stream of bytes into lines, whatever its pieces; very long lines are read back from the file instead of held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, ALLOCATIONGRANULARITY, mmap

HOLD = 4_000_000
"""Longer lines are not held while they come, in bytes."""

Take = Callable[[bytes | memoryview], None]
TakeAll = Callable[[bytes, int, int], int]


@contextmanager
def mapped(fd: int, offset: int, length: int) -> Iterator[memoryview]:
    """A stretch of a file as memory that is not ours."""
    start = offset - offset % ALLOCATIONGRANULARITY
    with mmap(fd, offset - start + length, offset=start, access=ACCESS_READ) as area, memoryview(area) as whole:
        part = whole[offset - start :]
        try:
            yield part
        finally:
            part.release()


def line_ends(chunk: bytes, start: int, stop: int) -> list[int]:
    """Where each line between two places ends."""
    ends: list[int] = []
    add, find, end = ends.append, chunk.find, chunk.find(b"\n", start, stop)
    while end >= 0:
        add(end)
        end = find(b"\n", end + 1, stop)
    add(stop)
    return ends


class LineSplitter:
    """Hands each line that is not blank to ``take``, with ``offset`` and ``number`` saying which it is.

    ``fd`` gives the open file's descriptor with all fed bytes written, for lines longer than ``HOLD``.  ``take_all`` is
    offered whole lines together first, as bytes and where they begin and end: it takes all of them and says how many they
    were, or none and says 0.
    """

    def __init__(self, fd: Callable[[], int], take: Take, take_all: TakeAll) -> None:
        self._fd = fd
        self._take = take
        self._take_all = take_all
        self._pieces: list[bytes] = []
        self.held = 0
        """Bytes after the last newline."""
        self.offset = 0
        """Where the line at hand begins; between lines, the bytes up to and with the last newline."""
        self.number = 0
        """Number of the line at hand, from 1."""
        self.blank = 0
        """Lines with nothing on them."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; whole lines are handed on, the rest waits for more."""
        end = chunk.rfind(b"\n")
        if end < 0:
            self._hold(chunk)
            return
        start = 0
        if self.held:
            start = chunk.index(b"\n") + 1
            self._hold(chunk[: start - 1])
            self._end_held(newline=1)
        if end >= start:
            if taken := self._take_all(chunk, start, end):
                self.number += taken
                self.offset += end - start + 1
            else:
                self._take_each(chunk[start:end].split(b"\n"))
        if end + 1 < len(chunk):
            self._hold(chunk[end + 1 :])

    def _take_each(self, lines: list[bytes]) -> None:
        for line in lines:
            self.number += 1
            if line and not line.isspace():
                self._take(line)
            else:
                self.blank += 1
            self.offset += len(line) + 1

    @contextmanager
    def tail_view(self) -> Iterator[bytes | memoryview]:
        """What is left after the last newline, wherever it is."""
        if self.held <= HOLD:
            yield b"".join(self._pieces)
            return
        with mapped(self._fd(), self.offset, self.held) as view:
            yield view

    def drop_tail(self) -> None:
        """Forget what is left after the last newline."""
        self._pieces.clear()
        self.held = 0

    def take_tail(self) -> None:
        """Hand on what is left after the last newline as a line of its own."""
        if self.held:
            self._end_held(newline=0)

    def _hold(self, piece: bytes) -> None:
        self.held += len(piece)
        if self.held <= HOLD:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _end_held(self, newline: int) -> None:
        self.number += 1
        with self.tail_view() as line:
            if isinstance(line, bytes) and (not line or line.isspace()):
                self.blank += 1
            else:
                self._take(line)
        self.offset += self.held + newline
        self.drop_tail()
