"""A run as the source of another, a run made again, and what each was made from."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import InputError
from batchtui.intake.options import IntakeOptions, RunChoice
from batchtui.results.review import Review, Verdict
from batchtui.results.row_match import match
from batchtui.results.row_places import places_of
from batchtui.service import Service, recipe, run_sources
from batchtui.service.again import AgainChange
from tests.demo_server import running_demo
from tests.service.harness import plan_retry, request, running, service_on

LABEL = """
model = "claude-haiku-5-5"
max_tokens = 200
metadata.user_id = "demo-ok"
prompt = "demo-ok {{ text }}"
[answer]
mood = ["good", "bad"]
"""
JUDGE = """
model = "claude-haiku-5-5"
max_tokens = 200
metadata.user_id = "demo-ok"
prompt = "{{ row.text }}|{{ answer }}|{{ answer.mood }}|{{ mood }}|{{ run.outcome }}|{{ custom_id }}|{{ run.verdict }}"
"""


def table(folder: Path, rows: int = 6, name: str = "rows.csv", *, ids: bool = False) -> Path:
    path = folder / name
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow((["id"] if ids else []) + ["text", "answer of old"])
        for n in range(rows):
            writer.writerow(([f"t-{n}"] if ids else []) + [f"text {n}", f"old {n}"])
    return path


async def sent(service: Service, plan: object, title: str, **more: object) -> BatchRecord:
    """Submit a plan and bring its results home."""
    assert plan.ok, plan.problems  # type: ignore[attr-defined]
    records = await service.submit(plan, title=title, **more)  # type: ignore[arg-type]
    await service.wait([r.local_id for r in records])
    return service.resolve(records[0].local_id)


def prompts(service: Service, record: BatchRecord) -> list[str]:
    lines = (service.history.folder(record.local_id) / "requests.jsonl").read_text().splitlines()
    return [json.loads(line)["params"]["messages"][0]["content"] for line in lines]


def options(template: str, **more: object) -> IntakeOptions:
    return IntakeOptions(template_text=template, **more)  # type: ignore[arg-type]


async def test_a_run_is_judged_and_made_again_and_all_of_it_is_one_table(tmp_path: Path) -> None:
    rows = table(tmp_path)
    with running_demo(tmp_path / "demo") as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            labels = await sent(service, service.plan([str(rows)], options(LABEL)), "labels")
            rows.unlink()  # what is made of the run needs no file any more
            judged = await sent(service, service.plan(["run:labels"], options(JUDGE)), "judged")
            first = prompts(service, judged)[0].split("|")
            assert first[0] == "text 0"
            assert first[2:5] == [first[3], first[3], "succeeded"]
            assert json.loads(first[1])["mood"] == first[2]

            again = service.again(labels)
            change = AgainChange(set={"model": '"claude-haiku-4-5"'})
            plan = service.plan_again(again, change)
            said = again.difference(plan)
            assert "rows: the same 6, from the data folder" in said
            assert "model: claude-haiku-5-5 → claude-haiku-4-5" in said and "template: the same" in said
            other = await sent(service, plan, again.default_title(change))

            # Their made ids differ, their rows are the same.
            views = [service.open_results(r.local_id, run=True) for r in (labels, judged, other)]
            assert not set(views[0].ids()) & set(views[1].ids())
            assert min(match(views[0], views[2])) >= 0 <= min(match(views[1], views[0]))  # every row has its match

            made = recipe.read(service.history.folder(judged.local_id))
            assert made is not None and made.made_from == "run" and made.made_of == (labels.run,)
            assert [each.title for each in service.lineage.led_to(labels.run)] == ["judged", other.title]
            assert [each.run for each in service.lineage.made_from(other.run)] == [labels.run]
            assert service.again(other).recipe.template_text == LABEL  # type: ignore[union-attr]

            joined = service.join_runs(views[1], [*service.lineage.origins(judged.run), other])
            dest = tmp_path / "all.csv"
            service.export(views[1], None, "csv", dest, joined=joined)
            with dest.open(newline="") as file:
                out = list(csv.DictReader(file))
            assert [row["text"] for row in out] == [f"text {n}" for n in range(6)]
            assert all(row["labels.mood"] in ("good", "bad") for row in out)
            assert all(row[f"{other.title}.model"].startswith("claude-haiku-4-5") for row in out)
            assert list(out[0])[:2] == ["text", "answer of old"]  # its own names are nobody else's

            # Once more, the judge's rows take the answers as they are now.
            plan = service.plan_again(service.again(judged), AgainChange(set={"max_tokens": "300"}))
            assert plan.ok and plan.requests == 6 and plan.origin is not None and plan.origin.kind == "answers"
            assert (
                '"max_tokens":300' in plan.sample[0]
                and first[1][:5] in msgspec.json.decode(plan.sample[0])["params"]["messages"][0]["content"]
            )
            await service.delete([labels.local_id], there=False)
            plan = service.plan_again(service.again(judged), AgainChange())
            assert plan.ok and plan.requests == 6 and plan.origin is not None and plan.origin.kind == "requests"
            assert service.lineage.made_from(judged.run)[0].deleted and not service.lineage.origins(judged.run)


async def test_what_is_left_out_is_counted_and_a_merged_run_is_one_source(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    words = ["ok", "error", "ok", "max_tokens", "ok"]
    path.write_text("".join(json.dumps(request(f"{n}-demo-{word}", f"say {n}")) + "\n" for n, word in enumerate(words)))
    template = (
        'model = "claude-haiku-5-5"\nmax_tokens = 99\nprompt = "{{ prompt }}|{{ run.attempt }}|{{ run.verdict }}"\n'
    )
    with running_demo(tmp_path / "demo") as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            mixed = await sent(service, service.plan([str(path)]), "mixed")
            plan = service.plan(["run:mixed"], options(template))
            said = next(group.message for group in plan.problems if group.code == "rows_left_out")
            assert said == "2 of 5 rows left out: 1 cut short, 1 errored"
            every = service.plan(["run:last"], options(template, choice=RunChoice(only=("all",))))
            assert (plan.requests, every.requests) == (3, 5)
            chosen = options(template, choice=RunChoice(only=("all",), ids=frozenset({"1-demo-error"})))
            assert service.plan([f"run:{mixed.local_id}"], chosen).requests == 1

            fixed = plan_retry(service, [mixed.local_id], {"system": '"ok"'}, custom_ids=["1-demo-error"])
            assert fixed.ok
            retried = await sent(service, fixed, "", retry_of=mixed)
            view = run_sources.opened(service.context, mixed)
            row = view.ids().index("1-demo-error")
            attempt = view.row(row).attempt + 1
            key = places_of(view)[row].key
            review = Review(service.history.folder(mixed.local_id))
            review.say(Verdict(row=key, verdict="wrong", value="x", at=datetime(2026, 11, 27, tzinfo=UTC)))
            every = service.plan(["run:mixed"], options(template, choice=RunChoice(only=("all",))))
            judged = await sent(service, every, "j")
            assert f"say 1|{attempt}|wrong" in prompts(service, judged)
            assert prompts(service, judged)[0].startswith("say 0|1|")  # native rows: the prompt, in their order
            assert retried.run == mixed.run and service.lineage.led_to(mixed.run)[0].run == judged.run

            # Native requests once more keep their ids; the error of the demo's word comes along.
            plan = service.plan_again(service.again(mixed), AgainChange(set={"max_tokens": "77"}))
            ids = [json.loads(line)["custom_id"] for line in plan.parts[0].path.read_text().splitlines()]  # type: ignore[union-attr]
            assert ids == [f"{n}-demo-{word}" for n, word in enumerate(words)]
            assert "max_tokens: 500 → 77" in service.again(mixed).difference(plan)
            other = await sent(service, plan, "again")
            pair = [service.open_results(r.local_id, run=True) for r in (mixed, other)]
            assert min(match(*pair)) >= 0


async def test_reread_says_what_changed_in_the_file(tmp_path: Path) -> None:
    rows = table(tmp_path, 6, ids=True)
    template = tmp_path / "t.toml"
    template.write_text(LABEL)
    with running_demo(tmp_path / "demo") as demo:
        async with running(service_on(demo, tmp_path / "data")) as service:
            first = await sent(service, service.plan([str(rows)], IntakeOptions(template=template)), "rows")
            text = rows.read_text().replace("text 1", "text one").replace("t-2,", "t-9,")
            rows.write_text(text + "t-10,text 10,x\n")
            template.write_text(LABEL.replace("200", "300"))
            again = service.again(first)
            plan = service.plan_again(again, AgainChange(reread=True, template=template))
            said = again.difference(plan)
            assert "rows: 4 same, 2 added, 1 gone, 1 different" in said
            assert "template: changed" in said and "  +max_tokens = 300" in said
            assert "max_tokens: 200 → 300" in said
            service.discard(plan)
            assert service.plan_again(again, AgainChange()).parts[0].requests == 6  # the store's rows stand

            with pytest.raises(InputError, match="no batch has the id"):
                service.plan(["run:nothing"], options(JUDGE))
            wrong = service.plan(["run:rows"], options(JUDGE.replace("mood }}", "mod }}")))
            assert not wrong.ok and "did you mean {{ mood }}" in wrong.problems[0].message
            bare = service.plan(["run:rows"])
            assert not bare.ok and "need a template" in bare.problems[0].message
