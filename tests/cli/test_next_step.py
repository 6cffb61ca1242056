"""The chain on the command line: label, judge, again on another model, one table; and a kill in the middle of ``again``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.cli.calling import Caller

HEAD = 'model = "claude-haiku-5-5"\nmax_tokens = 99\nmetadata.user_id = "demo-ok"\n'
LABEL = HEAD + 'prompt = "{{ text }}"\n[answer]\nmood = ["good", "bad"]\n'
JUDGE = HEAD + 'prompt = "{{ text }}: {{ mood }}"\n[answer]\nfair = "boolean"\n'


def test_the_chain_from_the_guide(call: Caller, tmp_path: Path) -> None:
    table, label, judge = tmp_path / "rows.csv", tmp_path / "label.toml", tmp_path / "judge.toml"
    table.write_text("text\n" + "".join(f"row {n}\n" for n in range(4)))
    label.write_text(LABEL)
    judge.write_text(JUDGE)
    assert call("submit", table, "--template", label, "--title", "labels", "--wait", "--yes").code == 0
    table.unlink()
    label.unlink()
    assert call("submit", "run:labels", "--template", judge, "--title", "judged", "--wait", "--yes").code == 0
    dry = call("again", "labels", "--model", "claude-sonnet-5", "--dry-run")
    assert dry.code == 0 and "model: claude-haiku-5-5 → claude-sonnet-5" in dry.err
    assert "rows: the same 4, from the data folder" in dry.err
    again = call("again", "labels", "--model", "claude-sonnet-5", "--title", "sonnet", "--wait", "--yes", "--json")
    assert again.code == 0 and again.json["batches"][0]["models"] == {"claude-sonnet-5": 4}

    out = tmp_path / "all.csv"
    assert call("results", "judged", "--with-origin", "--with", "sonnet", "-o", out).code == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == [f"row {n}" for n in range(4)]
    assert all(row["fair"] and row["labels.mood"] and row["sonnet.mood"] for row in rows)
    assert call("results", "judged", "--with", "sonnet", "-o", tmp_path / "x.jsonl").code == 2

    shown = call("show", "labels", "--json").json
    assert [each["title"] for each in shown["led_to"]] == ["judged", "sonnet"]
    assert shown["recipe"]["template_text"] == LABEL
    assert "made from    labels" in call("show", "sonnet").out.decode()
    assert call("show", "labels", "--template").out.decode() == LABEL
    assert call("show", "labels", "-o", label).code == 0 and label.read_text() == LABEL
    assert call("show", "labels", "-o", label).code == 2  # never over a file
    gone = call("again", "labels", "--reread", "--dry-run")
    assert gone.code == 2 and "rows.csv" in gone.err
    wrong = call("check", "run:label", "--template", judge)
    assert wrong.code == 2 and "./run:label" in wrong.err


def test_runs_that_have_ended_meanwhile_are_downloaded_before_they_are_used(call: Caller, tmp_path: Path) -> None:
    table, label = tmp_path / "rows.csv", tmp_path / "label.toml"
    table.write_text("text\none\ntwo\n")
    label.write_text(LABEL)
    for title in ("one", "other"):
        label.write_text(LABEL.replace("99", str(100 + len(title))))
        assert call("submit", table, "--template", label, "--title", title, "--yes").code == 0

    def ended(*words: object) -> bool:
        found = call(*words)
        return found.code == 0 and "no results" not in found.err

    # Nothing but these verbs asks the API.
    assert any(ended("check", "run:one", "--template", label) for _ in range(500))
    assert any(ended("results", "one", "--with", "other", "-o", tmp_path / "x.csv", "--force") for _ in range(500))
    with (tmp_path / "x.csv").open(newline="") as file:
        assert all(row["other.mood"] for row in csv.DictReader(file))
    wrong = call("results", "one", "--with", "other", "--columns", "text,othr.mood", "--format", "csv")
    assert wrong.code == 2 and "did you mean other.mood" in wrong.err

    judged = label.with_name("judge.toml")
    judged.write_text(JUDGE)
    assert call("submit", "run:one", "--template", judged, "--title", "judged", "--wait", "--yes").code == 0
    assert call("again", "judged", "--set", "max_tokens=98", "--title", "more", "--wait", "--yes").code == 0
    assert call("delete", "one", "--yes").code == 0
    left = call("results", "more", "--with-origin", "-o", tmp_path / "y.csv")
    assert "is deleted: its columns are left out" in left.err and "judged.fair" in (tmp_path / "y.csv").read_text()


def test_looking_at_a_run_that_is_a_source_sends_nothing_that_waits(
    call: Caller, own_folders: Path, tmp_path: Path
) -> None:
    label = tmp_path / "label.toml"
    label.write_text(LABEL.replace("{{ text }}", "{{ answer }}"))
    assert call("submit", call.source(1), "--title", "one", "--yes").code == 0
    with (own_folders / "config" / "config.toml").open("a") as config:
        config.write("[limits]\nmax_requests = 1\nqueue = 1\n")
    assert call("submit", call.source(2, name="b"), "--title", "two", "--yes").code == 0

    def waiting() -> int:
        return sum(each["status"] == "submitting" for each in call("list", "--json").json)

    assert waiting() == 2
    for _ in range(500):
        found = call("check", "run:one", "--template", label)
        if found.code == 0:
            break
    # The run has ended, so that there is room in the queue.
    assert found.code == 0 and waiting() == 2


def test_a_file_whose_name_looks_like_a_run(call: Caller, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    call.source(2, name="run:x")
    assert call("check", "./run:x", "--json").json["requests"] == 2
    assert call("check", "run:x").code == 2


def test_native_rows_are_judged_by_their_prompts(call: Caller, tmp_path: Path) -> None:
    call.source(3, name="native.jsonl", n1="error")
    call("submit", tmp_path / "native.jsonl", "--title", "native", "--wait", "--yes")
    judge = tmp_path / "j.toml"
    judge.write_text(LABEL.replace("{{ text }}", "{{ prompt }}: {{ answer }}"))
    made = call("check", "run:native", "--template", judge, "--json").json
    assert made["requests"] == 2
    assert [p["message"] for p in made["problems"]] == ["1 of 3 rows left out: 1 errored"]
    every = call("check", "run:native", "--template", judge, "--only", "errored", "--json").json
    assert every["requests"] == 1
    wanted = call("check", "run:native", "--template", judge, "--filter", "id:2-demo-ok", "--json").json
    assert wanted["requests"] == 1
    assert json.loads(call("again", "native", "--dry-run", "--json").out)["requests"] == 3
