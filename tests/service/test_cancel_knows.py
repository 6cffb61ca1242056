"""A reply to a cancel tells of its batch as a look does: doubts whether the API knows it are over."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from batchtui.domain.batch import BatchRecord
from tests.demo_server import running_demo
from tests.service.harness import plan_of, service_on, source


async def test_a_batch_that_was_not_known_is_known_once_it_is_canceled(tmp_path: Path) -> None:
    with running_demo(tmp_path / "server", duration=60) as demo:
        service = service_on(demo, tmp_path / "data")
        [record] = await service.submit(plan_of(service, source(tmp_path, 3)))
        at = datetime.now(UTC)
        service.context.change(
            record.local_id,
            lambda r: msgspec.structs.replace(r, unknown_looks=5, unknown_since=at, unknown_at=at, error="not known"),
        )
        after = (await service.cancel([record.local_id]))[record.local_id]
        assert isinstance(after, BatchRecord)
        assert after.status == "canceling" and not after.unknown and after.unknown_looks == 0 and not after.error
        await service.close()
