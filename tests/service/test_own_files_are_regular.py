"""What batchtui keeps beside its records, and a source that was checked, may have become a pipe: nothing waits for it."""

import os
from pathlib import Path

import pytest

from batchtui.domain.errors import StoreError
from batchtui.results.row_ids import read_lines
from batchtui.results.skipped import read_skipped
from batchtui.service import Service
from tests.demo_server import running_demo
from tests.service.harness import plan_of, service_on, source


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    made = tmp_path / "pipe"
    os.mkfifo(made)
    return made


def test_a_source_that_became_a_pipe_is_another_one(tmp_path: Path, pipe: Path) -> None:
    service = Service(tmp_path / "data")
    path = source(tmp_path, 3)
    plan = plan_of(service, path)
    assert service.changed_sources(plan) == ()
    pipe.rename(path)
    assert service.changed_sources(plan) == (str(path),)


def test_the_salt_is_a_regular_file(tmp_path: Path, pipe: Path) -> None:
    service = Service(tmp_path / "data")
    service.data.mkdir()
    pipe.rename(service.data / "salt")
    with pytest.raises(StoreError, match="named pipe"):
        service.context.key_mark()


def test_ids_and_skipped_rows_are_regular_files(pipe: Path) -> None:
    with pytest.raises(OSError, match="named pipe"):
        next(read_lines(pipe))
    with pytest.raises(StoreError, match="named pipe"):
        list(read_skipped(pipe))


async def test_sync_goes_on_beside_a_pipe(tmp_path: Path, pipe: Path) -> None:
    with running_demo(tmp_path / "server", duration=0.05) as demo:
        other = service_on(demo, tmp_path / "other")
        await other.submit(plan_of(other, source(tmp_path, 3)))
        await other.close()
        service = service_on(demo, tmp_path / "data")
        service.data.mkdir()
        pipe.rename(service.data / "elsewhere.json")
        assert not (await service.sync()).error
        await service.close()
