"""The demo server as a process of its own, and batches put into it without waiting for their time."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.measure import ROOT, Failed, environment


@contextlib.contextmanager
def server(folder: Path, port: int = 0, **options: Any) -> Iterator[str]:
    """A demo server on ``folder`` (options as in DemoOptions; port 0 is any) until the block ends; its base URL."""
    folder.mkdir(parents=True, exist_ok=True)
    where = folder / "server" / "server.json"
    where.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "batchtui.demo.runner", "--data", str(folder), "--port", str(port)]
    argv += ["--options", json.dumps(options)]
    with (folder / "server.log").open("wb") as log:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(folder), cwd=ROOT
        )
    try:
        yield _url(child, where, folder / "server.log")
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _url(child: subprocess.Popen[bytes], where: Path, log: Path) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            url = str(json.loads(where.read_bytes())["base_url"])
            with urlopen(f"{url}/_demo/health", timeout=30):
                return url
        time.sleep(0.02)
    raise Failed(f"the demo server did not start: {log.read_text(errors='replace')[-600:]}")


def calls(url: str) -> dict[str, int]:
    """How often each call was made at a server."""
    with urlopen(f"{url}/_demo/stats", timeout=30) as reply:
        return dict(json.load(reply)["calls"])


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """An empty folder that is thrown away."""
    from bench.data import OUT

    folder = OUT / "work" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
