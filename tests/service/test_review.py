"""Races and odd turns that a reader of the service asked about."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from batchtui.api.gateway import Gateway
from batchtui.config.load import Config, Profile, parse_config
from batchtui.domain.errors import BatchtuiError, ConfigError, InputError
from batchtui.service import Service
from tests.demo_server import running_demo
from tests.service.harness import plan_of, results_of, service_on, source


async def home(service: Service) -> None:
    """Sync until nothing is open."""
    for _ in range(3000):
        await service.sync()
        if not any(r.active or r.results_due for r in service.records()):
            return
        await asyncio.sleep(0.03)
    raise AssertionError([(r.local_id, r.status, r.error) for r in service.records()])


async def test_a_batch_on_its_way_is_not_taken_for_a_lost_one_of_as_many_requests(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["status:500@create*1"]) as demo:
        service, other = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "data")
        [lost] = await service.submit(plan_of(service, source(tmp_path, 12)))
        assert lost.status == "unconfirmed"
        real = service.gateway.create

        async def create(*args):  # type: ignore[no-untyped-def]
            made = await real(*args)
            await other.parts.reconciler.settle(lost)  # The reply is still on its way to us.
            return made

        service.gateway.create = create  # type: ignore[method-assign]
        [made] = await service.submit(plan_of(service, source(tmp_path, 12)), again=True)
        assert made.id is not None
        assert service.resolve(lost.local_id).id is None
        await home(service)
        await service.close()
        await other.close()
        assert demo.stats()["creates"] == 1 and service.resolve(lost.local_id).status == "refused"


async def test_two_submits_of_one_source_at_the_same_moment_send_it_once(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        both = [service_on(demo, tmp_path / "data") for _ in range(2)]
        path = source(tmp_path, 12)
        plans = [plan_of(each, path) for each in both]
        ends = await asyncio.gather(*(s.submit(p) for s, p in zip(both, plans, strict=True)), return_exceptions=True)
        for each in both:
            await each.close()
        assert demo.stats()["creates"] == 1
        [error] = [e for e in ends if isinstance(e, BaseException)]
        assert isinstance(error, InputError) and "in progress" in str(error)


async def test_results_are_never_asked_for_with_another_profiles_key(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
        service.context.change(record.local_id, lambda r: msgspec.structs.replace(r, profile="work", status="ended"))
        with pytest.raises(InputError, match="profile 'work'"):
            await service.fetch(record.local_id)
        await service.close()
        assert "results" not in demo.stats()["calls"]


@pytest.mark.parametrize("verb", ["cancel", "delete"])
async def test_a_part_whose_sending_begins_just_now_is_not_said_to_be_canceled_or_deleted(
    tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_demo(tmp_path / "server", duration=30) as demo:
        service, other = service_on(demo, tmp_path / "data"), service_on(demo, tmp_path / "data")
        plan = plan_of(service, source(tmp_path, 12))
        await service.gateway.ready()
        [record] = service.parts.committer.commit(plan, title="", note="", retry_of=None)
        assert record.waiting
        # The other has read the record while it waited, and acts on it once it was sent.
        stale = record
        await service.parts.sender.send_waiting()
        monkeypatch.setattr(other.history, "resolve", lambda _: stale)
        if verb == "cancel":
            [after] = (await other.cancel([record.local_id])).values()
            assert not isinstance(after, BatchtuiError) and after.status == "canceling"
        else:
            [error] = (await other.delete([record.local_id])).values()
            assert error is not None and "cancel it first" in error.advice
            assert service.resolve(record.local_id).status == "in_progress"
        await service.close()
        await other.close()


async def test_a_doubt_that_was_settled_in_the_meantime_is_left_alone(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05, faults=["status:500@create*1"]) as demo:
        service = service_on(demo, tmp_path / "data")
        [lost] = await service.submit(plan_of(service, source(tmp_path, 12)))
        await service.give_up(lost.local_id)
        assert (await service.parts.reconciler.settle(lost)).status == "refused"
        await service.close()


async def test_batches_at_an_address_that_only_the_sdks_profile_names_are_looked_after_from_the_start(
    tmp_path: Path, own_folders: Path
) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        for name, text in (
            ("configs", {"base_url": demo.base_url, "authentication": {"type": "user_oauth"}}),
            ("credentials", {"access_token": "sk-token-of-the-sdk"}),
        ):
            folder = own_folders / "sdk" / name
            folder.mkdir(parents=True)
            (folder / "default.json").write_text(json.dumps(text))
            (folder / "default.json").chmod(0o600)
        first = Service(tmp_path / "data", Config())
        [record] = await first.submit(plan_of(first, source(tmp_path, 12)))
        assert record.base_url == demo.base_url
        await first.close()
        second = Service(tmp_path / "data", Config())
        twin = second.duplicate_of(plan_of(second, tmp_path / "source.jsonl"))
        assert twin is not None and twin.local_id == record.local_id
        await home(second)
        assert len(results_of(second, record)) == 12
        await second.close()


async def test_a_fetch_that_meets_the_unexpected_is_not_begun_anew_every_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, 12)))
        with monkeypatch.context() as broken:

            def unexpected(*_: object) -> None:
                raise RuntimeError("a line nobody thought of")

            broken.setattr("batchtui.service.fetcher.ResultSink.write", unexpected)
            await home_or_owed(service)
            with pytest.raises(BatchtuiError, match="unexpected error while downloading: RuntimeError"):
                await service.fetch(record.local_id)
        held = service.resolve(record.local_id)
        assert held.next_try_at is not None and "unexpected" in held.error
        await home(service)
        await service.close()
        assert len(results_of(service, record)) == 12


async def home_or_owed(service: Service) -> None:
    """Look until nothing is active."""
    while any(r.active for r in service.records()):
        await service.refresh()
        await asyncio.sleep(0.03)


async def test_calls_that_come_together_ask_for_the_key_once(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server") as demo:
        count = tmp_path / "asked"
        who = Profile(base_url=demo.base_url, api_key_command=f"echo x >> '{count}'; echo sk-test")
        gateway = Gateway(who)
        await asyncio.gather(*(gateway.ready() for _ in range(5)))
        await gateway.close()
        assert count.read_text().split() == ["x"]


@pytest.mark.parametrize("url", ["http://localhost:xx", "https://[", "https://host:99999999"])
async def test_a_base_url_that_is_none_is_bad_input(tmp_path: Path, url: str) -> None:
    service = Service(tmp_path / "data", Config(profiles={"default": Profile(base_url=url)}))
    with pytest.raises(InputError, match="base URL"):
        await service.submit(plan_of(service, source(tmp_path, 2)))
    await service.close()


async def test_a_key_with_a_newline_in_it_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-first-half\nsk-second-half")
    with running_demo(tmp_path / "server") as demo:
        gateway = Gateway(Profile(base_url=demo.base_url))
        with pytest.raises(BatchtuiError) as caught:
            await gateway.page(1)
        await gateway.close()
        assert "half" not in str(caught.value)


def test_options_before_the_verb_hold_for_it(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from batchtui.cli.program import group

    ran = CliRunner().invoke(group, ["--data-dir", str(tmp_path / "there"), "--profile", "nobody", "doctor"])
    assert "nobody" in ran.output
    ran = CliRunner().invoke(group, ["--data-dir", str(tmp_path / "there"), "list", "--json"])
    assert ran.exit_code == 0


@pytest.mark.parametrize("amount", ["abc", "nan", "inf", ""])
def test_a_max_cost_that_is_no_amount_is_bad_usage(tmp_path: Path, amount: str) -> None:
    from click.testing import CliRunner

    from batchtui.cli.program import group

    ran = CliRunner().invoke(group, ["submit", str(source(tmp_path, 1)), "--max-cost", amount])
    assert ran.exit_code == 2 and "not an amount" in ran.output


def test_a_max_cost_of_config_that_is_no_number_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2: max_cost: expected a number of dollars"):
        parse_config("# money\nmax_cost = nan\n", tmp_path / "config.toml")
