"""The server's life: restarts, one server to a folder, the background server that ends by itself, the seeded batches."""

from __future__ import annotations

import csv
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anthropic
import pytest
from demo_help import http, lines_of, requests, sdk, until_ended
from tests.until import until

from batchtui.demo import runner, seed
from batchtui.demo.protocol import DemoOptions
from batchtui.demo.runner import alone, listen
from batchtui.domain.errors import InputError, StoreError
from batchtui.store.records import History
from demo_server import running_demo


def test_batches_outlive_the_server(tmp_path: Path) -> None:
    with running_demo(tmp_path, duration=3600) as demo:
        running = sdk(demo).messages.batches.create(requests=requests("late"))
    with running_demo(tmp_path) as demo:
        done = sdk(demo).messages.batches.create(requests=requests("a", "b"))
        until_ended(sdk(demo), done.id)
        before = sorted(line["custom_id"] for line in lines_of(demo, done.id))
    with running_demo(tmp_path) as demo:
        assert sdk(demo).messages.batches.retrieve(running.id).processing_status == "in_progress"
        assert sorted(line["custom_id"] for line in lines_of(demo, done.id)) == before
        demo.clock.advance(3600)
        assert until_ended(sdk(demo), running.id).request_counts.processing == 0


def test_what_a_kill_left_behind_is_swept_and_broken_folders_are_passed_over(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        batch = sdk(demo).messages.batches.create(requests=requests("a"))
        root = demo.demo.store.root
    (root / ".new-left").mkdir()
    (root / "msgbatch_broken").mkdir()
    (root / "msgbatch_broken" / "meta.json").write_text("{")
    with running_demo(tmp_path) as demo:
        assert [b.id for b in sdk(demo).messages.batches.list()] == [batch.id]
    assert not (root / ".new-left").exists()


def test_the_servers_files_are_private(tmp_path: Path) -> None:
    with running_demo(tmp_path / "data") as demo:
        until_ended(sdk(demo), sdk(demo).messages.batches.create(requests=requests("a")).id)
    for path in (tmp_path / "data").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(StoreError, match="another demo server"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.com", "::"])
def test_it_listens_on_this_machine_only(host: str) -> None:
    with pytest.raises(InputError, match="does not listen"):
        listen(host, 0)


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(InputError, match="can't listen"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_clients_share_a_background_server_that_ends_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "demo"
    with runner.ensure(data, DemoOptions(duration=0.1)) as first:
        with runner.ensure(data) as second:
            assert first.base_url == second.base_url
        client = anthropic.Anthropic(api_key="demo-key", base_url=first.base_url)
        batch = client.messages.batches.create(requests=requests("a"))
        until_ended(client, batch.id)
    until(lambda: not (data / "server" / "server.json").exists())
    with runner.ensure(data) as third:
        client = anthropic.Anthropic(api_key="demo-key", base_url=third.base_url)
        assert client.messages.batches.retrieve(batch.id).processing_status == "ended"


def test_a_killed_background_server_is_started_anew(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with runner.ensure(data, DemoOptions(duration=0.1)) as first:
        pid = json.loads((data / "server" / "server.json").read_text())["pid"]
        os.kill(pid, 9)
        until(lambda: not runner._alive(data / "server"))
        with runner.ensure(data) as second:
            assert second.base_url
            assert first.base_url


def test_the_seeded_batches_are_in_different_states(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    assert seed.seed(data)
    records = History(data).all()
    by_title = {(r.title, r.part, r.attempt): r for r in records}
    assert len(records) == len(by_title) >= 8

    good = by_title["review-summaries", 1, 0]
    assert good.tally is not None and good.tally.good == good.requests and good.results == "stored"
    mixed = by_title["eval-prompt-b", 1, 0]
    assert mixed.tally is not None and mixed.tally.errored > 5 and mixed.tally.cut_short > 5
    canceled = by_title["translate-notes", 1, 0]
    assert canceled.cancel_initiated_at and canceled.counts.canceled > 20 and canceled.counts.succeeded > 20
    first, second, retry = (by_title["triage", part, attempt] for part, attempt in ((1, 0), (2, 0), (1, 1)))
    assert first.run == second.run == retry.run == first.local_id
    assert retry.requests == first.counts.failed + second.counts.failed
    assert retry.counts.succeeded == retry.requests
    owed = by_title["october-eval", 1, 0]
    assert owed.results_due and owed.gone_at and (owed.gone_at - records[0].created_at).days in (1, 2)  # type: ignore[operator]
    assert owed.next_try_at and timedelta() < owed.next_try_at - datetime.now(UTC) < timedelta(hours=1)
    took = {r.title: r.ended_at - r.created_at for r in records if r.ended_at and r.created_at}
    assert all(timedelta(minutes=5) < each < timedelta(hours=1) for each in took.values()), took
    running = [r for r in records if r.active]
    assert len(running) == 2

    with running_demo(data, duration=None) as demo:
        client = sdk(demo)
        for record in records:
            assert record.id is not None
            batch = client.messages.batches.retrieve(record.id)
            assert batch.processing_status == record.status
            assert batch.request_counts.succeeded == record.counts.succeeded
            assert batch.created_at == record.created_at
        assert owed.id is not None
        assert len(lines_of(demo, owed.id)) == owed.requests
        demo.clock.advance(60)
        news = by_title["city-news", 1, 0]
        assert news.id is not None
        until_ended(client, news.id)
        with http(demo) as plain:
            assert plain.get("/_demo/stats").json()["creates"] == 0


def test_batches_are_seeded_once_and_cleared_on_demand(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    assert seed.seed(data)
    names = [r.local_id for r in History(data).all()]
    assert not seed.seed(data)
    assert [r.local_id for r in History(data).all()] == names
    seed.clear(data)
    assert not History(data).all()
    assert seed.seed(data)


def test_a_folder_with_batches_is_left_as_it_is(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with running_demo(data) as demo:
        sdk(demo).messages.batches.create(requests=requests("a"))
    assert not seed.seed(data)
    assert not History(data).all()


def test_batches_are_not_cleared_under_a_running_server(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    seed.seed(data)
    with alone(data), pytest.raises(StoreError):
        seed.clear(data)


def test_examples_come_with_the_batches_and_run(tmp_path: Path) -> None:
    folder = seed.copy_examples(tmp_path)
    names = {path.name for path in folder.iterdir()}
    assert {
        "support-tickets.jsonl",
        "reviews.csv",
        "review-labels.toml",
        "openai-batch.jsonl",
        "with-mistakes.jsonl",
    } <= names
    with (folder / "reviews.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 40
    wanted = [json.loads(line) for line in (folder / "support-tickets.jsonl").read_text().splitlines()]
    with running_demo(tmp_path) as demo:
        batch = sdk(demo).messages.batches.create(requests=wanted)
        ended = until_ended(sdk(demo), batch.id)
        stops = [
            line["result"]["message"]["stop_reason"]
            for line in lines_of(demo, batch.id)
            if line["result"]["type"] == "succeeded"
        ]
    assert len(wanted) == 60
    assert ended.request_counts.errored >= 2, "the example shows an error"
    assert "max_tokens" in stops, "and an answer that was cut short"
