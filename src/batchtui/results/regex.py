"""Regular expressions over results, in a process of their own: one that never ends must not freeze the app."""

from __future__ import annotations

import os
import select
import struct
import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from batchtui import subpython
from batchtui.domain.errors import InputError
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.filter import Filter
from batchtui.results.view import Rows, View

PATIENCE = 4.0
"""Seconds that one line may take."""
RECORD = struct.Struct("<iqIH")
"""Which file (-1 for none), offset, length, and bytes of the custom_id, which follows."""


class Task(msgspec.Struct, frozen=True):
    """What the other process is told first, on one line."""

    pattern: str
    case: bool
    fds: tuple[int, ...]


def find_regex(view: View, chosen: Filter, asked: Iterable[Rows], work: Work = UNWATCHED) -> Iterator[Rows]:
    """Of the asked rows those whose id or answer holds ``chosen.regex``, as they are found; ends when the work is stopped.

    Raises InputError when one line takes longer than ``PATIENCE``, and StoreError.
    """
    rows = array("I", (row for some in asked for row in some))
    if not rows:
        return
    numbers = {member: n for n, member in enumerate(m for m, each in enumerate(view.members) if each.stored)}
    fds = tuple(view.members[member].results_fd() for member in numbers)
    task = msgspec.json.encode(Task(chosen.regex, chosen.case, fds)) + b"\n" + _records(view, rows, numbers)
    child = subpython.start("batchtui.results.regex_worker", pass_fds=fds)
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        with suppress(BrokenPipeError):
            child.stdin.write(task)
            child.stdin.close()
        for numbers_found in _answers(child.stdout.fileno(), work):
            yield array("I", (rows[number] for number in numbers_found))
    finally:
        subpython.end(child)


def _records(view: View, rows: Rows, numbers: dict[int, int]) -> bytes:
    records = bytearray()
    for row in rows:
        member, place = view.place(row)
        columns = view.members[member].columns
        custom_id = columns.id_bytes(place)
        here = columns.offset[place] >= 0 and member in numbers
        records += RECORD.pack(
            numbers[member] if here else -1, columns.offset[place], columns.length[place], len(custom_id)
        )
        records += custom_id
    return bytes(records)


def _answers(fd: int, work: Work) -> Iterator[list[int]]:
    """What the other process finds; each line is '+N' for a hit or '.' for a sign of life, the last one is 'done'."""
    heard, rest = time.monotonic(), b""
    ready = select.poll()
    ready.register(fd, select.POLLIN)
    while not work.stopped:
        if not ready.poll(100):
            if time.monotonic() - heard > PATIENCE:
                raise InputError(
                    "the regular expression takes too long on one of the results",
                    advice="make it simpler: nested repeats such as (a+)+ never end",
                )
            continue
        got = os.read(fd, 65536)
        if not got:
            raise InputError("the search ended early", advice="try again, or with a simpler expression")
        heard = time.monotonic()
        *lines, rest = (rest + got).split(b"\n")
        found = [int(line[1:]) for line in lines if line[:1] == b"+"]
        if found:
            yield found
        if b"done" in lines:
            return
