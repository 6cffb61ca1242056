"""Calls the command line as a person does: in this process for most, as a program where the process itself matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from batchtui.cli.output import guarded
from batchtui.cli.program import group
from tests.demo_server import RunningDemo, running_demo
from tests.preloaded import Child
from tests.quick import HURRIED, unbounded


class Said(NamedTuple):
    """How a call ended."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON value it must be."""
        return json.loads(self.out)


class Caller:
    """Runs verbs against one server and one data folder."""

    def __init__(self, demo: RunningDemo, capture: pytest.CaptureFixture[bytes], folder: Path) -> None:
        self.demo = demo
        self.folder = folder
        self._capture = capture

    def __call__(self, *words: str | Path) -> Said:
        self._capture.readouterr()
        args = [str(word) for word in words]
        code = guarded(lambda: group.main(args=args, prog_name="batchtui", standalone_mode=False))
        out, err = self._capture.readouterr()
        return Said(code, out, err.decode())

    def source(self, count: int = 6, name: str = "source.jsonl", **words: str) -> Path:
        """A file of requests; ``words`` maps a number ("n3") to a control word of the demo."""
        from tests.service.harness import request

        path = self.folder / name
        lines = []
        for n in range(count):
            word = words.get(f"n{n}", "ok")
            lines.append(json.dumps(request(f"{n}-demo-{word}", f"question {n} of {name}", max_tokens=1000)) + "\n")
        path.write_text("".join(lines))
        return path


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], own_folders: Path
) -> Iterator[Caller]:
    """A caller on a quick server."""
    unbounded(monkeypatch)
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", demo.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-secret")
        monkeypatch.setenv("BATCHTUI_DATA_DIR", str(tmp_path / "data"))
        config = own_folders / "config"
        config.mkdir(exist_ok=True)
        (config / "config.toml").write_text("[settle]\nlooks = 2\nseconds = 0\n")
        yield Caller(demo, capfdbinary, tmp_path)


def program(*words: str | Path, env: Mapping[str, str] | None = None, stdin: bytes = b"", code: str = "") -> Said:
    """Run the program itself (or ``code`` in its interpreter) to its end, with short waits of the service.

    The interpreter is started anew for ``code``, and where ``env`` changes what it reads at its start.
    """
    if not code and not any(name.startswith(("LANG", "LC_", "PYTHON")) for name in env or {}):
        child = Child(
            [*map(str, words)],
            code=HURRIED,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = child.communicate(stdin, timeout=120)
        return Said(child.wait(), out, err.decode())
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "batchtui"]
    done = subprocess.run(
        [*command, *map(str, words)], input=stdin, capture_output=True, env={**os.environ, **(env or {})}, timeout=120
    )
    return Said(done.returncode, done.stdout, done.stderr.decode())


def small_parts(own_folders: Path, most: int) -> None:
    with (own_folders / "config" / "config.toml").open("a") as config:
        config.write(f"[limits]\nmax_requests = {most}\n")
