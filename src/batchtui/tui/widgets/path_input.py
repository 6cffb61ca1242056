"""A path typed by hand, with completion: Tab takes what is suggested, then moves on."""

from __future__ import annotations

import asyncio
import os
from typing import ClassVar

from textual.binding import BindingType
from textual.suggester import Suggester
from textual.widgets import Input

from batchtui.paths import expanded
from batchtui.tui.bindings import bind

MOST = 5_000
"""Entries of one folder that are looked at for a completion."""


def completions(typed: str, limit: int = 50, endings: tuple[str, ...] = (), last: tuple[str, ...] = ()) -> list[str]:
    """Paths that begin with ``typed``, folders ended by a slash, in order; nothing when the folder can't be read.

    Of files only those with one of the ``endings``, when there are any; those that end in ``last`` come after the others.
    """
    home = str(expanded("~")) if typed == "~" or typed.startswith("~/") else ""
    folder, start = os.path.split(home + typed[1:] if home else typed)
    shown = typed[: len(typed) - len(start)] if start else typed
    found: list[str] = []
    try:
        with os.scandir(folder or ".") as entries:
            for number, entry in enumerate(entries):
                if number >= MOST:
                    break
                if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
                    folder_like = entry.is_dir()
                    if folder_like or not endings or entry.name.endswith(endings):
                        found.append(shown + entry.name + ("/" if folder_like else ""))
    except (OSError, ValueError):
        return []
    return sorted(found, key=lambda path: (path.endswith(last), path))[:limit]


def common_start(paths: list[str]) -> str:
    """What all of them begin with."""
    if not paths:
        return ""
    first, last = min(paths), max(paths)
    same = next(
        (n for n, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), min(len(first), len(last))
    )
    return first[:same]


class PathSuggester(Suggester):
    """Suggests the first path that begins with what was typed, read in a thread."""

    def __init__(self, endings: tuple[str, ...], last: tuple[str, ...] = ()) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._endings, self._last = endings, last

    async def get_suggestion(self, value: str) -> str | None:
        """The suggestion, None when there is none."""
        if not value:
            return None
        found = await asyncio.to_thread(completions, value, 2, self._endings, self._last)
        return found[0] if found else None


class PathInput(Input):
    """An Input for a path."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("tab", "complete", "complete", "path.complete", "accept the suggestion, or next field", show=False),
    ]

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        id: str | None = None,
        endings: tuple[str, ...] = (),
        last: tuple[str, ...] = (),
    ) -> None:
        suggester = PathSuggester(endings, last)
        super().__init__(
            value, placeholder=placeholder, id=id, suggester=suggester, compact=True, select_on_focus=False
        )
        self._endings, self._last = endings, last
        self.cursor_blink = False

    async def complete_only(self) -> None:
        """Take the one path that begins with what was typed, where nothing has just that name."""
        typed = self.value
        found = await asyncio.to_thread(completions, typed, 2, self._endings, self._last) if typed else []
        if len(found) == 1 and typed not in found and not found[0].endswith("/") and self.value == typed:
            self.value = found[0]
            self.cursor_position = len(self.value)

    async def action_complete(self) -> None:
        """Take as much as is certain, then the suggestion; with nothing to take, move to the next field."""
        found = await asyncio.to_thread(completions, self.value, 50, self._endings, self._last) if self.value else []
        start = common_start(found)
        if len(start) > len(self.value):
            taken = start
        elif found and self.value not in found:
            taken = found[0]
        else:
            self.screen.focus_next()
            return
        self.value = taken
        self.cursor_position = len(taken)
