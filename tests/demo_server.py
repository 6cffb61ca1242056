"""A demo server in a thread, for any test: real sockets, its faults and counts in reach."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from batchtui.demo.faults import FaultBook
from batchtui.demo.protocol import DemoClock, DemoOptions
from batchtui.demo.runner import listen, make_server, url_of
from batchtui.demo.server import make_app
from batchtui.demo.state import Demo


class RunningDemo:
    """Handles on a running demo server."""

    def __init__(self, base_url: str, demo: Demo) -> None:
        self.base_url = base_url
        self.demo = demo
        self.key = "demo-key"

    @property
    def faults(self) -> FaultBook:
        return self.demo.faults

    @property
    def clock(self) -> DemoClock:
        """The server's clock; ``advance(seconds)`` lets time pass."""
        return self.demo.clock

    def set_faults(self, faults: Sequence[str]) -> None:
        """Replace all faults."""
        self.demo.faults.set(list(faults))

    def stats(self) -> dict[str, Any]:
        """Calls seen by name, batches made, and the batches there are."""
        with urllib.request.urlopen(f"{self.base_url}/_demo/stats", timeout=120) as reply:
            return dict(json.load(reply))


@contextlib.contextmanager
def running_demo(data: Path, *, faults: Sequence[str] = (), port: int = 0, **options: Any) -> Iterator[RunningDemo]:
    """Run a server on ``data`` until the block ends; options as in DemoOptions (``duration`` is 0.2 s)."""
    options.setdefault("duration", 0.2)
    app = make_app(data, DemoOptions(faults=tuple(faults), **options))
    sock = listen("127.0.0.1", port)
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="demo-server", daemon=True)
    thread.start()
    try:
        until = time.monotonic() + 120
        while not server.started:
            if not thread.is_alive() or time.monotonic() > until:
                raise RuntimeError("the demo server did not start")
            time.sleep(0.005)
        yield RunningDemo(url_of(sock), app.state.demo)
    finally:
        server.end()
        thread.join(20)
        sock.close()
