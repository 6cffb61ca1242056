"""Where a verb writes results: the format that a file's name means, and whether a file that is there may be replaced."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import click

from batchtui.cli.options import file_option, force_option
from batchtui.cli.output import show
from batchtui.cli.session import Session
from batchtui.domain.errors import InputError
from batchtui.results.export import format_of
from batchtui.results.export_job import opened, refuse_to_replace, there_already
from batchtui.results.spreadsheet import csv_line

NEEDS_FILE = ("files", "parquet", "sqlite")
"""Formats that standard output can't take."""


class Destination(NamedTuple):
    """Where results go, and how."""

    dest: Path | None
    """None for standard output."""
    format_: str
    replace: bool
    """Whether a file that is there by then is replaced."""


def choose_destination(
    session: Session, output: Path | None, asked: str | None = None, *, force: bool, sources: Iterable[str] = ()
) -> Destination:
    """Where ``-o`` and ``--format`` say that results go; asks on a terminal before a file is replaced.

    Raises InputError for a contradiction, when the file is there and is not to be replaced, and when it is a source.
    """
    dest = None if output is None or str(output) == "-" else output
    format_ = format_of(dest, asked)
    if dest is None and format_ in NEEDS_FILE:
        raise InputError(f"--format {format_} needs -o")
    if dest is None or not there_already(dest) or format_ == "files":
        return Destination(dest, format_, force)
    if any(_same(dest, source) for source in sources):
        raise InputError(f"{dest} is a source of this batch", advice="give another name with -o")
    if not force and not session.asks:
        raise refuse_to_replace(dest)
    if not force and not click.confirm(f"{dest} exists. Replace it?", default=False, err=True):
        raise InputError(f"{dest} was not replaced", advice="give another name with -o")
    return Destination(dest, format_, True)


def _same(dest: Path, source: str) -> bool:
    with suppress(OSError):
        return dest.samefile(source)
    return False


def table_options(command: Any) -> Any:
    """The options of a verb that can write its own table of CSV to a file."""
    for option in (
        force_option,
        file_option("-o", "--output", help="Write CSV to FILE."),
    ):
        command = option(command)
    return command


def table_place(session: Session, output: Path | None, asked: str | None, *, force: bool) -> Destination | None:
    """Where a verb's own table of CSV goes; None when none is asked for, or --json has standard output.

    Raises InputError as ``choose_destination`` does.
    """
    if output is None and asked != "csv":
        return None
    place = choose_destination(session, output, "csv", force=force)
    return None if place.dest is None and session.json else place


def write_table(place: Destination, rows: Iterable[Sequence[str]]) -> None:
    """Write rows of cells as CSV, whole or not at all; on a terminal made safe to show.  Raises StoreError."""
    if place.dest is None and sys.stdout.isatty():
        for row in rows:
            show(csv_line(row).decode("utf-8", "replace").rstrip())
        return
    with opened(place.dest if place.dest is not None else sys.stdout.buffer, replace=place.replace) as file:
        for row in rows:
            file.write(csv_line(row))
    sys.stdout.flush()
