"""Results on a disk that is mounted read-only are shown, and so are their fields."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from batchtui.results.fields import view_fields
from batchtui.results.storage import open_results
from batchtui.store.records import INDEX
from results.result_lines import PRICES, good, store


def test_nothing_can_be_made_or_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = store(tmp_path, [good("a", '{"n": 1}'), good("b", '{"n": 2}')])
    (tmp_path / INDEX).unlink()
    real = os.open

    def read_only(path: object, flags: int, *rest: int, **more: object) -> int:
        return refuse() if flags & os.O_CREAT else real(path, flags, *rest, **more)  # type: ignore[arg-type]

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(os, "unlink", refuse)
    view = open_results(tmp_path, PRICES)
    assert view.tally == counted
    assert list(view_fields(view).column("n")) == [1, 2]
    assert [each.name for each in tmp_path.iterdir()] == ["results.jsonl"]
