"""Hands the terminal to another program for a while: an editor, a pager."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported


def run_outside(app: App[Any], command: str, path: Path) -> str:
    """Run ``command`` on a file with the terminal to itself; returns what went wrong, "" when nothing did."""
    trouble = ""
    try:
        with app.suspend():
            try:
                subprocess.run([*shlex.split(command), str(path)], check=False)
            except (OSError, ValueError) as error:
                # Textual takes the terminal back only when nothing is raised in here.
                trouble = f"{command} can't be run: {error}"
    except SuspendNotSupported:
        return "this terminal can't be handed over to another program"
    app.refresh(repaint=True, layout=True)
    return trouble


def edit_text(app: App[Any], text: str, command: str, ending: str) -> tuple[str, str]:
    """A text as it was left in an editor, and what went wrong ("" when nothing did)."""
    with tempfile.TemporaryDirectory(prefix="batchtui-") as folder:
        path = Path(folder) / f"edit{ending}"
        path.write_text(text, "utf-8")
        trouble = run_outside(app, command, path)
        try:
            return (text if trouble else path.read_text("utf-8")), trouble
        except (OSError, UnicodeDecodeError) as error:
            return text, f"what the editor wrote can't be read: {error}"
