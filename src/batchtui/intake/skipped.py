"""Bad requests that are left out: written as they were given, so that they can be mended and sent later."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from batchtui.intake.options import IntakeOptions
from batchtui.store.files import explain, make_private_dir, open_private


class Skipped:
    """The file of what was left out, and beside it a file that says why, line for line."""

    def __init__(self, options: IntakeOptions, staging: Path | None) -> None:
        self.wanted = options.skip_bad
        """Whether bad requests are left out at all."""
        self.count = 0
        """Requests left out."""
        self.path: Path | None = options.skipped_path
        if self.path is None and staging is not None:
            self.path = staging / "skipped.jsonl"
        self._files: tuple[BinaryIO, BinaryIO] | None = None

    @property
    def written(self) -> Path | None:
        """The file, when something was written to it."""
        return self.path if self._files is not None else None

    def add(self, given: bytes | None, problems: list[str], where: str, custom_id: str) -> None:
        """Leave a request out; ``given`` is None when its line was too long to be kept.  Raises StoreError."""
        if not self.wanted:
            return
        self.count += 1
        if self.path is None:
            return
        try:
            if self._files is None:
                make_private_dir(self.path.parent)
                self._files = (
                    open_private(self.path, "wb"),
                    open_private(self.path.with_suffix(".problems.jsonl"), "wb"),
                )
            lines, reasons = self._files
            if given is not None:
                lines.write(given.replace(b"\n", b" ") + b"\n")
            note = {"where": where, "custom_id": custom_id, "problems": problems, "kept": given is not None}
            reasons.write(msgspec.json.encode(note) + b"\n")
        except OSError as bad:
            raise explain(bad, f"can't write {self.path}") from bad

    def close(self) -> None:
        """Make the files last.  Raises StoreError."""
        for file in self._files or ():
            try:
                file.flush()
                os.fsync(file.fileno())
            except OSError as bad:
                raise explain(bad, f"can't write {self.path}") from bad
            finally:
                file.close()
