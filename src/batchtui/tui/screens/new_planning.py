"""What stands on the new screen becomes a plan: checked in a thread as it changes, shown as it comes."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.content import Content

from batchtui import safetext
from batchtui.domain.plan import Plan
from batchtui.tui import figures
from batchtui.tui.screens.doing import do
from batchtui.tui.screens.new_check import CheckEnded, Checker, CheckMoved, Source
from batchtui.tui.screens.new_drafts import Drafts
from batchtui.tui.screens.new_hands import NewHands
from batchtui.tui.screens.new_write import WritePane
from batchtui.tui.widgets.plan_summary import PlanSummary, progress_line
from batchtui.tui.widgets.problem_list import ProblemGathering, ProblemList
from batchtui.tui.widgets.request_view import RequestView
from batchtui.tui.widgets.source_form import SourceForm
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import TabLine
from batchtui.tui.widgets.table_peek import TablePeek
from batchtui.tui.widgets.template_editor import TemplateEditor

UNWRITTEN = "Write what is asked; the plan appears by itself."


class Planning(NewHands, Drafts):
    """The part of the new screen that checks and plans."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: Plan | None = None
        self.stopped_by = ""
        self.checker = Checker(lambda: self.service, self.post_message)

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

    @on(WritePane.Changed)
    def _written_anew(self) -> None:
        if self.writing:
            self.start_check()

    @on(TemplateEditor.Changed)
    def _template_changed(self) -> None:
        if not self.writing:
            self.start_check()

    @on(TemplateEditor.Edited)
    @on(WritePane.Edited)
    def _outdated(self, event: TemplateEditor.Edited | WritePane.Edited) -> None:
        """What was planned is not what stands here any more: it can't be sent."""
        if isinstance(event, WritePane.Edited) != self.writing:
            return
        self.checker.forget()
        self._drop_plan()
        self.refresh_bindings()
        self.query_one(PlanSummary).say(Content.styled(" changed: it is checked again when you pause", "dim"))

    @on(SourceForm.Changed)
    def start_check(self) -> None:
        """Check what is chosen now, in a thread."""
        do(self, self.keep_draft())
        make = self._written() if self.writing else self._file_source()
        self._drop_plan()
        self.refresh_bindings()
        if make is None:
            self.checker.forget()
            return
        self.query_one(StatusLine).dismiss()
        self.query_one(PlanSummary).say(Content.styled(" checking…   esc stops", "dim"))
        self.checker.start(make)
        if not self.writing:
            do(self, self._peek())

    def _file_source(self) -> Callable[[], Source] | None:
        form, template = self.query_one(SourceForm), self.query_one(TemplateEditor)
        # A starter that nobody touched gives way to a file, and so does a text when another file was named after it.
        mine = template.composed and (not form.has_template or template.name_of in (form.template_path, "template"))
        text = template.edited if mine or not form.has_template else ""
        return form.source(text, template.name_of)

    def _written(self) -> Callable[[], Source] | None:
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
                Content.styled(f" ✗ {figures.plural(errors, 'error')} to put right first", "bold $text-error")
            )
            return None
        source = Source(lines=b"".join(line + b"\n" for line in lines))
        return lambda: source

    def action_check(self) -> None:
        """Check again."""
        self.start_check()

    async def _peek(self) -> None:
        """Rows and columns, where the source is a table."""
        from batchtui.tui.screens.new_peek import first_rows

        number, make = self.checker.number, self.query_one(SourceForm).source()
        if make is None:
            return
        found = await self.in_thread(first_rows, make, self.service.prices)
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
        do(self, self.query_one(RequestView).show_sample(plan.sample))
        self.show_plan(plan)
        facts = [
            safetext.line(plan.format, 80),
            figures.plural(plan.errors, "error"),
            figures.plural(plan.warnings, "warning"),
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
            wrong = f" ✗ {figures.plural(plan.errors, 'error')}: nothing can be sent. Put them right"
            skip = "" if self.writing else ", or leave them out (Skip bad)"
            good = f" {figures.plural(plan.requests, 'request')} without an error" if plan.requests else " "
            summary.say(Content.styled(wrong + skip, "bold $text-error"), Content.styled(good, "dim"))
        else:
            profile = self.service.profile
            limit = profile.max_cost if profile.max_cost is not None else self.service.config.max_cost
            summary.show_plan(plan, max_cost=limit, stopped_by=self.stopped_by)

    def _drop_plan(self) -> None:
        plan, self.plan = self.plan, None
        if plan is not None:
            self.discard_soon(plan)
