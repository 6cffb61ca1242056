"""Nothing that comes from a file or the service can steer the terminal: every screen, on a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from pathlib import Path

import pytest

from tests.preloaded import Child
from tests.tui import hostile

ROWS, COLUMNS = 50, 160
TOUR = "from tests.tui.hostile_tour import main\nmain()\n"
PLAIN = re.compile(
    r"[^\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"
)
OURS = re.compile(
    r"\r?\n|\r|\x07"
    r"|\x1b\[[0-9;]*m|\x1b\[[0-9]+;[0-9]+H|\x1b\[H"  # colours of ours, the cursor's place
    r"|\x1b\[\?(?:1049|1000|1002|1003|1006|1015|1016|2004|2026|2048|1004|25)[hl]|\x1b\[\?(?:2026|2048)\$p"  # Textual's own modes
    r"|\x1b\[>1u|\x1b\[<u|\x1b\[=[0-9]*;?[0-9]*u|\x1b7|\x1b8|\x1b\[6n|\x1b\[5n|\x1b\[c|\x1b\[\?25[hl]|\x1b\[K"
    r"|\x1b\]2;batchtui[a-z0-9:, ]*\x07|\x1b\]2;\x07"
    r"|\x1b\](?:9|777;notify;batchtui);[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]*\x07"
    r"|\x1b\]22;[a-z]*\x07|\x1b\[[<>]\d*u|\x1b\[\?7[hl]"
    r"|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"
)
CANARIES = [
    "\x1b[5;31m",
    "\x1b[8m",
    "\x1b[38;5;9m",
    "\x1b[6n",
    "\x1b]52;c;T1dO",
    "\x1b[c",
    "\x1b[2J",
    "\x1b[3J",
    "\x1b8",
    "\x1b[1;1HOWN",
]


def ran(arguments: list[str], seconds: float = 600.0) -> str:
    """A program in a terminal of its own: all that it wrote."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "TZ": "UTC"}
    environment.pop("NO_COLOR", None)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = Child(arguments, code=TOUR, stdin=slave, stdout=slave, stderr=slave, env=environment, session=True)
    os.close(slave)
    found = bytearray()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not select.select([master], [], [], 0.5)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            piece = os.read(master, 1 << 20)
        except OSError:
            break
        if not piece:
            break
        found += piece
    process.kill()
    process.wait()
    os.close(master)
    return found.decode("utf-8", "surrogateescape")


def strangers(written: str) -> list[str]:
    """What was written that is neither plain text nor a sequence of ours, with what stood around it."""
    found, at = [], 0
    while at < len(written):
        match = PLAIN.match(written, at) or OURS.match(written, at)
        if match is None:
            found.append(ascii(written[max(0, at - 40) : at + 40]))
            at += 1
        else:
            at = match.end()
    return found


def judge(written: str) -> None:
    """The tour was whole, showed the strings, and none of them did anything."""
    assert "TOUR DONE" in written, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written[-6000:])
    assert strangers(written) == []
    for canary in CANARIES:
        assert canary not in written
    assert "OWNED" in written
    atoms = range(len(hostile.atoms()))
    seen = {number for number in atoms if f"OWN{number:03}D" in written}
    # Of a changed line only the changed cells are written, so a word may come in pieces.
    assert len(seen) >= len(atoms) * 0.95, sorted(set(atoms) - seen)


@pytest.mark.timeout(600)
def test_no_control_character_leaves_any_screen(tmp_path: Path) -> None:
    judge(ran([str(tmp_path / "data"), str(tmp_path / "files")]))


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_no_control_character_leaves_any_screen_each_string_on_each(tmp_path: Path) -> None:
    judge(ran([str(tmp_path / "data"), str(tmp_path / "files"), "--all"], 1400))
