"""A run as a whole on the command line: what was refused is not lost, and what a filter means is not guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.calling import Caller, small_parts


def test_a_refused_part_is_missed_in_the_run_and_comes_back_in_its_place(call: Caller, own_folders: Path) -> None:
    small_parts(own_folders, 3)
    call.demo.set_faults(["status:400@create*1"])
    said = call("submit", call.source(9), "--wait", "--json")
    run = said.json["run"]
    assert [r["status"] for r in said.json["batches"]] == ["refused", "ended", "ended"]
    said = call("results", run, "--run", "--format", "json")
    assert said.code == 1 and "6 of 9 usable" in said.err and "not included" in said.err
    told = json.loads(said.out)
    assert sorted(name for name, text in told.items() if text is None) == [f"{n}-demo-ok" for n in range(3)]
    said = call("retry", run, "--run", "--wait", "--yes")
    assert said.code == 0, said.err
    said = call("results", run, "--run", "--format", "json")
    assert said.code == 0 and "6 after attempt 1, 9 after attempt 2" in said.err
    assert list(json.loads(said.out)) == [f"{n}-demo-ok" for n in range(9)]
    whole = call("results", run, "--run", "--json", "-o", call.folder / "all.jsonl").json["run"]
    assert (whole["requests"], whole["good"]) == (9, 9) and float(whole["cost_usd"]) > 0


@pytest.mark.parametrize("text", ["is:zzz", "tokens>abc", "tokens>", "stop:", "outcome:errored,expired"])
def test_a_filter_that_is_none_is_bad_usage_and_writes_nothing(call: Caller, text: str) -> None:
    assert call("submit", call.source(), "--wait").code == 0
    out = call.folder / "out.json"
    for verb in (["results", "last", "-o", out], ["retry", "last", "--dry-run"]):
        said = call(*verb, "--filter", text)
        assert said.code == 2 and "--filter" in said.err
    assert not out.exists()


def test_a_filter_may_be_an_expression_with_capitals(call: Caller) -> None:
    call("submit", call.source(), "--wait")
    found = call("results", "last", "--format", "json", "--filter", "question [13] OF", "--regex")
    assert len(json.loads(found.out)) == 2
    said = call("results", "last", "--format", "json", "--filter", "question [13] OF", "--regex", "--case")
    assert said.out == b"{}\n" and "no result matches --filter" in said.err
    said = call("results", "last", "--format", "json", "--only", "expired")
    assert said.out == b"{}\n" and "no result matches --only" in said.err and "--filter" not in said.err


def test_a_retry_of_what_a_filter_finds(call: Caller) -> None:
    call("submit", call.source(n1="error", n4="error"), "--wait")
    said = call("retry", "last", "--filter", "id:4-", "--dry-run", "--json")
    assert said.code == 0 and said.json["requests"] == 1


def test_show_and_results_agree_after_a_price_changed(call: Caller, own_folders: Path) -> None:
    call("submit", call.source(), "--wait")
    before = call("show", "last", "--json").json
    with (own_folders / "config" / "config.toml").open("a") as config:
        config.write('[prices."claude-haiku-4-5"]\ninput = 100\noutput = 500\n')
    after = call("show", "last", "--json").json
    assert float(after["cost_usd"]) > 50 * float(before["cost_usd"])
    assert after["cost_usd"] == after["tally"]["cost_usd"]
    assert call("list", "--json").json[0]["cost_usd"] == after["cost_usd"]


def test_a_count_that_fails_hides_neither_problems_nor_plan(call: Caller) -> None:
    call.demo.set_faults(["status:404@count_tokens"])
    said = call("check", call.source(), "--count-tokens", "--json")
    assert said.code == 0 and said.json["requests"] == 6
    [problem] = said.json["problems"]
    assert problem["level"] == "warning" and "could not be counted" in problem["message"]


def test_a_refused_part_says_how_it_is_sent_again(call: Caller) -> None:
    call.demo.set_faults(["status:400@create*1"])
    said = call("submit", call.source(), "--json")
    [record] = said.json["batches"]
    assert record["status"] == "refused" and f"batchtui retry {record['local_id']}" in record["error"]
    assert call("retry", record["local_id"], "--wait", "--yes").code == 0


def test_a_retry_never_goes_out_under_another_profile(call: Caller, own_folders: Path) -> None:
    with (own_folders / "config" / "config.toml").open("a") as config:
        config.write(f'[profiles.other]\nbase_url = "{call.demo.base_url}"\napi_key_env = "ANTHROPIC_API_KEY"\n')
    assert call("submit", call.source(n1="error"), "--wait", "--profile", "other").code == 1
    said = call("retry", "last", "--yes")
    assert said.code == 2 and "--profile other" in said.err
    assert call("retry", "last", "--yes", "--profile", "other").code == 0
    assert call.demo.stats()["creates"] == 2


def test_a_plan_that_its_cost_stops_is_still_one_json_value(call: Caller) -> None:
    said = call("submit", call.source(), "--max-cost", "0.000001", "--json")
    assert said.code == 2 and said.json["requests"] == 6 and "$0.00," not in said.err


def test_a_shell_asks_for_completions_without_words(call: Caller) -> None:
    from tests.cli.calling import program

    env = {"_BATCHTUI_COMPLETE": "bash_complete", "COMP_WORDS": "batchtui re", "COMP_CWORD": "1"}
    said = program(env=env)
    assert said.code == 0 and b"results" in said.out and b"retry" in said.out


def test_a_shell_offers_batches_profiles_topics_faults_and_files(call: Caller, tmp_path: Path) -> None:
    from tests.cli.calling import program

    assert call("submit", call.source(), "--yes", "--title", "nightly").code == 0
    record = call("list", "--json").json[0]

    def offered(*words: str) -> list[str]:
        typed = " ".join(("batchtui", *words))
        env = {"_BATCHTUI_COMPLETE": "zsh_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words))}
        return program(env=env).out.decode().split("\n")

    assert record["local_id"] in offered("show", record["local_id"][:4])
    assert any("nightly" in each for each in offered("retry", "2"))
    assert record["id"] in offered("results", "msgbatch")
    assert offered("watch", "la")[1] == "last"
    assert record["local_id"] not in offered("show", "--data-dir", str(tmp_path / "none"), "2")
    elsewhere = ("--data-dir", str(tmp_path / "none"), "show", "2")
    assert record["local_id"] not in offered(*elsewhere)
    assert "default" in offered("list", "--profile", "def")
    assert {"exit-codes", "results"} <= set(offered("help", ""))
    assert "duplicate-lines" in offered("serve", "--fault", "du")
    assert offered("check", "so")[:2] == ["file", "so"] and offered("list", "--data-dir", "x")[:2] == ["dir", "x"]


def test_a_list_fits_the_terminal_and_lines_up_whatever_the_titles(call: Caller) -> None:
    import msgspec
    from rich.cells import cell_len

    from batchtui import paths
    from batchtui.cli.words import table
    from batchtui.domain.batch import Counts
    from batchtui.store.records import History

    assert call("submit", call.source(), "--yes", "--title", "ein sehr langer Titel 日本語 " * 4).code == 0
    records = History(paths.data_dir()).all()
    wide, narrow = table(records), table(records, width=80)
    assert cell_len(wide[1]) > 110 and "langer Titel 日本語 e…ein sehr" in wide[1]
    assert all(cell_len(line) <= 80 for line in narrow)
    ended = msgspec.structs.replace(
        records[0], status="ended", results="stored", counts=Counts(succeeded=99_000, errored=900, expired=100)
    )
    for width in (60, 80, 100):
        lines = table([ended, *records], width=width)
        assert all(cell_len(line) <= width for line in lines) and "99,000 succee" in lines[1]
    refused = msgspec.structs.replace(records[0], status="refused", error="no connection to the API")
    assert "refused: no connection" in table([refused])[1]
    assert "PROFILE" in wide[0] and "PROFILE" not in narrow[0] and "…" in narrow[1]
    assert narrow[1].startswith(records[0].local_id)
