"""Runs the demo server: one process per data folder, found again by later programs and ended after the last."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import http.client
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvicorn

from batchtui import subpython
from batchtui.demo.connection import DemoProtocol
from batchtui.demo.protocol import DemoOptions
from batchtui.demo.server import make_app
from batchtui.demo.state import Demo
from batchtui.domain.errors import InputError, StoreError
from batchtui.paths import printable
from batchtui.store import files
from batchtui.store.records import lock


class Where(msgspec.Struct, frozen=True):
    """How a running server is found: the content of ``server.json``."""

    base_url: str
    pid: int


def server_dir(data: Path) -> Path:
    """The server's own folder in a demo data folder."""
    return data / "server"


@contextlib.contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold the folder's server lock; raises StoreError when another server runs on it."""
    folder = files.make_private_dir(server_dir(data))
    with files.open_private(folder / "lock", "r+b") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"another demo server runs on {data}", advice="use that one, end it, or give another --data-dir"
            ) from error
        yield


_START_WAIT = 30.0
_LOOK = 0.03


class DemoHandle:
    """A demo server that is kept alive until ``close``, or until this process ends."""

    def __init__(self, base_url: str, lease: int) -> None:
        self.base_url = base_url
        self._lease: int | None = lease

    def close(self) -> None:
        """Let the server go; it ends by itself when nobody else holds it."""
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None

    def __enter__(self) -> DemoHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ensure(data: Path, options: DemoOptions | None = None) -> DemoHandle:
    """Join the demo server of a demo data folder, or start one; options count only when it is started here.

    Raises StoreError when it can't be started.
    """
    folder = files.make_private_dir(server_dir(data))
    lease = os.open(folder / "lease", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lease, fcntl.LOCK_SH)
        with lock(
            folder / "launch.lock", _START_WAIT, "another batchtui is starting the demo server and does not finish"
        ):
            url = _alive(folder) or _start(data, options or DemoOptions())
    except BaseException:
        os.close(lease)
        raise
    return DemoHandle(url, lease)


def _alive(folder: Path) -> str:
    """The base URL of the server that runs on the folder, empty when none answers."""
    try:
        where = msgspec.json.decode((folder / "server.json").read_bytes(), type=Where)
    except (OSError, msgspec.DecodeError):
        return ""
    place = urlsplit(where.base_url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=5)
    try:
        connection.request("GET", "/_demo/health")
        told = msgspec.json.decode(connection.getresponse().read(1_000_000), type=dict[str, object])
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return ""
    finally:
        connection.close()
    return where.base_url if told.get("batches") == printable(folder / "batches") else ""


def _start(data: Path, options: DemoOptions) -> str:
    folder = server_dir(data)
    (folder / "server.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "batchtui.demo.runner", "--data", str(data), "--leased"]
    command += ["--options", msgspec.json.encode(options).decode()]
    with files.open_private(folder / "server.log") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=subpython.inherited(),
            cwd=folder,
            start_new_session=True,
        )
    until = time.monotonic() + _START_WAIT
    while time.monotonic() < until:
        if url := _alive(folder):
            return url
        if child.poll() is not None:
            break
        time.sleep(_LOOK)
    said = ""
    with contextlib.suppress(OSError):
        said = (folder / "server.log").read_text(errors="replace").strip()[-300:]
    raise StoreError(
        f"the demo server did not start: {said or 'it said nothing'}", advice=f"see {folder / 'server.log'}"
    )


_KEEP_ALIVE = 75
_GRACE = 15.0
_LOOK_EVERY = 2.0
_CLOSING_LOOK = 0.005


class DemoServer(uvicorn.Server):
    """Ends in order and at once, where uvicorn dies of a signal once more and looks only ten times a second."""

    _loop: asyncio.AbstractEventLoop | None = None
    _ending: asyncio.Event | None = None

    def end(self) -> None:
        """Let it end, from any thread or from a signal's handler."""
        self.should_exit = True
        if self._loop is not None and self._ending is not None:
            with contextlib.suppress(RuntimeError):  # The loop has just been closed.
                self._loop.call_soon_threadsafe(self._ending.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See uvicorn.Server."""
        super().handle_exit(sig, frame)
        self.end()

    async def main_loop(self) -> None:
        """See uvicorn.Server."""
        await self.on_tick(0)
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while (self.server_state.connections or self.server_state.tasks) and not self.force_exit:  # noqa: ASYNC110
                    await asyncio.sleep(_CLOSING_LOOK)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()

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


def make_server(app: Any) -> DemoServer:
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
    return DemoServer(config)


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
def _until_unleased(data: Path, server: DemoServer, demo: Demo) -> Iterator[None]:
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
                    server.end()
                    return

        watcher = threading.Thread(target=watch, name="demo-lease", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def main() -> None:
    """``python -m batchtui.demo.runner --data DIR [--leased] [--options JSON]``: how ``ensure`` starts a server."""
    parser = argparse.ArgumentParser(prog="python -m batchtui.demo.runner")
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
