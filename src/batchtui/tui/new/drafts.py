"""Drafts of the new screen: saved by themselves, and reopened."""

from __future__ import annotations

from pathlib import Path

from textual.content import Content
from textual.widgets import Input, Static

from batchtui import safetext
from batchtui.intake.drafts import Draft, delete_draft, list_drafts, load_draft, save_draft
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.dialogs import Choose
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor
from batchtui.tui.new.write import WritePane
from batchtui.tui.widgets.tab_line import TabLine


class Drafts(BaseScreen[None]):
    """The part of the new screen that keeps what it holds."""

    kept: Draft | None = None
    """The draft as it was saved last; None when nothing is worth keeping yet."""
    draft_name = ""

    async def check_anew(self) -> None:
        """Check what is chosen now, the template as its file says."""

    def current_draft(self) -> Draft | None:
        """What the screen holds, None when nothing was composed."""
        form, editor, pane = self.query_one(SourceForm), self.query_one(TemplateEditor), self.query_one(WritePane)
        if pane.untouched and not editor.composed:
            return None
        if not self.draft_name:
            stem = safetext.filename(Path(form.first_path).stem) if editor.edited and form.first_path else "draft"
            self.draft_name = _free(stem, list_drafts(self.service.data))
        return Draft(
            name=self.draft_name,
            title=self.query_one("#new-name", Input).value,
            sources=(form.typed,) if form.typed else (),
            format=form.format or "",
            template_path=form.template_path,
            template_text=editor.edited,
            cache_prefix=form.cache_prefix,
            skip_bad=form.skip_bad,
            default_model=form.model,
            forms=() if pane.untouched else tuple(pane.current),
        )

    async def keep_draft(self) -> None:
        """Save what the screen holds, when it differs from what was saved."""
        draft = self.current_draft()
        if draft is not None and draft != self.kept:
            await self.in_thread(save_draft, self.service.data, draft)
            self.kept = draft
            self.query_one("#new-draft", Static).update(Content(f"draft {safetext.line(draft.name, 30)}"))

    async def set_draft_aside(self) -> str:
        """Keep what the screen holds, and go on under another draft's name; returns the name it is kept under."""
        await self.keep_draft()
        kept, self.kept, self.draft_name = self.draft_name, None, ""
        return safetext.line(kept, 30)

    def action_drafts(self) -> None:
        """Open a draft."""
        run_task(self, self._open_draft(), opens=True)

    async def _open_draft(self) -> None:
        await self.keep_draft()
        names = await self.in_thread(list_drafts, self.service.data)
        if not names:
            self.say("There are no drafts yet; what you compose here is kept by itself.")
            return
        name = await self.app.push_screen_wait(Choose("Open a draft", [(each, each) for each in names]))
        if name is not None:
            await self.show_draft(await self.in_thread(load_draft, self.service.data, name))

    async def show_draft(self, draft: Draft) -> None:
        """Put a draft into the fields, and check it."""
        self.kept, self.draft_name = draft, draft.name
        self.query_one("#new-name", Input).value = draft.title
        self.query_one(SourceForm).restore(draft)
        self.query_one(TemplateEditor).restore(draft.template_text, draft.template_path)
        if draft.forms:
            await self.query_one(WritePane).load(draft.forms)
        mode = self.query_one("#new-mode", TabLine)
        wanted = "write" if draft.forms and not draft.sources else "files"
        if mode.chosen == wanted:
            await self.check_anew()
        mode.choose(wanted)

    async def forget_draft(self) -> None:
        """What was composed is a batch now: its draft goes."""
        if self.kept is not None:
            await self.in_thread(delete_draft, self.service.data, self.kept.name)
            self.kept = None


def _free(stem: str, taken: tuple[str, ...]) -> str:
    number = 1
    while (name := stem if number == 1 and stem != "draft" else f"{stem}-{number}") in taken:
        number += 1
    return name
