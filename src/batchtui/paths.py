"""Where things lie on disk (contract: design, On disk)."""

from __future__ import annotations

import os
from pathlib import Path


def data_dir(override: str | Path | None = None) -> Path:
    """The data folder: an explicit one, ``BATCHTUI_DATA_DIR``, or the platform's own."""
    given = override or os.environ.get("BATCHTUI_DATA_DIR")
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("batchtui", appauthor=False))


def config_dir() -> Path:
    """The configuration folder: ``BATCHTUI_CONFIG_DIR`` or the platform's own."""
    given = os.environ.get("BATCHTUI_CONFIG_DIR")
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_config_dir("batchtui", appauthor=False))


def cache_dir() -> Path:
    """The cache folder: ``BATCHTUI_CACHE_DIR`` or the platform's own."""
    given = os.environ.get("BATCHTUI_CACHE_DIR")
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("batchtui", appauthor=False))


def demo_dir(data: Path) -> Path:
    """The demo's own data folder inside a data folder."""
    return data / "demo"
