"""Finds the demo server of a data folder, or starts one in the background that ends when nobody uses it.

Every client holds a shared lock on the folder's lease; the server looks every couple of seconds whether it could have
it alone, and ends when it can.  This needs no signal and no clean exit: a killed client's lock goes with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import msgspec

from batchtui.demo.options import DemoOptions
from batchtui.demo.place import Where, server_dir
from batchtui.domain.errors import StoreError
from batchtui.paths import printable
from batchtui.store import files
from batchtui.store.history import lock

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


def ensure(
    data: Path, *, speed: float = 1.0, duration: float | None = None, options: DemoOptions | None = None
) -> DemoHandle:
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
            url = _alive(folder) or _start(data, options or DemoOptions(speed=speed, duration=duration))
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
    source = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))}
    command = [sys.executable, "-m", "batchtui.demo.run", "--data", str(data), "--leased"]
    command += ["--options", msgspec.json.encode(options).decode()]
    with files.open_private(folder / "server.log") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=folder, start_new_session=True
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
