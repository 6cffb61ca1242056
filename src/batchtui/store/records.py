"""Batch records on disk: the history, its locks, and the migration of records of older versions."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from batchtui import paths, plainfile
from batchtui.domain.batch import SCHEMA_VERSION, BatchRecord
from batchtui.domain.errors import InputError, LockBusy, StoreError
from batchtui.store import files, record_repair


class _Version(msgspec.Struct):
    schema: int = 0


def version_of(raw: bytes) -> int:
    """The record version of a batch.json; raises msgspec.DecodeError when it is no JSON object."""
    return msgspec.json.decode(raw, type=_Version).schema


def _from_0(old: dict[str, Any]) -> dict[str, Any]:
    # Version 0 was written without a schema number; a run of its own was the default.
    old.setdefault("run", old.get("local_id", ""))
    old["schema"] = 1
    return old


def _from_1(old: dict[str, Any]) -> dict[str, Any]:
    # Version 2 knows more of a record; what it does not say of itself has its default.
    old["schema"] = 2
    return old


STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: _from_0, 1: _from_1}


def migrated(raw: bytes, version: int) -> bytes:
    """A record's bytes in the present version; raises msgspec.DecodeError or ValueError when it can't be brought there."""
    record = msgspec.json.decode(raw)
    if not isinstance(record, dict):
        raise ValueError("is not an object")
    here = version
    while here in STEPS:
        record = STEPS[here](record)
        here = record["schema"]
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def migrate_file(path: Path, raw: bytes, version: int) -> bytes:
    """Bring a record file to the present version; the old bytes are kept as ``batch.json.vN``.

    The caller holds the batch's lock.  Raises msgspec.DecodeError or ValueError when it can't be, StoreError when the
    disk says no.
    """
    new = migrated(raw, version)
    kept = path.with_name(f"{path.name}.v{version}")
    if not kept.exists():
        files.write_atomic(kept, raw)
    if os.access(path.parent, os.W_OK):
        files.write_atomic(path, new)
    return new


_ENCODER = msgspec.json.Encoder(decimal_format="number")
_NEW = ".new-"
_TRASH = ".trash-"

RECORD = "batch.json"
REQUESTS = "requests.jsonl"
RESULTS = "results.jsonl"
PART = "results.jsonl.part"
NEWER = "results.jsonl.new"
"""A download while older results are here: it takes their place only when it holds more."""
INDEX = "results.index"
IDS = "ids.jsonl"
FIELDS = "results.fields"
ANSWER = "answer.json"
"""The whole schemas of answers, beside what was sent of them."""
SKIPPED = "skipped.jsonl"


def _is_text(text: str) -> bool:
    """False when a lone surrogate, as in a file name of odd bytes, stands in it."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def writable(record: BatchRecord) -> BatchRecord:
    """The record with what is no text in a name, such as a file's of odd bytes, replaced."""
    names = {n: getattr(record, n) for n in ("title", "note", "source", "error")}
    broken = {n: text.encode("utf-8", "replace").decode() for n, text in names.items() if not _is_text(text)}
    return msgspec.structs.replace(record, **broken) if broken else record


def encode_record(record: BatchRecord) -> bytes:
    """The record as stored: one indented JSON object, dollars as JSON numbers; what is no text in a name is replaced."""
    record = writable(record)
    return msgspec.json.format(_ENCODER.encode(record), indent=1) + b"\n"


def _stamp(stat: os.stat_result) -> tuple[int, int, int]:
    """What differs when a file was written or replaced."""
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _read(path: str) -> tuple[tuple[int, int, int], bytes]:
    """A record's stamp and bytes; raises OSError."""
    fd, stat = plainfile.open_fd(path, follow=False)
    try:
        raw = os.read(fd, stat.st_size + 1)
        # A read that gave less than was asked for came to the end.
        while len(raw) > stat.st_size and (more := os.read(fd, 1 << 16)):
            raw += more
        return _stamp(stat), raw
    finally:
        os.close(fd)


class History:
    """All records of one data folder.  Methods are thread-safe; those that write raise StoreError."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.root = data / "batches"
        self._base = str(self.root)
        self._cache: dict[str, tuple[tuple[int, int, int], BatchRecord]] = {}
        self._unreadable: dict[str, str] = {}
        self._old: list[str] = []
        """Records of an older version, still to be written anew."""
        self._guard = threading.RLock()

    def folder(self, local_id: str) -> Path:
        """The folder of a batch."""
        return self.root / local_id

    def all(self) -> list[BatchRecord]:
        """Every readable record, newest first; only files that changed are read again."""
        with self._guard:
            seen: set[str] = set()
            try:
                names = [
                    e.name
                    for e in os.scandir(self.root)
                    if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)
                ]
            except FileNotFoundError:
                names = []
            except OSError as error:
                raise files.explain(error, f"can't read {self.root}") from error
            for name in names:
                if self._load(name) is not None:
                    seen.add(name)
            old, self._old = self._old, []
            for name in old:
                self._migrate(name)
            for gone in set(self._cache) - seen:
                del self._cache[gone]
            return [self._cache[name][1] for name in sorted(seen, reverse=True)]

    def get(self, local_id: str) -> BatchRecord | None:
        """One record, None when there is none that can be read."""
        with self._guard:
            return self._load(local_id)

    def of_run(self, run: str) -> list[BatchRecord]:
        """All records of a run, by attempt and part."""
        return sorted((r for r in self.all() if r.run == run), key=lambda r: (r.attempt, r.part, r.local_id))

    def run_folder(self, run: str) -> Path:
        """The folder of a run's first batch, which has what is of the run: its recipe, verdicts and skipped rows."""
        return self.folder(self.of_run(run)[0].local_id)

    def changed_at(self, local_id: str) -> datetime | None:
        """When a record was written last, aware UTC; None when there is none."""
        with self._guard:
            self._load(local_id)
            held = self._cache.get(local_id)
        return datetime.fromtimestamp(held[0][0] / 1e9, UTC) if held is not None else None

    def unreadable(self) -> list[tuple[str, str]]:
        """What was set aside or left alone: (path, why)."""
        with self._guard:
            return sorted(self._unreadable.items())

    def _load(self, name: str, *, locked: bool = False) -> BatchRecord | None:
        path = f"{self._base}/{name}/{RECORD}"
        try:
            held = self._cache.get(name)
            if held is not None and held[0] == _stamp(os.stat(path, follow_symlinks=False)):  # noqa: PTH116
                return held[1]
            stamp, raw = _read(path)
        except FileNotFoundError:
            self._cache.pop(name, None)
            return None
        except OSError as error:
            self._unreadable[path] = f"can't be read: {error.strerror or error}"
            self._cache.pop(name, None)
            return None
        record = self._decode(name, path, raw, locked)
        if record is not None:
            self._cache[name] = (stamp, record)
            self._unreadable.pop(path, None)
        return record

    def _decode(self, name: str, path: str, raw: bytes, locked: bool) -> BatchRecord | None:
        try:
            version = version_of(raw)
            if version > SCHEMA_VERSION:
                self._unreadable[path] = (
                    f"written by a newer batchtui (record version {version}): update batchtui to see it"
                )
                return None
            if version < SCHEMA_VERSION:
                raw = migrated(raw, version) if not locked else migrate_file(Path(path), raw, version)
            record, mended = record_repair.read_record(raw)
            if record.local_id != name:
                raise ValueError(f"says it is {record.local_id!r}")
            if mended and locked:
                self._keep_odd(Path(path), raw)
            if version < SCHEMA_VERSION and not locked:
                self._old.append(name)
            return record
        except (msgspec.DecodeError, ValueError) as error:
            self._set_aside(Path(path), str(error))
            return None

    def _keep_odd(self, path: Path, raw: bytes) -> None:
        """Keep a record's bytes before it is written without the values that could not be believed."""
        kept = path.with_name(f"{path.name}.odd")
        if not kept.exists() and os.access(path.parent, os.W_OK):
            files.write_atomic(kept, raw)

    def _migrate(self, name: str) -> None:
        """Write a record of an older version anew, under its lock: another program may be changing it."""
        with contextlib.suppress(StoreError), self.locked(name, timeout=0.0):
            self._cache.pop(name, None)
            self._load(name, locked=True)

    def _set_aside(self, path: Path, why: str) -> None:
        aside = path.with_name(path.name + ".unreadable")
        n = 1
        while aside.exists():
            n += 1
            aside = path.with_name(f"{path.name}.{n}.unreadable")
        try:
            path.rename(aside)
        except OSError:
            aside = path
        self._unreadable[str(aside)] = (
            f"the record can't be read ({why}); it was set aside, the rest of its folder is unchanged"
        )

    @contextlib.contextmanager
    def locked(self, local_id: str, timeout: float = 30.0) -> Iterator[None]:
        """Hold a batch's lock; raises StoreError when another program holds it longer than ``timeout`` seconds."""
        with lock(self.folder(local_id) / ".lock", timeout, f"batch {local_id} is being changed by another batchtui"):
            yield

    def create(self, record: BatchRecord, moves: Mapping[str, Path] | None = None) -> Path:
        """Make a batch's folder whole or not at all, with ``moves`` (name in the folder → file to move there).

        A folder that is there already is left as it is: making it twice is harmless.
        """
        final = self.folder(record.local_id)
        if final.exists():
            return final
        new = self.root / f"{_NEW}{record.local_id}"
        try:
            files.make_private_dir(new)
            for name, source in (moves or {}).items():
                if source.exists():
                    source.rename(new / name)
            files.write_atomic(new / RECORD, encode_record(record))
            files.fsync_dir(new)
            new.rename(final)
            files.fsync_dir(self.root)
        except OSError as error:
            raise files.explain(error, f"can't make the folder of batch {record.local_id}") from error
        return final

    def update(self, local_id: str, change: Callable[[BatchRecord], BatchRecord]) -> tuple[BatchRecord, BatchRecord]:
        """Change a record under its lock; returns (before, after).  Nothing is written when nothing changed.

        Raises InputError when the batch is not there any more, StoreError when the disk says no.
        """
        if not self.folder(local_id).is_dir():
            raise InputError(f"there is no batch {local_id} in this data folder")
        with self.locked(local_id), self._guard:
            self._cache.pop(local_id, None)
            before = self._load(local_id, locked=True)
            if before is None:
                raise InputError(f"the record of batch {local_id} can't be read")
            after = change(before)
            if after != before:
                path = self.folder(local_id) / RECORD
                files.write_atomic(path, encode_record(after))
                self._cache.pop(local_id, None)
                self._load(local_id)
            return before, after

    def delete(self, local_id: str) -> None:
        """Throw a batch's folder away; raises StoreError."""
        folder = self.folder(local_id)
        if not folder.is_dir():
            return
        with self.locked(local_id):
            trash = self.root / f"{_TRASH}{local_id}"
            try:
                folder.rename(trash)
            except OSError as error:
                raise files.explain(error, f"can't delete {folder}") from error
        _remove_tree(trash)
        with self._guard:
            self._cache.pop(local_id, None)

    def sweep(self) -> None:
        """Remove what a kill left half made or half deleted; only folders whose batch was never sent or was deleted."""
        with contextlib.suppress(OSError):
            for entry in list(os.scandir(self.root)):
                if entry.name.startswith(_TRASH):
                    _remove_tree(entry.path)

    def resolve(self, text: str) -> BatchRecord:
        """The record for a local id, an id of the API, a unique beginning of either, a run's title, or ``last``.

        Raises InputError.
        """
        records = self.all()
        if text == "last":
            if not records:
                raise InputError("there are no batches yet", advice="submit one first: batchtui submit FILE")
            return records[0]
        exact = [r for r in records if text in (r.local_id, r.id)]
        found = exact or [r for r in records if r.local_id.startswith(text) or (r.id or "").startswith(text)]
        titled = [r for r in records if r.title == text] if text and not exact else []
        if len(found) != 1 and titled:
            found = []  # A whole title says more than the beginning of several ids.
        elif titled and found[0].run not in {r.run for r in titled}:
            raise InputError(
                f"{text!r} is the title of {titled[0].run} and the beginning of {found[0].local_id}",
                advice="give more of the id",
            )
        if not found and text:
            if len({r.run for r in titled}) > 1:
                names = ", ".join(dict.fromkeys(r.run for r in titled[:8]))
                raise InputError(f"{text!r} is the title of several runs ({names})", advice="give an id")
            # A title is the run's, as is the id of a first batch that was deleted: its first batch stands for it.
            whole = titled or [r for r in records if r.run == text]
            found = [min(whole, key=lambda r: (r.attempt, r.part))] if whole else []
        if not found or not text:
            on_demo = self._on_demo(text)
            near = "" if on_demo else _near_title(text, records)
            advice = "it is on the demo server: add --demo" if on_demo else "batchtui list --all shows the ids"
            raise InputError(f"no batch has the id or title {text!r}{near}", advice=advice)
        if len(found) > 1:
            names = ", ".join(r.local_id for r in found[:4])
            raise InputError(
                f"{text!r} is the beginning of {len(found)} batches ({names}…)", advice="give more of the id"
            )
        return found[0]

    def _on_demo(self, text: str) -> bool:
        """Whether an id or title that is not here is the demo's."""
        demo = History(paths.demo_dir(self.data)).all()
        return bool(text) and any(text in (r.title, r.local_id, r.id) for r in demo)


def _remove_tree(folder: str | Path) -> None:
    import shutil  # Takes longer to import than the rest of this module.

    shutil.rmtree(folder, ignore_errors=True)


def _near_title(text: str, records: Sequence[BatchRecord]) -> str:
    """The title that a name that is none may stand for, as the end of a sentence; "" without a near one."""
    import difflib  # Only for an error.

    titles = {r.title.casefold(): r.title for r in records[:2_000] if r.title}
    near = difflib.get_close_matches(text[:200].casefold(), titles, 1)
    return f", did you mean {titles[near[0]]!r}?" if near else ""


@contextlib.contextmanager
def lock(path: Path, timeout: float, busy: str) -> Iterator[None]:
    """Hold a lock file between programs and threads; raises StoreError with ``busy`` after ``timeout`` seconds."""
    from filelock import FileLock, Timeout

    held = FileLock(path, timeout=timeout, mode=0o600, thread_local=False)
    try:
        held.acquire(poll_interval=0.02)
    except Timeout as error:
        raise LockBusy(busy, advice="wait, or quit the other program, then try again") from error
    except OSError as error:
        raise files.explain(error, f"can't lock {path}") from error
    try:
        yield
    finally:
        held.release()
