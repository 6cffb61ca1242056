"""Reading files of settings and records: nothing but regular files, as a pipe would hang and a device never end."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from itertools import islice
from operator import add, sub
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class FileTooLarge(OSError):
    """A file is larger than what is read of it."""


def open_fd(path: str | Path, *, follow: bool = True) -> tuple[int, os.stat_result]:
    """A descriptor to read a regular file with, and its state; raises OSError, in plain words for what is no such file."""
    fd = os.open(path, _FLAGS | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    try:
        state = os.fstat(fd)
        refuse_odd(state.st_mode, path)
    except BaseException:
        os.close(fd)
        raise
    return fd, state


def opened(path: str | Path) -> BinaryIO:
    """A regular file to read; raises OSError."""
    return os.fdopen(open_fd(path)[0], "rb")


def refuse_odd(mode: int, path: str | Path) -> None:
    """Raise OSError for what is no regular file."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "a folder, not a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"not a regular file ({kind(mode)})", str(path))


def kind(mode: int) -> str:
    """What a file of this mode is, in words."""
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a special file"


_AHEAD = 64 * 1024
"""Bytes read at once where stretches follow one another."""
_NEAR = 4
"""Bytes, such as a newline, that may lie between two of them."""
_BETWEEN = 4096
"""Bytes between two stretches that are sooner read with them than passed over."""


class ReadAhead:
    """Stretches of an open file: those that follow one another come from larger reads.  Any thread may read."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._held = (0, b"")
        """Where what was read last begins, and what it is."""
        self._next = -1

    def read(self, offset: int, length: int) -> bytes:
        """So many bytes from ``offset`` on, fewer at the file's end.  Raises OSError."""
        start, held = self._held
        place = offset - start
        follows, self._next = 0 <= offset - self._next <= _NEAR, offset + length
        if place >= 0 and place + length <= len(held):
            return held[place : place + length]
        most = max(length, _AHEAD) if follows else length
        found = os.pread(self._fd, most, offset)
        while len(found) < length and (more := os.pread(self._fd, length - len(found), offset + len(found))):
            found += more
        if len(found) <= length:
            return found
        self._held = (offset, found)
        return found[:length]

    def read_all(self, places: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several stretches, given by offset and length; those with little between them in one go.  Raises OSError."""
        found: list[bytes] = []
        first = 0
        while first < len(places):
            begin, length = places[first]
            end, last = begin + length, first + 1
            while last < len(places) and 0 <= places[last][0] - end <= _BETWEEN:
                end = sum(places[last])
                last += 1
            block = os.pread(self._fd, end - begin, begin)
            if len(block) < end - begin:
                found += [self.read(*place) for place in places[first:last]]
            else:
                found += [block[offset - begin : offset - begin + length] for offset, length in places[first:last]]
            first = last
        return found

    def block(self, offsets: Sequence[int], lengths: Sequence[int]) -> bytes | None:
        """Several stretches with what lies between them; None where they don't follow one another.  Raises OSError."""
        ends = [*map(add, offsets, lengths)]
        gaps = [*map(sub, islice(offsets, 1, None), ends)]
        if not ends or not 0 <= min(gaps, default=0) <= max(gaps, default=0) <= _NEAR:
            return None
        found = os.pread(self._fd, ends[-1] - offsets[0], offsets[0])
        return found if len(found) == ends[-1] - offsets[0] else None


def read(path: str | Path, most: int) -> bytes:
    """A regular file's bytes; raises FileTooLarge past ``most`` of them, and OSError."""
    fd, _ = open_fd(path)
    with os.fdopen(fd, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise FileTooLarge(errno.EFBIG, f"larger than {most:,} bytes", str(path))
    return data


def read_text(path: str | Path, most: int = 64 << 20) -> str:
    """A regular file's text in UTF-8, a byte order mark aside; raises FileTooLarge, OSError and UnicodeDecodeError."""
    return read(path, most).decode("utf-8-sig")
