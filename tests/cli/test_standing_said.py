"""What results says of what it wrote: how many of it are usable, and how the others ended."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from batchtui.present.batch import by_standing
from tests.cli.calling import Caller


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"usable": 282, "invalid": 12, "errored": 6}, "282 usable, 12 invalid, 6 errored"),
        ({"usable": 1, "cut_short": 1_200, "unknown": 1, "unreadable": 2}, "1 usable, 1,200 cut short, 3 other"),
        ({"usable": 4, "all": 4, "succeeded": 4}, ""),
        ({}, ""),
    ],
)
def test_rows_by_standing_in_words(counts: Mapping[str, int], told: str) -> None:
    assert by_standing(counts) == told


def test_what_was_written_is_told_by_how_it_ended(call: Caller) -> None:
    out = call.folder / "out.jsonl"
    source = call.source(n1="api", n2="cut", n3="error")
    said = call("submit", source, "--wait", "-o", out)
    ended = f"6 results written to {out}: 3 usable, 1 cut short, 2 errored\n"
    assert said.code == 1 and ended in said.err
    for options, told in (
        ((), ": 3 usable, 1 cut short, 2 errored"),
        (("--only", "succeeded"), ": 3 usable, 1 cut short"),
        (("--only", "usable"), ""),
        (("--filter", "id:api"), ": 1 errored"),
    ):
        said = call("results", "last", "--force", "-o", out, *options)
        written = len(out.read_text().splitlines())
        assert f"{written} result{'s' * (written > 1)} written to {out}{told}\n" in said.err
    said = call("results", "last", "--format", "files", "-o", call.folder / "answers")
    assert f"4 results written to {call.folder / 'answers'}: 3 usable, 1 cut short\n" in said.err
    said = call("results", "last", "--json", "--force", "-o", out)
    assert set(said.json) == {"records", "output", "skipped"}
