"""What an export is given, and the ways to write it whole or not at all."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from batchtui.domain.errors import InputError
from batchtui.domain.work import Work
from batchtui.results.names import FieldList
from batchtui.results.table import Items, JoinedColumns, Table
from batchtui.results.view import View
from batchtui.store import files


class ExportJob(msgspec.Struct, frozen=True):
    """Which rows are written, and how."""

    view: View
    rows: Items
    tick: Callable[[int], None]
    """Told how many rows are done; raises Stopped."""
    columns: Sequence[str] = ()
    """Names of the columns, in their order; none: the usual ones."""
    fields: FieldList | None = None
    every: bool = False
    """All rows of the source, answered or not."""
    parsed: bool = False
    """Values instead of texts."""
    joined: Sequence[JoinedColumns] = ()
    """Other runs' columns."""
    bom: bool = False
    """A byte order mark in front, by which Excel knows UTF-8."""

    def table(self) -> Table:
        """The rows with named columns; to be closed.  Raises InputError."""
        return Table(
            self.view, self.rows, fields=self.fields, columns=self.columns, every=self.every, joined=self.joined
        )


def ticker(total: int, work: Work) -> Callable[[int], None]:
    """What is told how far an export is, tells it on now and then, and stops it."""

    def tick(done: int) -> None:
        work.check("the export was stopped; nothing was written")
        work.tell("exporting", done, total, "requests")

    return tick


def is_special(dest: Path) -> bool:
    """Whether a path is a device, a pipe or the like, which is written to and never replaced."""
    with suppress(OSError):
        return not stat.S_ISREG(dest.stat().st_mode) and not dest.is_dir()
    return dest.is_relative_to("/dev")


def there_already(dest: Path) -> bool:
    """Whether writing to a path would replace a file; raises InputError for a path that can't be one."""
    try:
        return dest.is_file() and not is_special(dest)
    except OSError as bad:
        shown = str(dest)
        shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
        raise InputError(f"can't write {shown}: {bad.strerror}", advice="give another name with -o") from bad


def refuse_to_replace(dest: Path) -> InputError:
    """Why a file that is there is not written over."""
    return InputError(f"{dest} exists", advice="add --force to replace it, or give another name")


@contextmanager
def opened(dest: Path | BinaryIO, *, replace: bool) -> Iterator[IO[bytes]]:
    """A file to write to: there when all is written, or written directly when it is no ordinary file.

    Raises InputError when it is there already and may not be replaced, and StoreError.
    """
    if not isinstance(dest, Path):
        yield dest
    elif is_special(dest):
        try:
            with dest.open("wb") as file:
                yield file
        except OSError as error:
            raise files.explain(error, f"can't write {dest}") from error
    else:
        with placed(dest, replace=replace) as temp, files.open_private(temp, "xb") as file:
            yield file


@contextmanager
def placed(dest: Path, *, replace: bool) -> Iterator[Path]:
    """The path to write at what is at ``dest`` when all is written.  Raises InputError, StoreError."""
    if dest.is_dir():
        raise InputError(f"{dest} is a folder", advice="give a file in that folder")
    if not replace and there_already(dest):
        raise refuse_to_replace(dest)
    try:
        with files.atomic_path(dest, replace=replace) as temp:
            yield temp
    except FileExistsError:
        raise refuse_to_replace(dest) from None
