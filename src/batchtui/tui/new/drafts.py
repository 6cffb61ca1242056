"""Drafts of the new screen: saved by themselves, listed, reopened and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import msgspec
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import OptionList

from batchtui import safetext
from batchtui.intake.drafts import (
    Draft,
    Stamp,
    UnreadableDraft,
    delete_draft,
    first_words,
    keep_draft,
    load_draft,
    models_of,
    read_drafts,
    stamp_of,
)
from batchtui.present import numbers
from batchtui.tui.base import run_task
from batchtui.tui.bindings import bind, sign_of
from batchtui.tui.dialogs import Choose, Confirm


def label(draft: Draft) -> str:
    """A draft by its date and first words, as every message names it."""
    day = f"{draft.saved_at or datetime.now(UTC):%Y-%m-%d}"
    return f"{day} {safetext.line(first_words(draft), 60)}".strip()


def contents(draft: Draft) -> str:
    """What is in a draft: source, template, model, requests."""
    template = Path(draft.template_path).name
    if draft.template_text:
        template = f"template {template}, edited" if template else "template written here"
    elif template:
        template = f"template {template}"
    requests = len(draft.forms) if draft.composing else draft.requests
    facts = (
        "composed" if draft.composing else ", ".join(Path(source).name for source in draft.sources) or "no source",
        "" if draft.composing else template,
        ", ".join(models_of(draft)[:2]),
        "" if requests is None else numbers.plural(requests, "request"),
    )
    return " · ".join(safetext.line(fact, 40) for fact in facts if fact)


def age(draft: Draft) -> str:
    """``2h ago``."""
    return f"{numbers.short(datetime.now(UTC) - draft.saved_at)} ago" if draft.saved_at else ""


class DraftKeeper:
    """The draft of one form: the name it goes by, and what was saved of it; files are written in threads."""

    def __init__(self, data: Callable[[], Path]) -> None:
        self._data = data
        self.kept: Draft | None = None
        """The draft as it was saved last; None when nothing is worth keeping yet."""
        self.name = ""
        """Of the draft's file, "" until there is something to keep."""
        self._stamp: Stamp | None = None
        """Of its file as this form saved or opened it."""
        self._loaded: tuple[str, Stamp | None] = ("", None)
        self._sent = False
        self.sent: Draft | None = None
        """The draft that became a batch."""
        self._requests_then: int | None = None
        self._writing = asyncio.Lock()

    async def keep(self, draft: Draft) -> bool:
        """Save a draft, under this form's name, when it differs from what was saved, and tell whether it did; raises
        StoreError.  What was sent is no draft any more.
        """
        async with self._writing:
            if self._sent:
                return False
            draft = msgspec.structs.replace(draft, name=self.name)
            if draft.same_as(self.kept):
                return False
            kept, self._stamp = await asyncio.to_thread(keep_draft, self._data(), draft, self._stamp)
            self.kept, self.name = kept, kept.name
            return True

    def set_aside(self) -> str:
        """Go on under another name; returns what is said of the draft that was kept so far."""
        kept, self.kept, self.name = self.kept, None, ""
        return label(kept) if kept is not None else ""

    async def listed(self) -> tuple[Draft | UnreadableDraft, ...]:
        """The drafts there are, latest first."""
        return await asyncio.to_thread(read_drafts, self._data())

    async def last(self) -> Draft | None:
        """The draft that was saved last."""

        def find() -> Draft | None:
            return next((each for each in read_drafts(self._data(), 5) if isinstance(each, Draft)), None)

        return await asyncio.to_thread(find)

    async def load(self, name: str) -> Draft:
        """A draft by its name, to be reopened; raises InputError."""
        stamp = await asyncio.to_thread(stamp_of, self._data(), name)
        draft = await asyncio.to_thread(load_draft, self._data(), name)
        self._loaded = (draft.name, stamp)
        return draft

    async def delete(self, name: str) -> None:
        """Remove a draft; one that is this form's is saved anew when the form is left.  Raises StoreError."""
        await asyncio.to_thread(delete_draft, self._data(), name)
        if name == self.name:
            self.kept, self.name = None, ""

    def reopened(self, draft: Draft) -> None:
        """This draft is the form's from here on."""
        self.kept, self.name = draft, draft.name
        self._stamp = self._loaded[1] if self._loaded[0] == draft.name else None
        self._requests_then = None if draft.composing else draft.requests

    def checked_first(self) -> int | None:
        """The requests of a reopened draft when it was saved, told to its first check; None to the others."""
        then, self._requests_then = self._requests_then, None
        return then

    async def forget(self) -> None:
        """What was composed is a batch now: its draft goes; raises StoreError."""
        async with self._writing:
            self._sent, self.sent = True, self.kept or self.sent
            await self._remove()

    async def drop(self) -> Draft | None:
        """Nothing of the draft is left in the form: it goes, and is returned where it went; raises StoreError."""
        async with self._writing:
            kept = self.kept
            return kept if await self._remove() else None

    async def _remove(self) -> bool:
        """Delete the draft's file, and tell whether it was there; what another program saved under its name since stays."""
        kept, self.kept, self.name = self.kept, None, ""
        if kept is None or await asyncio.to_thread(stamp_of, self._data(), kept.name) != self._stamp:
            return False
        await asyncio.to_thread(delete_draft, self._data(), kept.name)
        return True

    def resume(self) -> None:
        """The form goes on: what is composed from here on is a draft again."""
        self._sent = False


class DraftList(Choose):
    """The drafts with what is in them; answers with a name, None when left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("d", "delete", "delete", "drafts.delete", "delete the draft; asks first"),
    ]

    def __init__(self, drafts: Sequence[Draft | UnreadableDraft], keeper: DraftKeeper) -> None:
        choices = [(each.name, self._line(each, keeper.name)) for each in drafts]
        super().__init__(
            "Drafts", choices, wide=True, hint=f"enter  open    {sign_of('drafts.delete')}  delete    esc  back"
        )
        self._drafts = list(drafts)
        self._keeper = keeper

    @staticmethod
    def _line(draft: Draft | UnreadableDraft, own: str) -> Content:
        if isinstance(draft, UnreadableDraft):
            name = safetext.line(draft.name, 60)
            return Content.assemble((name, "bold"), (f"\n  {safetext.line(draft.problem, 200)}", "$text-error"))
        mark = " · in this form" if draft.name == own else ""
        return Content.assemble(
            (label(draft), "bold"), (f"  {age(draft)}{mark}", "dim"), (f"\n  {contents(draft)}", "$foreground 70%")
        )

    def action_delete(self) -> None:
        """Delete the draft under the cursor, after a yes."""
        at = self.query_one(OptionList).highlighted
        if at is not None:
            run_task(self, self._delete(at), opens=True)

    async def _delete(self, at: int) -> None:
        draft = self._drafts[at]
        shown = safetext.line(draft.name, 80) if isinstance(draft, UnreadableDraft) else label(draft)
        holds = [] if isinstance(draft, UnreadableDraft) else [contents(draft)]
        lines = [*holds, "This can't be undone."]
        if not await self.app.push_screen_wait(Confirm(f"Delete draft {shown}?", lines, yes="Delete", grave=True)):
            return
        await self._keeper.delete(draft.name)
        del self._drafts[at]
        self.take_out(at)
        if not self._drafts:
            self.dismiss(None)
