"""All that a deletion loses is in view beside the choices, on a small terminal too."""

from __future__ import annotations

from decimal import Decimal

from batchtui.present import batch
from batchtui.service import Service
from batchtui.tui.dialogs import ask_delete
from tests.tui.home_data import record
from tests.tui.waiting import settled
from tests.tui.work import make_app


async def test_every_loss_is_shown_at_once(service: Service) -> None:
    due = record(local_id="d", status="ended", results="none", cost_usd=Decimal("0.5"))
    some = record(local_id="e", status="ended", results="partial", have=40, requests=50)
    records = [due, some, record(local_id="f", status="ended", results="stored")]
    lines = batch.deleted_with(records, 12, here=True, there=True)
    assert len(lines) == 7
    app = make_app(service)
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ask_delete(records, 12))
        await settled(pilot)
        strips = app.screen._compositor.render_strips()
        rows = ["".join(segment.text for segment in strip) for strip in strips]
        words = " ".join(" ".join(row.split("│")[1] for row in rows if "│" in row).split())
        assert all(
            line in words for line in [*lines, "Delete msgbatch_1", "No, keep them", "everything, permanently"]
        ), words
