"""Which format the ending of a file's name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtui.domain.errors import InputError
from batchtui.results import export


def test_every_ending_of_a_format_means_it_alone() -> None:
    told = [(ending, name) for name, endings in export.ENDINGS.items() for ending in endings]
    assert len({ending for ending, _ in told}) == len(told)
    assert [(ending, export.format_of(Path(f"a{ending.upper()}"))) for ending, _ in told] == told


def test_a_format_that_comes_to_write_an_ending_needs_no_other_change(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"\.tsv is not a format"):
        export.format_of(Path("a.tsv"))
    monkeypatch.setitem(export.ENDINGS, "tsv", (".tsv",))
    assert export.format_of(Path("a.tsv")) == "tsv"
