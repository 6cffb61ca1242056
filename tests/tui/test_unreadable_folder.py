"""The file picker opened at a folder that can't be read says so until another is read, and leads to its parent."""

from __future__ import annotations

from pathlib import Path

from batchtui.tui.new.file_picker import FilePicker
from tests.tui.picture import text_of
from tests.tui.waiting import settled
from tests.tui.work import make_app, make_service


async def test_a_folder_that_cant_be_read_is_not_said_to_be_empty(tmp_path: Path) -> None:
    app = make_app(make_service(tmp_path / "data"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "rows.csv").write_text("x")
    async with app.run_test(size=(100, 24)) as pilot:
        await app.push_screen(FilePicker(tmp_path / "in" / "gone"))
        await settled(pilot)
        for key in ("full_stop", "full_stop"):
            assert "No such file or directory" in text_of(app) and "empty" not in text_of(app)
            await pilot.press(key)
            await settled(pilot)
        await pilot.press("backspace")
        await settled(pilot)
        assert "rows.csv" in text_of(app) and "No such file" not in text_of(app)
