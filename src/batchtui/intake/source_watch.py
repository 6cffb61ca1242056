"""What a plan is made from: each source as it lay on the disk while it was read, and whether it still does."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from batchtui import plainfile
from batchtui.domain.plan import CheckedSource, Origin
from batchtui.intake.options import IntakeOptions
from batchtui.intake.problems import error
from batchtui.intake.sources import Source, SourceFault, expand

_RACY_NS = 2 * 10**9
"""A file written so shortly before it was read may be written again without its times telling, in nanoseconds."""
_BESIDE = 64 * 1024
"""Pieces from this size on are hashed in a thread beside the reading, in bytes."""
_AHEAD = 8
"""Pieces that may wait to be hashed."""
_LEFT_OUT = "left out"


class _Gathered:
    """One source as given, a file or a folder, while its files are read one after the other."""

    def __init__(self, name: str, *, folder: bool) -> None:
        self.name = name
        self._folder = folder
        self._files = 0
        self._size = self._mtime_ns = self._written_ns = 0
        self._state = hashlib.sha256()
        self._contents = hashlib.sha256()
        self._only = ""

    def add(self, name: str, found: os.stat_result, fingerprint: str) -> None:
        """One more of its files, in the order of names."""
        self._files += 1
        self._size += found.st_size
        self._mtime_ns = max(self._mtime_ns, found.st_mtime_ns)
        self._written_ns = max(self._written_ns, found.st_mtime_ns, found.st_ctime_ns)
        marks = (name, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        self._state.update(repr(marks).encode())
        self._contents.update(repr((name, fingerprint)).encode())
        self._only = fingerprint

    def finished(self) -> CheckedSource:
        """The source as it was."""
        racy = time.time_ns() - self._written_ns < _RACY_NS
        alone = self._files == 1 and not self._folder
        return CheckedSource(
            name=self.name,
            size=self._size,
            mtime_ns=self._mtime_ns,
            state="" if racy else self._state.hexdigest(),
            fingerprint=self._only if alone else self._contents.hexdigest(),
        )


class Watch:
    """Sees that sources hold still while they are read; with ``fingerprints`` remembers them, to tell changes later."""

    def __init__(self, given: Sequence[str], options: IntakeOptions, *, fingerprints: bool) -> None:
        self._given = tuple(given)
        self.options = options
        self._fingerprints = fingerprints
        self._gathered: dict[str, _Gathered] = {}
        self._left_out: list[str] = []
        self._ignored = _own_files(options)
        self._hasher: ThreadPoolExecutor | None = None

    def reading(self, source: Source, raw: BinaryIO) -> Watched:
        """The source's bytes, watched while they are read."""
        return Watched(source, raw, self._thread if self._fingerprints else None)

    def _thread(self) -> ThreadPoolExecutor:
        if self._hasher is None:
            self._hasher = ThreadPoolExecutor(1, thread_name_prefix="fingerprint")
        return self._hasher

    def note(self, source: Source, watched: Watched) -> None:
        """The source was read to its end; raises SourceFault when it changed meanwhile."""
        found = watched.held_still()
        if found is not None and self._fingerprints:
            self._add(source, found, watched.fingerprint())

    def note_left_out(self, source: Source) -> None:
        """The source, found in a folder, holds no requests."""
        if source.path is not None and self._fingerprints:
            with contextlib.suppress(OSError):  # One that is gone by now is not missed.
                self._add(source, source.path.stat(), _LEFT_OUT)
                self._left_out.append(source.name)

    def _add(self, source: Source, found: os.stat_result, fingerprint: str) -> None:
        if source.path is not None and not _ignored(source.path, self._ignored):
            _group(self._gathered, source).add(source.name, found, fingerprint)

    def close(self) -> None:
        """Let the hashing thread go."""
        if self._hasher is not None:
            self._hasher.shutdown(cancel_futures=True)

    def origin(self, template_file: CheckedSource | None) -> Origin:
        """All that was read, to be compared later."""
        options = self.options
        return Origin(
            given=self._given,
            sources=tuple(each.finished() for each in self._gathered.values()),
            left_out=tuple(self._left_out),
            ignored=self._ignored,
            template=str(options.template or ""),
            template_file=template_file,
            template_text=options.template_text or "",
            format=options.format or "",
            delimiter=options.table.delimiter,
            encoding=options.table.encoding,
            skip_rows=options.table.skip_rows,
            comment=options.table.comment,
            no_header=options.table.no_header,
            model=options.default_model or "",
            skip_bad=options.skip_bad,
            cache_prefix=options.cache_prefix,
            close_schemas=options.close_schemas,
            runs=tuple(dict.fromkeys(each.run for each in options.runs.values())),
            kind=next((each.kind for each in options.runs.values()), ""),
            only=options.choice.only,
            filter=options.choice.filter,
            made_from=tuple(dict.fromkeys((*options.made_from, *(each.run for each in options.runs.values())))),
            changes=dict(options.set),
        )


class Watched:
    """A source's raw bytes on their way; ``hasher`` gives the thread that hashes them, None where nobody asks."""

    def __init__(self, source: Source, raw: BinaryIO, hasher: Callable[[], ThreadPoolExecutor] | None) -> None:
        self._raw = raw
        self._before = _regular(raw) if source.path is not None else None
        self._hasher = hasher if self._before is not None else None
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._pending: deque[Future[None]] = deque()
        self._digest = ""

    @property
    def hashes(self) -> bool:
        """True when its fingerprint can be had: it is a regular file, and somebody asks."""
        return self._hasher is not None

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        piece = self._raw.read(size)
        if piece and self._hasher is not None:
            self._take(piece, self._hasher)
        return piece

    def _take(self, piece: bytes, hasher: Callable[[], ThreadPoolExecutor]) -> None:
        self._hashed += len(piece)
        if len(piece) < _BESIDE:
            self._wait(0)
            self._hash.update(piece)
        else:
            self._pending.append(hasher().submit(self._hash.update, piece))
            self._wait(_AHEAD)

    def _wait(self, most: int) -> None:
        while len(self._pending) > most:
            self._pending.popleft().result()

    def held_still(self) -> os.stat_result | None:
        """The file's state, None when it is no regular file; raises SourceFault when it changed while it was read."""
        if self._before is None:
            return None
        now = os.fstat(self._raw.fileno())
        if (now.st_size, now.st_mtime_ns) != (self._before.st_size, self._before.st_mtime_ns):
            raise SourceFault(error("source_changed", "it changed while it was read: wait until it is complete"))
        return now

    def fingerprint(self) -> str:
        """The sha256 of the whole file, in hex; what no reader asked for is read now.  Raises SourceFault."""
        if not self._digest:
            self._wait(0)
            assert self._before is not None
            whole = self._hashed == self._before.st_size
            self._digest = self._hash.hexdigest() if whole else self._read_again()
        return self._digest

    def _read_again(self) -> str:
        try:
            self._raw.seek(0)
            return _hashed(self._raw)
        except OSError as bad:
            raise SourceFault(error("source", f"can't be read: {bad.strerror or bad}")) from bad


def checked_file(path: Path, data: bytes, found: os.stat_result) -> CheckedSource:
    """A file that was read whole, such as a template."""
    gathered = _Gathered(str(path), folder=False)
    gathered.add(str(path), found, hashlib.sha256(data).hexdigest())
    return gathered.finished()


def fingerprint_of(path: Path) -> str:
    """The sha256 of a regular file's bytes, in hex; raises OSError."""
    with plainfile.opened(path) as file:
        return _hashed(file)


def _hashed(file: BinaryIO) -> str:
    found = hashlib.sha256()
    while piece := file.read(1 << 18):
        found.update(piece)
    return found.hexdigest()


def changed(origin: Origin) -> tuple[str, ...]:
    """Names of the files and folders that are not any more what was read; empty when all are.

    Slow where times don't tell: what was written a moment before it was read is read again.
    """
    found = [each.name for each in origin.sources if not _same_source(each, origin)]
    if origin.template_file is not None and not _same_file(origin.template_file):
        found.append(origin.template_file.name)
    return tuple(found)


def _same_source(checked: CheckedSource, origin: Origin) -> bool:
    try:
        now = _now(checked.name, origin, contents=False)
        if now is None or (now.state and now.state == checked.state):
            return now is not None
        now = _now(checked.name, origin, contents=True)
        return now is not None and now.fingerprint == checked.fingerprint
    except OSError:
        return False


def _now(name: str, origin: Origin, *, contents: bool) -> CheckedSource | None:
    """A source as it lies there now; without ``contents`` its fingerprint means nothing.  None when it is gone."""
    gathered: dict[str, _Gathered] = {}
    given = [each for each in origin.given if each != "-" and str(Path(each).expanduser()) == name]
    template = Path(origin.template) if origin.template else None
    for source in expand(given, template):
        if not isinstance(source, Source) or source.path is None or _ignored(source.path, origin.ignored):
            continue
        apart = source.name in origin.left_out
        fingerprint = _LEFT_OUT if apart else fingerprint_of(source.path) if contents else ""
        _group(gathered, source).add(source.name, source.path.stat(), fingerprint)
    return gathered[name].finished() if name in gathered else None


def _same_file(checked: CheckedSource) -> bool:
    try:
        return fingerprint_of(Path(checked.name)) == checked.fingerprint
    except OSError:
        return False


def _group(gathered: dict[str, _Gathered], source: Source) -> _Gathered:
    name = str(source.folder or source.path)
    return gathered.setdefault(name, _Gathered(name, folder=source.folder is not None))


def _regular(raw: BinaryIO) -> os.stat_result | None:
    """A file's state, None for what can be read only once."""
    try:
        found = os.fstat(raw.fileno())
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _own_files(options: IntakeOptions) -> tuple[str, ...]:
    """What the check itself writes, which may lie in a folder that is a source."""
    path = options.skipped_path
    return (str(path.absolute()), str(path.with_suffix(".problems.jsonl").absolute())) if path else ()


def _ignored(path: Path, ignored: tuple[str, ...]) -> bool:
    return bool(ignored) and str(path.absolute()) in ignored
