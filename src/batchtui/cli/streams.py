"""Standard streams that are closed or full: a plain error at the end, never a traceback or a message in a file of ours."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from batchtui.domain.errors import BatchtuiError, InputError

_BUFFER = 64 * 1024


class OutputLost(BatchtuiError):
    """Standard output is closed, or what it goes to is full or broken."""


class ReaderGone(OutputLost):
    """Who read our standard output went away; nothing is said, as ``head`` does so."""

    exit_code = 141


class _Output(io.FileIO):
    """Standard output or error as a file; once ``muted`` it takes everything and writes nothing."""

    def __init__(self, fd: int, closed_before: bool) -> None:
        super().__init__(fd, "wb", closefd=False)
        self._closed_before = closed_before
        self.muted = closed_before and fd == 2

    def write(self, data: Any, /) -> int:
        if self.muted:
            return len(data)
        if self._closed_before:
            raise OutputLost("standard output is closed", advice="redirect it to a file, or to /dev/null")
        try:
            return super().write(data)
        except OSError as bad:
            if self.fileno() == 2:
                self.muted = True
                return len(data)
            if isinstance(bad, BrokenPipeError):
                raise ReaderGone("the reader of standard output closed it") from bad
            raise OutputLost(
                f"can't write to standard output: {bad.strerror or bad}",
                advice="redirect it to a disk with free space; batches and results are kept (batchtui list)",
            ) from bad


class _Input(io.FileIO):
    """Standard input that was closed."""

    def readinto(self, buffer: Any, /) -> int:
        raise InputError("standard input is closed", advice="give a file, or pipe the requests in")

    def readall(self) -> bytes:
        raise InputError("standard input is closed", advice="give a file, or pipe the requests in")


def take_streams() -> None:
    """Stand in for what is closed, before a file of ours gets its number, and watch what is written."""
    closed = {fd for fd in (0, 1, 2) if _fill(fd)}
    if 0 in closed or sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(_Input(0, "rb", closefd=False)), "utf-8", "replace")
    for fd, name in ((1, "stdout"), (2, "stderr")):
        before = getattr(sys, name)
        if before is None or (_is(before, fd) and not before.isatty()):
            encoding = before.encoding if before is not None else "utf-8"
            # What the encoding of an odd locale lacks is no reason to end in the middle of a verb.
            errors = "backslashreplace" if before is None or before.errors == "strict" else before.errors
            raw = io.BufferedWriter(_Output(fd, fd in closed), _BUFFER)
            setattr(sys, name, io.TextIOWrapper(raw, encoding, errors, line_buffering=fd == 2))
        elif isinstance(before, io.TextIOWrapper) and before.errors == "strict":
            before.reconfigure(errors="backslashreplace")


def mute() -> None:
    """Write nothing more to standard output: what it still holds can't be written, and would fail once more at the end."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _Output):
        raw.muted = True
    else:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _fill(fd: int) -> bool:
    """Open nothing at a closed descriptor; True when it was closed."""
    try:
        os.fstat(fd)
        return False
    except OSError:
        pass
    got = os.open(os.devnull, os.O_RDONLY if fd == 0 else os.O_WRONLY)
    if got != fd:
        os.dup2(got, fd)
        os.close(got)
    os.set_inheritable(fd, True)
    return True


def _is(stream: Any, fd: int) -> bool:
    try:
        return bool(stream.fileno() == fd)
    except (AttributeError, OSError, ValueError):
        return False
