"""The terminal: editors and pagers, exit on hang-up, titles, notifications."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App, SuspendNotSupported

from batchtui import safetext
from batchtui.tui.messages import Happened

if TYPE_CHECKING:
    from batchtui.tui.app import BatchtuiApp


def editor() -> str:
    """The person's editor, as the environment names it."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"


def run_outside(app: App[Any], command: str, path: Path) -> str:
    """Run ``command`` on a file with the terminal to itself; returns what went wrong, "" when nothing did."""
    trouble = ""
    try:
        with app.suspend():
            try:
                subprocess.run([*shlex.split(command), str(path)], check=False)
            except (OSError, ValueError) as error:
                # Textual takes the terminal back only when nothing is raised in here.
                trouble = f"{command} can't be run: {error}"
    except SuspendNotSupported:
        return "this terminal can't run another program"
    app.refresh(repaint=True, layout=True)
    return trouble


def edit_text(app: App[Any], text: str, command: str, ending: str) -> tuple[str, str]:
    """A text as it was left in an editor, and what went wrong ("" when nothing did)."""
    with tempfile.TemporaryDirectory(prefix="batchtui-") as folder:
        path = Path(folder) / f"edit{ending}"
        path.write_text(text, "utf-8")
        trouble = run_outside(app, command, path)
        try:
            return (text if trouble else path.read_text("utf-8")), trouble
        except (OSError, UnicodeDecodeError) as error:
            return text, f"the edited text can't be read: {error}"


PATIENCE = 5.0
"""Seconds the app has to leave by itself."""
LOOK_EVERY = 2.0


class ExitWatcher:
    """Watches for SIGHUP, SIGTERM and the terminal's going; ``leave`` asks the app to exit, with a code."""

    def __init__(self, leave: Callable[[int], None], stop_service: Callable[[], None]) -> None:
        self._leave = leave
        self._stop_service = stop_service
        self._left = threading.Event()
        self._told = False

    def watch(self) -> None:
        """Begin; from the main thread."""
        with contextlib.suppress(ValueError):
            for number in (signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, lambda number, _: self.end(128 + number))
        threading.Thread(target=self._watch_terminal, name="terminal-watch", daemon=True).start()

    def over(self) -> None:
        """The app has left by itself."""
        self._left.set()

    def end(self, code: int) -> None:
        """Leave with an exit code, come what may."""
        if self._told:
            return
        self._told = True
        threading.Thread(target=self._see_to_it, args=(code,), name="leaving", daemon=True).start()
        self._leave(code)

    def _see_to_it(self, code: int) -> None:
        if self._left.wait(PATIENCE):
            return
        with contextlib.suppress(Exception):
            self._stop_service()
        os._exit(code)

    def _watch_terminal(self) -> None:
        poll = select.poll()
        try:
            poll.register(sys.__stdin__.fileno() if sys.__stdin__ else 0, 0)
        except (OSError, ValueError):
            return
        while not self._left.is_set():
            if any(
                events & (select.POLLHUP | select.POLLERR | select.POLLNVAL)
                for _, events in poll.poll(LOOK_EVERY * 1000)
            ):
                self.end(128 + signal.SIGHUP)
                return


def window_title(title: str) -> str:
    """The sequence that sets the window's title; the text can't end it early."""
    return f"\x1b]2;{safetext.line(title, 120)}\x07"


def passed(codes: str) -> str:
    """Codes as tmux lets them through to the terminal it runs in."""
    return "\x1bPtmux;" + codes.replace("\x1b", "\x1b\x1b") + "\x1b\\" if os.environ.get("TMUX") else codes


def holds_escape() -> bool:
    """True in GNU screen, which holds back a lone Escape for as long as a program asks for the mouse."""
    return bool(os.environ.get("STY")) and not os.environ.get("TMUX")


def write(app: BatchtuiApp, sequence: str) -> None:
    """Hand a sequence to the terminal beside what the screen writes; nothing when there is none."""
    driver = app._driver
    if driver is not None and not app.is_headless:
        driver.write(sequence)


def notifier(app: BatchtuiApp) -> Callable[[object], None]:
    """Tells of every end, once: bell, notification, the person's own command; it writes through the screen's driver."""
    from batchtui.service import events
    from batchtui.service.notify import Notifier

    def send(codes: str) -> None:
        bell = "\a" if codes.startswith("\a") else ""
        rest = codes.removeprefix("\a")
        write(app, bell + (passed(rest) if rest else ""))

    def fail(why: str) -> None:
        if app.is_running:
            app.post_message(Happened(events.Trouble(why, "config.toml sets it under [notify]", "")))

    return Notifier(app.service.config.notify, send, fail)


def reset_title() -> None:
    """Leave no title of ours behind."""
    if sys.__stdout__ is not None and sys.__stdout__.isatty():
        sys.__stdout__.write("\x1b]2;\x07")
        sys.__stdout__.flush()
