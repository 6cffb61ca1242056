"""What goes to the terminal past the screen: window title, bell, notifications."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from batchtui import safetext
from batchtui.tui.messages import Happened

if TYPE_CHECKING:
    from batchtui.tui.app import BatchtuiApp


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
            app.post_message(Happened(events.Trouble(why, "config.toml names it under [notify]", "")))

    return Notifier(app.service.config.notify, send, fail)


def reset_title() -> None:
    """Leave no title of ours behind."""
    if sys.__stdout__ is not None and sys.__stdout__.isatty():
        sys.__stdout__.write("\x1b]2;\x07")
        sys.__stdout__.flush()
