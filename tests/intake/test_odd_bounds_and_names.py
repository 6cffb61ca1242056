"""Bounds that no float holds, and a draft's name that something else has."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtui.intake.answer_table import AnswerFault, checked_schema
from batchtui.intake.drafts import Draft, keep_draft, list_drafts

HUGE = 10**400


def test_bounds_may_be_larger_than_a_float() -> None:
    held = {"type": "integer", "minimum": 1, "maximum": HUGE}
    assert checked_schema({"score": held})["properties"]["score"] == held
    with pytest.raises(AnswerFault, match="no number is within the bounds"):
        checked_schema({"score": {"type": "integer", "minimum": 1, "maximum": 3, "multipleOf": HUGE}})


def test_a_link_to_nothing_has_its_name_for_itself(tmp_path: Path) -> None:
    first, _ = keep_draft(tmp_path, Draft(name=""), None)
    link = tmp_path / "drafts" / f"{first.name}.toml"
    link.unlink()
    link.symlink_to(tmp_path / "nothing")
    second, stamp = keep_draft(tmp_path, Draft(name=""), None)
    assert stamp is not None and second.name != first.name
    assert link.is_symlink() and list_drafts(tmp_path) == (second.name,)
