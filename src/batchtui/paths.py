"""Folders on disk: data, config, cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class NoFolder(Exception):
    """Nothing says where a folder is; ``advice`` is what to do next."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


def data_dir(override: str | Path | None = None) -> Path:
    """The data folder: an explicit one, ``BATCHTUI_DATA_DIR``, or the platform's own; raises NoFolder."""
    import platformdirs

    return _folder(override or os.environ.get("BATCHTUI_DATA_DIR"), platformdirs.user_data_dir, "BATCHTUI_DATA_DIR")


def config_dir() -> Path:
    """The configuration folder: ``BATCHTUI_CONFIG_DIR`` or the platform's own; raises NoFolder."""
    import platformdirs

    return _folder(os.environ.get("BATCHTUI_CONFIG_DIR"), platformdirs.user_config_dir, "BATCHTUI_CONFIG_DIR")


def cache_dir() -> Path:
    """The cache folder: ``BATCHTUI_CACHE_DIR`` or the platform's own; raises NoFolder."""
    import platformdirs

    return _folder(os.environ.get("BATCHTUI_CACHE_DIR"), platformdirs.user_cache_dir, "BATCHTUI_CACHE_DIR")


def expanded(given: str | Path) -> Path:
    """A path with ``~`` replaced, or as it stands when nobody knows that home folder."""
    from pathlib import Path

    try:
        return Path(given).expanduser()
    except RuntimeError:
        return Path(given)


def printable(path: str | Path) -> str:
    """A path as text that can be written as UTF-8, other bytes as ``\\udcff``; equal for equal paths."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _folder(given: str | Path | None, platform: Callable[..., str], variable: str) -> Path:
    from pathlib import Path

    if given:
        try:
            return expanded(given).absolute()
        except FileNotFoundError:
            raise NoFolder("the current folder was removed", "change to another folder (cd), then try again") from None
    try:
        found = Path(platform("batchtui", appauthor=False))
    except RuntimeError:
        found = Path()
    if not found.is_absolute():  # An older platformdirs answers with the ~ it could not replace.
        raise NoFolder(
            "HOME is not set, and this user has no home folder",
            f"set HOME, or {variable} and its like (batchtui help files)",
        )
    return found


def demo_dir(data: Path) -> Path:
    """The demo's own data folder inside a data folder."""
    return data / "demo"
