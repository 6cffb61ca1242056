"""Actions of the new screen: browse, try one, count tokens, edit in $EDITOR, submit."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.widgets import ContentSwitcher, TextArea

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.plan import Plan, Problem
from batchtui.intake.preview import Peek
from batchtui.intake.template import read_template
from batchtui.paths import NoFolder, expanded
from batchtui.present import batch, numbers
from batchtui.present.symbols import GLYPHS
from batchtui.service import planning
from batchtui.tui.base import run_task
from batchtui.tui.dialogs import Confirm
from batchtui.tui.new.problem_list import ProblemList
from batchtui.tui.new.request_view import RequestView
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor, starter
from batchtui.tui.new.write import WritePane, quiet
from batchtui.tui.terminal import edit_text
from batchtui.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from batchtui.tui.new.screen import NewScreen

SAMPLE = 8
"""Requests that are counted for a better estimate."""
DEFAULT_MODEL = "claude-haiku-5-5"


class NewHands:
    """Mixed into the new screen."""

    @property
    def _me(self) -> NewScreen:
        return cast("NewScreen", self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing here are not offered."""
        me = self._me
        if action in ("submit", "try_one", "count"):
            return me.plan is not None and me.plan.ok
        if action == "browse":
            return me.is_mounted and not me.writing
        return True

    async def load_models(self) -> None:
        """The models to choose from."""
        me = self._me
        pane = me.query_one(WritePane)
        default = me.service.profile.default_model or DEFAULT_MODEL
        pane.set_models([default, *me.service.prices.models()])
        models = await me.ask(me.service.models())
        pane.set_models(
            [default, *(each.id for each in models if each.batch is not False and each.lifecycle != "retired")]
        )

    def discard_soon(self, plan: Plan) -> None:
        """Throw a plan's staged copy away without making anyone wait."""
        asyncio.get_running_loop().run_in_executor(None, self._me.service.discard, plan)

    # --- source -----------------------------------------------------------------------------------------------------

    def action_browse(self) -> None:
        """Choose files from a list: templates when the cursor is on the template, sources otherwise."""
        run_task(self._me, self._browse(), opens=True)

    async def _browse(self) -> None:
        from batchtui.tui.new.files import FilePicker

        me = self._me
        form = me.query_one(SourceForm)
        for_template = me.focused is not None and me.focused.id == "source-template"
        typed = form.template_path if for_template else form.first_path
        start = expanded(typed).parent if typed else Path.cwd()
        taken = await me.app.push_screen_wait(FilePicker(start if start.is_dir() else Path.cwd()))
        if not taken:
            return
        if for_template:
            form.set_template(taken[0])
            await me.check_anew()
        else:
            me.take_paths(taken)

    async def sync_template(self) -> None:
        """Show the template file that is named as it lies on the disk, unless its text was edited here."""
        me = self._me
        path, editor = me.query_one(SourceForm).template_path, me.query_one(TemplateEditor)
        if editor.composed and editor.name_of == path:
            return
        if not path:
            if editor.composed:
                editor.name_of = ""
            elif editor.name_of:
                editor.load("", "")
            return
        try:
            text, _, fault = await me.in_thread(read_template, expanded(path))
        except (BatchtuiError, NoFolder, ValueError):
            return  # The check names what is wrong with it.
        if fault is not None or path != me.query_one(SourceForm).template_path or editor.holds(text, path):
            return
        if editor.composed:
            if editor.name_of == path:
                return
            kept = await me.set_draft_aside()
            me.say(f"The template written here is kept as the draft {kept}; now {safetext.line(path, 60)} is used.")
        editor.load(text, path)

    def offer_template(self, peek: Peek) -> None:
        """Begin a template from the columns there are."""
        me = self._me
        me.query_one(TemplateEditor).begin(starter(peek, me.service.profile.default_model or DEFAULT_MODEL))

    async def render_row(self) -> None:
        """Render a row in the template's preview."""
        from batchtui.tui.new import preview

        me = self._me
        editor = me.query_one(TemplateEditor)
        text, row = editor.planned, editor.row
        if row is None or not text.strip():
            return
        options = planning.complete_options(me.service.context, me.shown().options())
        prices = me.service.prices
        sections = await me.in_thread(preview.render_row, me.previewer, text, row, editor.number, options, prices)
        if sections is not None and editor.planned == text:
            await editor.show_preview(sections)

    # --- looking ----------------------------------------------------------------------------------------------------

    async def jump(self, problem: Problem) -> None:
        """Show the request a problem is about."""
        from batchtui.tui.new.preview import text_at

        me = self._me
        text = await me.in_thread(text_at, problem.where)
        await me.query_one(RequestView).show_problem(problem, text)
        me.show_pane("requests")
        me.query_one(RequestView).focus()
        me.jumped = True

    async def action_sample(self, by: int) -> None:
        """Another request, or another row in the template's preview."""
        me = self._me
        if me.query_one("#new-body", ContentSwitcher).current == "template":
            await me.query_one(TemplateEditor).step(by)
        else:
            await me.query_one(RequestView).step(by)

    def action_count(self) -> None:
        """Count the tokens of a sample."""
        run_task(self._me, self._count())

    async def _count(self) -> None:
        me = self._me
        plan = await me.current_plan()
        if plan is None:
            return
        me.say(f"Counting the tokens of {numbers.plural(min(SAMPLE, plan.requests), 'request')}…")
        counted = await me.ask(me.service.count_sample(plan, SAMPLE))
        if me.plan is plan:
            me.plan = counted
            stopped_by = await me.in_thread(me.service.max_cost_problem, counted)
            me.stopped_by = stopped_by or ""
            me.show_plan(counted)
            me.query_one(ProblemList).show(counted.problems)
            me.query_one(StatusLine).dismiss()
            if counted.warnings > plan.warnings:
                me.say(counted.problems[-1].message, level="warn")

    def action_try_one(self) -> None:
        """Send one request now."""
        run_task(self._me, self._try_one(), opens=True)

    async def _try_one(self) -> None:
        from batchtui.tui.new.try_request import TryScreen

        me = self._me
        plan = await me.current_plan()
        if plan is not None:
            shown = (
                me.query_one(RequestView).line
                if me.query_one("#new-body", ContentSwitcher).current == "requests"
                else ""
            )
            await me.app.push_screen_wait(TryScreen(plan, shown))

    def action_editor(self) -> None:
        """Edit the focused field, or the template, in $EDITOR."""
        run_task(self._me, self._edit(), opens=True)

    async def _edit(self) -> None:
        me = self._me
        field = me.focused
        if not isinstance(field, TextArea):
            if me.writing:
                me.say("Put the cursor into a text first.")
                return
            field = me.query_one("#template-text", TextArea)
            me.show_pane("template")
        ending = ".toml" if field.id == "template-text" else ".json" if field.id == "form-extra" else ".md"
        command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        text, trouble = edit_text(me.app, field.text, command, ending)
        if trouble:
            me.say(trouble, advice="set EDITOR", level="bad")
        elif text != field.text:
            field.text = quiet(text)

    # --- sending ----------------------------------------------------------------------------------------------------

    def action_submit(self) -> None:
        """Send the plan, after a yes."""
        run_task(self._me, self._submit(), opens=True)

    async def _submit(self) -> None:
        from batchtui.tui.new.upload import UploadScreen

        me = self._me
        plan = await me.current_plan()
        if plan is None:
            return
        twin = await me.in_thread(me.service.duplicate_of, plan)
        if me.app.screen is not me:
            return
        title = me.default_title()
        lines = self._confirm_lines(plan, title)
        if twin is not None:
            lines.append(
                Content.styled(
                    f"{GLYPHS.warning} The same requests are under way already as {batch.name(twin)}: you would pay twice.",
                    "bold $text-warning",
                )
            )
        question = f"Submit {numbers.plural(len(plan.parts), 'batch', 'batches')}?"
        grave = twin is not None or bool(me.stopped_by)
        if not await me.app.push_screen_wait(Confirm(question, lines, yes="Submit", grave=grave)):
            return
        if await me.current_plan() is not plan:
            return
        me.plan = None
        upload = UploadScreen(plan, title=title, allow_cost=bool(me.stopped_by), again=twin is not None)
        records = await me.app.push_screen_wait(upload)
        if records == []:
            me.discard_soon(plan)
            await me.check_anew()
        elif me.is_attached:
            await me.forget_draft()
            me.dismiss(None)
            if upload.known:
                me.tui.home.go_to(upload.known[0])

    def _confirm_lines(self, plan: Plan, title: str) -> list[str | Content]:
        me = self._me
        estimate = plan.estimate
        cost = Content.assemble(
            "It will cost ",
            (numbers.usd_range(estimate.batch_usd), "bold"),
            f" at batch price ({numbers.usd_range(estimate.standard_usd)} standard).",
        )
        lines: list[str | Content] = [
            f"{safetext.line(title, 100) or 'untitled'}: {numbers.plural(plan.requests, 'request')}, {numbers.size(plan.bytes)}, "
            f"as profile {me.service.profile.name}",
            cost,
        ]
        if estimate.unpriced:
            names = ", ".join(safetext.line(name, 40) for name in estimate.unpriced[:4])
            lines.append(
                Content.styled(
                    f"{GLYPHS.warning} No price is known for {names}: that part is not in the figure.",
                    "bold $text-warning",
                )
            )
        if me.stopped_by:
            lines.append(
                Content.styled(
                    f"{GLYPHS.warning} {safetext.line(me.stopped_by, 300)}. A yes sends it all the same.",
                    "bold $text-warning",
                )
            )
        if plan.warnings:
            lines.append(f"{numbers.plural(plan.warnings, 'warning')}: see Problems.")
        if plan.skipped:
            kept = numbers.plural(plan.skipped, "request")
            lines.append(f"{kept} with errors skipped; they are kept with the batch, in skipped.jsonl.")
        lines.append(Content.styled("A submitted batch can't be changed, only canceled.", "dim"))
        return lines
