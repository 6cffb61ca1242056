"""Output and exit: messages, JSON, every error as a sentence with advice, and its exit code."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from batchtui import safetext
from batchtui.cli.streams import OutputLost, ReaderGone, mute
from batchtui.domain.errors import BatchtuiError
from batchtui.paths import NoFolder, printable

INTERRUPTED = 130
_lost: list[OutputLost] = []
"""What kept the output of a verb from being written; told when the verb is done."""


def _click() -> Any:
    """click, imported only where an error asks whether it is one of its own."""
    import click

    return click


def guarded(run: Callable[[], Any]) -> int:
    """Run a verb; its exit code, whatever happens."""
    end_on_signals()
    _lost.clear()
    code = _code_of(run)
    lost = _lost[0] if _lost else None
    try:
        sys.stdout.flush()
    except (OutputLost, OSError, ValueError) as error:
        mute()
        lost = lost or (error if isinstance(error, OutputLost) else None)
    if lost is None:
        return code
    _tell(lost)
    # What the verb came to is worth more than that it could not be said, unless that was all well.
    return code if code > 1 else lost.exit_code


def _code_of(run: Callable[[], Any]) -> int:
    try:
        code = run()
        return code if isinstance(code, int) else 0
    except _click().exceptions.Exit as error:
        return int(error.exit_code)
    except _click().ClickException as error:
        usage = error.ctx.get_usage() + "\n" if isinstance(error, _click().UsageError) and error.ctx else ""
        say(f"{usage}error: {error.format_message()}")
        return 2
    except (KeyboardInterrupt, _click().Abort):
        say("interrupted")
        return INTERRUPTED
    except OutputLost as error:
        mute()
        _tell(error)
        return error.exit_code
    except BatchtuiError as error:
        fail(error)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away; a second error at the closing of stdout must not follow.
        mute()
        return ReaderGone.exit_code
    except NoFolder as error:
        say(f"error: {error}", error.advice)
        return 2
    except UnicodeError as error:
        say(f"error: text could not be read or written as UTF-8 ({type(error).__name__})")
        return 2
    except OSError as error:
        say(f"error: {safetext.line(str(error), 300)}")
        return 3
    except Exception as error:
        # A traceback's exit code 1 would say "done, but some requests did not succeed".
        from batchtui import unexpected

        found = unexpected.note(error, "running a command")
        say("\n".join(["error: unexpected error in batchtui; please report it:", *found.lines]))
        return 3


_TIDYING = 10
"""Seconds that tidying up may take after a signal."""


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end us as Ctrl-C does, so that what is half made is tidied away; not those we are to ignore."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    # Python drops what is raised inside a finalizer: an alarm, which needs no thread here, then ends us all the same.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(INTERRUPTED))
    signal.alarm(_TIDYING)
    raise KeyboardInterrupt


def end_soon(code: int = INTERRUPTED, seconds: float = 4.0) -> None:
    """Leave at the latest in so many seconds, whatever hangs: at any moment what is on disk is whole."""
    watchdog = threading.Timer(seconds, os._exit, (code,))
    watchdog.daemon = True
    watchdog.start()


def _tell(lost: OutputLost) -> None:
    if not isinstance(lost, ReaderGone):
        fail(lost)


def leave(code: int) -> NoReturn:
    """End the process with a code; a thread that still waits for the network holds it no longer than a second."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    end_soon(code, 1.0)
    # The system takes the memory back quicker than a last search for garbage in it.
    gc.freeze()
    sys.exit(code)


def fail(error: BatchtuiError) -> None:
    """An error on standard error: what happened, then what to do."""
    say(f"error: {error}", error.advice)


def say(text: str, advice: str = "") -> None:
    """A message on standard error, and what to do on a line of its own, made safe for a terminal."""
    try:
        print(safetext.block(f"{text}\n  → {advice}" if advice else text), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return


def show(*lines: str) -> None:
    """Lines on standard output, made safe for a terminal; a verb's work goes on when they can't be written."""
    _put(lambda: print(*map(safetext.line, lines), sep="\n", flush=True))


def terminal_width() -> int:
    """Cells of a line of the terminal on standard output; 0 where that is none."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def print_json(value: Any) -> None:
    """The one JSON value of --json on standard output; dollars are numbers.  On a terminal what it would obey is escaped."""
    from decimal import Decimal

    import msgspec

    encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
    try:
        raw = encode(value)
    except UnicodeEncodeError:
        raw = encode(_as_text(msgspec.to_builtins(value, builtin_types=(Decimal,), enc_hook=str)))
    if sys.stdout.isatty():
        raw = safetext.json_text(raw.decode()).encode()

    def write() -> None:
        sys.stdout.buffer.write(raw + b"\n")
        sys.stdout.flush()

    _put(write)


def _as_text(value: Any) -> Any:
    """The value with names of odd bytes, which no JSON can hold, in a form that it can."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_as_text(key): _as_text(each) for key, each in value.items()}
    return [_as_text(each) for each in value] if isinstance(value, list | tuple) else value


def _put(write: Callable[[], None]) -> None:
    try:
        write()
    except OutputLost as error:
        mute()
        _lost.append(error)
