"""The process that reads the fields of a batch's later answers: told which on standard input, it writes their columns."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import msgspec

from batchtui import plainfile
from batchtui.domain.work import UNWATCHED
from batchtui.results import field_file, index
from batchtui.results.field_builder import FieldBuilder
from batchtui.results.index import Stamp
from batchtui.results.view import ResultSet
from batchtui.store.records import INDEX, RESULTS


class LaterLines(msgspec.Struct, frozen=True):
    """Which lines this process reads."""

    folder: bytes
    """As the system spells it."""
    results: Stamp
    requests: Stamp
    first: int
    """The line from which it reads."""


def main() -> None:
    """Read the task and the lines it names; ends without a word when they are not what they were."""
    gc.disable()
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=LaterLines)
    folder = Path(os.fsdecode(task.folder))
    made = index.load_lines(folder / INDEX, task.results, task.requests)
    fd = plainfile.open_fd(folder / RESULTS)[0]
    here = os.fstat(fd)
    if made is None or (here.st_size, here.st_mtime_ns) != task.results:
        return
    results = ResultSet(folder, made, fd)
    builder = FieldBuilder(results)
    builder.read(task.first, made.header.lines, UNWATCHED)
    out = sys.stdout.buffer
    for piece in field_file.pieces(*field_file.pack(results, builder, task.first)):
        out.write(piece)
    # Whoever asked need not wait for the end of the process.
    out.close()
