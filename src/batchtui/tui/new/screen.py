"""The new screen: batches from files through a template, or composed by hand; checked, priced and tried before sending."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import ContentSwitcher, Input, OptionList, Static

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.intake.preview import Previewer
from batchtui.service import planning
from batchtui.tui import bindings
from batchtui.tui.base import run_task
from batchtui.tui.dialogs import line_input
from batchtui.tui.home.screen import HomeScreen
from batchtui.tui.new.check import join_paths
from batchtui.tui.new.plan_summary import PlanSummary
from batchtui.tui.new.planning import EMPTY, Planning
from batchtui.tui.new.preview import TablePeek
from batchtui.tui.new.problem_list import ProblemList
from batchtui.tui.new.request_view import RequestView
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor
from batchtui.tui.new.write import WritePane
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import Tab, TabLine


class NewScreen(Planning):
    """The screen; ``importing`` puts the cursor on the path, ``path`` opens it at once."""

    CSS_PATH = "screen.tcss"
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
        self.previewer = Previewer()
        self._unsaved = False
        """True once the draft could not be saved, and that was said."""
        self.jumped = False
        """True while the request shown was jumped to from its problem."""

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
        run_task(self, self.load_models())

    def show_tabs(self, problems: int | None = None) -> None:
        """Show the panes' tabs; ``problems`` are those found so far while there is no plan."""
        self.query_one("#new-panes", TabLine).set_tabs(self._panes(problems))

    def _panes(self, problems: int | None = None) -> list[Tab]:
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
        self.show_tabs()
        self.show_pane("write" if self.writing else "requests")
        if self.writing:
            run_task(self, self._begin_writing())
        else:
            self.query_one(SourceForm).focus_path()
            run_task(self, self.check_anew())

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

    @on(TemplateEditor.Rested)
    async def _template_rested(self) -> None:
        await self.render_row()

    @on(ProblemList.Jump)
    async def _jumped(self, event: ProblemList.Jump) -> None:
        await self.jump(event.problem)

    @on(Input.Submitted, "#new-name")
    def _title_typed(self) -> None:
        self.query_one("#new-panes").focus()

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
            run_task(self, self._leave(), opens=True, stoppable=False)

    async def _leave(self) -> None:
        self.query_one(WritePane).settle()
        try:
            await self.keep_draft()
        except BatchtuiError as error:
            if not self._unsaved:
                self._unsaved = True
                self.say(f"Draft not saved: {error}", advice="Press Esc twice to leave without it.", level="bad")
                return
        if self.app.screen is self:
            self._say_what_is_kept()
            self.dismiss(None)

    def _say_what_is_kept(self) -> None:
        chosen = self.service.config.keys
        again = bindings.true_key(chosen, HomeScreen, "new")
        if self.kept is not None and not self._unsaved:
            drafts = bindings.true_key(chosen, NewScreen, "new.drafts")
            name = safetext.line(self.kept.name, 40)
            self.say_below(f"Draft {name} saved.", advice=f"Press {again}, then {drafts} to reopen it.", level="good")
        elif self.kept is not None or self.query_one(SourceForm).typed:
            self.say_below("Form closed, no draft saved.", advice=f"Press {again} to start over.")

    async def on_unmount(self) -> None:
        """Stop what runs, throw the staged copy away."""
        self.checker.forget()
        self._drop_plan()
        asyncio.get_running_loop().run_in_executor(None, self.previewer.close)

    def default_title(self) -> str:
        """The title that was typed, or the file's name."""
        typed = self.query_one("#new-name", Input).value.strip()
        return typed or (self.draft_name if self.writing else Path(self.query_one(SourceForm).first_path).stem)

    def take_paths(self, paths: list[str]) -> None:
        """Use these files."""
        self.query_one(SourceForm).set_path(join_paths(paths))
        self.start_check()
