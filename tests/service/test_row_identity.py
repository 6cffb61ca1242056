"""Made ids and row identities through the whole program: guesses, retries, what was skipped."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
from pathlib import Path

import pytest

from batchtui.domain.plan import Plan
from batchtui.service import Service
from batchtui.service.plan_commit import PlanCommitter
from batchtui.store.records import History
from tests.demo_server import running_demo
from tests.results.told_places import told
from tests.service.harness import plan_of, plan_retry, request, running, service_on

TEMPLATE = 'model = "claude-haiku-4-5"\nmax_tokens = 50\nprompt = "About {{ city }}"\n'


def table(service: Service, folder: Path, *cities: str) -> Plan:
    path = folder / f"{cities[0]}.csv"
    path.write_text("city\n" + "".join(f"{city}\n" for city in cities))
    return plan_of(service, path, template_text=TEMPLATE)


async def test_alphas_table_never_gets_betas_answers(tmp_path: Path) -> None:
    """Two machines in one workspace, each with a table of as many rows: one's reply is lost and nothing was created."""
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        alpha, beta = service_on(demo, tmp_path / "alpha"), service_on(demo, tmp_path / "beta")
        demo.set_faults(["status:500@create*1"])
        plan = table(alpha, tmp_path, "Oslo", "Rome", "Bonn")
        [mine] = await alpha.submit(plan)
        assert mine.status == "unconfirmed" and mine.ids_made
        [theirs] = await beta.submit(table(beta, tmp_path, "Lima", "Kyiv", "Baku"))
        assert theirs.id is not None
        for _ in range(3000):
            await alpha.sync()
            await beta.sync()
            if alpha.resolve(mine.local_id).status == "refused" and not any(r.results_due for r in beta.records()):
                break
            await asyncio.sleep(0.03)
        found = alpha.resolve(mine.local_id)
        assert (found.id, found.results, found.status) == (None, "none", "refused")
        assert not (alpha.history.folder(mine.local_id) / "results.jsonl").exists()
        assert beta.resolve(theirs.local_id).results == "stored"
        assert demo.stats()["creates"] == 1
        await alpha.close()
        await beta.close()


async def test_a_run_is_named_by_the_mark_of_its_ids_and_a_retry_keeps_ids_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("city\nOslo demo-errored-once\nRome\nBonn\n")
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            plan = plan_of(service, path, template_text=TEMPLATE)
            [first] = await service.submit(plan)
            assert first.local_id.endswith(plan.mark) and first.ids_kept and first.ids_made
            await service.wait([first.local_id])
            chosen = [f"{plan.mark}-{n:06}" for n in (1, 3)]
            again = await asyncio.to_thread(plan_retry, service, [first.local_id], custom_ids=chosen)
            [second] = await service.submit(again, retry_of=first)
            assert second.ids_kept and second.ids_made
            keys = [
                [
                    each.key
                    for each in told(service.history.folder(r.local_id) / "ids.jsonl", [(chosen[0], 0), (chosen[1], n)])
                ]
                for n, r in enumerate((first, second), 1)
            ]
            assert keys[0] == keys[1] and all(key.startswith("at:") and len(key) > 64 for key in keys[0])


async def test_a_retry_of_own_ids_keeps_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(json.dumps(request(f"q{n}")) for n in range(6)) + "\n")
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            [first] = await service.submit(plan_of(service, path))
            assert first.ids_kept and not first.ids_made
            await service.wait([first.local_id])
            chosen = ("q1", "q2", "q5")
            [second] = await service.submit(
                await asyncio.to_thread(plan_retry, service, [first.local_id], custom_ids=chosen), retry_of=first
            )
            lines = (service.history.folder(second.local_id) / "ids.jsonl").read_text().splitlines()
            assert [json.loads(line) for line in lines] == [
                {"first": 1, "last": 2, "source": 1, "number": 2},
                {"first": 3, "last": 3, "source": 1, "number": 6},
                {"source": 1, "name": str(path), "sha256": ""},
            ]
            assert not second.ids_made


def with_errors(folder: Path) -> Path:
    path = folder / "in.csv"
    path.write_text('city,note\nOslo,a\n,"no ""city"""\nBonn,c\nRome,d,e\n')
    return path


async def test_what_is_skipped_stays_with_the_batch_and_goes_with_it(tmp_path: Path) -> None:
    template = TEMPLATE.replace("About {{ city }}", "{{ city }}")
    with running_demo(tmp_path / "server", duration=0.05, failure_rate=0.0) as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            plan = plan_of(service, with_errors(tmp_path), template_text=template, skip_bad=True, max_requests=1)
            records = await service.submit(plan)
            assert [(r.part, r.requests, r.skipped) for r in records] == [(1, 1, 2), (2, 1, 0)]
            kept = service.skipped_path(records[0])
            lines = [json.loads(line) for line in kept.read_text().splitlines()]
            assert [(each["where"].rpartition(":")[2], each.get("row"), each.get("text")) for each in lines] == [
                ("3", {"city": "", "note": 'no "city"'}, None),
                ("5", None, "Rome,d,e"),
            ]
            assert all(each["problems"] for each in lines)
            assert not list(service.data.glob("plans/*"))
            await service.wait([r.local_id for r in records])
            view = service.open_results(records[0].local_id, run=True)
            out = tmp_path / "out.csv"
            assert service.export(view, None, "csv", out, all_rows=True) == 4
            rows = list(csv.DictReader(out.open(encoding="utf-8", newline="")))
            assert [(row["city"], row["outcome"].split(" (")[0]) for row in rows] == [
                ("Oslo", "succeeded"),
                ("", "not sent"),
                ("Bonn", "succeeded"),
                ("", "not sent"),
            ]
            assert rows[1]["note"] == 'no "city"' and rows[1]["error_message"]
            view.close()
            await service.delete([records[0].local_id])
            assert not kept.exists()


@pytest.mark.parametrize("step", range(9))
def test_a_kill_between_the_steps_of_a_commit_loses_nothing_of_what_was_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The program ends before each rename in turn, and the next start goes on."""

    class Killed(BaseException):
        pass

    with running_demo(tmp_path / "server") as demo:
        service = service_on(demo, tmp_path / "data")
        template = TEMPLATE.replace("About {{ city }}", "{{ city }}")
        plan = plan_of(service, with_errors(tmp_path), template_text=template, skip_bad=True, max_requests=1)
        rename, calls = Path.rename, 0

        def dying(self: Path, target: Path) -> Path:
            nonlocal calls
            calls += 1
            if calls > step:
                raise Killed
            return rename(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", dying)
            with contextlib.suppress(Killed):
                PlanCommitter(service.context).commit(plan, title="", note="", retry_of=None)
        after = service_on(demo, tmp_path / "data")
        PlanCommitter(after.context).unpack_all()
        records = History(tmp_path / "data").all()
        assert plan.staging is not None
        if step == 0:
            assert not records and (plan.staging / "skipped.jsonl").exists(), "nothing was confirmed yet"
            return
        [first] = [r for r in records if r.part == 1]
        assert len(records) == 2 and first.skipped == 2
        assert len(after.skipped_path(first).read_text().splitlines()) == 2
        assert all((after.history.folder(r.local_id) / "ids.jsonl").exists() for r in records)
