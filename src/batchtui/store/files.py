"""Writing that survives a kill: private modes, whole or not at all, on the disk before it counts."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from batchtui import plainfile
from batchtui.domain.errors import StoreError

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


_BUFFER = 32 * 1024
"""Bytes; pieces of 64 KB pass by it, and Linux takes those up to four times as quickly as larger ones."""


def explain(error: OSError, what: str) -> StoreError:
    """Our error for an OSError met while doing ``what``, with what to do next."""
    advice = {
        errno.ENOSPC: "free some disk space and try again; nothing was lost",
        errno.EDQUOT: "your disk quota is used up: free some space and try again; nothing was lost",
        errno.EROFS: "the disk is read-only: choose another folder with --data-dir or BATCHTUI_DATA_DIR",
        errno.EACCES: "check the permissions, or choose another folder with --data-dir",
        errno.EPERM: "check the permissions, or choose another folder with --data-dir",
        errno.ELOOP: "a symbolic link is in the place of a file of batchtui: remove it",
        errno.EINVAL: "give the name of a regular file",
        errno.ENXIO: "it is a named pipe or a device: give the name of a regular file",
        errno.EMFILE: "too many open files: raise the limit (ulimit -n) and try again",
    }.get(error.errno or 0, "check that the folder exists and is writable, then try again")
    return StoreError(f"{what}: {error.strerror or error}", advice=advice)


def make_private_dir(path: Path) -> Path:
    """Make a folder and its parents, 0700 for those made here, whatever the umask; raises StoreError."""
    try:
        missing = []
        here = path
        while not here.exists():
            missing.append(here)
            here = here.parent
        for each in reversed(missing):
            with suppress(FileExistsError):  # Another program was quicker.
                each.mkdir(mode=0o700)
                each.chmod(0o700)
        if path.is_symlink() and not path.is_dir():
            raise OSError(errno.ELOOP, "a symbolic link is in the way")
    except OSError as error:
        raise explain(error, f"can't make {path}") from error
    return path


def open_private(path: Path, mode: str = "wb") -> BinaryIO:
    """Open a file of ours without following a symlink; ``mode`` is wb, xb, ab or r+b.

    One that is made here is 0600, whatever the umask.  Raises OSError, for what is no regular file too.
    """
    flags = {
        "wb": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
        "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
        "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
        "r+b": os.O_RDWR | os.O_CREAT,
    }[mode]
    missing = not os.path.lexists(path)
    fd = os.open(path, flags | _NO_FOLLOW | os.O_NONBLOCK, 0o600)
    try:
        plainfile.refuse_odd(os.fstat(fd).st_mode, path)
        if missing:
            os.fchmod(fd, 0o600)
    except OSError:
        os.close(fd)
        raise
    return os.fdopen(fd, "ab" if mode == "ab" else "r+b" if mode == "r+b" else "wb", buffering=_BUFFER)


def fsync_dir(path: Path) -> None:
    """Make a rename inside ``path`` last through a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def atomic(path: Path, *, lasting: bool = True, replace: bool = True) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all: temporary beside it, fsync, rename, fsync the folder.

    Without ``lasting`` a power cut may leave it torn: for what is checked when read, and made again at will.  Without
    ``replace`` a file that is there by then stays, FileExistsError says so.  On any error the old file stays as it was and
    the temporary goes; raises StoreError for the disk's errors.
    """
    with atomic_path(path, lasting=lasting, replace=replace) as temp, open_private(temp, "xb") as file:
        yield file


@contextmanager
def atomic_path(path: Path, *, lasting: bool = True, replace: bool = True) -> Iterator[Path]:
    """The same for what is written by its path: the temporary's, where nothing is yet."""
    temp = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        try:
            yield temp
            if lasting:
                _fsync(temp)
            if replace:
                temp.replace(path)
            else:
                _rename_new(temp, path)
            if lasting:
                fsync_dir(path.parent)
        except FileExistsError:
            raise
        except OSError as error:
            raise explain(error, f"can't write {path}") from error
    finally:
        with suppress(OSError):  # A read-only disk refuses it even where there is none.
            temp.unlink(missing_ok=True)


def _fsync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | _NO_FOLLOW)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _rename_new(temp: Path, path: Path) -> None:
    """Rename to a name that nothing has; raises FileExistsError."""
    try:
        os.link(temp, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # A file system without hard links.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "it already exists", str(path)) from None
        temp.replace(path)


def write_atomic(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` whole, or leave it as it was; raises StoreError."""
    with atomic(path) as file:
        file.write(data)
