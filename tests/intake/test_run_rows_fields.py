"""The fields that a run's row has in a template are those that its answer has in tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchtui.intake.run_rows import RunSource
from batchtui.results.fields import view_fields
from tests.tui.work import add_batch, answered, make_service, request


@pytest.mark.parametrize(
    "texts",
    [
        ['{"inner": {"a": 1}, "y": ', "2}"],
        ["So:", '{"a": 1}'],
        ['{"a": 1}', '{"b": 2}'],
        ["nothing", "at all"],
    ],
)
def test_an_object_in_several_texts_has_the_same_fields(tmp_path: Path, texts: list[str]) -> None:
    service = make_service(tmp_path)
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts]
    add_batch(service, [request("r-0", "do it")], [answered("r-0", blocks)], title="labels")
    view = service.open_results("labels")
    fields = [each.path.partition(".")[0] for each in view_fields(view).names]
    run = RunSource(view, run="x", name="x", only=("all",))
    assert [*run.row(0).answer] == [*dict.fromkeys(fields)]
    run.close()
