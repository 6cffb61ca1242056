"""Asks another process to render templates, watches it, and puts an end to it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import IO

import msgspec

from batchtui import subpython
from batchtui.domain.errors import StoreError
from batchtui.intake import template_protocol as wire
from batchtui.intake.problems import error

WORKER = "batchtui.intake.template_worker"
SILENCE = 30.0
"""Seconds a single row may take by the clock on the wall: the process itself ends sooner, by what it computes."""
_WAKE = 0.05
"""Seconds between two looks at whether to stop."""
_LOOK = 0.25
"""Seconds between two looks at its memory."""
_ENCODE = msgspec.msgpack.Encoder().encode


class Died(Exception):
    """The process came to its end, or was put to it; the text says what the template did, as a part of a sentence."""


class TemplateProcess:
    """A process of its own that renders with one template at a time.

    ``wait`` is called while there is nothing to do, and may raise to stop everything.
    """

    def __init__(self, wait: Callable[[], None] = lambda: None) -> None:
        self._wait = wait
        self._child: subprocess.Popen[bytes] | None = None
        self._text = ""
        self._out = bytearray()
        self._in = bytearray()
        self._heard = 0.0
        self._looked = 0.0
        self.betas: tuple[str, ...] = ()
        self.names: tuple[str, ...] = ()
        """Columns that the template may use."""
        self.replaced_model = ""
        """The template's own model, where another was asked for."""

    def compile(
        self, text: str, wait: Callable[[], None] | None = None, model: str = "", fallback_model: str = ""
    ) -> None:
        """Take a template; raises BadTemplate, and StoreError when no process can be started.

        ``model`` goes before its own, ``fallback_model`` is for one that names none.
        """
        self._wait = wait or self._wait
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._start()
        self._given = (text, model, fallback_model)
        self._put(_ENCODE(wire.Compile(text, wire.MAX_SECONDS, wire.READ_SECONDS, model, fallback_model)))
        try:
            answer = self.answers()[0]
        except Died as bad:
            raise wire.BadTemplate(error("template", f"the template {bad} while it is read")) from bad
        if isinstance(answer, wire.TemplateRefused):
            raise wire.BadTemplate(error("template", answer.message, answer.detail), answer.line)
        if not isinstance(answer, wire.Compiled):
            raise wire.BadTemplate(error("template", "the template can't be read"))
        self.betas, self.names = answer.betas, answer.names
        self.replaced_model = answer.replaced_model

    def restart(self) -> None:
        """A new process with the same template; raises BadTemplate and StoreError."""
        self.close()
        text, model, fallback = self._given
        self.compile(text, None, model, fallback)

    def send(self, first: int, rows: Sequence[bytes], *, careful: bool = False, scoped: bool = False) -> None:
        """Give encoded rows to render, the first of them with this number; ``scoped`` ones are of a run."""
        block = wire.RawBlock(first, careful, [msgspec.Raw(row) for row in rows], scoped)
        self._put(_ENCODE(block))

    @property
    def answered(self) -> bool:
        """Whether ``answers`` has some at once."""
        self._exchange(0.0)
        return self._whole() is not None

    def answers(self) -> list[wire.Answer]:
        """The next answers, in the order of what was given; raises Died."""
        while (size := self._whole()) is None:
            if not self._exchange(_WAKE):
                self._wait()
                self._watch()
        try:
            found = wire.ANSWERS.decode(self._in[wire.HEAD.size : size])
        except (msgspec.MsgspecError, UnicodeDecodeError) as bad:
            raise self._end("breaks the renderer's replies") from bad
        del self._in[:size]
        if not found:
            raise self._end("breaks the renderer's replies")
        return found

    def close(self) -> None:
        """End the process, whatever it does."""
        child, self._child = self._child, None
        self._out.clear()
        self._in.clear()
        if child is not None:
            subpython.end(child)

    # ----------------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        try:
            child = subprocess.Popen(
                subpython.command(WORKER),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                env=subpython.environment(),
                start_new_session=True,
            )
        except (OSError, ValueError) as bad:
            what = getattr(bad, "strerror", None) or bad
            raise StoreError(
                f"can't start the process that renders templates: {what}",
                advice="free memory, or raise the limit of processes (ulimit -u), then try again",
            ) from bad
        self._child = child
        self._heard = time.monotonic()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            subpython.widen(pipe)

    def _put(self, payload: bytes) -> None:
        self._heard = time.monotonic()
        self._out += wire.HEAD.pack(len(payload))
        self._out += payload
        self._exchange(0.0)

    def _whole(self) -> int | None:
        """Bytes of the first answer frame, its head included, once it is whole; raises Died for one that is too large."""
        if len(self._in) < wire.HEAD.size:
            return None
        size: int = wire.HEAD.unpack_from(self._in)[0]
        if size > wire.MAX_FRAME:
            raise self._end("breaks the renderer's replies")
        return size + wire.HEAD.size if len(self._in) >= size + wire.HEAD.size else None

    def _exchange(self, seconds: float) -> bool:
        """Write and read what is possible, waiting at most so long for either; True when something went. Raises Died."""
        child = self._child
        if child is None:
            raise Died("ended the renderer")
        assert child.stdin is not None
        assert child.stdout is not None
        poll = select.poll()
        poll.register(child.stdout, select.POLLIN)
        if self._out:
            poll.register(child.stdin, select.POLLOUT)
        ready = {fd for fd, _ in poll.poll(seconds * 1000)}
        if child.stdin.fileno() in ready:
            self._write(child.stdin)
        if child.stdout.fileno() in ready:
            self._read(child.stdout)
        return bool(ready)

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            sent = os.write(pipe.fileno(), bytes(self._out[: subpython.PIPE]))
        except BlockingIOError:
            return
        except OSError:
            self._out.clear()  # Reading tells how it ended.
            return
        del self._out[:sent]

    def _read(self, pipe: IO[bytes]) -> None:
        try:
            piece = os.read(pipe.fileno(), subpython.PIPE)
        except BlockingIOError:
            return
        if not piece:
            raise self._end("")
        self._heard = time.monotonic()
        self._in += piece

    def _watch(self) -> None:
        """Put an end to a process that says nothing for too long, or grows too large where the system does not stop it."""
        now = time.monotonic()
        if now - self._heard > SILENCE:
            raise self._end(f"takes longer than {SILENCE:.0f} s")
        if self._child is not None and now - self._looked > _LOOK:
            self._looked = now
            if resident(self._child.pid) > wire.MAX_MEMORY:
                raise self._end(f"needs more than {wire.MAX_MEMORY >> 20} MB of memory")

    def _end(self, why: str) -> Died:
        child = self._child
        if child is not None and not why:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1.0)
        code = child.returncode if child is not None else None
        self.close()
        return Died(why or _ended(code))


def _ended(code: int | None) -> str:
    if code == -signal.SIGXCPU:
        return f"takes longer than {wire.MAX_SECONDS:g} s"
    if code is not None and code < 0:
        return f"ends the renderer ({signal.strsignal(-code) or f'signal {-code}'})"
    return "ends the renderer"


def resident(pid: int) -> int:
    """Bytes of memory a process holds, 0 when that can't be told."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        pass
    try:
        told = subprocess.run(
            ["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False, timeout=2.0, env={}
        )
        return int(told.stdout or b"0") * 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
