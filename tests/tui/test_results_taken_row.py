"""What y, o and O take is the row they were pressed on, read anew: never what the pane showed before."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from batchtui.results.view import ResultSet
from batchtui.service import Service
from batchtui.tui.results import actions
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.opened_results import opened
from tests.tui.waiting import until
from tests.tui.work import add_batch, answered, make_service, request

NAMES = ("first", "second", "third")


def prepared(tmp_path: Path) -> tuple[Service, str]:
    service = make_service(tmp_path)
    results = [answered(name, [{"type": "text", "text": f"It is the {name}."}]) for name in NAMES]
    return service, add_batch(service, [request(name, "which?") for name in NAMES], results).local_id


async def test_a_cursor_that_moves_while_an_answer_is_read_changes_nothing_of_what_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, local_id = prepared(tmp_path)
    copied, reading, go_on, raw = tmp_path / "copied.txt", threading.Event(), threading.Event(), ResultSet.raw

    def slow(view: ResultSet, row: int) -> bytes:
        reading.set()
        assert go_on.wait(120)
        return raw(view, row)

    async with opened(service, local_id) as (_, pilot, screen):
        await pilot.press("j", "y")
        await until(pilot, lambda: copied.exists() and copied.read_text() == "It is the second.")
        monkeypatch.setattr(ResultSet, "raw", slow)
        await pilot.press("j", "y")
        await until(pilot, reading.is_set)
        await pilot.press("k", "k")
        await until(pilot, lambda: screen.query_one(RowList).cursor == 0)
        copied.unlink()
        go_on.set()
        await until(pilot, copied.exists)
        assert copied.read_text() == "It is the third."


async def test_an_answer_that_cant_be_read_is_an_error_and_nothing_is_copied_or_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, local_id = prepared(tmp_path)
    copied, outside = tmp_path / "copied.txt", []
    monkeypatch.setattr(actions, "edit_text", lambda _, text, *__: outside.append(text) or (text, ""))
    async with opened(service, local_id) as (_, pilot, screen):
        await pilot.press("y")
        await until(pilot, copied.exists)
        copied.unlink()
        assert screen.view is not None
        screen.view.close()
        for key in ("y", "o", "O"):
            screen.query_one(StatusLine).dismiss()
            await pilot.press("j", key)
            await until(pilot, lambda: "closed" in screen.query_one(StatusLine).said)
        assert not copied.exists()
        assert outside == []


async def test_where_no_row_is_shown_nothing_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, local_id = prepared(tmp_path)
    outside: list[str] = []
    monkeypatch.setattr(actions, "edit_text", lambda _, text, *__: outside.append(text) or (text, ""))
    async with opened(service, local_id) as (_, pilot, screen):
        await pilot.press("7")
        await until(pilot, lambda: not screen.rows)
        await pilot.press("o")
        await until(pilot, lambda: "Nothing to open" in screen.query_one(StatusLine).said)
        assert outside == []
