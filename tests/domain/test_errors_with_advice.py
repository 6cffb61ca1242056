"""What happened and what to do as two sentences, in which commands can be typed as they stand."""

from __future__ import annotations

import pytest

from batchtui.domain.errors import InputError


@pytest.mark.parametrize(
    ("advice", "said"),
    [
        ("", "no number"),
        ("give one", "no number. Give one"),
        ("batchtui help filters lists fields", "no number. batchtui help filters lists fields"),
    ],
)
def test_an_error_with_its_advice(advice: str, said: str) -> None:
    assert InputError("no number", advice=advice).with_advice == said
