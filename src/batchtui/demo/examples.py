"""Where the example files are that the demo copies and answers from."""

from __future__ import annotations

from pathlib import Path


def examples_dir() -> Path:
    """The example files: in the installed package, or at the top of a source tree."""
    inside = Path(__file__).parent / "examples"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "examples"
