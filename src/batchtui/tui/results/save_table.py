"""Asks where a table is saved, and saves it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from batchtui.paths import expanded
from batchtui.results.export_job import there_already
from batchtui.store import files
from batchtui.tui.base import BaseScreen
from batchtui.tui.dialogs import Ask, ask_replace


async def save_table(screen: BaseScreen[Any], title: str, name: str, lines: Iterable[bytes]) -> None:
    """Save lines under the path that is given, ``name`` unless another is typed.  Raises StoreError."""
    typed = await screen.app.push_screen_wait(Ask(title, value=name))
    if not typed:
        return
    dest = expanded(typed)
    there = await screen.in_thread(there_already, dest)
    if there and not await screen.app.push_screen_wait(ask_replace(dest)):
        return
    await screen.in_thread(lambda: files.write_atomic(dest, b"".join(lines)))
    screen.say(f"Saved to {dest}", level="good")
