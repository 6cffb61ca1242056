"""The app leaves when its terminal does, and gives the terminal back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from pathlib import Path

import pytest

from tests.preloaded import Child
from tests.tui.home_data import furnished

WITHIN = 120.0
"""Seconds after which what hangs is called so."""
PROGRAM = """
import sys, pathlib
from tests.tui.home_data import make_service
from tests.tui.work import QuietEngine
from batchtui.tui import app
from batchtui.tui.app import BatchtuiApp
service = make_service(pathlib.Path(sys.argv[1]))
sys.exit(BatchtuiApp(service, QuietEngine()).run() or 0)
"""


# The hang-up's signal is kept from this one, so that only the terminal itself can tell.
HEEDLESS = PROGRAM.replace(
    "import sys", "import sys, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])\nimport sys", 1
)

IMPATIENT = PROGRAM.replace("service =", "from batchtui.tui import terminal\nterminal.PATIENCE = 0.2\nservice =", 1)
"""One that is given less time to leave by itself."""


def read_until(fd: int, needle: bytes, seconds: float = WITHIN) -> bytes:
    """Read the terminal until something stands there."""
    found = b""
    end = time.monotonic() + seconds
    while needle not in found:
        if time.monotonic() > end:
            raise AssertionError(f"{needle!r} never came; there was {found[-500:]!r}")
        if select.select([fd], [], [], 0.2)[0]:
            found += os.read(fd, 65536)
    return found


def started(data: Path, program: str = PROGRAM) -> tuple[Child, int]:
    """The app in a terminal of its own, after its first paint."""
    furnished(data)
    environment = {**os.environ, "TERM": "xterm-256color"}
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = Child([str(data)], code=program, stdin=slave, stdout=slave, stderr=slave, env=environment, session=True)
    os.close(slave)
    read_until(master, b"need attention")
    return process, master


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_app_and_restores_the_terminal(tmp_path: Path, number: signal.Signals) -> None:
    process, terminal = started(tmp_path)
    process.send_signal(number)
    rest = read_until(terminal, b"\x1b[?1049l")
    assert process.wait(WITHIN) == 128 + number
    assert b"Traceback" not in rest
    os.close(terminal)


def test_a_terminal_that_goes_away_ends_the_app(tmp_path: Path) -> None:
    process, terminal = started(tmp_path)
    os.close(terminal)
    process.send_signal(signal.SIGHUP)
    assert process.wait(WITHIN) != 0


def test_a_terminal_that_goes_away_without_a_signal_ends_the_app(tmp_path: Path) -> None:
    furnished(tmp_path)
    process, terminal = started(tmp_path, HEEDLESS)
    os.close(terminal)
    assert process.wait(WITHIN) != 0


def test_a_terminal_that_stalls_does_not_keep_the_app_from_leaving(tmp_path: Path) -> None:
    process, terminal = started(tmp_path, IMPATIENT)
    # Nobody reads any more: resizes fill the pipe until the app's own loop blocks in a write.
    for n in range(200):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24 + n % 2, 80 + n % 7, 0, 0))
        process.send_signal(signal.SIGWINCH)
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(WITHIN) != 0
    finally:
        os.close(terminal)


def test_q_leaves_with_code_0(tmp_path: Path) -> None:
    process, terminal = started(tmp_path)
    found = b""
    while b"\x1b[?1049l" not in found:  # A key that is typed before the whole first paint is written does nothing.
        if process.poll() is not None:
            break
        os.write(terminal, b"q")
        with contextlib.suppress(OSError):  # On Linux reading fails when the other end is gone.
            while select.select([terminal], [], [], 0.2)[0]:
                found += os.read(terminal, 65536)
    assert process.wait(WITHIN) == 0
    os.close(terminal)
