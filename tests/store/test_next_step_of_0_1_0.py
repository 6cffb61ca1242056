"""Runs of 0.1.0 are sources, and are made again: their rows from requests.jsonl and ids.jsonl, their template unknown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.store.test_made_by_0_1_0 import ENDED, data, service_over

from batchtui.domain.errors import InputError
from batchtui.intake.options import IntakeOptions
from batchtui.results.row_match import match
from batchtui.service import run_sources
from batchtui.service.again import AgainChange

__all__ = ["data"]
TEMPLATE = 'model = "claude-haiku-5-5"\nmax_tokens = 50\nprompt = "{{ answer }} {{ run.outcome }}"\n'


@pytest.mark.parametrize("local_id", [name for name, (_, attempt, *_) in ENDED.items() if attempt == 0])
def test_a_run_of_0_1_0_has_a_next_step(data: Path, local_id: str) -> None:
    service = service_over(data)
    title = ENDED[local_id][0]
    record = service.resolve(local_id)
    again = service.again(record)
    plan = service.plan_again(again, AgainChange(set={"model": '"claude-sonnet-5"'}))
    view = run_sources.opened(service.context, record)
    assert plan.ok and plan.requests == len(view) and set(plan.parts[0].models) == {"claude-sonnet-5"}
    said = again.difference(plan)
    assert any("not known" in line for line in said)
    assert f"rows: the same {len(view)}, from the data folder" in said
    lines = [json.loads(line) for line in plan.parts[0].path.read_text().splitlines()]  # type: ignore[union-attr]
    assert len({line["custom_id"] for line in lines}) == len(view)
    with pytest.raises(InputError, match="can't be read again"):
        service.plan_again(again, AgainChange(reread=True))
    assert not service.lineage.made_from(record.run) and not service.lineage.led_to(record.run)

    # The rows of the new plan are those of the old run.
    folder = data / "batches" / "20261128T000000Z-aaaaaa"
    folder.mkdir()
    assert plan.parts[0].path is not None and plan.parts[0].ids_path is not None
    plan.parts[0].path.rename(folder / "requests.jsonl")
    plan.parts[0].ids_path.rename(folder / "ids.jsonl")
    from batchtui.results.run_view import open_run

    assert min(match(view, open_run([(folder, 0)], service.prices))) >= 0

    usable = view.counts()["usable"]
    judged = service.plan([f"run:{title}"], IntakeOptions(template_text=TEMPLATE))
    assert judged.requests == usable and (judged.ok or not usable)
