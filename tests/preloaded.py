"""Many short-lived processes, quickly: a server imports the program once, and forks for every call.

A ``Child`` is a process of its own, with its own files, environment, signals and end, and is used as a
``subprocess.Popen`` is.  What is not tested by it: imports and the interpreter's start (``sys.executable`` does that).
The server is started before any thread of the tests could matter to it, and has none itself.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from batchtui import subpython
from batchtui.cli.verbs import VERBS

VERB = "import sys\nfrom batchtui.cli import main\nmain(sys.argv[1:])\n"
IMPORTED = (
    "batchtui.cli.program",
    *(module for module, _ in VERBS.values()),
    *("batchtui.service", "batchtui.api.gateway", "batchtui.demo.server", "batchtui.demo.runner", "batchtui.tui.app"),
    *(
        "batchtui.intake.template_process",
        "batchtui.intake.template_worker",
        "batchtui.results.field_worker",
        "batchtui.results.regex_worker",
        "anthropic",
        "jinja2",
        "pytest",
        "tests.quick",
    ),
)
STARTERS = ("batchtui.demo.runner", "batchtui.intake.template_process")
"""Modules that start a process of ours."""
_REPORT = struct.Struct("=i")


class Child:
    """A process that runs ``code`` with ``argv``, from the server's memory; streams as Popen takes them.

    ``session`` begins a new session; ``terminal`` also makes standard input its controlling terminal.  What it starts
    itself (the demo server, what renders templates) is forked too, if it ``starts`` any.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        code: str = VERB,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        cwd: str | Path | None = None,
        session: bool = False,
        terminal: bool = False,
        starts: bool = True,
    ) -> None:
        self.args = list(argv)
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None
        self.stderr: IO[bytes] | None = None
        theirs: list[int] = []
        given = [
            self._stream(0, "stdin", stdin, theirs),
            self._stream(1, "stdout", stdout, theirs),
            self._stream(2, "stderr", stderr, theirs),
        ]
        self._report, told = os.pipe()
        ask = {
            "argv": ["batchtui", *argv], "code": code, "env": dict(os.environ if env is None else env),
            "cwd": str(cwd or Path.cwd()), "session": session or terminal, "terminal": terminal, "starts": starts,
        }  # fmt: skip
        _server().send(ask, [*given, told])
        for fd in (*theirs, told):
            os.close(fd)
        self.pid = self._read()

    def _stream(self, fd: int, name: str, wanted: int | None, theirs: list[int]) -> int:
        if wanted is None:
            return fd
        if wanted == subprocess.DEVNULL:
            theirs.append(os.open(os.devnull, os.O_RDWR))
        elif wanted == subprocess.PIPE:
            end, own = os.pipe() if fd == 0 else reversed(os.pipe())
            theirs.append(end)
            setattr(self, name, os.fdopen(own, "wb" if fd == 0 else "rb"))
        else:
            return wanted
        return theirs[-1]

    def _read(self) -> int:
        said = os.read(self._report, _REPORT.size)
        assert len(said) == _REPORT.size, "the server of preloaded processes has ended"
        return int(_REPORT.unpack(said)[0])

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, minus a signal's number when that ended it; subprocess.TimeoutExpired after ``timeout``."""
        if self.returncode is None:
            # poll takes any descriptor, select only the first 1,024.
            ready = select.poll()
            ready.register(self._report, select.POLLIN)
            if not ready.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = self._read()
            os.close(self._report)
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, given: bytes = b"", timeout: float | None = None) -> tuple[bytes, bytes]:
        """All that it writes to its pipes until it ends; ``timeout`` as in ``wait``."""
        import threading

        found: dict[str, bytes] = {}
        readers = []
        for name in ("stdout", "stderr"):
            stream: IO[bytes] | None = getattr(self, name)
            if stream is not None:

                def read(name: str = name, stream: IO[bytes] = stream) -> None:
                    found[name] = stream.read()

                readers.append(threading.Thread(target=read, daemon=True))
                readers[-1].start()
        if self.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.write(given)
                self.stdin.close()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        return found.get("stdout", b""), found.get("stderr", b"")


def forked(command: Sequence[str], *, env: Mapping[str, str], cwd: str | Path, **how: Any) -> Child:
    """One of the program's own processes, in place of the ``Popen`` that starts it."""
    mark = "-m" if "-m" in command else subpython._BOOT
    module, *argv = command[command.index(mark) + 1 :]
    streams = {name: how[name] for name in ("stdin", "stdout", "stderr")}
    for name, stream in streams.items():
        if stream is not None and not isinstance(stream, int):
            streams[name] = stream.fileno()
    return Child(
        argv,
        code=f"import importlib\nimportlib.import_module({module!r}).main()\n",
        env=env,
        cwd=cwd,
        session=how["start_new_session"],
        starts=False,
        **streams,
    )


FORKING = SimpleNamespace(**{**vars(subprocess), "Popen": forked})
"""``subprocess`` for modules that start such a process."""


class _Line:
    """Asks a server for processes."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def send(self, ask: dict[str, Any], fds: list[int]) -> None:
        # The words go through a pipe, since a message that carries files holds only so much.
        out, into = os.pipe()
        socket.send_fds(self._line, [b"?"], [*fds, out])
        os.close(out)
        with os.fdopen(into, "wb") as pipe:
            pipe.write(json.dumps(ask).encode("utf-8", "surrogateescape"))


class _Server(_Line):
    """This side of the server."""

    def __init__(self) -> None:
        root = Path(__file__).parents[1]
        line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.pathsep.join((str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            cwd=root,
        )
        theirs.close()
        super().__init__(line)
        atexit.register(self.close)

    def close(self) -> None:
        self._line.close()
        self._process.wait(120)


_started: list[_Line] = []


def _server() -> _Line:
    if not _started:
        _started.append(_Server())
    return _started[0]


def serve(line: socket.socket) -> dict[str, Any]:
    """Fork for every ask until the line is closed; returns only in the children, with what each was asked."""
    children: dict[int, int] = {}
    waker, woken = socket.socketpair()
    for end in (waker, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([line, waker], [], [])
        if waker in ready:
            waker.recv(4096)
            _reap(children)
        if line not in ready:
            continue
        word, fds, _, _ = socket.recv_fds(line, 1, 5)
        if not word:
            os._exit(0)
        with os.fdopen(fds[4], "rb") as pipe:
            ask: dict[str, Any] = json.loads(pipe.read().decode("utf-8", "surrogateescape"))
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            _become(ask, fds[:3])
            return ask
        children[pid] = fds[3]
        os.write(fds[3], _REPORT.pack(pid))
        for fd in fds[:3]:
            os.close(fd)


def _reap(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        report = children.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(report, _REPORT.pack(os.waitstatus_to_exitcode(status)))
        os.close(report)


def _become(ask: dict[str, Any], fds: list[int]) -> None:
    """Make a forked copy of the server what a newly started program is."""
    import random

    for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGWINCH):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
    os.closerange(3, max(fds[-1], 256) + 1)
    if ask["session"]:
        os.setsid()
    if ask["terminal"]:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(ask["env"])
    os.chdir(ask["cwd"])
    sys.argv = ask["argv"]
    random.seed()
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="strict", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", 1 if os.isatty(1) else -1, "utf-8", "strict", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115


def _apart() -> None:
    """Leave the session and the streams of the process that this one serves."""
    os.setsid()
    with open(os.devnull, "r+b", 0) as nothing:
        for fd in range(3):
            os.dup2(nothing.fileno(), fd)


def _with_its_own_server(line: socket.socket) -> dict[str, Any]:
    """As ``serve``; each child gets a server for what it starts, forked before it has threads."""
    while True:
        ask = serve(line)
        line.detach()
        if not ask["starts"]:
            return ask
        mine, line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork():
            line.close()
            _started.append(_Line(mine))
            for module in STARTERS:
                sys.modules[module].subprocess = FORKING  # type: ignore[attr-defined]
            return ask
        mine.close()
        _apart()


def main() -> None:
    import gc
    import importlib
    import threading

    import httpcore2

    for name in (*IMPORTED, *STARTERS):
        importlib.import_module(name)
    from tests.quick import read_certificates_once, trust_the_disk

    trust_the_disk()
    read_certificates_once()
    httpcore2.default_ssl_context()
    # Templates are looked at more often, so that a test's short limit holds.
    sys.modules["batchtui.intake.template_worker"]._TICK = 0.05  # type: ignore[attr-defined]
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()
    ask = _with_its_own_server(socket.socket(fileno=int(sys.argv[1])))
    try:
        exec(compile(ask["code"], "<preloaded>", "exec"), {"__name__": "__main__"})
        code = 0
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        code = end.code or 0
    # What the interpreter does at its end, but for tearing down the server's modules one by one.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            code = 120
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
