"""What attacks from outside found: variants of what the other tests of this folder hold."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from batchtui.api.gateway import Gateway
from batchtui.config.load import Config, Profile, Settle, parse_config
from batchtui.domain.batch import NOT_NEEDED
from batchtui.domain.errors import ConfigError, InputError
from batchtui.intake.options import IntakeOptions
from batchtui.service import Service
from tests.demo_server import RunningDemo, running_demo
from tests.service.harness import plan_of, request, source

pytestmark = pytest.mark.usefixtures("short_waits")


def as_profile(demo: RunningDemo, data: Path, name: str, key: str = "sk-test-secret") -> Service:
    """A service as one of two profiles at the same address."""
    both = {each: Profile(base_url=demo.base_url) for each in ("one", "two")}
    config = Config(settle=Settle(looks=2, seconds=0.0), profiles=both)
    gateway = Gateway(both[name], key=key)
    gateway.is_demo = False
    return Service(data, config, profile=name, gateway=gateway)


async def test_what_one_profile_sent_is_found_before_another_with_the_same_key_sends_it_again(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["late:413@create*1"]) as demo:
        one, two = (as_profile(demo, tmp_path / "data", name) for name in ("one", "two"))
        [refused] = await one.submit(plan_of(one, source(tmp_path)))
        assert refused.status == "refused"
        await one.close()
        [again] = await two.submit(plan_of(two, source(tmp_path)))
        assert again.status == "refused" and again.error.startswith(NOT_NEEDED)
        assert two.resolve(refused.local_id).id is not None
        await two.close()
        assert demo.stats()["calls"]["create"] == 1


async def test_the_same_requests_under_way_of_another_profile_with_the_same_key_are_told_of(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=60) as demo:
        one, two = (as_profile(demo, tmp_path / "data", name) for name in ("one", "two"))
        [record] = await one.submit(plan_of(one, source(tmp_path)))
        await one.close()
        with pytest.raises(InputError, match=record.local_id):
            await two.submit(plan_of(two, source(tmp_path)))
        await two.close()
        assert demo.stats()["calls"]["create"] == 1


async def test_another_key_is_not_held_up_by_what_the_first_was_refused(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", faults=["status:403@create*1"]) as demo:
        one = as_profile(demo, tmp_path / "data", "one")
        two = as_profile(demo, tmp_path / "data", "two", key="sk-test-another")
        [refused] = await one.submit(plan_of(one, source(tmp_path)))
        await one.close()
        [sent] = await two.submit(plan_of(two, source(tmp_path)))
        await two.close()
        assert (refused.status, sent.status) == ("refused", "in_progress")


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5_000, "max_cost = " + "9" * 5_000, "max_cost = 1e99999999999999999999"],
    ids=["deep", "long", "far"],
)
def test_a_config_that_python_can_not_read_is_said_plainly(text: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml"):
        parse_config(text, Path("config.toml"))


def test_a_template_with_a_number_of_thousands_of_digits_is_told_by_its_line(tmp_path: Path) -> None:
    rows, template = tmp_path / "rows.csv", tmp_path / "t.toml"
    rows.write_text("name\nalpha\n")
    template.write_text('model = "claude-haiku-4-5"\nmax_tokens = 9\nprompt = "{{ name }}"\nx = ' + "9" * 5_000)
    with running_demo(tmp_path / "server") as demo:
        service = as_profile(demo, tmp_path / "data", "one")
        plan = service.plan([str(rows)], IntakeOptions(template=template))
    assert any("not valid TOML" in p.message for p in plan.problems)


@pytest.mark.parametrize("terminal", [False, True])
def test_an_encoding_without_our_signs_ends_no_verb(tmp_path: Path, terminal: bool) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(request("a")) + "\n")
    folders = {f"BATCHTUI_{name}_DIR": str(tmp_path / name) for name in ("DATA", "CONFIG", "CACHE")}
    env = {**os.environ, **folders, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "wb") as end:
        command = [sys.executable, "-m", "batchtui", "check", str(path)]
        out = end if terminal else subprocess.PIPE
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, timeout=120
        )
    assert (done.returncode, done.stderr.decode()) == (0, "")
