"""A run made again from another folder, from a table with its columns in another order, and when its first batch is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchtui.domain.errors import InputError, Stopped
from batchtui.domain.work import Progress, Work
from batchtui.intake.options import RunChoice
from batchtui.service.again import AgainChange, watched
from batchtui.tui.new.prefill import again_of
from tests.demo_server import running_demo
from tests.service.harness import plan_retry, request, running, service_on
from tests.service.test_next_step import JUDGE, LABEL, options, sent, table

EITHER = """
model = "claude-haiku-5-5"
max_tokens = 200
metadata.user_id = "demo-ok"
prompt = "{{ text }} {{ answer | default('') }}"
"""


async def test_the_files_are_found_from_any_folder_and_columns_have_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table(tmp_path, 4, ids=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "rows.csv").write_text("id,text\nx,another file\n")
    monkeypatch.chdir(tmp_path)
    with running_demo(tmp_path / "demo") as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            labels = await sent(service, service.plan(["rows.csv"], options(LABEL)), "labels")
            monkeypatch.chdir(tmp_path / "elsewhere")
            columns = [line.split(",") for line in rows.read_text().splitlines()]
            rows.write_text("".join(",".join(reversed(each)) + "\n" for each in columns))
            again = service.again(labels)
            plan = service.plan_again(again, AgainChange(reread=True))
            assert "rows: the same 4" in again.difference(plan)
            service.discard(plan)

            # What is made again of a judge takes answers, and the labels' file holds none.
            judged = await sent(service, service.plan(["run:labels"], options(JUDGE)), "judged")
            change = AgainChange(set={"max_tokens": "300"})
            other = await sent(service, service.plan_again(service.again(judged), change), "other")
            assert again.files and service.again(judged).files == service.again(other).files == ()
            with pytest.raises(InputError, match="was not made from files"):
                service.plan_again(service.again(other), AgainChange(reread=True))


def test_a_long_comparison_of_rows_tells_how_far_it_is_and_stops() -> None:
    told = list[Progress]()
    work = Work(told.append)
    rows = watched(((str(n), n) for n in range(2_000)), 2_000, work)
    assert next(rows) == ("0", 0) and told == [Progress("comparing rows", 0, 2_000, "rows")]
    work.stop()
    with pytest.raises(Stopped):
        list(rows)


async def test_of_rows_with_one_id_those_that_a_run_took_are_taken_again(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("id,text\na,one\na,two\na,three\n")
    with running_demo(tmp_path / "demo") as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            await sent(service, service.plan([str(rows)], options(LABEL)), "labels")
            chosen = options(JUDGE, choice=RunChoice(filter="-row.text:one"))
            judged = await sent(service, service.plan(["run:labels"], chosen), "judged")
            again = service.again(judged)
            plan = service.plan_again(again, AgainChange())
            assert "rows: the same 2, from the data folder" in again.difference(plan)
            service.discard(plan)

            plan = service.plan(["run:labels", str(rows)], options(EITHER))
            mixed = service.again(await sent(service, plan, "mixed"))
            said = mixed.difference(service.plan_again(mixed, AgainChange()))
            assert "rows: 3 of the same 6, from the data folder; the others came from rows.csv" in said


async def test_an_adopted_batch_is_made_again_from_a_file_and_nothing_is_said_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(request(f"{n}-demo-ok")) + "\n" for n in range(3)))
    with running_demo(tmp_path / "demo") as demo:
        async with running(service_on(demo, tmp_path / "other")) as other:
            await sent(other, other.plan([str(path)]), "made there")
        async with running(service_on(demo, tmp_path / "data")) as service:
            (remote,), _ = await service.untracked()
            again = service.again(await service.adopt(remote, "adopted"))
            assert again_of(service, again.first).words == "its requests are not on this machine: type a path in Source"
            said = again.difference(service.plan_again(again, AgainChange(sources=(str(path),))))
            assert said[2:] == ["rows: 3; those of that run are not on this machine"]


async def test_a_run_without_its_first_batch_is_not_said_to_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text("".join(json.dumps(request(f"{n}-demo-{word}")) + "\n" for n, word in enumerate(("ok", "error"))))
    with running_demo(tmp_path / "demo") as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            first = await sent(service, service.plan([str(path)]), "mixed")
            fixed = plan_retry(service, [first.local_id], {"system": '"ok"'})
            await sent(service, fixed, "", retry_of=first)
            template = JUDGE.replace("{{ row.text }}", "").replace("|{{ answer.mood }}|{{ mood }}", "")
            judged = await sent(service, service.plan(["run:mixed"], options(template)), "judged")
            await service.delete([first.local_id], there=False)
            (made,) = service.lineage.made_from(judged.run)
            assert (made.title, made.deleted) == ("mixed", False)
            assert [each.title for each in service.lineage.origins(judged.run)] == ["mixed"]
            assert service.again(made_of := service.resolve("mixed")).recipe is None  # a retry's is not the run's
            assert made_of.run == first.run
