"""Answers of a blind sample that are hidden, and what an export of them says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from batchtui.results.review import Review, draw

SAID = "2 answers of the blind sample are hidden until your verdict; the export holds them"


def hide(folder: Path) -> None:
    """Draw a blind sample of two rows."""
    Review(folder).begin(draw(["id:1", "id:2"], 2, at=datetime.now(UTC), blind=True))
