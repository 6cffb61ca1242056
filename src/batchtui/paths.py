"""Where things lie on disk (contract: design, On disk)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


class NoHome(Exception):
    """Nothing says where the home folder is; the text says what would."""


def data_dir(override: str | Path | None = None) -> Path:
    """The data folder: an explicit one, ``BATCHTUI_DATA_DIR``, or the platform's own; raises NoHome."""
    import platformdirs

    return _folder(override or os.environ.get("BATCHTUI_DATA_DIR"), platformdirs.user_data_dir, "BATCHTUI_DATA_DIR")


def config_dir() -> Path:
    """The configuration folder: ``BATCHTUI_CONFIG_DIR`` or the platform's own; raises NoHome."""
    import platformdirs

    return _folder(os.environ.get("BATCHTUI_CONFIG_DIR"), platformdirs.user_config_dir, "BATCHTUI_CONFIG_DIR")


def cache_dir() -> Path:
    """The cache folder: ``BATCHTUI_CACHE_DIR`` or the platform's own; raises NoHome."""
    import platformdirs

    return _folder(os.environ.get("BATCHTUI_CACHE_DIR"), platformdirs.user_cache_dir, "BATCHTUI_CACHE_DIR")


def expanded(given: str | Path) -> Path:
    """A path with ``~`` replaced, or as it stands when nobody knows that home folder."""
    try:
        return Path(given).expanduser()
    except RuntimeError:
        return Path(given)


def _folder(given: str | Path | None, platform: Callable[..., str], variable: str) -> Path:
    if given:
        return expanded(given).absolute()
    try:
        found = Path(platform("batchtui", appauthor=False))
    except RuntimeError:
        found = Path()
    if not found.is_absolute():  # An older platformdirs answers with the ~ it could not replace.
        raise NoHome(f"HOME is not set and this user has no home folder: set HOME, or {variable}")
    return found


def demo_dir(data: Path) -> Path:
    """The demo's own data folder inside a data folder."""
    return data / "demo"
