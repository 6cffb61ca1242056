"""A program on a terminal of its own: keys in, bytes out, and when they came."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from bench.measure import ROOT, Failed, peak_of

START = 60.0


class Terminal:
    """Runs a program on a pty; use it as a context manager."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, columns: int = 80, rows: int = 24) -> None:
        self.output = 0
        """Bytes the program wrote so far."""
        self._argv, self._env, self._size = list(argv), dict(env), (rows, columns)
        self._seen = bytearray()

    def __enter__(self) -> Terminal:
        self._fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", *self._size, 0, 0))
        self.began = time.perf_counter()
        self._child = subprocess.Popen(
            self._argv, stdin=inner, stdout=inner, stderr=inner, env=self._env, cwd=ROOT, start_new_session=True
        )
        os.close(inner)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.send_signal(signal.SIGTERM)
        until = time.monotonic() + 8
        while self._child.poll() is None and time.monotonic() < until:
            self._read(0.05)
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        with contextlib.suppress(OSError):
            os.close(self._fd)

    @property
    def peak(self) -> float:
        """Peak resident memory so far in MB."""
        return peak_of(self._child.pid)

    def _read(self, wait: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, wait))
        if not ready:
            return False
        try:
            piece = os.read(self._fd, 1 << 16)
        except OSError:
            return False
        self.output += len(piece)
        self._seen += piece
        return bool(piece)

    def until(self, text: bytes, limit: float = START) -> float:
        """Wait for a text; the moment it came (perf_counter).  What came before it is forgotten."""
        end = time.perf_counter() + limit
        while True:
            at = self._seen.find(text)
            if at >= 0:
                del self._seen[: at + len(text)]
                return time.perf_counter()
            if time.perf_counter() > end or (self._child.poll() is not None and not self._read(0)):
                raise Failed(f"{text!r} did not appear; last came {bytes(self._seen[-500:])!r}")
            self._read(0.05)

    def settle(self, quiet: float = 0.3, limit: float = 10.0) -> None:
        """Read until nothing came for ``quiet`` seconds."""
        end = time.perf_counter() + limit
        while time.perf_counter() < end and self._read(quiet):
            pass
        self._seen.clear()

    def run(self, seconds: float) -> int:
        """Read for so long; how many bytes came."""
        before, end = self.output, time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)
            self._seen.clear()
        return self.output - before

    def press(self, key: bytes) -> float:
        """Send a key; the moment it was sent."""
        self._seen.clear()
        os.write(self._fd, key)
        return time.perf_counter()

    def first(self, key: bytes, limit: float = 5.0) -> float:
        """Seconds from a key to the first byte of the picture it makes."""
        began = self.press(key)
        if not self._read(limit):
            raise Failed(f"the key {key!r} changed nothing")
        return time.perf_counter() - began

    def answer(self, key: bytes, quiet: float = 0.045) -> float:
        """Seconds from a key to the last byte of the picture it made."""
        began = self.press(key)
        last = began
        limit = 5.0
        while self._read(limit):
            last = time.perf_counter()
            limit = quiet
        if last == began:
            raise Failed(f"the key {key!r} changed nothing")
        return last - began
