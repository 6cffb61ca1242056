"""Every verb of the contract: what it does, what it prints where, and its exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.calling import Caller


def sent(call: Caller, *more: str | Path, **words: str) -> dict[str, object]:
    said = call("submit", call.source(**words), "--wait", "--json", *more)
    assert said.code in (0, 1), said.err
    [record] = said.json["batches"]
    return dict(record)


def test_check_tells_problems_plan_and_cost(call: Caller) -> None:
    said = call("check", call.source(), "--json")
    assert said.code == 0
    found = said.json
    assert (found["requests"], found["batches"], found["problems"]) == (6, 1, [])
    assert {"bytes", "estimate"} <= set(found)
    low, high = found["estimate"]["batch_usd"]
    assert 0 < low <= high
    assert set(found["estimate"]) >= {"input_tokens", "batch_usd", "standard_usd", "unpriced"}
    assert b"$" in call("check", call.source()).out
    assert call.demo.stats()["creates"] == 0 and not call.demo.stats()["calls"]


def test_check_of_a_bad_file_names_the_place_and_exits_2(call: Caller) -> None:
    path = call.source()
    path.write_text(path.read_text() + '{"custom_id":"bad id","params":{}}\n{not json\n')
    said = call("check", path, "--json")
    assert said.code == 2
    places = {p["where"] for p in said.json["problems"]}
    assert any(where.endswith(":7") for where in places) and any(where.endswith(":8") for where in places)
    said = call("submit", path)
    assert said.code == 2 and "source.jsonl:7" in said.err and said.out == b""
    assert call.demo.stats()["creates"] == 0


def test_submit_wait_writes_a_line_for_every_request(call: Caller) -> None:
    out = call.folder / "out.jsonl"
    said = call("submit", call.source(), "--wait", "-o", out, "--title", "mine")
    assert said.code == 0 and said.out == b""
    assert sorted(json.loads(line)["custom_id"] for line in out.read_bytes().splitlines()) == [
        f"{n}-demo-ok" for n in range(6)
    ]
    assert "mine" in said.err


def test_submit_json_is_one_value_and_failures_exit_1(call: Caller) -> None:
    said = call("submit", call.source(n2="error"), "--wait", "--json")
    assert said.code == 1
    [record] = said.json["batches"]
    assert said.json["run"] == record["run"]
    assert set(record) >= {
        "local_id", "id", "run", "title", "status", "counts", "requests", "created_at", "ended_at", "expires_at",
        "results", "cost_usd",
    }  # fmt: skip
    assert record["counts"] == {"processing": 0, "succeeded": 5, "errored": 1, "canceled": 0, "expired": 0}
    assert (record["status"], record["results"]) == ("ended", "stored")


def test_submit_without_wait_and_then_the_rest(call: Caller) -> None:
    said = call("submit", call.source(), "--json")
    assert said.code == 0
    local_id = said.json["batches"][0]["local_id"]
    assert call("watch", "--json").json[0]["results"] == "stored"
    assert [r["local_id"] for r in call("list", "--json").json] == [local_id]
    assert call("show", local_id[:-2], "--json").json["title"] == "source"
    assert call("show", "last").out.startswith(b"batch ")
    assert local_id.encode() in call("list").out
    assert call("list", "--all", "--refresh").code == 0


def test_submit_from_standard_input(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with call.source().open("rb") as file:
        monkeypatch.setattr("sys.stdin", type("In", (), {"buffer": file, "isatty": lambda self: False})())
        said = call("submit", "-", "--wait", "--json")
    assert said.code == 0 and said.json["batches"][0]["counts"]["succeeded"] == 6


def test_results_in_every_format(call: Caller) -> None:
    record = sent(call, n1="error", n2="cut")
    id_ = str(record["id"])
    said = call("results", id_)
    assert said.code == 1 and len(said.out.splitlines()) == 6
    texts = call("results", id_, "--format", "json").json
    assert "[simulated]" in texts["0-demo-ok"]
    assert call("results", id_, "--format", "csv").out.splitlines()[0].startswith(b"custom_id")
    assert b"0-demo-ok" in call("results", id_, "--format", "markdown").out
    only = call("results", id_, "--only", "errored").out.splitlines()
    assert [json.loads(line)["custom_id"] for line in only] == ["1-demo-error"]
    two = call("results", id_, "--only", "errored", "--only", "cut_short").out.splitlines()
    assert {json.loads(line)["custom_id"] for line in two} == {"1-demo-error", "2-demo-cut"}
    found = call("results", id_, "--filter", "stop:max_tokens").out.splitlines()
    assert [json.loads(line)["custom_id"] for line in found] == ["2-demo-cut"]
    assert call("results", id_, "--format", "files").code == 2
    assert call("results", id_, "--format", "files", "-o", call.folder / "each").code == 1
    assert len(list((call.folder / "each").iterdir())) >= 5
    value = call("results", id_, "--json", "-o", call.folder / "all.jsonl").json
    assert value["output"].endswith("all.jsonl") and len(value["records"]) == 1


def test_results_that_are_not_there_yet_are_an_error_with_advice(call: Caller) -> None:
    call.demo.set_faults(["slow:0.01"])
    call("submit", call.source(name="b.jsonl"))
    call.demo.set_faults(["status:500@retrieve"])
    said = call("results", "last")
    assert said.code == 3 and said.out == b""
    assert call("results", "nothing-like-it").code == 2


def test_retry_sends_what_failed_and_the_run_is_whole(call: Caller) -> None:
    sent(call, n1="flaky", n2="flaky", n3="cut")
    dry = call("retry", "last", "--dry-run", "--json")
    assert dry.code == 0 and dry.json["requests"] == 2
    said = call("retry", "last", "--only", "cut_short", "--set", "max_tokens=8000", "--wait", "--json")
    assert said.code == 0, said.err
    assert said.json["batches"][0]["attempt"] == 1 and said.json["batches"][0]["requests"] == 1
    first = next(r for r in call("list", "--json").json if r["attempt"] == 0)
    said = call("retry", first["local_id"], "--run", "--wait", "--json")
    assert said.code == 0, said.err
    whole = call("results", "last", "--run")
    assert whole.code == 0 and len(whole.out.splitlines()) == 6
    assert call("retry", first["local_id"], "--run").code == 2
    assert call("retry", first["local_id"], "--set", "nonsense").code == 2


def test_cancel_delete_and_what_can_not_be(call: Caller) -> None:
    call.demo.demo.store.options = call.demo.demo.store.options.__class__(duration=30.0)
    call("submit", call.source())
    assert call("delete", "last").code == 2
    said = call("cancel", "last", "--json")
    assert said.code == 0 and said.json[0]["status"] == "canceling"
    assert call("cancel", "last").code == 2
    call.demo.clock.advance(60)
    assert call("watch").code == 1
    local_id = call("list", "--json").json[0]["local_id"]
    assert call("delete", "last", "--json").json == [local_id]
    assert call("list", "--json").json == []
    assert call.demo.stats()["batches"] == []


def test_adopt_and_sync_bring_home_what_was_made_elsewhere(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    call("submit", call.source(), "--wait")
    call("submit", call.source(name="second.jsonl"), "--wait")
    ids = [b["id"] for b in call.demo.stats()["batches"]]
    monkeypatch.setenv("BATCHTUI_DATA_DIR", str(call.folder / "other"))
    said = call("adopt", ids[0], "--title", "found", "--json")
    assert said.code == 0 and (said.json["id"], said.json["title"], said.json["foreign"]) == (ids[0], "found", True)
    said = call("sync", "--json")
    assert said.code == 0 and len(said.json["adopted"]) == 1
    assert len(said.json["fetched"]) == 2
    assert {r["id"]: r["results"] for r in call("list", "--json").json} == dict.fromkeys(ids, "stored")
    again = call("sync", "--json").json
    assert not again["adopted"] and not again["fetched"]


def test_what_was_deleted_here_alone_is_not_brought_back_by_sync(call: Caller) -> None:
    record = sent(call)
    assert call("delete", "last", "--here").code == 0
    assert call("sync", "--json").json["adopted"] == [] and call("list", "--json").json == []
    assert len(call.demo.stats()["batches"]) == 1
    assert call("adopt", str(record["id"]), "--json").json["id"] == record["id"]


def test_compare_two_batches(call: Caller) -> None:
    one = sent(call, n1="error")
    two = sent(call, "--allow-duplicate")
    said = call("compare", str(one["local_id"]), str(two["local_id"]), "--json")
    assert said.code == 0 and isinstance(said.json, dict)
    assert call("compare", str(one["local_id"]), str(two["local_id"]), "--all").out


def patiently() -> None:
    """The standard settings: never-arrived takes minutes to be sure of."""
    (Path(os.environ["BATCHTUI_CONFIG_DIR"]) / "config.toml").write_text("")


def test_an_unknown_outcome_exits_4_and_sync_settles_it(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from batchtui.cli import words

    monkeypatch.setattr(words, "SETTLE_PATIENCE", 0.2)
    call.demo.set_faults(["drop@create*1", "hidden:9999@list"])
    patiently()
    said = call("submit", call.source(), "--json")
    assert said.code == 4 and said.json["batches"][0]["status"] == "unconfirmed"
    assert "sync" in said.err
    assert call("submit", call.source()).code == 2  # The same requests are under way.
    assert call("sync").code == 4
    call.demo.set_faults([])
    local_id = said.json["batches"][0]["local_id"]
    [remote] = call.demo.stats()["batches"]
    assert call("adopt", local_id, remote["id"]).code == 0
    assert call("sync").code == 0
    assert call("show", "last", "--json").json["results"] == "stored"
    assert call.demo.stats()["creates"] == 1


def test_the_person_can_say_that_it_never_arrived(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from batchtui.cli import words

    monkeypatch.setattr(words, "SETTLE_PATIENCE", 0.2)
    call.demo.set_faults(["status:500@create*1"])
    patiently()
    assert call("submit", call.source()).code == 4
    assert call("adopt", "last", "--none", "--json").json["status"] == "refused"
    assert call("adopt", "last", "--none").code == 2
    assert call("retry", "last", "--wait", "--json").json["batches"][0]["results"] == "stored"
    assert call.demo.stats()["creates"] == 1


@pytest.mark.parametrize(
    ("fault", "code", "word"),
    [("status:400@create", 3, "refused"), ("status:401@create", 3, "key"), ("status:402@create", 3, "credit")],
)
def test_a_no_of_the_service_exits_3_and_says_what_to_do(call: Caller, fault: str, code: int, word: str) -> None:
    call.demo.set_faults([fault])
    said = call("submit", call.source())
    assert said.code == code and word in said.err and said.out == b""


def test_no_key_and_no_network_exit_3(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    said = call("sync")
    assert said.code == 3 and "no connection" in said.err
    assert call("list", "--refresh").code == 0
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    said = call("submit", call.source())
    assert said.code == 3 and "ANTHROPIC_API_KEY" in said.err
    assert call("list", "--json").json == []


def test_max_cost_stops_without_a_person_to_ask(call: Caller) -> None:
    said = call("submit", call.source(), "--max-cost", "0.000001")
    assert said.code == 2 and "max_cost" in said.err
    assert call.demo.stats()["creates"] == 0


def test_doctor_looks_at_the_rest_when_the_settings_cant_be_read(call: Caller) -> None:
    sent(call)
    (Path(os.environ["BATCHTUI_CONFIG_DIR"]) / "config.toml").write_text('[limits]\nqueue = "many"\n')
    said = call("doctor", "--json")
    found = {each["what"]: each for each in said.json}
    assert said.code == 3 and "config.toml:2" in found["settings"]["found"]
    assert "1 batch" in found["data folder"]["found"] and "not checked" in found["API"]["found"]
    assert "key" not in found


def test_doctor_help_completion_and_versions(call: Caller) -> None:
    said = call("doctor", "--json")
    assert said.code == 0, said.out
    assert {"key", "API", "data folder"} <= {each["what"] for each in said.json}
    assert b"sk-test-secret" not in said.out
    for topic in ("exit-codes", "json", "config", "keys", "files"):
        assert call("help", topic).code == 0
    for name in ("check", "submit", "list", "show", "watch", "results", "retry", "cancel", "delete", "adopt", "sync",
                 "serve", "demo", "compare", "doctor", "completion"):  # fmt: skip
        assert name.encode() in call("--help").out
        assert call("help", name).out and call(name, "--help").code == 0
    for shell in ("bash", "zsh", "fish"):
        assert b"_BATCHTUI_COMPLETE" in call("completion", shell).out
    assert call("help", "nonsense").code == 2
    assert b"0.1.0" in call("--version").out


@pytest.mark.parametrize(
    "words", [["nonsense"], ["submit"], ["list", "--nonsense"], ["results"], ["serve", "--fault", "x"]]
)
def test_bad_usage_exits_2_and_prints_nothing_on_standard_output(call: Caller, words: list[str]) -> None:
    said = call(*words)
    assert (said.code, said.out) == (2, b"") and said.err


@pytest.mark.parametrize("words", [[], ["demo"]])
def test_without_a_terminal_the_screen_says_so_and_names_the_verbs(call: Caller, words: list[str]) -> None:
    said = call(*words)
    assert said.code == 2 and "not a terminal" in said.err and "batchtui submit" in said.err


def test_a_submit_beyond_the_queue_says_who_sends_the_rest(call: Caller, own_folders: Path) -> None:
    with (own_folders / "config" / "config.toml").open("a") as config:
        config.write("[limits]\nmax_requests = 1\nqueue = 1\n")
    said = call("submit", call.source(2), "--yes")
    assert said.code == 0 and "is waiting to be sent: batchtui sends it when the screen opens" in said.err
    assert "(submit, again, retry, sync, watch …)" in said.err and "do not submit again" in said.err
