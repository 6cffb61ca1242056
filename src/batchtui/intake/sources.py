"""Sources: files, folders, globs and standard input listed, opened and read in pieces, no large file or line held whole."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import select
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import msgspec

from batchtui.intake.problems import Found, error
from batchtui.paths import expanded
from batchtui.safetext import line as safe

PIECE = 1 << 18
"""Bytes read at once."""


class ReadableLines(Protocol):
    """What can be read in pieces."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, empty at the end."""
        ...


def blocks(
    stream: ReadableLines, limit: int, size: int = PIECE, tick: Callable[[], None] | None = None
) -> Iterator[bytes | None]:
    """Whole lines, many at a time, without the last one's newline; None for a line of far more than ``limit`` bytes.

    Such a line is not kept.  ``tick`` is called after each read, so that a long line can be interrupted too.
    """
    pending: list[bytes] = []
    held = 0
    skipping = False
    while piece := stream.read(size):
        if tick is not None:
            tick()
        rest = piece
        if skipping:
            _, newline, rest = piece.partition(b"\n")
            if not newline:
                continue
            skipping = False
            yield None
        cut = rest.rfind(b"\n")
        if cut >= 0:
            yield b"".join((*pending, memoryview(rest)[:cut]))
            pending, held, rest = [], 0, rest[cut + 1 :]
        pending.append(rest)
        held += len(rest)
        if held > limit:
            pending, held, skipping = [], 0, True
    if skipping:
        yield None
    elif last := b"".join(pending):
        yield last


def lines(
    stream: ReadableLines, limit: int, size: int = PIECE, tick: Callable[[], None] | None = None
) -> Iterator[bytes | None]:
    """Lines without their newline, one by one; None for one of far more than ``limit`` bytes."""
    for block in blocks(stream, limit, size, tick):
        if block is None:
            yield None
        else:
            yield from block.split(b"\n")


HEAD = 64 * 1024
"""Bytes looked at to tell a format."""
_TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab", ".parquet")
_WAKE = 0.1
"""Seconds between two looks at whether to stop."""
_GZIP = b"\x1f\x8b"


class SourceFault(Exception):
    """A source can't be read (further); ``found`` says why, ``line`` where, 0 when no line is to blame."""

    def __init__(self, found: Found, line: int = 0) -> None:
        super().__init__(found.text)
        self.found = found
        self.line = line


class Source(msgspec.Struct, frozen=True):
    """One file to read, or standard input (``path`` None)."""

    name: str
    path: Path | None
    folder: Path | None = None
    """The folder it was found in, when that was the source given."""

    @property
    def looks_like_table(self) -> bool:
        """Whether its name says that it holds requests or rows."""
        return self.name.lower().removesuffix(".gz").endswith(_TABLES)

    @property
    def size(self) -> int:
        """Bytes on the disk, 0 when unknown."""
        try:
            return self.path.stat().st_size if self.path is not None and self.path.is_file() else 0
        except OSError:
            return 0


def expand(given: Sequence[str], template: Path | None = None) -> Iterator[Source | tuple[str, Found]]:
    """The files that the sources name, folders walked in order of names; or what is wrong with a source."""
    for name in given:
        if name == "-":
            yield Source("stdin", None)
            continue
        path = expanded(name)
        try:
            if path.is_dir():
                files = [file for file in _walk(path) if template is None or not _same(file, template)]
                if not files:
                    yield name, error("source", "the folder holds no files")
                yield from (Source(_shown(str(file)), file, path) for file in files)
            elif path.exists():
                yield Source(_shown(name), path)
            else:
                yield name, error("source", f"no such file or folder{meant(path)}")
        except (OSError, ValueError) as bad:
            yield name, error("source", f"can't be read: {getattr(bad, 'strerror', None) or bad}")


_MOST_NAMES = 10_000
"""Names of a folder among which a near one is looked for."""


def meant(path: Path) -> str:
    """The path that one that is not there may stand for, as the end of a sentence; "" without a near one."""
    import difflib

    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        path, folder = folder, folder.parent
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each, _ in zip(entries, range(_MOST_NAMES), strict=False)]
    except OSError:
        return ""
    lower = {name.lower(): name for name in names}
    same = lower.get(path.name.lower()) or next((each for each in names if Path(each).stem == path.name), "")
    near = [same] if same else difflib.get_close_matches(path.name.lower(), lower, n=1, cutoff=0.7)
    return f", did you mean {safe(_shown(str(folder / lower.get(near[0], near[0]))), 200)}?" if near else ""


def _shown(name: str) -> str:
    """A name that can be written as UTF-8, whatever bytes the file system has for it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _same(file: Path, template: Path) -> bool:
    return template.exists() and file.samefile(template)


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            file = Path(here) / name
            if not name.startswith(".") and file.is_file():
                yield file


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes (negative: all), empty at the end."""


class Stream:
    """A byte stream that can be looked into before it is read, unpacked when it is gzip; raises SourceFault."""

    def __init__(self, raw: Readable) -> None:
        self._counting = _Counting(raw)
        self._source: _Counting | gzip.GzipFile = self._counting
        self._ahead = bytearray()
        self._at = 0
        self._hash: hashlib._Hash | None = None
        self.packed = self.peek(2)[:2] == _GZIP
        if self.packed:
            self._counting.put_back(bytes(self._ahead))
            self._ahead = bytearray()
            self._source = gzip.GzipFile(fileobj=self._counting)  # type: ignore[call-overload]

    @property
    def taken(self) -> int:
        """Bytes taken from the file so far, as they lie on the disk."""
        return self._counting.taken

    def peek(self, size: int = HEAD) -> bytes:
        """The next bytes, at least ``size`` of them unless the stream ends before."""
        while len(self._ahead) - self._at < size:
            piece = self._read(size - len(self._ahead) + self._at)
            if not piece:
                break
            self._ahead += piece
        return bytes(memoryview(self._ahead)[self._at :])

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, empty at the end."""
        if self._ahead:
            piece = bytes(memoryview(self._ahead)[self._at : self._at + size])
            self._at += len(piece)
            if self._at >= len(self._ahead):
                self._ahead, self._at = bytearray(), 0
        else:
            piece = self._read(size)
        if self._hash is not None:
            self._hash.update(piece)
        return piece

    def hash(self) -> None:
        """From here on, hash what is read."""
        self._hash = hashlib.sha256()

    def digest(self) -> str:
        """Read what is left; the sha256 of all that was read since ``hash`` was asked for, in hex."""
        while self.read(1 << 18):
            pass
        return self._hash.hexdigest() if self._hash is not None else ""

    def _read(self, size: int) -> bytes:
        try:
            return self._source.read(size)
        except EOFError as bad:
            raise SourceFault(error("gzip", "the gzip data ends early: the file is cut off")) from bad
        except (gzip.BadGzipFile, zlib.error) as bad:
            raise SourceFault(error("gzip", "the gzip data is damaged")) from bad
        except OSError as bad:
            raise SourceFault(error("source", f"can't be read: {bad.strerror or bad}")) from bad


class _Counting:
    """Counts what is read, and takes back what was read too early."""

    def __init__(self, raw: Readable) -> None:
        self._raw = raw
        self._ahead = b""
        self.taken = 0

    def put_back(self, piece: bytes) -> None:
        self._ahead = piece + self._ahead

    def read(self, size: int = -1, /) -> bytes:
        if self._ahead:
            piece, self._ahead = (self._ahead, b"") if size < 0 else (self._ahead[:size], self._ahead[size:])
            return piece
        piece = self._raw.read(size)
        self.taken += len(piece)
        return piece


class _Pipe(io.RawIOBase):
    """A named pipe; ``wait`` is called while nothing comes, and may raise."""

    def __init__(self, path: Path, wait: Callable[[], None]) -> None:
        super().__init__()
        self._wait = wait
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, empty when all who wrote are gone."""
        while True:
            while not self._poll.poll(_WAKE * 1000):
                self._wait()
            try:
                return os.read(self._fd, HEAD if size < 0 else size)
            except BlockingIOError:
                self._wait()

    def close(self) -> None:
        """Read no more."""
        if not self.closed:
            os.close(self._fd)
        super().close()


def open_source(source: Source, stdin: BinaryIO | None, wait: Callable[[], None] = lambda: None) -> BinaryIO:
    """The source's raw bytes; raises SourceFault.  Standard input is not to be closed.

    ``wait`` is called while a named pipe has nothing to read, and may raise.
    """
    if source.path is None:
        return stdin if stdin is not None else sys.stdin.buffer
    try:
        if source.path.is_fifo():
            return cast("BinaryIO", _Pipe(source.path, wait))
        return source.path.open("rb")
    except OSError as bad:
        raise SourceFault(error("source", f"can't be read: {bad.strerror or bad}")) from bad
