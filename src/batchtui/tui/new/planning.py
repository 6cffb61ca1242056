"""The new screen's plan: what is shown is checked in a thread as it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from textual import on
from textual.content import Content
from textual.message import Message

from batchtui import safetext
from batchtui.domain.errors import changed_words
from batchtui.domain.plan import Plan
from batchtui.present import numbers
from batchtui.tui.base import run_task
from batchtui.tui.new.actions import NewHands
from batchtui.tui.new.check import CheckEnded, CheckInput, CheckMoved, FormState, SourceCheck
from batchtui.tui.new.drafts import Drafts
from batchtui.tui.new.plan_summary import PlanSummary, progress_line
from batchtui.tui.new.preview import TablePeek
from batchtui.tui.new.problem_list import ProblemGathering, ProblemList
from batchtui.tui.new.request_view import RequestView
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor
from batchtui.tui.new.write import WritePane
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import TabLine

EMPTY = "Choose a source: type a path and press enter, or ctrl+o to browse."
CHECKED_SOON = "it is checked again when you pause"
LOOK_AGAIN = "Look at the new plan, then submit again."
UNWRITTEN = "Write what is asked; the plan appears by itself."


class Planning(NewHands, Drafts):
    """The part of the new screen that checks and plans."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: Plan | None = None
        self.stopped_by = ""
        self.checked: FormState | None = None
        """What was checked last: the plan, or the check that runs, is of this.  None once something else is shown."""
        self.checker = SourceCheck(lambda: self.service, self.post_message)

    @property
    def writing(self) -> bool:
        """True while requests are composed here, False while they come from files."""
        return self.query_one("#new-mode", TabLine).chosen == "write"

    def show_tabs(self, problems: int | None = None) -> None:
        """Show the panes' tabs; ``problems`` are those found so far while there is no plan."""
        raise NotImplementedError

    def show_pane(self, pane: str) -> None:
        """Show a pane and its tab."""
        raise NotImplementedError

    def shown(self) -> FormState:
        """What stands on the screen."""
        account = (self.service.profile, self.service.config.limits)
        if self.writing:
            return FormState(forms=tuple(self.query_one(WritePane).current), account=account)
        form, editor = self.query_one(SourceForm), self.query_one(TemplateEditor)
        mine = editor.name_of == form.template_path and (form.has_template or bool(editor.text.strip()))
        return FormState(
            typed=form.typed,
            format=form.format,
            template_path=form.template_path,
            template_text=editor.planned if mine else None,
            model=form.model,
            skip_bad=form.skip_bad,
            cache_prefix=form.cache_prefix,
            account=account,
        )

    @on(WritePane.Changed)
    def _written_anew(self) -> None:
        if self.writing and self.shown() != self.checked:
            self.start_check()

    @on(TemplateEditor.Changed)
    def _template_changed(self) -> None:
        if not self.writing and self.shown() != self.checked:
            self.start_check()

    @on(SourceForm.Changed)
    async def _source_changed(self, event: SourceForm.Changed) -> None:
        await self.sync_template()
        if event.asked or self.shown() != self.checked:
            self.start_check()

    @on(SourceForm.Edited)
    @on(TemplateEditor.Edited)
    @on(WritePane.Edited)
    def _edited(self, event: Message) -> None:
        """What was planned is not what stands here any more: it can't be sent."""
        other_mode = isinstance(event, WritePane.Edited) != self.writing
        if other_mode or self.checked is None or self.shown() == self.checked:
            return
        self.checked = None
        self.checker.forget()
        self._drop_plan()
        self.refresh_bindings()
        when = "press enter to check it again" if isinstance(event, SourceForm.Edited) else CHECKED_SOON
        self.query_one(PlanSummary).say(Content.styled(f" changed: {when}", "dim"))

    def start_check(self) -> None:
        """Check what is shown now, in a thread."""
        run_task(self, self.keep_draft())
        self.checked = self.shown()
        make = self._written() if self.writing else self.checked.source if self.checked.typed else None
        self._drop_plan()
        self.refresh_bindings()
        if make is None:
            self.checker.forget()
            if not self.writing:
                self.query_one(PlanSummary).say(Content.styled(f" {EMPTY}", "dim"))
            return
        self.query_one(StatusLine).dismiss()
        self.query_one(PlanSummary).say(Content.styled(" checking…   esc stops", "dim"))
        self.checker.start(make)
        if not self.writing:
            run_task(self, self._peek(self.checked))

    async def check_anew(self) -> None:
        """Check what is shown now, the template as its file says unless it was edited here."""
        await self.sync_template()
        self.start_check()

    async def current_plan(self) -> Plan | None:
        """The plan, None when it can't be sent or is of something else than what is shown now; that is said then, and
        checked again.  To be asked before anything is sent.
        """
        plan = self.plan
        if plan is None or not plan.ok:
            return None
        await self.sync_template()
        names = await self.in_thread(self.service.changed_sources, plan)
        if self.plan is plan and self.shown() == self.checked and not names:
            return plan
        if self.plan is plan:
            self.start_check()
        what = changed_words(names) if names else "The form or its template changed"
        self.say(f"{what} after the check; nothing was sent", advice=LOOK_AGAIN, level="warn")
        return None

    def _written(self) -> Callable[[], CheckInput] | None:
        """The composed requests; None while a form holds an error, which is said."""
        if self.query_one(WritePane).untouched:
            self.query_one(PlanSummary).say(Content.styled(f" {UNWRITTEN}", "dim"))
            return None
        lines, problems = self.query_one(WritePane).check()
        gathered = ProblemGathering()
        for problem in problems:
            gathered.add(problem)
        self.query_one(ProblemList).show(gathered.groups())
        errors = sum(problem.level == "error" for problem in problems)
        if errors:
            self.query_one(PlanSummary).say(
                Content.styled(f" ✗ {numbers.plural(errors, 'error')} to put right first", "bold $text-error")
            )
            return None
        source = CheckInput(lines=b"".join(line + b"\n" for line in lines))
        return lambda: source

    async def action_check(self) -> None:
        """Check again."""
        await self.check_anew()

    async def _peek(self, shown: FormState) -> None:
        """Rows and columns, where the source is a table."""
        from batchtui.tui.new.preview import first_rows

        number = self.checker.number
        found = await self.in_thread(first_rows, replace(shown, template_text=None).source, self.service.prices)
        if number != self.checker.number or not self.is_attached:
            return
        self.query_one(TablePeek).show(found)
        template = self.query_one(TemplateEditor)
        template.set_table(found)
        self.show_tabs()
        if found.rows and not self.query_one(SourceForm).has_template and not template.edited:
            self.offer_template(found)
            self.show_pane("template")

    @on(CheckMoved)
    def _moved(self, event: CheckMoved) -> None:
        if event.number != self.checker.number or not self.checker.running:
            return
        if event.progress is not None:
            self.query_one(PlanSummary).say(progress_line(event.progress))
            self.show_tabs(event.progress.problems)
        self.query_one(ProblemList).show(event.groups)

    @on(CheckEnded)
    def _ended(self, event: CheckEnded) -> None:
        if event.number != self.checker.number:
            if event.plan is not None:
                self.discard_soon(event.plan)
            return
        self.stopped_by = event.stopped_by
        if event.error is not None:
            self.query_one(PlanSummary).say(Content.styled(" no plan", "dim"))
            self.fail(event.error)
        elif event.plan is None:
            self.query_one(PlanSummary).say(Content.styled(" stopped; ctrl+r checks again", "dim"))
        else:
            self._planned(event.plan)
        self.refresh_bindings()

    def _planned(self, plan: Plan) -> None:
        self.plan = plan
        self.query_one(ProblemList).show(plan.problems)
        self.show_tabs()
        run_task(self, self.query_one(RequestView).show_sample(plan.sample))
        self.show_plan(plan)
        facts = [
            safetext.line(plan.format, 80),
            numbers.plural(plan.errors, "error"),
            numbers.plural(plan.warnings, "warning"),
        ]
        self.query_one(StatusLine).tell(" · ".join(fact for fact in facts if fact))
        template = self.query_one(TemplateEditor)
        if (
            not self.writing
            and template.edited
            and not template.composed
            and not self.query_one(SourceForm).has_template
        ):
            self.say("These are rows, and the template was begun for you: change it, or load one.", level="warn")
        pane = self.query_one("#new-panes", TabLine).chosen
        if plan.errors and pane == "requests":
            self.show_pane("problems")
        elif not plan.problems and pane == "problems":
            self.show_pane("requests")

    def show_plan(self, plan: Plan) -> None:
        """The plan and its cost, or what keeps it from being one."""
        summary = self.query_one(PlanSummary)
        if plan.errors:
            wrong = f" ✗ {numbers.plural(plan.errors, 'error')}: nothing can be sent. Put them right"
            skip = "" if self.writing else ", or leave them out (Skip bad)"
            good = f" {numbers.plural(plan.requests, 'request')} without an error" if plan.requests else " "
            summary.say(Content.styled(wrong + skip, "bold $text-error"), Content.styled(good, "dim"))
        else:
            profile = self.service.profile
            limit = profile.max_cost if profile.max_cost is not None else self.service.config.max_cost
            summary.show_plan(plan, max_cost=limit, stopped_by=self.stopped_by)

    def _drop_plan(self) -> None:
        plan, self.plan = self.plan, None
        if plan is not None:
            self.discard_soon(plan)
