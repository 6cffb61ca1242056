"""The history: whole or not at all, two programs at once, records that can't be read."""

from __future__ import annotations

import json
import multiprocessing
import stat
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from batchtui.domain.batch import SCHEMA_VERSION, BatchRecord
from batchtui.domain.errors import InputError, StoreError
from batchtui.paths import demo_dir
from batchtui.store.records import RECORD, REQUESTS, History

replace = msgspec.structs.replace


def record(name: str, **more: object) -> BatchRecord:
    return BatchRecord(local_id=name, run=name, **more)  # type: ignore[arg-type]


def test_a_record_survives_the_disk_with_money_exact(tmp_path: Path) -> None:
    history = History(tmp_path)
    made = record("20261123T000000Z-aaaaaa", cost_usd=Decimal("0.1234567"), created_at=datetime.now(UTC))
    history.create(made)
    assert History(tmp_path).all() == [made]


def test_everything_is_private(tmp_path: Path) -> None:
    history = History(tmp_path / "data")
    folder = history.create(record("a"))
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    history.update("a", lambda r: replace(r, title="t"))
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_newest_first_and_changes_of_others_are_seen(tmp_path: Path) -> None:
    one, other = History(tmp_path), History(tmp_path)
    one.create(record("1"))
    one.create(record("2"))
    assert [r.local_id for r in other.all()] == ["2", "1"]
    one.update("1", lambda r: replace(r, title="new"))
    assert other.get("1").title == "new"  # type: ignore[union-attr]
    one.delete("2")
    assert [r.local_id for r in other.all()] == ["1"]


def test_a_torn_record_is_set_aside_and_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.create(record("good"))
    folder = history.create(record("bad"))
    (folder / RECORD).write_bytes(b'{"schema":1,"local_id":"ba')
    assert [r.local_id for r in History(tmp_path).all()] == ["good"]
    fresh = History(tmp_path)
    fresh.all()
    assert (folder / "batch.json.unreadable").read_bytes() == b'{"schema":1,"local_id":"ba'


def test_a_newer_record_is_left_alone_and_said(tmp_path: Path) -> None:
    history = History(tmp_path)
    folder = history.create(record("next"))
    raw = json.loads((folder / RECORD).read_bytes()) | {"schema": 99, "status": "teleported"}
    (folder / RECORD).write_text(json.dumps(raw))
    assert history.all() == []
    assert "newer batchtui" in history.unreadable()[0][1]
    assert json.loads((folder / RECORD).read_bytes())["schema"] == 99


def test_an_older_record_is_migrated_and_the_old_one_kept(tmp_path: Path) -> None:
    history = History(tmp_path)
    folder = history.create(record("old"))
    raw = json.loads((folder / RECORD).read_bytes())
    del raw["schema"], raw["run"]
    (folder / RECORD).write_text(json.dumps(raw))
    found = History(tmp_path).all()
    assert [(r.local_id, r.run, r.schema) for r in found] == [("old", "old", SCHEMA_VERSION)]
    assert "schema" not in json.loads((folder / "batch.json.v0").read_bytes())


def test_creating_moves_the_requests_in_and_twice_is_harmless(tmp_path: Path) -> None:
    history = History(tmp_path)
    staged = tmp_path / "part.jsonl"
    staged.write_bytes(b"{}\n")
    folder = history.create(record("a"), {REQUESTS: staged})
    assert (folder / REQUESTS).read_bytes() == b"{}\n"
    history.create(record("a", title="other"), {REQUESTS: staged})
    assert history.get("a").title == ""  # type: ignore[union-attr]


def test_ids_resolve_by_beginning_and_last(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.create(record("20260101T000000Z-aaaaaa", id="msgbatch_01A"))
    history.create(record("20260102T000000Z-bbbbbb", id="msgbatch_01B"))
    assert history.resolve("last").id == "msgbatch_01B"
    assert history.resolve("msgbatch_01A").local_id.endswith("aaaaaa")
    assert history.resolve("20260101").id == "msgbatch_01A"
    with pytest.raises(InputError, match="beginning of 2"):
        history.resolve("msgbatch_01")
    with pytest.raises(InputError, match="no batch has the id"):
        history.resolve("nope")
    with pytest.raises(InputError):
        history.resolve("")


def test_threads_never_lose_each_others_changes(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.create(record("a"))

    def add() -> None:
        for _ in range(20):
            history.update("a", lambda r: replace(r, looks=r.looks + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert history.get("a").looks == 80  # type: ignore[union-attr]


def _add(root: str, times: int) -> None:
    history = History(Path(root))
    for _ in range(times):
        history.update("a", lambda r: replace(r, looks=r.looks + 1))


def test_two_programs_never_lose_each_others_changes(tmp_path: Path) -> None:
    History(tmp_path).create(record("a"))
    spawn = multiprocessing.get_context("spawn")
    programs = [spawn.Process(target=_add, args=(str(tmp_path), 25)) for _ in range(2)]
    for p in programs:
        p.start()
    for p in programs:
        p.join()
    assert History(tmp_path).get("a").looks == 50  # type: ignore[union-attr]


def test_a_symlink_in_the_place_of_a_record_is_not_followed(tmp_path: Path) -> None:
    history = History(tmp_path)
    folder = history.create(record("a"))
    outside = tmp_path / "outside"
    outside.write_bytes((folder / RECORD).read_bytes())
    (folder / RECORD).unlink()
    (folder / RECORD).symlink_to(outside)
    assert History(tmp_path).all() == []


def test_a_store_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreError) as caught:
        History(blocked).create(record("a"))
    assert caught.value.advice


def test_a_title_from_a_file_name_of_odd_bytes_can_be_stored(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.create(record("a", title="caf\udce9", source="/tmp/x\udcff.jsonl"))
    assert History(tmp_path).get("a").title == "caf?"  # type: ignore[union-attr]


def test_what_is_only_on_the_demo_server_asks_for_demo(tmp_path: Path) -> None:
    History(demo_dir(tmp_path)).create(record("20261128T010000Z-aaaaaa", title="labels"))
    History(tmp_path).create(record("20261128T020000Z-bbbbbb", title="labels-2"))
    for text, advice, near in (("labels", "add --demo", False), ("lables", "list --all", True)):
        with pytest.raises(InputError) as told:
            History(tmp_path).resolve(text)
        assert advice in told.value.advice and ("did you mean" in str(told.value)) == near
