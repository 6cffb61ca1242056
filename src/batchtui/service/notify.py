"""Telling the person that a batch ended: bell, terminal notification, a command of theirs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import msgspec

from batchtui import safetext
from batchtui.config.load import Notify
from batchtui.domain.batch import BatchRecord
from batchtui.service.events import Ended

_HOOK_SECONDS = 60


def sentence(record: BatchRecord, late: bool) -> str:
    """How a batch ended, in one safe line."""
    t = record.tally
    good = t.good if t else record.counts.succeeded
    bad = record.needs_retry
    end = f"{good:,} ok" + (f", {bad:,} not" if bad else "")
    when = " while batchtui was closed" if late else ""
    return safetext.line(f"{record.title or record.local_id} ended{when}: {end}", 200)


def terminal_codes(text: str, settings: Notify) -> str:
    """The bytes that ring and notify: BEL, OSC 9 and OSC 777; ``text`` is made safe and loses what would end the sequence."""
    clean = safetext.line(text, 200).replace(";", ",")
    codes = "\a" if settings.bell else ""
    if settings.terminal:
        codes += f"\x1b]9;{clean}\x07\x1b]777;notify;batchtui;{clean}\x07"
    return codes


def run_hook(command: str, record: BatchRecord, late: bool, fail: Callable[[str], None] = lambda why: None) -> None:
    """Run ``on_end`` beside us: the record as JSON on its standard input and in BATCHTUI_RECORD.

    ``fail`` is told, in the hook's thread, when it could not be run, took too long, or ended with an error.
    """
    if not command:
        return
    raw = msgspec.json.Encoder(decimal_format="number").encode(record)
    env = {
        **os.environ,
        "BATCHTUI_RECORD": raw.decode(),
        "BATCHTUI_ID": record.local_id,
        "BATCHTUI_LATE": "1" if late else "",
    }

    def run() -> None:
        try:
            done = subprocess.run(
                command,
                shell=True,
                input=raw,
                env=env,
                timeout=_HOOK_SECONDS,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            fail(f"on_end was stopped after {_HOOK_SECONDS:.0f} s")
        except (OSError, subprocess.SubprocessError) as error:
            fail(f"on_end can't be run: {error}")
        else:
            if done.returncode:
                fail(f"on_end ended with {done.returncode}")

    threading.Thread(target=run, name="on_end", daemon=True).start()


class Notifier:
    """Hears a service and tells the person of every end, once per batch."""

    def __init__(
        self, settings: Notify, write: Callable[[str], None] | None = None, fail: Callable[[str], None] | None = None
    ) -> None:
        """``fail`` is told what went wrong with ``on_end``, from another thread."""
        self._settings = settings
        self._write = write or _to_terminal
        self._fail = fail or (lambda why: None)

    def __call__(self, event: object) -> None:
        """Hear an event of the service."""
        if isinstance(event, Ended):
            self._write(terminal_codes(sentence(event.record, event.late), self._settings))
            run_hook(self._settings.on_end, event.record, event.late, self._fail)


def _to_terminal(codes: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(codes)
        sys.stderr.flush()
