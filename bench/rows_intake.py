"""Before sending: check and plan, with and without the stored copy, and a template over a table and over a run."""

from __future__ import annotations

from bench import data
from bench.measure import Failed, Sample, command, environment, in_turn, work
from bench.rows import Bench, Line, beside
from bench.serving import scratch

LOOP = "json.loads loop"


def check(bench: Bench) -> list[Line]:
    """Check and plan a file of requests."""
    source = data.requests(bench.count)
    with scratch("check") as folder:
        env, own = environment(folder), str(folder / "data")
        works = {
            LOOP: lambda: work("bench.peers:json_loop", env=env, source=str(source)),
            "plan": lambda: work("bench.ours:plan", env=env, sources=[str(source)], data=own, keep=False),
            "keep": lambda: work("bench.ours:plan", env=env, sources=[str(source)], data=own, keep=True),
        }
        if bench.has("wc"):
            works["wc -l"] = lambda: command(["wc", "-l", str(source)], env=env)
        found = in_turn(bench.rounds, works)
    what = f"check and plan {bench.count:,} requests, {data.megabytes(source):.0f} MB"
    return [
        *beside(what, found["plan"], found, [(LOOP, 0.6), ("wc -l", None)]),
        *beside(f"{what}, with the stored copy", found["keep"], found, [(LOOP, 0.9), ("wc -l", None)]),
    ]


def template(bench: Bench) -> list[Line]:
    """Render a template over a CSV and check what comes of it."""
    source, letters = data.table(bench.count)
    peer = "csv + jinja2 + json.dumps loop"
    with scratch("template") as folder:
        env, own = environment(folder), str(folder / "data")
        dest = str(folder / "out.jsonl")
        found = in_turn(
            bench.rounds,
            {
                peer: lambda: work(
                    "bench.peers:render_loop", env=env, source=str(source), template=str(letters), dest=dest
                ),
                "ours": lambda: work(
                    "bench.ours:plan", env=env, sources=[str(source)], data=own, keep=True, template=str(letters)
                ),
            },
        )
    what = f"template over {bench.count:,} CSV rows, checked and stored"
    return beside(what, found.pop("ours"), found, [(peer, 1.0)])


def run(bench: Bench) -> list[Line]:
    """Render a template over the rows of a run with their answers, and over the CSV that the run was made from."""
    source, letters = data.table(bench.count)
    peer = "the same CSV"
    with scratch("run") as folder:
        env, own = environment(folder), str(folder / "data")
        told = work("bench.prepare:answered_table", env=env, data=own, source=str(source), template=str(letters))
        judge, same = folder / "judge.toml", folder / "same.toml"
        judge.write_text(data.TEMPLATE.replace("{{ letter }}", "{{ letter }} {{ answer.label }}"), encoding="utf-8")
        same.write_text(data.TEMPLATE.replace("{{ letter }}", "{{ letter }} price"), encoding="utf-8")

        def planned(name: str, template: str) -> Sample:
            return work("bench.ours:plan", env=env, sources=[name], data=own, keep=True, template=template)

        found = in_turn(
            bench.rounds,
            {
                peer: lambda: planned(str(source), str(same)),
                "ours": lambda: planned(f"run:{told.told['local_id']}", str(judge)),
            },
        )
    if found["ours"].told["fingerprints"] != found[peer].told["fingerprints"]:
        raise Failed("a run's rows make other requests than the same rows of a CSV")
    what = f"template over {bench.count:,} rows of a run with their answers"
    return beside(what, found.pop("ours"), found, [(peer, 1.0)])
