"""A demo data folder's server corner: where the server is, and that there is only one."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import msgspec

from batchtui.domain.errors import StoreError
from batchtui.store import files


class Where(msgspec.Struct, frozen=True):
    """How a running server is found: the content of ``server.json``."""

    base_url: str
    pid: int


def server_dir(data: Path) -> Path:
    """The server's own corner of a demo data folder."""
    return data / "server"


@contextlib.contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold the folder's server lock; raises StoreError when another server runs on it."""
    folder = files.make_private_dir(server_dir(data))
    with files.open_private(folder / "lock", "r+b") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"another demo server runs on {data}", advice="use that one, end it, or give another --data-dir"
            ) from error
        yield
