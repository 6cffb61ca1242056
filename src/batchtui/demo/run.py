"""Puts the demo server on a port of this machine, with one server to a data folder."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import ipaddress
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from batchtui.demo.options import DemoOptions
from batchtui.demo.place import Where, alone, server_dir
from batchtui.demo.server import make_app
from batchtui.demo.state import Demo
from batchtui.demo.transport import DemoProtocol
from batchtui.domain.errors import InputError, StoreError
from batchtui.store import files

_KEEP_ALIVE = 75
_GRACE = 15.0
_LOOK_EVERY = 2.0


class _Server(uvicorn.Server):
    """Ends in order on a signal, where uvicorn would die of it once more and leave its traces."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn.Server."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def make_server(app: Any) -> uvicorn.Server:
    """A uvicorn server for the app, quiet, with connections that faults can reach."""
    config = uvicorn.Config(
        app,
        http=DemoProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on this machine only; raises InputError for another address or a port in use."""
    name = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(name).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InputError(
            f"the demo server does not listen on {host}", advice="it is for this machine only: use 127.0.0.1"
        )
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it every reply takes 40 ms more.
    sock = socket.socket(socket.AF_INET6 if ":" in name else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((name, port))
    except OSError as error:
        sock.close()
        raise InputError(
            f"can't listen on {host}:{port}: {error.strerror}", advice="choose another --port, or 0 for any"
        ) from error
    sock.listen(256)
    return sock


def url_of(sock: socket.socket) -> str:
    """The base URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    data: Path | None = None,
    options: DemoOptions | None = None,
    *,
    json: bool = False,
    leased: bool = False,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve until a signal ends it, or with ``leased`` until no client holds the folder's lease.

    Says where it is on standard error, and with ``json`` as one JSON object on standard output.  ``data`` is a demo
    data folder, by default the user's own.  Raises InputError, StoreError.
    """
    from batchtui import paths

    folder = data if data is not None else paths.demo_dir(paths.data_dir())
    with contextlib.ExitStack() as stack:
        stack.enter_context(alone(folder))
        sock = stack.enter_context(listen(host, port))
        app = make_app(folder, options or DemoOptions())
        server = make_server(app)
        _announce(folder, url_of(sock), json)
        stack.callback((server_dir(folder) / "server.json").unlink, missing_ok=True)
        if started:
            started(url_of(sock))
        if leased:
            stack.enter_context(_until_unleased(folder, server, app.state.demo))
        server.run(sockets=[sock])


def _announce(data: Path, url: str, json: bool) -> None:
    where = Where(url, os.getpid())
    files.write_atomic(server_dir(data) / "server.json", msgspec.json.encode(where))
    sys.stderr.write(f"batchtui demo server on {url}\n")
    sys.stderr.flush()
    if json:
        sys.stdout.write(msgspec.json.encode(where).decode() + "\n")
        sys.stdout.flush()


@contextlib.contextmanager
def _until_unleased(data: Path, server: uvicorn.Server, demo: Demo) -> Iterator[None]:
    """End the server when nobody holds the lease; a client that comes then waits until it is gone."""
    ended = threading.Event()
    with files.open_private(server_dir(data) / "lease", "r+b") as lease:

        def watch() -> None:
            began = time.monotonic()
            while not ended.wait(_LOOK_EVERY):
                if time.monotonic() - began < _GRACE and not demo.calls:
                    continue
                with contextlib.suppress(OSError):
                    fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    server.should_exit = True
                    return

        watcher = threading.Thread(target=watch, name="demo-lease", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def main() -> None:
    """``python -m batchtui.demo.run --data DIR [--leased] [--options JSON]``: how ``launch`` starts a server."""
    parser = argparse.ArgumentParser(prog="python -m batchtui.demo.run")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--leased", action="store_true")
    parser.add_argument("--options", default="{}")
    given = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    options = msgspec.json.decode(given.options, type=DemoOptions)
    try:
        serve(port=given.port, data=given.data, options=options, leased=given.leased)
    except (InputError, StoreError) as error:
        sys.stderr.write(f"{error}: {error.advice}\n")
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
