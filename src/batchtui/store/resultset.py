"""One batch's results as a view: rows from the index, lines from the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from batchtui import plainfile
from batchtui.domain.batch import Tally
from batchtui.domain.errors import StoreError
from batchtui.store import files
from batchtui.store.history import REQUESTS
from batchtui.store.index import Index
from batchtui.store.view import View


class ResultSet(View):
    """One batch's stored results, or its requests alone while the results are not here."""

    def __init__(self, folder: Path, made: Index, fd: int | None, *, partial: bool = False) -> None:
        self.folder = folder
        self.partial = partial
        """True while only a part of the results came: requests without a line wait."""
        self.header = made.header
        self.columns = made.columns
        self.stops = made.header.stops
        self.models = made.header.models
        self.group_keys = made.header.groups
        self.members = (self,)
        self._fd = fd
        self._request_fd: int | None = None
        self._ids: list[str] | None = None

    def __len__(self) -> int:
        return len(self.columns)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give the files back; reading a row afterwards raises StoreError."""
        for fd in (self._fd, self._request_fd):
            if fd is not None:
                with suppress(OSError):
                    os.close(fd)
        self._fd = self._request_fd = None

    @property
    def stored(self) -> bool:
        """False while there are only requests."""
        return self.header.results != (0, 0)

    @property
    def blank_lines(self) -> int:
        """Lines of results.jsonl with nothing on them."""
        return self.header.blank

    @property
    def tally(self) -> Tally:
        """Counts and real costs."""
        return self.header.tally

    def column(self, name: str) -> Sequence[int]:
        """A column of the index."""
        found: Sequence[int] = getattr(self.columns, name)
        return found

    def id(self, row: int) -> str:
        """A row's custom_id."""
        return self.columns.id(row)

    def ids(self) -> list[str]:
        """All custom_ids, made on each call: not for keeping."""
        return self.columns.id_texts()

    def place(self, row: int) -> tuple[int, int]:
        """This batch, and the row itself."""
        return 0, row

    def row_of(self, member: int, row: int) -> int:
        """The row itself."""
        return row

    def read(self, row: int, limit: int | None = None) -> bytes:
        """A row's line, or its first ``limit`` bytes; empty when it has none.  Raises StoreError."""
        offset, length = self.columns.offset[row], self.columns.length[row]
        if offset < 0:
            return b""
        return self._read_at(self.results_fd(), offset, length if limit is None else min(length, limit))

    def read_request(self, row: int) -> bytes | None:
        """A row's request; None when it is not known.  Raises StoreError."""
        offset, length = self.columns.request_offset[row], self.columns.request_length[row]
        return None if offset < 0 else self._read_at(self.requests_fd(), offset, length)

    def results_fd(self) -> int:
        """The open results.jsonl; raises StoreError once closed."""
        if self._fd is None:
            raise StoreError("these results are closed", advice="open the batch again")
        return self._fd

    def requests_fd(self) -> int:
        """The open requests.jsonl; raises StoreError."""
        if self._request_fd is None:
            path = self.folder / REQUESTS
            try:
                self._request_fd = plainfile.open_fd(path)[0]
            except OSError as error:
                raise files.explain(error, f"can't read {path}") from error
        return self._request_fd

    def _read_at(self, fd: int, offset: int, length: int) -> bytes:
        try:
            found = os.pread(fd, length, offset)
            while len(found) < length and (more := os.pread(fd, length - len(found), offset + len(found))):
                found += more
        except OSError as error:
            raise files.explain(error, f"can't read the results in {self.folder}") from error
        return found
