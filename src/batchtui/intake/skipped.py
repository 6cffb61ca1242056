"""Requests with errors that are left out: kept for the batch, and written as they were given where that is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from batchtui.intake.options import IntakeOptions
from batchtui.intake.placing import Row
from batchtui.store.files import explain, make_private_dir, open_private
from batchtui.store.history import SKIPPED
from batchtui.store.skipped import SkippedRow, holding, line_of


class Skipped:
    """The staged skipped.jsonl; with ``skipped_path`` also a file to fix and send later, and one that says why, line for line."""

    def __init__(self, options: IntakeOptions, staging: Path | None) -> None:
        self.wanted = options.skip_bad
        """Whether bad requests are left out at all."""
        self.count = 0
        """Requests left out."""
        self._kept = _Lines(staging / SKIPPED) if staging is not None else None
        self._given = _Lines(options.skipped_path) if options.skipped_path is not None else None
        self._reasons = (
            _Lines(options.skipped_path.with_suffix(".problems.jsonl")) if options.skipped_path is not None else None
        )

    @property
    def kept(self) -> Path | None:
        """The staged file, when something was written to it."""
        return self._kept.path if self._kept is not None and self.count else None

    @property
    def written(self) -> Path | None:
        """The file that was asked for, when something was written to it."""
        return self._given.path if self._given is not None and self.count else None

    def add(
        self,
        given: bytes | None,
        problems: list[str],
        where: str,
        custom_id: str,
        *,
        place: tuple[int, int] = (0, 0),
        row: Row | None = None,
    ) -> None:
        """Leave a request out; ``given`` is None when its line was too long to be kept.  Raises StoreError.

        ``place`` is the number of its source and its line there, ``row`` what it was made from.
        """
        if not self.wanted:
            return
        self.count += 1
        if self._kept is not None:
            found = SkippedRow(
                where=where,
                source=place[0],
                number=place[1],
                custom_id=custom_id,
                row_id=row[0] if row is not None else custom_id,
                problems=problems,
                row=row[1] if row is not None else None,
            )
            self._kept.add(_line(found, given))
        if self._given is not None and self._reasons is not None:
            note = {"where": where, "custom_id": custom_id, "problems": problems, "kept": given is not None}
            self._given.add(given.replace(b"\n", b" ") + b"\n" if given is not None else b"")
            self._reasons.add(msgspec.json.encode(note) + b"\n")

    def close(self) -> None:
        """Make the files last.  Raises StoreError."""
        for lines in (self._kept, self._given, self._reasons):
            if lines is not None:
                lines.close()


def _line(found: SkippedRow, given: bytes | None) -> bytes:
    try:
        return line_of(holding(found, given))
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError, OverflowError):
        # A row with what JSON can't hold is kept as its reader wrote it down.
        return line_of(holding(msgspec.structs.replace(found, row=None), given))


class _Lines:
    """A file of lines that is made when the first one comes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def add(self, line: bytes) -> None:
        try:
            if self._file is None:
                make_private_dir(self.path.parent)
                self._file = open_private(self.path, "wb")
            self._file.write(line)
        except OSError as bad:
            raise explain(bad, f"can't write {self.path}") from bad

    def close(self) -> None:
        if self._file is None:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as bad:
            raise explain(bad, f"can't write {self.path}") from bad
        finally:
            self._file.close()
