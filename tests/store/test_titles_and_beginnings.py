"""What an ID names where a title and the beginning of an id are spelled alike, or nearly so."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtui.cli.batch_choice import names_run
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError
from batchtui.store.records import History


def test_a_title_that_looks_like_a_beginning_names_its_run_or_is_refused_never_another_batch(tmp_path: Path) -> None:
    history = History(tmp_path)
    for day, title in (("01", "labels"), ("02", "2026"), ("03", "20260101"), ("04", "last")):
        local_id = f"202601{day}T000000Z-aaaaaa"
        history.create(BatchRecord(local_id=local_id, run=local_id, title=title, id=f"msgbatch_{day}"))
    named = history.resolve("2026")  # the beginning of all
    assert named.title == "2026" and names_run(named, "2026")
    with pytest.raises(InputError, match=r"is the title of 20260103T.* and the beginning of 20260101T"):
        history.resolve("20260101")
    assert history.resolve("20260103").title == "20260101" and history.resolve("last").title == "last"
    with pytest.raises(InputError, match="no batch has the id or title 'Lables', did you mean 'labels'"):
        history.resolve("Lables")
