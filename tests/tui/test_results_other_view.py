"""Another view in place of the one that is shown: marks and cursor stay on their requests, whatever their numbers are now."""

from __future__ import annotations

from pathlib import Path

from batchtui.tui.widgets.row_list import RowList
from tests.tui.opened_results import opened, settled
from tests.tui.waiting import until
from tests.tui.work import add_batch, answered, make_service, request

FIRST, AGAIN = "20261122T110000Z-aaaaaa", "20261122T113000Z-bbbbbb"
WHOLE = [{"type": "text", "text": "It says that foxes jump."}]


async def test_marks_and_cursor_stay_on_their_requests_when_the_run_is_shown(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    names = [f"row-{n}" for n in range(10)]
    for local_id, some in ((FIRST, names), (AGAIN, names[5:9])):
        requests = [request(name, f"Summarise {name}") for name in some]
        attempt = int(local_id == AGAIN)
        add_batch(service, requests, [answered(n, WHOLE) for n in some], local_id=local_id, run=FIRST, attempt=attempt)
    async with opened(service, AGAIN) as (_, pilot, screen):
        await settled(pilot, screen)
        listed = screen.query_one(RowList)
        await pilot.press("j", "space")  # Marks row-6, and goes on to row-7.
        for shown in (10, 4):
            await pilot.press("u")
            await until(pilot, lambda count=shown: screen.view is not None and len(screen.rows) == count)
            await settled(pilot, screen)
            view, at = screen.view, listed.cursor_key
            assert view is not None
            assert isinstance(at, int)
            assert ([view.id(row) for row in screen.chosen_rows()], view.id(at)) == (["row-6"], "row-7")
