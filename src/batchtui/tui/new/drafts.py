"""Drafts of the new screen: saved by themselves, and reopened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from batchtui.intake.drafts import Draft, delete_draft, list_drafts, load_draft, save_draft


class DraftKeeper:
    """The draft of one form: the name it goes by, and what was saved of it; files are written in threads."""

    def __init__(self, data: Callable[[], Path]) -> None:
        self._data = data
        self.kept: Draft | None = None
        """The draft as it was saved last; None when nothing is worth keeping yet."""
        self.name = ""
        """What the draft is called, "" until there is something to keep."""

    def named(self, stem: str) -> str:
        """The draft's name; the first time one that is free, made from ``stem``."""
        if not self.name:
            self.name = _free(stem, list_drafts(self._data()))
        return self.name

    async def keep(self, draft: Draft) -> bool:
        """Save a draft when it differs from what was saved, and tell whether it did; raises StoreError."""
        if draft == self.kept:
            return False
        await asyncio.to_thread(save_draft, self._data(), draft)
        self.kept = draft
        return True

    def set_aside(self) -> str:
        """Go on under another name; returns the one that what was kept so far is found by."""
        kept, self.kept, self.name = self.name, None, ""
        return kept

    async def names(self) -> tuple[str, ...]:
        """The drafts there are, latest first."""
        return await asyncio.to_thread(list_drafts, self._data())

    async def load(self, name: str) -> Draft:
        """A draft by its name; raises InputError."""
        return await asyncio.to_thread(load_draft, self._data(), name)

    def reopened(self, draft: Draft) -> None:
        """This draft is the form's from here on."""
        self.kept, self.name = draft, draft.name

    async def forget(self) -> None:
        """What was composed is a batch now: its draft goes; raises StoreError."""
        if self.kept is not None:
            await asyncio.to_thread(delete_draft, self._data(), self.kept.name)
            self.kept = None


def _free(stem: str, taken: tuple[str, ...]) -> str:
    number = 1
    while (name := stem if number == 1 and stem != "draft" else f"{stem}-{number}") in taken:
        number += 1
    return name
