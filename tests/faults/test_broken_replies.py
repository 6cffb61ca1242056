"""Replies that are broken in what they say, or in how they come: one is taken in for what it is worth, and no more."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from batchtui.api import download, gateway
from batchtui.api.gateway import Gateway
from batchtui.config.load import Profile
from batchtui.domain.errors import NoNetwork, ServiceError, Unavailable, Unconfirmed
from batchtui.service import fetch_slots
from tests.cli.calling import program
from tests.demo_server import RunningDemo, running_demo
from tests.faults.driving import COUNT, assert_paid_once, bring_home, record_json
from tests.faults.test_every_fault import submit, survive
from tests.service.harness import plan_of, service_on, source

CANARY = "sk-canary-7f3e9a-bird-of-passage"
CALLS = ("create", "retrieve", "list", "results")
STRANGE = sorted(
    {f"{fault}@{call}*2" for fault in ("odd-times", "odd-numbers", "odd-ids", "key-in-reply") for call in CALLS[:3]}
    | {f"key-in-error:{status}@{call}*1" for status in (400, 429, 503) for call in CALLS}
    | {f"endless{status}@{call}*1" for status in ("", ":200", ":413") for call in CALLS}
    | {"repeat-page*3", "null-page*2"}
)
LASTING = ("odd-times", "odd-numbers@list", "odd-numbers@retrieve", "repeat-page", "key-in-reply@list")


@pytest.fixture(autouse=True)
def quick(short_waits: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_LONGEST_LINE", 2_000_000)


def body_of(tmp_path: Path) -> Path:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(source(tmp_path, 3).read_bytes())
    return path


def near(demo: RunningDemo, key: str = CANARY) -> Gateway:
    return Gateway(Profile(base_url=demo.base_url), key=key)


@pytest.mark.parametrize("fault", STRANGE)
async def test_a_broken_reply_costs_nothing(tmp_path: Path, fault: str) -> None:
    await survive(tmp_path, (fault,))


@pytest.mark.parametrize("fault", LASTING)
async def test_replies_that_stay_broken_make_no_record_that_cant_be_read(tmp_path: Path, fault: str) -> None:
    with running_demo(tmp_path / "server", faults=[fault], duration=0.02) as demo:
        service = service_on(demo, tmp_path / "data")
        try:
            await submit(service, tmp_path)
            for _ in range(4):
                await service.sync()
                assert not service.unreadable() and len(service.records()) == 1
            demo.set_faults([])
            await bring_home(service)
        finally:
            await service.close()
        assert_paid_once(demo, service)
    for verb in (["list", "--all"], ["list", "--json"], ["show", "last"]):
        said = program(*verb, "--data-dir", tmp_path / "data", env={"ANTHROPIC_BASE_URL": demo.base_url})
        assert said.code == 0 and "unexpected" not in said.err


@pytest.mark.usefixtures("fast")
def test_the_key_is_in_no_record_log_or_output_whatever_field_echoes_it(tmp_path: Path, own_folders: Path) -> None:
    log, said = own_folders / "debug.log", []
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        env = {"ANTHROPIC_BASE_URL": demo.base_url, "ANTHROPIC_API_KEY": CANARY}

        def run(*args: object, faults: tuple[str, ...]) -> None:
            demo.set_faults(faults)
            said.append(program(*args, "--log", log, env=env))

        files = [source(own_folders, 3, f"{n}.jsonl", f"s{n}") for n in range(2)]
        run("submit", files[0], "--json", "--yes", faults=("key-in-error:403@create",))
        run("submit", files[1], "--json", "--yes", faults=("key-in-reply@create", "key-in-reply@retrieve"))
        run("sync", "--json", faults=("key-in-error:400@retrieve", "key-in-error@results", "key-in-error:500@models"))
        run("doctor", faults=("key-in-reply@list", "key-in-error:404@models"))
        run("list", "--json", "--all", faults=())
    held = [p for p in own_folders.rglob("*") if p.is_file() and CANARY.encode() in p.read_bytes()]
    assert held == [] and b"[key]" in log.read_bytes()
    assert all(CANARY not in each.err and CANARY.encode() not in each.out for each in said)
    assert any("[key]" in record["error"] for record in record_json(own_folders / "data"))


@pytest.mark.parametrize("fault", ["trickle:0.02", "early-hints", "endless:200", "endless:500"])
@pytest.mark.parametrize("call", ["list", "retrieve", "create", "results", "models"])
async def test_every_call_ends_however_its_reply_comes(
    tmp_path: Path, fault: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_demo(tmp_path / "server", duration=0.01) as demo:
        way = near(demo)
        made = await way.create(body_of(tmp_path))
        while (await way.retrieve(made.id)).processing_status != "ended":
            await asyncio.sleep(0.01)
        demo.set_faults([f"{fault}@{call}"])

        async def results() -> None:
            answer = await way.results(made.id)
            await answer.receive(lambda piece: None)

        calls = {
            "list": way.page, "retrieve": lambda: way.retrieve(made.id), "create": lambda: way.create(body_of(tmp_path)),
            "results": results, "models": way.models,
        }  # fmt: skip
        # Only the call that never ends by itself has little time: on a loaded machine the others may take long.
        with monkeypatch.context() as brief:
            for module, name in ((gateway, "_TOTAL"), (gateway, "_CREATE_TIMEOUT"), (download, "WINDOW")):
                brief.setattr(module, name, 0.5)
            brief.setattr(download, "LEAST", 2_000)
            async with asyncio.timeout(120):
                with pytest.raises(ServiceError) as caught:
                    await calls[call]()
        assert caught.value.sent
        assert isinstance(caught.value, Unconfirmed if call == "create" else NoNetwork | Unavailable)
        # The next call is not held up by what is left of that one.
        demo.set_faults([])
        assert (await way.retrieve(made.id)).id == made.id
        await results()
        await way.close()


async def test_downloads_that_stand_still_hold_up_no_other_and_no_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_slots, "_EVERY", 0.05)
    with running_demo(tmp_path / "server", duration=0.01) as demo:
        service = service_on(demo, tmp_path / "data")
        for name in "abc":
            await service.submit(plan_of(service, source(tmp_path, COUNT, f"{name}.jsonl", name)))
        demo.set_faults(["trickle:30@results*2"])
        try:
            async with asyncio.timeout(120):
                while not any(r.results == "stored" for r in service.records()):
                    await service.refresh()
                    await asyncio.sleep(0.02)
                assert demo.demo.calls["results"] == 3
        finally:
            await service.close()


async def test_a_list_that_brings_nothing_new_is_left(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["repeat-page"]) as demo:
        way = near(demo)
        await way.create(body_of(tmp_path))
        pages = [page async for page in way.pages()]
        assert len(pages) == 2 and pages[-1].has_more, "it is not said to be whole"
        service = service_on(demo, tmp_path / "data")
        async with asyncio.timeout(120):
            await service.sync()
        await service.close()
        await way.close()


async def test_a_page_without_data_is_not_an_empty_page(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["null-page"]) as demo:
        way = near(demo)
        with pytest.raises(Unavailable):
            await way.page()
        demo.set_faults(["odd-ids@list"])
        await way.create(body_of(tmp_path))
        page = await way.page()
        assert page.data == () and page.refused == 1
        await way.close()


async def test_a_reply_about_another_batch_is_none(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["odd-ids@retrieve*1"]) as demo:
        way = near(demo)
        made = await way.create(body_of(tmp_path))
        with pytest.raises(Unavailable):
            await way.retrieve(made.id)
        await way.close()


async def test_odd_times_and_numbers_are_left_out_and_the_rest_is_kept(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["odd-times", "odd-numbers"]) as demo:
        way = near(demo)
        made = await way.create(body_of(tmp_path))
        assert made.id.startswith("msgbatch_") and made.processing_status == "in_progress"
        assert made.created_at is None and made.expires_at is None and made.request_counts.total == 0
        assert way.clock_offset is None
        json.dumps([m.id for m in await way.models()])
        await way.close()
