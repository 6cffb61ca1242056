"""One clock for looks, waits and the demo server; only an API on this machine can be asked by a fast one."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batchtui import clock
from batchtui.config.load import Config, Profile
from batchtui.service.context import Context


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"])
def test_a_fast_clock_is_for_an_api_on_this_machine(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clock.VARIABLE, clock.Clock(1000.0).variable())
    context = Context(tmp_path, Config(), Profile(base_url=url))
    assert context.machine_seconds(1000.0) == 1.0


@pytest.mark.parametrize("url", ["", "https://api.anthropic.com", "https://127.0.0.1.example.com"])
def test_a_fast_clock_is_never_used_elsewhere(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clock.VARIABLE, clock.Clock(1000.0).variable())
    context = Context(tmp_path, Config(), Profile(base_url=url))
    assert context.machine_seconds(1000.0) == 1000.0
    assert abs((context.clock() - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize("value", ["", "60", "x@y", "0@2026-01-01T00:00:00+00:00", "nan@2026-01-01T00:00:00+00:00",
                                   "60@2026-01-01T00:00:00", "1e9@2026-01-01T00:00:00+00:00"])  # fmt: skip
def test_what_cannot_be_read_is_the_machines_clock(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clock.VARIABLE, value)
    assert clock.from_environment().speed == 1.0


async def test_two_programs_read_the_same_time_and_wait_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first = clock.Clock(500.0)
    monkeypatch.setenv(clock.VARIABLE, first.variable())
    second = clock.from_environment()
    assert abs((first() - second()).total_seconds()) < 500
    began, machine = second(), time.monotonic()
    await clock.sleep(second, 50.0)
    assert (second() - began).total_seconds() >= 50.0
    assert time.monotonic() - machine < 50.0
    await asyncio.sleep(0)
