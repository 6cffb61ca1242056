"""The other end of ``typed_home``: a pseudo-terminal to type on, and a socket to ask what came of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from textual.keys import _character_to_key

LIMIT = 120.0
_NAMED = {
    **{_character_to_key(chr(code)): chr(code) for code in range(33, 127)},
    **{f"ctrl+{chr(code + 96)}": chr(code) for code in range(1, 27)},
    **{"enter": "\r", "tab": "\t", "space": " ", "backspace": "\x7f", "escape": "\x1b[27u", "shift+tab": "\x1b[Z"},
    **{"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F"},
    **{"pageup": "\x1b[5~", "pagedown": "\x1b[6~", "delete": "\x1b[3~", "insert": "\x1b[2~"},
    **{"f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~"},
}


def typed(key: str) -> bytes | None:
    """What a terminal sends for a key; None for one that it can't be told apart."""
    sign = _NAMED.get(key)
    return sign.encode() if sign is not None else None


class TypedTerminal:
    """The program on a terminal; what it draws is read unless it is stalled."""

    def __init__(self, folder: Path, size: tuple[int, int] = (80, 24), *, pause: float = 0, first: bytes = b"") -> None:
        """``pause`` as ``typed_home`` takes it; ``first`` is typed before the program runs."""
        root = Path(__file__).parents[2]
        environment = {**os.environ, "TERM": "xterm-256color", "TZ": "UTC", "EDITOR": "true", "PAGER": "true"}
        # It is begun before a test's own folders are set, and must not write into a person's.
        environment |= {"HOME": str(folder), "ANTHROPIC_CONFIG_DIR": str(folder / "sdk"), "NO_PROXY": "*"}
        environment |= {f"BATCHTUI_{each}_DIR": str(folder / each.lower()) for each in ("DATA", "CONFIG", "CACHE")}
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{root / 'src'}"
        self._fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        os.write(self._fd, first)
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.tui.typed_home",
                str(folder / "data"),
                str(folder / "f"),
                str(theirs.fileno()),
                str(pause),
            ],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment,
            start_new_session=True,
            cwd=root,
            pass_fds=[theirs.fileno()],
        )
        self._name = os.ttyname(inner)
        os.close(inner)
        theirs.close()
        ours.settimeout(LIMIT)
        self._talk = ours.makefile("rw", encoding="utf-8")
        ours.close()
        self.drawn = bytearray()
        self.sent: list[float] = []
        """When each key was typed, by the number that the program gives it."""
        self._stalled = threading.Event()
        self._still = threading.Event()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._over:
            if self._stalled.is_set():
                self._still.set()
                time.sleep(0.01)
            elif select.select([self._fd], [], [], 0.05)[0]:
                try:
                    self.drawn += os.read(self._fd, 1 << 16)
                except OSError:
                    return

    def close(self) -> None:
        """End the program."""
        with contextlib.suppress(OSError):
            self._talk.close()
        self.go_on()
        self._process.kill()
        self._process.wait()
        self._over = True
        self._reader.join()
        os.close(self._fd)

    def stall(self) -> None:
        """Read nothing of what it draws until ``go_on``; the terminal's buffer is full."""
        self._still.clear()
        self._stalled.set()
        assert self._still.wait(LIMIT)
        full = os.open(self._name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(full, bytes(256))
        os.close(full)

    def go_on(self) -> None:
        """Read what it draws."""
        self._stalled.clear()

    def ask(self, **asked: Any) -> Any:
        """A question to the program."""
        self._talk.write(json.dumps(asked) + "\n")
        self._talk.flush()
        try:
            line = self._talk.readline()
        except OSError:
            line = ""
        assert line, f"it ended: {bytes(self.drawn[-3000:]).decode(errors='replace')}"
        said = json.loads(line)
        assert not (isinstance(said, dict) and "failed" in said), said
        return said

    def go(self, place: str) -> list[list[str]]:
        """To a place; the keys that are bound there, with action and node."""
        found: list[list[str]] = self.ask(ask="go", place=place)
        self.sent = [0.0] * self.state()["arrived"]
        return found

    def state(self) -> dict[str, Any]:
        """How it stands."""
        found: dict[str, Any] = self.ask(ask="state")
        return found

    def until(self, true: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait for a condition on the state."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            state = self.state()
            if true(state):
                return state
            time.sleep(0.005)
        raise AssertionError(f"it never came true: {state}")

    def type(self, keys: Sequence[bytes], apart: float) -> None:
        """Type keys, all in one write or some seconds apart."""
        if apart:
            for key in keys:
                self.sent.append(time.monotonic())
                os.write(self._fd, key)
                time.sleep(apart)
        else:
            self.sent += [time.monotonic()] * len(keys)
            os.write(self._fd, b"".join(keys))

    def rested(self) -> dict[str, Any]:
        """The state once all that was typed is over; a program that had the terminal may have taken some of it."""

        def over(state: dict[str, Any]) -> bool:
            outside = any(each["what"] == "suspend" for each in state["log"])
            return bool(state["idle"] and (outside or state["arrived"] >= len(self.sent)))

        self.until(over)
        return self.until(over)


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """Some processes that keep the machine busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()
