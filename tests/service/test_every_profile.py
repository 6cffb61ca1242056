"""All profiles that have something open are looked after, each with its own gateway and key; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from batchtui.api.gateway import Gateway
from batchtui.config.load import Config, Profile, Settle
from batchtui.domain.batch import BatchRecord
from batchtui.service import Service, events, other_profiles
from tests.cli.calling import Caller, call
from tests.demo_server import RunningDemo, running_demo
from tests.service.harness import plan_of, running, source
from tests.until import until_true

__all__ = ["call"]


@pytest.fixture(autouse=True)
def quick(short_waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_profiles, "EVERY", 0.05)
    monkeypatch.setenv("KEY_OF_WORK", "sk-test-work")


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[tuple[RunningDemo, RunningDemo]]:
    with ExitStack() as stack:
        yield tuple(  # type: ignore[misc]
            stack.enter_context(running_demo(tmp_path / name, duration=0.05)) for name in ("server", "work-server")
        )


def config_of(demos: tuple[RunningDemo, RunningDemo]) -> Config:
    return Config(
        settle=Settle(looks=2, seconds=0.0),
        profiles={
            "default": Profile(base_url=demos[0].base_url),
            "work": Profile(base_url=demos[1].base_url, api_key_env="KEY_OF_WORK"),
        },
    )


def service_of(demos: tuple[RunningDemo, RunningDemo], data: Path, name: str = "default") -> Service:
    config = config_of(demos)
    if name != "default":
        return Service(data, config, profile=name)
    gateway = Gateway(config.profile(name), key="sk-test-secret")
    gateway.is_demo = False
    return Service(data, config, profile=name, gateway=gateway)


async def submitted(demos: tuple[RunningDemo, RunningDemo], tmp_path: Path, name: str) -> BatchRecord:
    service = service_of(demos, tmp_path / "data", name)
    [record] = await service.submit(plan_of(service, source(tmp_path, 12, name=f"{name}.jsonl")))
    await service.close()
    return record


async def test_another_profiles_batch_is_followed_to_its_end_and_told_of(
    demos: tuple[RunningDemo, RunningDemo], tmp_path: Path
) -> None:
    mine, theirs = [await submitted(demos, tmp_path, name) for name in ("default", "work")]
    service = service_of(demos, tmp_path / "data")
    assert not service.reach(theirs).checked and service.reach(theirs).as_of is not None
    heard: list[object] = []
    service.subscribe(heard.append)
    async with running(service):
        await until_true(lambda: all(service.resolve(r.local_id).results == "stored" for r in (mine, theirs)))
        await until_true(
            lambda: (
                {e.record.local_id for e in heard if isinstance(e, events.Ended)} == {mine.local_id, theirs.local_id}
            )
        )
    assert demos[1].stats()["calls"]["results"] == 1


async def test_a_profile_is_looked_after_until_the_end_of_its_batches_was_told(
    demos: tuple[RunningDemo, RunningDemo], tmp_path: Path
) -> None:
    theirs = await submitted(demos, tmp_path, "work")
    service = service_of(demos, tmp_path / "data")
    heard: list[object] = []
    service.subscribe(heard.append)
    await service.others._keep_up()
    made = service.others._made["work"]
    assert made._loop_task is not None
    made._loop_task.cancel()  # So that the end is not told before it is asked for.
    service.history.update(theirs.local_id, lambda r: msgspec.structs.replace(r, status="ended", results="stored"))
    await service.others._keep_up()
    assert service.others._made == {"work": made}
    made.parts.poller.announcer.tell(service.records())
    assert [e.record.local_id for e in heard if isinstance(e, events.Ended)] == [theirs.local_id]
    await service.others._keep_up()
    assert service.others._made == {}
    await service.close()


async def test_a_profile_that_can_not_be_asked_stops_no_other_and_is_said_once(
    demos: tuple[RunningDemo, RunningDemo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = await submitted(demos, tmp_path, "work")
    mine = await submitted(demos, tmp_path, "default")
    monkeypatch.delenv("KEY_OF_WORK")
    service = service_of(demos, tmp_path / "data")
    heard: list[object] = []
    service.subscribe(heard.append)
    async with running(service):
        await until_true(lambda: service.resolve(mine.local_id).results == "stored")
        await until_true(lambda: any(isinstance(e, events.Trouble) and "profile work" in e.message for e in heard))
        reach = service.reach(service.resolve(theirs.local_id))
        assert not reach.checked and reach.why and reach.as_of is not None
    assert sum(isinstance(e, events.Trouble) for e in heard) == 1


async def test_an_unexpected_error_does_not_end_the_looking_after_other_profiles(
    demos: tuple[RunningDemo, RunningDemo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = await submitted(demos, tmp_path, "work")
    service = service_of(demos, tmp_path / "data")
    heard: list[object] = []
    service.subscribe(heard.append)
    names = service.others.names
    broken = iter([True])

    def once() -> list[str]:
        if next(broken, False):
            raise KeyError("work")
        return names()

    monkeypatch.setattr(service.others, "names", once)
    async with running(service):
        await until_true(lambda: service.resolve(theirs.local_id).results == "stored")
    assert any(isinstance(e, events.Trouble) and "KeyError" in e.message for e in heard)


def write_config(call: Caller, demos: tuple[RunningDemo, RunningDemo], own_folders: Path) -> None:
    (own_folders / "config/config.toml").write_text(
        f'[settle]\nlooks = 2\nseconds = 0\n[profiles.work]\nbase_url = "{demos[1].base_url}"\napi_key_env = "KEY_OF_WORK"\n'
    )


def test_sync_and_watch_go_over_all_profiles_unless_one_is_named(
    call: Caller, demos: tuple[RunningDemo, RunningDemo], own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(call, demos, own_folders)
    local_id = call("submit", call.source(), "--profile", "work", "--json").json["batches"][0]["local_id"]

    def results() -> str:
        return str(call("show", local_id, "--json").json["results"])

    for _ in range(10):
        assert call("sync", "--profile", "default").code == 0
    assert results() == "none"
    assert call("watch", "last", "--profile", "default").code == 2
    demos[1].set_faults(["refuse@any"])
    said = call("sync", "--json")
    assert said.code == 3 and said.json["error"].startswith("profile work: ")
    demos[1].set_faults([])
    assert call("watch").code == 0
    assert results() == "stored"
    second = call("submit", call.source(name="second.jsonl"), "--profile", "work", "--json").json["batches"][0][
        "local_id"
    ]
    while call("show", second, "--json").json["results"] != "stored":
        assert call("sync").code == 0
