"""The process that renders templates: someone else's template may loop, swell or crash here, and nothing else with it.

It reads frames from standard input, answers on standard output, and ends when its input does.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from batchtui.intake import template_protocol as wire
from batchtui.intake.template import BadRow, RequestTemplate, TookTooLong, too_much
from batchtui.safetext import line as safe

_TICK = 0.25
"""Seconds of computing between two looks at the limits."""
_FLUSH = 256 * 1024
"""Bytes of answers that are sent at once."""
_DECODE = msgspec.json.Decoder(dict[str, Any]).decode
_TELL = 0.1
"""Seconds after which what is done is told, so that silence means a single row."""


class WorkerLimits:
    """The system's limits, and the time of one row."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._before = 0.0
        self._working = False
        self._seconds = wire.READ_SECONDS

    def set(self) -> None:
        """Bound memory, files and time; what the system does not know or allow is left to the other process's watch."""
        for what, most in (
            (resource.RLIMIT_AS, wire.MAX_MEMORY),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
        ):
            _lower(what, most)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, _TICK, _TICK)
        self._allow()

    def begin(self, seconds: float) -> None:
        """The time of a row, or of a template that is read, begins."""
        self._before = time.process_time()
        if seconds != self._seconds:
            self._seconds = seconds
            self._allow()
        self._working = True

    def end(self) -> None:
        """It is over."""
        self._working = False

    def _tick(self, number: int, frame: object) -> None:
        if os.getppid() != self._parent:
            os._exit(0)
        self._allow()
        if self._working and time.process_time() - self._before > self._seconds:
            raise TookTooLong(f"takes longer than {self._seconds:g} s")

    def _allow(self) -> None:
        """Let the system end us when no tick comes for long: it can't while one call into C lasts."""
        most = int(time.process_time() + self._seconds) + 1
        _lower(resource.RLIMIT_CPU, most)


def _lower(what: int, most: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


class Answers:
    """Gathers answers and sends them in frames."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._encode = msgspec.msgpack.Encoder().encode
        self._held: list[wire.Answer] = []
        self._bytes = 0
        self._told = time.monotonic()

    def add(self, answer: wire.Answer, size: int) -> None:
        """Take one answer of about ``size`` bytes."""
        if self._held and self._bytes + size > _FLUSH:
            self.flush()
        self._held.append(answer)
        self._bytes += size
        if time.monotonic() - self._told > _TELL:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        self._told = time.monotonic()
        if self._held:
            held, self._held, self._bytes = self._held, [], 0
            self._send(wire.frame(self._encode(held)))


class Worker:
    """Compiles a template and renders rows with it."""

    def __init__(self, limits: WorkerLimits, answers: Answers) -> None:
        self._limits = limits
        self._answers = answers
        self._template: RequestTemplate | None = None
        self._seconds = wire.MAX_SECONDS

    def compile(self, given: wire.Compile) -> wire.Answer:
        """The template from now on, or what is wrong with it."""
        self._template = None
        self._seconds = given.seconds
        self._limits.begin(given.reading)
        try:
            self._template = made = RequestTemplate(given.text, given.model, given.fallback_model)
            return wire.Compiled(made.betas, made.names, made.replaced_model)
        except wire.BadTemplate as bad:
            return wire.TemplateRefused(bad.found.message, bad.found.detail, bad.line)
        except TookTooLong as bad:
            return wire.TemplateRefused(f"the template {bad} to read", "", 0)
        except (MemoryError, RecursionError):
            return wire.TemplateRefused("the template is nested too deeply, or too large", "", 0)
        finally:
            self._limits.end()

    def block(self, block: wire.Block) -> None:
        """Answer for each row."""
        enter = self._entered if block.careful else None
        for number, row in enumerate(block.rows, block.first):
            answer = self._row(row, number, enter, block.scoped)
            self._answers.add(answer, len(answer.params) if isinstance(answer, wire.Made) else 200)
        self._answers.flush()

    def _row(self, row: dict[str, Any], number: int, enter: Callable[[str], None] | None, scoped: bool) -> wire.Answer:
        assert self._template is not None
        self._limits.begin(self._seconds)
        try:
            if scoped and isinstance(row["row"], bytes):
                row["row"] = _DECODE(row["row"])
            made = self._template.render(row, number, enter, scoped=scoped)
            return wire.Made(*made, self._template.take_said(), self._template.empty)
        except BadRow as bad:
            return wire.Failed(bad.found.code, bad.found.message, bad.found.detail)
        except (msgspec.MsgspecError, UnicodeError) as bad:
            return wire.Failed("template_row", "the row's columns can't be read", safe(str(bad), 120))
        except (TookTooLong, MemoryError, RecursionError) as bad:
            return wire.Failed("template_limit", f"the template {too_much(bad)}", "")
        finally:
            self._limits.end()

    def _entered(self, field: str) -> None:
        self._answers.add(wire.Entered(field), 50)
        self._answers.flush()


def serve(worker: Worker, answers: Answers, read: Callable[[int], bytes]) -> None:
    """Answer questions until there are no more."""
    while head := read(wire.HEAD.size):
        question = wire.QUESTIONS.decode(read(wire.HEAD.unpack(head)[0]))
        if isinstance(question, wire.Compile):
            answers.add(worker.compile(question), 200)
            answers.flush()
        else:
            worker.block(question)


def main() -> None:
    """Serve on standard input and output."""
    given, out = sys.stdin.buffer, sys.stdout.buffer

    def send(data: bytes) -> None:
        out.write(data)
        out.flush()

    limits, answers = WorkerLimits(), Answers(send)
    worker = Worker(limits, answers)
    limits.set()
    try:
        serve(worker, answers, given.read)
    except BrokenPipeError:
        pass
    except TookTooLong:
        os._exit(1)
    os._exit(0)
