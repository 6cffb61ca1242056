"""Random keys on the demo's batches end with no unexpected error, whatever they open, leave, send or delete."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from textual import events
from textual.keys import _character_to_key

from batchtui.cli.session import demo_service
from batchtui.config.load import Config
from batchtui.demo import seed as demo_seed
from batchtui.demo.runner import server_dir
from batchtui.service import ServiceThread
from batchtui.tui.app import BatchtuiApp
from tests.demo_server import running_demo

NAMED = (
    *("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "tab", "shift+tab", "space", "backspace"),
    *(f"ctrl+{letter}" for letter in "acdeghklnoprstuvwxyz"),
    *(f"f{number}" for number in range(1, 7)),
)
SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEGHJORSTXYZ0123456789/?,.$=#*+-[]:<>\"'"


def key(chance: random.Random) -> events.Key:
    """Any key; enter and escape more often, for they lead on and back."""
    kind = chance.random()
    if kind < 0.22:
        return events.Key(chance.choice(("enter", "escape")), None)
    if kind < 0.5:
        return events.Key(chance.choice(NAMED), None)
    sign = chance.choice(SIGNS)
    return events.Key(_character_to_key(sign), sign)


async def typed(app: BatchtuiApp, chance: random.Random, count: int) -> list[str]:
    """Type so many keys, some of them at once, some when the screen is drawn; those before an unexpected error."""
    pressed: list[str] = []
    while len(pressed) < count:
        for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
            event = key(chance)
            pressed.append(event.key)
            app.typed.arrive(event)
        while not app.typed.idle:
            await asyncio.sleep(0.001)
        if chance.random() < 0.1:
            await asyncio.sleep(0.05)  # So that what takes its time gets in between as well.
        if app.bugs:
            break
    return pressed


async def let_loose(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int, size: tuple[int, int], count: int
) -> None:
    data = folder / "demo"
    assert demo_seed.seed(data)
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    for number in range(3):
        (folder / "here" / f"{number}.jsonl").write_bytes((data / "examples").glob("*.jsonl").__next__().read_bytes())
    with running_demo(server_dir(data), duration=1.0) as demo:
        service = demo_service(data, Config(), demo.base_url)
        app = BatchtuiApp(service, ServiceThread(service), look_first=True)
        monkeypatch.setattr(app, "exit", lambda *_, **__: None)
        async with app.run_test(size=size):
            pressed = await typed(app, random.Random(seed), count)
            assert app.bugs == [], pressed[-40:]
        app.service_thread.stop()


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_random_keys_end_with_no_unexpected_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    await let_loose(tmp_path, monkeypatch, 1, size, 300)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
@pytest.mark.parametrize("seed", range(2, 6))
async def test_3000_random_keys_end_with_no_unexpected_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, size: tuple[int, int]
) -> None:
    await let_loose(tmp_path, monkeypatch, seed, size, 3_000)
