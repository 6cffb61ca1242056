"""Sets the demo's desk: batches in different states at the server, our records of them, and files to import."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from batchtui.demo.place import alone, server_dir
from batchtui.domain.errors import StoreError
from batchtui.store import files


def examples_dir() -> Path:
    """The example files: in the installed package, or at the top of a source tree."""
    inside = Path(__file__).parent / "examples"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "examples"


def clear(data: Path) -> None:
    """Throw a demo data folder away; raises StoreError while a demo server runs on it."""
    if not data.is_dir():
        return
    with alone(data):
        for entry in sorted(data.iterdir()):
            if entry.is_dir() and entry.name != "server":
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.is_file():
                entry.unlink(missing_ok=True)
        shutil.rmtree(server_dir(data) / "batches", ignore_errors=True)


def furnish(data: Path) -> bool:
    """Fill an empty demo data folder with a desk that is lived in; True when it was filled now.

    A folder with batches, one that was furnished before, and one whose server runs are left as they are.
    Raises StoreError.
    """
    mark = files.make_private_dir(data) / "furnished"
    if mark.exists():
        return False
    from batchtui.demo import furnishing

    try:
        with alone(data):
            if any(_names(data / "batches")) or any(_names(server_dir(data) / "batches")):
                return False
            copy_examples(data)
            furnishing.Desk(data).set()
            files.write_atomic(mark, b"the demo's desk was set up here\n")
    except StoreError:
        if any(_names(data / "batches")):
            return False
        raise
    return True


def copy_examples(data: Path) -> Path:
    """Put the example files into ``<data>/examples``; files that are there stay."""
    target = files.make_private_dir(data / "examples")
    if examples_dir().is_dir():
        for source in sorted(examples_dir().iterdir()):
            if source.is_file() and not (target / source.name).exists():
                files.write_atomic(target / source.name, source.read_bytes())
    return target


def _names(folder: Path) -> Iterable[str]:
    return (entry.name for entry in folder.iterdir()) if folder.is_dir() else ()
