"""A judge is made again though the run that it judged is deleted: its own requests hold those answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtui.domain.errors import InputError
from batchtui.service import recipe
from batchtui.service.again import AgainChange
from tests.demo_server import running_demo
from tests.service.harness import running, service_on
from tests.service.test_next_step import JUDGE, LABEL, options, prompts, sent, table


async def test_a_judge_of_a_deleted_run_is_made_again_with_the_requests_it_sent(tmp_path: Path) -> None:
    rows = table(tmp_path)
    with running_demo(tmp_path / "demo") as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            labels = await sent(service, service.plan([str(rows)], options(LABEL)), "labels")
            judge = JUDGE + '[answer]\nfits = ["yes", "no"]\n'
            judged = await sent(service, service.plan(["run:labels"], options(judge)), "judged")
            await service.delete([labels.local_id], there=False)

            again = service.again(judged)
            with pytest.raises(InputError, match=f"run {labels.run}, which is deleted") as refused:
                service.plan_again(again, AgainChange(template_text=judge.replace("|", ",")))
            assert "leave the template as it was" in refused.value.advice
            plan = service.plan_again(again, AgainChange(set={"model": '"claude-haiku-4-5"'}))
            said = again.difference(plan)
            assert (
                "rows: the same 6, from the data folder" in said
                and "model: claude-haiku-5-5 → claude-haiku-4-5" in said
            )
            assert any(f"sent as they were (run {labels.run}" in line for line in said)
            other = await sent(service, plan, "other")
            assert prompts(service, other) == prompts(service, judged)
            kept = recipe.read(service.history.folder(other.local_id))
            assert kept is not None and (kept.kind, kept.runs) == ("requests", (judged.run,))
            view = service.open_results(other.local_id)
            assert {view.row(n).outcome for n in range(len(view))} == {"succeeded"}
            view.close()

            # And that one once more, from what it kept itself.
            await service.delete([judged.local_id], there=False)
            assert service.plan_again(service.again(other), AgainChange()).requests == 6
