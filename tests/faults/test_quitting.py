"""Quitting, switching profiles and ctrl+c wait for no network: silent servers and a resolver that hangs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchtui.domain.batch import Counts
from tests.preloaded import Child
from tests.tui.work import add_batch, make_service, request
from tests.until import until

HANGING = """
import socket, sys, threading, time
def hang(*_, **__):
    open(MARK, "w").close()
    threading.Event().wait(900)
socket.getaddrinfo = hang
"""
PROGRAM = """
import os, sys
MARK = os.environ["MARK"]
{patch}
from batchtui.cli import main
main()
"""
PATIENCE = 60.0
"""Seconds within which the program must be gone, also on a loaded machine; the network would hold it for 900."""
AGAIN = 10.0
"""Seconds until a key is pressed once more that was not heeded."""


class Silent:
    """A server that accepts connections and never answers; ``spoken`` counts those that were spoken to."""

    def __init__(self) -> None:
        self._sock = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.spoken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._sock.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                held, _ = self._sock.accept()
                self._held.append(held)
                threading.Thread(target=self._listen, args=(held,), daemon=True).start()

    def _listen(self, held: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if held.recv(65536):
                self.spoken += 1
            while held.recv(65536):
                pass

    def close(self) -> None:
        self._sock.close()
        for held in self._held:
            held.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


class Way:
    """How the network hangs: by name, with the address to use and a sign that the program waits for it."""

    def __init__(self, name: str, tmp_path: Path, server: Silent) -> None:
        self.name = name
        self.mark = tmp_path / "asked"
        self.server = server
        self.url = server.url if name == "silent" else "https://api.nowhere.test"
        self.code = PROGRAM.format(patch=HANGING if name == "resolver" else "")
        self.environment = {
            **os.environ,
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "sk-test",
            "BATCHTUI_DATA_DIR": str(tmp_path / "data"),
            "TERM": "xterm-256color",
            "MARK": str(self.mark),
        }

    @property
    def waits(self) -> bool:
        """True once the program waits for the network."""
        return self.server.spoken > 0 if self.name == "silent" else self.mark.exists()


@pytest.fixture(params=[pytest.param("silent", marks=pytest.mark.slow), "resolver"])
def way(request: pytest.FixtureRequest, tmp_path: Path, silent: Silent) -> Way:
    return Way(request.param, tmp_path, silent)


def running(tmp_path: Path, url: str) -> str:
    """A batch that is in progress, so that the first look asks for it; its local id."""
    record = add_batch(
        make_service(tmp_path / "data"),
        [request("a", "x")],
        None,
        status="in_progress",
        created_at=datetime.now(UTC),
        expires_at=None,
        ended_at=None,
        counts=Counts(processing=1),
        profile="default",
        base_url=url,
    )
    return record.local_id


class Terminal:
    """The program in a terminal of its own."""

    def __init__(self, way: Way, *words: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = Child(
            words, code=way.code, env=way.environment, stdin=slave, stdout=slave, stderr=slave, terminal=True
        )
        os.close(slave)
        self.found = b""

    def read(self, seconds: float = 0.05) -> None:
        """Take what was drawn."""
        with contextlib.suppress(OSError):
            while select.select([self.master], [], [], seconds)[0]:
                self.found += os.read(self.master, 65536)

    def until(self, true: object, what: str) -> None:
        def looked() -> bool:
            self.read()
            return bool(true())  # type: ignore[operator]

        try:
            until(looked, what)
        except AssertionError as error:
            raise AssertionError(f"{what} never came; there was {self.found[-400:]!r}") from error

    def press(self, keys: bytes, true: object, what: str) -> None:
        """Press keys until they were heeded: those that came before the program had written its picture do nothing."""
        pressed = 0.0

        def looked() -> bool:
            nonlocal pressed
            if time.monotonic() - pressed > AGAIN:
                pressed = time.monotonic()
                os.write(self.master, keys)
            return bool(true())  # type: ignore[operator]

        self.until(looked, what)

    def left(self, key: bytes) -> int:
        """Its exit code after a key that leaves, which must come within moments."""
        end, pressed = time.monotonic() + PATIENCE, 0.0
        while self.process.poll() is None:
            if time.monotonic() - pressed > AGAIN:
                pressed = time.monotonic()
                with contextlib.suppress(OSError):  # It may just be gone.
                    os.write(self.master, key)
            self.read()
            if time.monotonic() > end:
                self.process.kill()
                raise AssertionError(f"it waits for the network; there was {self.found[-400:]!r}")
        self.read()
        os.close(self.master)
        return self.process.wait()


@pytest.mark.parametrize(
    "key", [pytest.param(b"q", id="q"), pytest.param(b"\x03", id="ctrl+c", marks=pytest.mark.slow)]
)
def test_quitting_while_the_first_look_is_under_way(tmp_path: Path, way: Way, key: bytes) -> None:
    running(tmp_path, way.url)
    terminal = Terminal(way)
    terminal.until(lambda: b"quit" in terminal.found and way.waits, "the first look")
    assert terminal.left(key) == 0
    assert b"\x1b[?1049l" in terminal.found
    assert b"Traceback" not in terminal.found


def test_a_look_that_waits_for_an_answer_holds_no_switch_of_profiles(tmp_path: Path, way: Way) -> None:
    running(tmp_path, way.url)
    config = Path(os.environ["BATCHTUI_CONFIG_DIR"])
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.toml").write_text(f'[profiles.other]\nbase_url = "{way.server.url}"\n')
    terminal = Terminal(way)
    terminal.until(lambda: b"quit" in terminal.found and way.waits, "the first look")
    terminal.press(b"p", lambda: b"other" in terminal.found, "the choice of profiles")
    terminal.found = b""
    terminal.press(
        b"\x1b[B\r", lambda: b"other" in terminal.found and b"Switched" in terminal.found, "the other profile"
    )
    assert terminal.left(b"q") == 0


QUICK = [["submit", "SOURCE", "--yes"], ["sync"]]
SLOW = [
    *(["list", "--refresh"], ["show", "last", "--refresh"], ["watch"], ["results", "last"], ["doctor"]),
    *(["cancel", "last", "--yes"], ["delete", "last", "--yes"], ["check", "SOURCE", "--count-tokens"]),
]


@pytest.mark.parametrize(
    "words",
    [*QUICK, *(pytest.param(words, marks=pytest.mark.slow) for words in SLOW)],
    ids=lambda words: words[0],
)
def test_ctrl_c_on_a_verb_ends_it_with_130_and_a_true_record(tmp_path: Path, way: Way, words: list[str]) -> None:
    source = tmp_path / "source.jsonl"
    source.write_bytes(request("b", "x"))
    local_id = running(tmp_path, way.url)
    if words[0] in ("delete", "results"):
        ended(tmp_path, way.url)
    child = Child(
        [str(source) if word == "SOURCE" else word for word in words],
        code=way.code,
        env=way.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until(lambda: way.waits or child.poll() is not None, "a call")
    child.send_signal(signal.SIGINT)
    out, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130, (out, said)
    assert b"Traceback" not in said and b"interrupted" in said
    records = {r.local_id: r for r in make_service(tmp_path / "data").records()}
    assert records[local_id].status == "in_progress"
    for record in records.values():
        if words[0] == "submit" and record.local_id != local_id:
            # The resolver was asked before anything was sent; the silent server may have made it.
            assert record.status in ("unconfirmed", "submitting")
            assert b"waiting to be sent" in said or b"may have been" in said


def ended(tmp_path: Path, url: str) -> None:
    """A batch that has ended and whose results are not here, newer than the one that runs."""
    add_batch(
        make_service(tmp_path / "data"),
        [request("a", "x")],
        None,
        local_id="20261122T113000Z-bbbbbb",
        created_at=datetime.now(UTC),
        profile="default",
        base_url=url,
    )
