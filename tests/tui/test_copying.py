"""What y copies can't act on the terminal that it is pasted into; Y and a setting copy it as received."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtui.config.load import Config, Screen
from batchtui.tui.results.screen import ResultsScreen
from batchtui.tui.widgets.status_line import StatusLine
from tests.tui.waiting import until
from tests.tui.work import add_batch, answered, make_app, make_service, request

HOSTILE = "one\tline\r\ntwo \x1b]52;c;T1dORUQ=\x07 \x1b[31m\u202e \ufe0f\u3164 ❤\ufe0f end"
CLEAN = "one\tline\ntwo ␛]52;c;T1dORUQ=␇ ␛[31m⟨202e⟩ ⟨fe0f⟩⟨3164⟩ ❤\ufe0f end"


@pytest.mark.parametrize(
    ("key", "setting", "expected"),
    [("y", False, CLEAN), ("Y", False, HOSTILE), ("y", True, HOSTILE)],
    ids=["clean", "raw", "raw-by-setting"],
)
async def test_copying(tmp_path: Path, key: str, setting: bool, expected: str) -> None:
    add_batch(
        make_service(tmp_path / "data"), [request("a", "x")], [answered("a", [{"type": "text", "text": HOSTILE}])]
    )
    service = make_service(tmp_path / "data", Config(screen=Screen(copy_raw=setting)))
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = ResultsScreen(service.records()[0].local_id)
        await app.push_screen(screen)
        await until(pilot, lambda: screen.view is not None and bool(screen.rows))
        await pilot.press(key)
        line = screen.query_one(StatusLine)
        await until(pilot, lambda: "Copied" in line.said)
        assert expected in app.clipboard
        assert expected.replace("\r\n", "\n") in (service.data / "copied.txt").read_text("utf-8")
        assert ("Y copies the answer as received" in line.said) == (expected is CLEAN)


async def test_whatever_copies_is_cleaned(tmp_path: Path) -> None:
    app = make_app(make_service(tmp_path / "data"))
    async with app.run_test(size=(80, 24)):
        app.copy_to_clipboard(HOSTILE)
        assert app.clipboard == CLEAN
