"""Charges that results list apart, or do not tell, from the demo server to the record and the words on both faces."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from batchtui.present import batch
from batchtui.results.charges import CODE_EXECUTION, ITERATIONS
from tests.demo_server import running_demo
from tests.service.harness import plan_of, request, running, service_on


async def test_a_cost_that_is_not_known_whole_says_so_from_the_results_to_the_screen(tmp_path: Path) -> None:
    names = ("demo-ok", "demo-code", "demo-compact", "demo-advise")
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(request(name, "hello")) + "\n" for name in names))
    with running_demo(tmp_path / "demo") as demo:
        service = service_on(demo, tmp_path / "data")
        async with running(service):
            (sent,) = await service.submit(plan_of(service, source))
            await service.wait([sent.local_id])
            record = service.history.resolve(sent.local_id)
            assert record.tally is not None and record.tally.cost_missing == tuple(sorted((CODE_EXECUTION, ITERATIONS)))
            assert batch.cost(record).startswith("≥ $")
            view = service.open_results(sent.local_id)
            rows = {row.custom_id: row for row in map(view.row, range(len(view)))}
            assert [rows[name].at_least for name in names] == [False, True, True, True]
            assert sum((row.cost_usd or Decimal(0) for row in rows.values()), Decimal(0)) == record.cost_usd
            # The advisor's tokens are in, at its own price.
            assert (rows["demo-advise"].cost_usd or 0) > 2 * (rows["demo-ok"].cost_usd or 0)
            view.close()
            assert service.spending().at_least == 1
