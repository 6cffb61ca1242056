"""What a stranger meets first: without a key, with a wrong one, without network, with batches that are not tracked."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from textual.widgets import Static

from batchtui.config.load import config_path, load_config
from batchtui.domain.schedule import LookState
from batchtui.service import Service
from batchtui.service.service_thread import ServiceThread
from batchtui.tui.app import BatchtuiApp
from batchtui.tui.home.first_steps import first_steps
from tests.demo_server import RunningDemo, running_demo
from tests.service.harness import running, service_on, source
from tests.tui.home_data import ago
from tests.tui.waiting import until
from tests.tui.work import make_app, make_service


def steps(app: BatchtuiApp) -> str:
    return str(app.home.query_one("#empty", Static).visual)


def configure(text: str) -> None:
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path / "sdk"))
    monkeypatch.setenv("BATCHTUI_CONFIG_DIR", str(tmp_path / "config"))


async def test_home_says_what_is_missing_and_goes_on_once_it_is_there(keyless: None, tmp_path: Path) -> None:
    with running_demo(tmp_path / "server") as demo:
        await first_start(demo, tmp_path)


async def first_start(demo: RunningDemo, tmp_path: Path) -> None:
    async with running(service_on(demo, tmp_path / "other")) as other:
        for name in ("a", "b"):
            plan = other.plan([str(source(tmp_path, 2, f"{name}.jsonl", name))])
            await other.submit(plan, title=name)
    configure(f'[profiles.default]\nbase_url = "{demo.base_url}"\n')
    service = Service(tmp_path / "data", load_config())
    app = BatchtuiApp(service, ServiceThread(service), look_first=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "needs an API key" in steps(app))
        assert "batchtui demo" in steps(app) and "api_key_command" in steps(app)
        assert "no API key found" in str(app.home.query_one("#title", Static).visual)
        demo.set_faults(["status:401@list*1"])
        configure(f'[profiles.default]\nbase_url = "{demo.base_url}"\napi_key_command = "echo sk-any"\n')
        await pilot.press("R")
        await until(pilot, lambda: "does not accept the API key" in steps(app))
        await pilot.press("R")
        await until(pilot, lambda: "2 batches exist in this workspace that are not tracked here" in steps(app))
        assert "No batches yet" in steps(app) and "no API key" not in str(app.home.query_one("#title", Static).visual)


def test_the_first_steps_fit_80_columns() -> None:
    for trouble in ("", "no key", "wrong key", "offline"):
        for others in (0, 1, 50):
            look = LookState(
                blind_since=ago(minutes=1) if trouble else None,
                error="no connection to the API (Connection refused)",
                trouble=trouble,  # type: ignore[arg-type]
                others=others,
                more_others=others == 50,
            )
            assert max(len(line) for line in first_steps(look, demo=False).plain.splitlines()) <= 72


async def test_the_collector_that_rests_at_the_start_is_on_again_once_the_screen_is_drawn(tmp_path: Path) -> None:
    gc.disable()
    try:
        app = make_app(make_service(tmp_path))
        async with app.run_test() as pilot:
            await until(pilot, gc.isenabled)
    finally:
        gc.enable()
