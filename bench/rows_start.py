"""Starting: the help, the first paint, the list of a long history."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from bench.measure import Sample, command, environment, in_turn, work
from bench.rows import PYTHON, Bench, Line, beside
from bench.serving import scratch
from bench.terminal import Terminal

BARE = [PYTHON, "-m", "bench.bare"]
APP = [PYTHON, "-m", "batchtui"]


KEYS = (b"j", b"\x1b[6~", b"s")
FRAME = 16.7
"""Milliseconds of a frame at 60 a second."""


def help_(bench: Bench) -> list[Line]:
    """``batchtui --help`` beside an empty Python."""
    with scratch("help") as folder:
        env = environment(folder)
        found = in_turn(
            bench.rounds * 4,
            {
                "ours": lambda: command([*APP, "--help"], env=env),
                "python -c pass": lambda: command([PYTHON, "-c", "pass"], env=env),
            },
        )
    return beside("batchtui --help", found.pop("ours"), found, [("python -c pass", 5.0)])


def paint(argv: list[str], folder: Path, text: bytes) -> Sample:
    """Seconds from the start of a program to a text on its screen."""
    with Terminal(argv, environment(folder, "http://127.0.0.1:9")) as shown:
        seconds = shown.until(text) - shown.began
        return Sample(seconds, shown.peak)


def first_paint(bench: Bench) -> list[Line]:
    """The first paint with an empty history and with 1,000 batches."""
    count = bench.scaled(1_000)
    with scratch("paint") as folder:
        empty, full = folder / "empty", folder / "full"
        work("bench.prepare:ended_records", env=environment(full), data=str(full / "data"), count=count)
        # A thousand files that are still on their way to the disk would slow down the reading of them alone.
        os.sync()
        found = in_turn(
            bench.rounds * 4,
            {
                "a bare Textual app": lambda: paint(BARE, empty, b"bare app"),
                "empty": lambda: paint(APP, empty, b"No batches yet"),
                "full": lambda: paint(APP, full, b"nightly-"),
            },
        )
    peers = {"a bare Textual app": found["a bare Textual app"]}
    return [
        *beside("first paint, no batches", found["empty"], peers, [("a bare Textual app", 1.2)]),
        *beside(f"first paint, {count:,} batches", found["full"], peers, [("a bare Textual app", 1.4)]),
    ]


def keys(bench: Bench) -> list[Line]:
    """What keys take on a home screen of 1,000 batches, to the first byte."""
    count = bench.scaled(1_000)
    found: dict[str, list[float]] = {"a row down": [], "a page down": [], "sort by the next column": []}
    with scratch("keys") as folder:
        work("bench.prepare:ended_records", env=environment(folder), data=str(folder / "data"), count=count)
        with Terminal(APP, environment(folder, "http://127.0.0.1:9")) as shown:
            shown.until(b"nightly-")
            shown.settle()
            for _ in range(bench.rounds * 4):
                for what, key in zip(found, KEYS, strict=True):
                    found[what].append(shown.first(key))
                    shown.settle(0.1)
    return [
        Line(f"{what}, {count:,} batches, to the first byte", statistics.median(each) * 1000, unit="ms", target=FRAME)
        for what, each in found.items()
    ]


def list_(bench: Bench) -> list[Line]:
    """``batchtui list --all`` beside cat of the same files."""
    count = bench.scaled(10_000)
    with scratch("list") as folder:
        env = environment(folder)
        work("bench.prepare:ended_records", env=env, data=str(folder / "data"), count=count)
        cat = f"cd {folder}/data/batches && cat */batch.json >/dev/null"
        found = in_turn(
            bench.rounds,
            {
                "ours": lambda: command([*APP, "list", "--all"], env=env),
                "cat": lambda: command(["sh", "-c", cat], env=env),
            },
        )
    return beside(f"list {count:,} records", found.pop("ours"), found, [("cat", 8.0)], "both from process start")
