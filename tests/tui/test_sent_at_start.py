"""The screen says what its start sends that was left waiting earlier."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from textual.widgets import Static

from batchtui.domain.plan import Estimate
from tests.tui.work import NOW, add_batch, make_app, make_service, request


async def _said(folder: Path, **fields: object) -> str:
    service = make_service(folder)
    estimate = Estimate(batch_usd=(Decimal(1), Decimal(3)))
    add_batch(service, [request("a", "x")], None, id=None, status="submitting", estimate=estimate, **fields)
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        return str(app.home.query_one("#said", Static).content)


async def test_what_the_start_sends_is_said_with_what_it_costs(tmp_path: Path) -> None:
    said = await _said(tmp_path / "due", created_at=None, title="mine")
    assert "Left waiting earlier, sent now: mine (1 request), ~$2.00" in said and "Press c on it to cancel." in said


async def test_what_is_sent_later_or_was_sent_is_not(tmp_path: Path) -> None:
    assert "sent now" not in await _said(tmp_path / "later", created_at=None, next_try_at=NOW + timedelta(minutes=5))
    assert "sent now" not in await _said(tmp_path / "sent", created_at=None, intent_at=NOW)
