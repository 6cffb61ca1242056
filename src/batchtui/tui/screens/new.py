"""Making batches: from files through a template, or composed by hand; checked, priced and tried before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import ContentSwitcher, Input, OptionList, Static

from batchtui import safetext
from batchtui.domain.plan import Plan
from batchtui.service import planning
from batchtui.tui import figures
from batchtui.tui.screens.doing import do
from batchtui.tui.screens.modals import line_input
from batchtui.tui.screens.new_check import CheckEnded, Checker, CheckMoved, Source, join_paths
from batchtui.tui.screens.new_drafts import Drafts
from batchtui.tui.screens.new_hands import NewHands
from batchtui.tui.screens.new_write import WritePane
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.plan_summary import PlanSummary, progress_line
from batchtui.tui.widgets.problem_list import ProblemGathering, ProblemList
from batchtui.tui.widgets.request_view import RequestView
from batchtui.tui.widgets.source_form import SourceForm
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import Tab, TabLine
from batchtui.tui.widgets.table_peek import TablePeek
from batchtui.tui.widgets.template_editor import TemplateEditor

EMPTY = "Choose a source: type a path and press enter, or ctrl+o to browse."
UNWRITTEN = "Write what is asked; the plan appears by itself."


class NewScreen(NewHands, Drafts):
    """The screen; ``importing`` puts the cursor on the path, ``path`` opens it at once."""

    CSS_PATH = "new.tcss"
    KEY_LINE: ClassVar[tuple[str, ...]] = (
        "new.submit",
        "new.try",
        "new.browse",
        "new.pane",
        "new.count",
        "new.again",
        "new.editor",
        "new.drafts",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "back",
            "back",
            id="back",
            tooltip="stop the check, or leave; what was composed is kept as a draft",
        ),
        Binding(
            "ctrl+s",
            "submit",
            "submit",
            id="new.submit",
            tooltip="send the plan; asks first and says the price",
            priority=True,
        ),
        Binding(
            "ctrl+t", "try_one", "try one", id="new.try", tooltip="send one request now at standard price; asks first"
        ),
        Binding(
            "ctrl+l",
            "count",
            "count tokens",
            id="new.count",
            tooltip="count the tokens of a sample (free) for a better estimate",
        ),
        Binding("ctrl+o", "browse", "browse", id="new.browse", tooltip="choose files from a list"),
        Binding("ctrl+n", "next_pane", "next pane", id="new.pane", tooltip="requests, problems, rows, template"),
        Binding("ctrl+r", "check", "check", id="new.again", tooltip="check the source again"),
        Binding("ctrl+g", "editor", "$EDITOR", id="new.editor", tooltip="edit the field or the template in $EDITOR"),
        Binding("ctrl+y", "drafts", "drafts", id="new.drafts", tooltip="open a draft", priority=True),
        Binding(
            "left_square_bracket", "sample(-1)", "previous", show=False, id="new.previous", tooltip="the request before"
        ),
        Binding("right_square_bracket", "sample(1)", "next", show=False, id="new.next", tooltip="the next request"),
    ]

    def __init__(self, *, importing: bool = False, path: str = "") -> None:
        super().__init__()
        self._importing = importing
        self._path = path
        self.plan: Plan | None = None
        self.jumped = False
        """True while the request shown was jumped to from its problem."""
        self.stopped_by = ""
        self.checker = Checker(lambda: self.service, self.post_message)

    def compose(self) -> ComposeResult:
        """Where from, with what, the panes, the plan."""
        with Horizontal(id="new-top"):
            yield Static("New batch", id="new-title", markup=False)
            yield TabLine([Tab("files", "From files"), Tab("write", "Written here")], id="new-mode")
            yield Static("", id="new-draft", markup=False)
        yield SourceForm(id="new-source")
        with Horizontal(classes="form-line", id="new-name-line"):
            yield Static("Title", classes="form-label", markup=False)
            yield line_input(placeholder="what it is, for the list", id="new-name")
        yield TabLine(self._panes(), id="new-panes")
        with ContentSwitcher(initial="requests", id="new-body"):
            yield RequestView(id="requests")
            yield ProblemList(id="problems")
            yield TablePeek(id="rows")
            yield TemplateEditor(id="template")
            yield WritePane(id="write")
        yield PlanSummary(id="new-plan")
        yield StatusLine()
        yield KeyLine(self.KEY_LINE, last=("help", "back"))

    def on_mount(self) -> None:
        """The path has the cursor."""
        self.query_one(PlanSummary).say(Content.styled(f" {EMPTY}", "dim"))
        form = self.query_one(SourceForm)
        form.focus_path()
        if self._path:
            form.set_path(self._path)
            self.start_check()
        do(self, self.load_models())

    @property
    def writing(self) -> bool:
        """True while requests are composed here, False while they come from files."""
        return self.query_one("#new-mode", TabLine).chosen == "write"

    def _panes(self, problems: int | None = None) -> list[Tab]:
        """The tabs; ``problems`` are those found so far while there is no plan."""
        if self.plan:
            problems = sum(group.count for group in self.plan.problems)
        panes = [Tab("requests", "Requests", "", self.plan.requests if self.plan else None)]
        panes.append(Tab("problems", "Problems", "", problems))
        if self.is_mounted and self.writing:
            return [Tab("write", "Compose"), *panes]
        rows = self.query_one(TablePeek).count if self.is_mounted else 0
        return [*panes, *([Tab("rows", "Rows")] if rows else []), Tab("template", "Template")]

    # --- which pane -------------------------------------------------------------------------------------------------

    @on(TabLine.Chosen, "#new-mode")
    def _mode_chosen(self, event: TabLine.Chosen) -> None:
        self.query_one(SourceForm).display = not self.writing
        panes = self.query_one("#new-panes", TabLine)
        panes.set_tabs(self._panes())
        self.show_pane("write" if self.writing else "requests")
        if self.writing:
            do(self, self._begin_writing())
        else:
            self.query_one(SourceForm).focus_path()
            self.start_check()

    async def _begin_writing(self) -> None:
        await self.query_one(WritePane).begin(
            planning.complete_options(self.service.context, None), self.service.prices
        )
        self.start_check()

    @on(TabLine.Chosen, "#new-panes")
    def _pane_chosen(self, event: TabLine.Chosen) -> None:
        self.query_one("#new-body", ContentSwitcher).current = event.tab

    def show_pane(self, pane: str) -> None:
        """Show a pane and its tab."""
        tabs = self.query_one("#new-panes", TabLine)
        if pane in tabs.ids:
            tabs.choose(pane, tell=False)
            self.query_one("#new-body", ContentSwitcher).current = pane

    def action_next_pane(self) -> None:
        """The next pane, with the focus in it; the problems that came up by themselves are gone into first."""
        tabs = self.query_one("#new-panes", TabLine)
        if tabs.chosen != "problems" or self.query_one(ProblemList).has_focus_within:
            tabs.action_move(1)
        pane = self.query_one(f"#{tabs.chosen}")
        for each in pane.query("*"):
            if each.focusable:
                each.focus()
                return
        pane.focus()

    # --- checking ---------------------------------------------------------------------------------------------------

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

    @on(SourceForm.Changed)
    async def _source_changed(self) -> None:
        await self.read_template()

    @on(TemplateEditor.Rested)
    async def _template_rested(self) -> None:
        await self.render_row()

    @on(ProblemList.Jump)
    async def _jumped(self, event: ProblemList.Jump) -> None:
        await self.jump(event.problem)

    @on(Input.Submitted, "#new-name")
    def _title_typed(self) -> None:
        self.query_one("#new-panes").focus()

    def _file_source(self) -> Callable[[], Source] | None:
        form, template = self.query_one(SourceForm), self.query_one(TemplateEditor)
        return form.source(template.edited, template.name_of)

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
        self.query_one("#new-panes", TabLine).set_tabs(self._panes())
        if found.rows and not self.query_one(SourceForm).has_template and not template.edited:
            self.offer_template(found)
            self.show_pane("template")
            self.say("These are rows: write a template that turns each into a request, or load one.")

    @on(CheckMoved)
    def _moved(self, event: CheckMoved) -> None:
        if event.number != self.checker.number or not self.checker.running:
            return
        if event.progress is not None:
            self.query_one(PlanSummary).say(progress_line(event.progress))
            self.query_one("#new-panes", TabLine).set_tabs(self._panes(event.progress.problems))
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
        self.query_one("#new-panes", TabLine).set_tabs(self._panes())
        do(self, self.query_one(RequestView).show_sample(plan.sample))
        self.show_plan(plan)
        facts = [
            safetext.line(plan.format, 80),
            figures.plural(plan.errors, "error"),
            figures.plural(plan.warnings, "warning"),
        ]
        self.query_one(StatusLine).tell(" · ".join(fact for fact in facts if fact))
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

    # --- leaving ----------------------------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Stop the check; else leave."""
        if self.checker.running:
            self.checker.stop()
        elif self.jumped and self.query_one("#new-panes", TabLine).chosen == "requests":
            self.show_pane("problems")
            self.query_one(ProblemList).query_one(OptionList).focus()
            self.jumped = False
        elif not self.query_one(StatusLine).dismiss():
            do(self, self._leave())

    async def _leave(self) -> None:
        self.query_one(WritePane).settle()
        await self.keep_draft()
        self.dismiss(None)

    async def on_unmount(self) -> None:
        """Stop what runs, throw the staged copy away."""
        self.checker.forget()
        self._drop_plan()

    def default_title(self) -> str:
        """The title that was typed, or the file's name."""
        typed = self.query_one("#new-name", Input).value.strip()
        return typed or (self.draft_name if self.writing else Path(self.query_one(SourceForm).first_path).stem)

    def take_paths(self, paths: list[str]) -> None:
        """Use these files."""
        self.query_one(SourceForm).set_path(join_paths(paths))
        self.start_check()
