"""SIGINT, SIGTERM and SIGHUP at any time: it ends within seconds with 130, and what is on disk is whole."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import signal
import subprocess
import sys
import termios
import time
from array import array
from pathlib import Path
from typing import IO

import msgspec
import pytest

from tests.demo_server import RunningDemo, running_demo
from tests.faults.conftest import SPEED
from tests.faults.killing import COUNT, assert_whole, environment, home, killed
from tests.preloaded import Child
from tests.quick import HURRIED
from tests.service.harness import source

WITHIN = 120.0
"""Seconds in which it must end: far more than it takes on a loaded machine, far less than what it is torn from."""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def interrupted(
    demo: RunningDemo, data: Path, verb: list[str], number: int, when: float, until: bytes = b""
) -> tuple[int, str]:
    """Run a verb, send a signal after it said ``until`` and some seconds; its exit code and what it said."""
    child = Child(verb, code=HURRIED, env=environment(demo, data), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = b""
    while until and until not in said:
        line = child.stderr.readline()
        assert line, said
        said += line
    time.sleep(when)
    child.send_signal(number)
    said += child.communicate(timeout=WITHIN)[1]
    return child.wait(), said.decode()


def hurried(demo: RunningDemo) -> None:
    """What runs has ended, and what comes is quick."""
    store = demo.demo.store
    demo.clock.advance(store.options.duration or 0.0)
    store.options = msgspec.structs.replace(store.options, duration=0.05)


@pytest.mark.usefixtures("fast")  # A reply that was cut off is given up after three minutes of checks.
@pytest.mark.parametrize("seed", range(3))
def test_signals_end_a_waiting_submit_with_130_and_a_whole_state(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    data = tmp_path / "data"
    faults = [[], [f"slow:{0.5 * SPEED}@create*1"]][seed % 2]
    with running_demo(tmp_path / "server", faults=faults, duration=60 * SPEED) as demo:
        code, said = interrupted(
            demo,
            data,
            ["submit", str(source(tmp_path, COUNT)), "--wait"],
            SIGNALS[seed % 3],
            rng.uniform(0, 0.6),
            b"cost",
        )
        assert code == 130, said
        assert "Traceback" not in said
        hurried(demo)
        if (data / "batches").is_dir() and any((data / "batches").glob("2*")):
            code, _ = interrupted(demo, data, ["watch"], SIGNALS[(seed + 1) % 3], rng.uniform(0, 0.6))
            assert code in (130, 0, 1, -signal.SIGHUP, -signal.SIGTERM, -signal.SIGINT)
        else:
            killed(demo, data, ["submit", str(tmp_path / "source.jsonl"), "--wait"], 10_000, None)
        asyncio.run(home(demo, data))
        assert_whole(demo, data, COUNT)


NOHUP = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + HURRIED
"""The program as nohup starts it."""


def test_a_hangup_that_is_to_be_ignored_is_ignored(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=60.0) as demo:
        data = tmp_path / "data"
        child = Child(
            ["submit", str(source(tmp_path, COUNT)), "--wait"],
            code=NOHUP,
            env=environment(demo, data),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert child.stderr is not None
        while b"running" not in child.stderr.readline():
            assert child.poll() is None
        child.send_signal(signal.SIGHUP)
        hurried(demo)
        child.communicate(timeout=WITHIN)
        assert child.returncode in (0, 1)
        assert_whole(demo, data, COUNT)


@pytest.mark.parametrize(
    ("fault", "number"),
    [("hang@create", signal.SIGTERM), ("stall@results", signal.SIGINT), ("hang@retrieve", signal.SIGHUP)],
)
def test_a_call_that_hangs_does_not_keep_a_signal_waiting(tmp_path: Path, fault: str, number: int) -> None:
    data = tmp_path / "data"
    with running_demo(tmp_path / "server", faults=[fault], duration=0.05) as demo:
        child = Child(
            ["submit", str(source(tmp_path, COUNT)), "--wait"],
            code=HURRIED,
            env=environment(demo, data),
            stderr=subprocess.PIPE,
        )
        while not demo.demo.calls[fault.split("@")[1]]:
            assert child.poll() is None
            time.sleep(0.02)
        child.send_signal(number)
        _, said = child.communicate(timeout=WITHIN)
        assert child.returncode == 130, said.decode()
        assert b"Traceback" not in said
        demo.set_faults([])
        asyncio.run(home(demo, data))
        assert_whole(demo, data, COUNT)


def test_a_key_command_that_hangs_does_not_keep_a_signal_waiting(tmp_path: Path) -> None:
    config = Path(os.environ["BATCHTUI_CONFIG_DIR"])
    config.mkdir(parents=True, exist_ok=True)
    mark = tmp_path / "asked"
    (config / "config.toml").write_text(f"[profiles.default]\napi_key_command = 'touch \"{mark}\"; exec sleep 300'\n")
    with running_demo(tmp_path / "server") as demo:
        child = Child(
            ["submit", str(source(tmp_path, COUNT))], env=environment(demo, tmp_path / "data"), stderr=subprocess.PIPE
        )
        while not mark.exists():
            assert child.poll() is None
            time.sleep(0.02)
        child.send_signal(signal.SIGTERM)
        assert child.wait(WITHIN) == 130
        assert child.stderr is not None
        child.stderr.close()
        assert demo.stats()["creates"] == 0


def left_in(pipe: IO[bytes]) -> int:
    """Bytes that were written into a pipe and not read yet."""
    found = array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, found)
    return found[0]


def test_a_signal_while_the_source_is_read_leaves_nothing_behind(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_demo(tmp_path / "server") as demo:
        child = Child(["submit", "-"], env=environment(demo, data), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdin is not None
        child.stdin.write(source(tmp_path, COUNT).read_bytes())
        child.stdin.flush()
        while not any((data / "plans").glob("*")) or left_in(child.stdin):
            assert child.poll() is None
            time.sleep(0.02)
        child.send_signal(signal.SIGTERM)
        assert child.wait(WITHIN) == 130
        child.stdin.close()
        assert child.stderr is not None
        assert b"Traceback" not in child.stderr.read()
        child.stderr.close()
        assert list((data / "plans").iterdir()) == []
        assert demo.stats()["creates"] == 0


def test_a_signal_that_python_drops_ends_the_program_all_the_same() -> None:
    code = (
        "import os, signal, threading\nfrom batchtui.cli import output\noutput._TIDYING = 1\noutput.end_on_signals()\n"
        "class Finalized:\n def __del__(self): os.kill(os.getpid(), signal.SIGTERM)\n"
        "Finalized()\nthreading.Event().wait(60)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WITHIN, check=False)
    assert found.returncode == 130
    assert "Exception ignored" in found.stderr
