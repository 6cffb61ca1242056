"""A disk that says no at any write: it is said, what came is kept, and all is taken up when there is room again."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchtui.domain.errors import BatchtuiError, StoreError
from batchtui.service.events import Trouble
from batchtui.store import files
from tests.demo_server import running_demo
from tests.faults.driving import COUNT, assert_paid_once, bring_home
from tests.service.harness import plan_of, service_on, source

pytestmark = pytest.mark.usefixtures("short_waits")


class Disk:
    """Every write, fsync, rename and mkdir below a folder is a step; from the n-th on the disk says no, until ``mend``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, code: int) -> None:
        self.root = str(root)
        self.code = code
        self.left: int | None = None
        self.refused = 0
        for name in ("rename", "replace", "mkdir"):
            monkeypatch.setattr(os, name, self._guarded(getattr(os, name)))
        monkeypatch.setattr(os, "fsync", self._counted(os.fsync))
        real = files.open_private

        def opened(path: Path, mode: str = "wb") -> Any:
            self.step(path)
            return _Full(real(path, mode), self)

        monkeypatch.setattr(files, "open_private", opened)

    def step(self, path: object = None) -> None:
        """One more thing asked of the disk."""
        if path is not None and not str(path).startswith(self.root):
            return
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.refused += 1
            raise OSError(self.code, os.strerror(self.code))

    def mend(self) -> None:
        self.left = None

    def _guarded(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **named: Any) -> Any:
            self.step(path)
            return real(path, *args, **named)

        return call

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(fd: int) -> Any:
            self.step()
            return real(fd)

        return call


class _Full(io.BufferedIOBase):
    """A file on that disk; a write that is refused has written a half of it."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file = file
        self._disk = disk

    def write(self, data: Any) -> int:
        try:
            self._disk.step()
        except OSError:
            self._file.write(bytes(data)[: len(data) // 2])
            self._file.flush()
            raise
        return int(self._file.write(data))

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def read(self, size: int | None = -1) -> bytes:
        return bytes(self._file.read(size))

    def seek(self, place: int, whence: int = 0) -> int:
        return int(self._file.seek(place, whence))

    def truncate(self, size: int | None = None) -> int:
        return int(self._file.truncate(size))

    def fileno(self) -> int:
        return int(self._file.fileno())


CODES = [errno.ENOSPC, errno.EDQUOT, errno.EROFS]


@pytest.mark.parametrize("after", range(40))
async def test_a_disk_that_fills_up_loses_nothing_and_pays_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    with running_demo(tmp_path / "server", duration=0.02) as demo:
        service = service_on(demo, tmp_path / "data")
        plan = plan_of(service, source(tmp_path, COUNT), max_requests=COUNT // 2)
        heard: list[object] = []
        service.subscribe(heard.append)
        disk = Disk(monkeypatch, tmp_path / "data", CODES[after % 3])
        disk.left = after
        said: list[str] = []
        try:
            await service.submit(plan)
        except BatchtuiError as error:
            said.append(error.advice)
        for _ in range(3):
            try:
                report = await service.sync()
                said += [*report.failed.values(), report.error]
            except StoreError as error:
                said.append(error.advice)
        said += [e.message + e.advice for e in heard if isinstance(e, Trouble)]
        if disk.refused:
            assert any(said), "a full disk must be said"
        made = demo.stats()["creates"]
        disk.mend()
        if not service.records() and not service.parts.committer.pending():
            assert made == 0
            if plan.staging is None or not plan.staging.exists():
                plan = plan_of(service, source(tmp_path, COUNT), max_requests=COUNT // 2)
            await service.submit(plan)
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service, batches=2)
        assert not list((tmp_path / "data").rglob("*.tmp"))


async def test_partial_results_are_kept_and_taken_up_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_demo(tmp_path / "server", duration=0.02, answer_bytes=30_000) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, 40)))
        disk = Disk(monkeypatch, service.history.folder(record.local_id), errno.ENOSPC)
        part = service.history.folder(record.local_id) / "results.jsonl.part"
        for _ in range(3000):
            await service.refresh()
            if service.resolve(record.local_id).status == "ended":
                break
        disk.left = 4
        report = await service.sync()
        disk.mend()
        assert "No space" in str(report.failed) and part.stat().st_size > 0
        await bring_home(service)
        await service.close()
        assert_paid_once(demo, service, count=40)
