"""Folders and files that batchtui makes are private, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtui.config.edit import SETTINGS, change
from batchtui.config.first import write_first_config
from batchtui.debuglog import open_log
from batchtui.intake.drafts import Draft, save_draft
from batchtui.store import files


@pytest.fixture(params=[0o000, 0o022, 0o277], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(top: Path) -> dict[str, int]:
    """Modes of all that lies below."""
    return {str(path.relative_to(top)): stat.S_IMODE(path.stat().st_mode) for path in sorted(top.rglob("*"))}


def test_a_missing_config_folder_and_its_parents_are_private(tmp_path: Path, umask: int) -> None:
    write_first_config(tmp_path / "new" / "batchtui" / "config.toml")
    assert modes(tmp_path) == {"new": 0o700, "new/batchtui": 0o700, "new/batchtui/config.toml": 0o600}


def test_a_changed_setting_leaves_a_private_file(tmp_path: Path, umask: int) -> None:
    setting = next(each for each in SETTINGS if each.place == "screen.copy_raw")
    assert change(setting, True, tmp_path / "config" / "config.toml").screen.copy_raw
    assert modes(tmp_path) == {"config": 0o700, "config/config.toml": 0o600}


def test_drafts_logs_and_their_folders_are_private(tmp_path: Path, umask: int) -> None:
    save_draft(tmp_path / "data", Draft(name="one"))
    open_log(files.make_private_dir(tmp_path / "logs") / "log")
    assert set(modes(tmp_path).values()) == {0o700, 0o600}
    assert all(
        mode == (0o600 if "." in name or name.endswith("/log") else 0o700) for name, mode in modes(tmp_path).items()
    )


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine").chmod(0o750)
    files.make_private_dir(tmp_path / "mine" / "new")
    assert modes(tmp_path) == {"mine": 0o750, "mine/new": 0o700}
