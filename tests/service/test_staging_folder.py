"""The folder of a plan that is being made: whatever ends that leaves none behind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batchtui.service import planning
from batchtui.store import files


def test_a_signal_while_the_folder_is_made_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context: Any = SimpleNamespace(data=tmp_path)
    make = files.make_private_dir

    def signaled(path: Path) -> Path:
        make(path)
        if path.parent.name == "plans":
            raise KeyboardInterrupt
        return path

    with monkeypatch.context() as patch:
        patch.setattr(files, "make_private_dir", signaled)
        with pytest.raises(KeyboardInterrupt), planning.staging(context, True, "no"):
            pass
    assert list((tmp_path / "plans").iterdir()) == []
    # One that comes between the folder and the block that was to use it.
    manager: Any = planning.staging(context, True, "no")
    assert next(manager.gen).is_dir()
    del manager
    assert list((tmp_path / "plans").iterdir()) == []
