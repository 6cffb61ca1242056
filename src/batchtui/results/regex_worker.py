"""The process that tries a regular expression on results: told what to do on standard input, killed when it hangs."""

from __future__ import annotations

import os
import re
import sys
import time

import msgspec

from batchtui.results.regex import RECORD, Task
from batchtui.results.text import answer_text


def main() -> None:
    """Read the task, answer with the numbers of the records that hold the expression."""
    head, _, records = sys.stdin.buffer.read().partition(b"\n")
    task = msgspec.json.decode(head, type=Task)
    search = re.compile(task.pattern, re.MULTILINE | (0 if task.case else re.IGNORECASE)).search
    out = sys.stdout.buffer
    place, number, said = 0, 0, time.monotonic()
    while place < len(records):
        file, offset, length, width = RECORD.unpack_from(records, place)
        place += RECORD.size + width
        custom_id = records[place - width : place].decode("utf-8", "replace")
        line = os.pread(task.fds[file], length, offset) if file >= 0 else b""
        if search(custom_id) or search(answer_text(line)):
            out.write(b"+%d\n" % number)
        number += 1
        if time.monotonic() - said > 0.05:
            out.write(b".\n")
            out.flush()
            said = time.monotonic()
    out.write(b"done\n")
    out.flush()
