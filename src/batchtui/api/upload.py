"""The body of a create: requests.jsonl streamed from disk, its length known before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO

from batchtui.domain.errors import InputError, StoreError

_HEAD = b'{"requests":['
_TAIL = b"]}"
PIECE = 256 * 1024
OVERHEAD = len(_HEAD) + len(_TAIL) - 1
"""Bytes of a body beyond those of its requests.jsonl (the last newline is left out)."""


class SplicedBody:
    """A head, the file with each newline made a comma, a tail; can be iterated again.

    A raw newline can't stand inside a JSON string, so every newline of the file ends a request.
    """

    def __init__(self, path: Path, on_sent: Callable[[int, int], None] | None = None) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._on_sent = on_sent
        with path.open("rb") as file:
            if self._size == 0:
                raise InputError(f"{path} holds no requests")
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                raise InputError(f"{path} does not end with a newline: it was cut or changed since it was checked")

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        return self._size + OVERHEAD

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises InputError or StoreError when the file can't be sent whole; the body then stays incomplete."""
        sent = 0
        left = self._size - 1
        with self._opened() as file:
            yield _HEAD
            while left:
                piece = self._read(file, min(PIECE, left))
                left -= len(piece)
                sent += len(piece)
                yield piece.replace(b"\n", b",")
                if self._on_sent is not None:
                    self._on_sent(sent, self._size)
            yield _TAIL

    def _opened(self) -> IO[bytes]:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise self._unreadable(error) from error

    def _read(self, file: IO[bytes], size: int) -> bytes:
        try:
            piece = file.read(size)
        except OSError as error:
            raise self._unreadable(error) from error
        if not piece:
            raise InputError(f"{self._path} became shorter while it was sent", advice="submit the source again")
        return piece

    def _unreadable(self, error: OSError) -> StoreError:
        return StoreError(
            f"can't read {self._path}: {error.strerror or error}", advice="make the file readable; it is sent then"
        )
