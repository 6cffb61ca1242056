"""The new screen: batches from files through a template, or composed by hand; checked, priced and tried before sending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Input, OptionList, Static

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError, changed_words
from batchtui.domain.plan import Plan, Problem, ProblemGroup
from batchtui.intake.drafts import Draft, first_words
from batchtui.intake.options import RunChoice
from batchtui.intake.preview import Previewer
from batchtui.present import numbers
from batchtui.service import planning
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.new import actions
from batchtui.tui.new.check import (
    CheckedForm,
    CheckEnded,
    CheckInput,
    CheckMoved,
    FormState,
    SourceCheck,
    join_paths,
)
from batchtui.tui.new.compose_pane import ComposePane
from batchtui.tui.new.drafts import DraftKeeper, age, contents, label
from batchtui.tui.new.folded_form import FoldedForm, form_facts
from batchtui.tui.new.plan_summary import PlanSummary, error_lines
from batchtui.tui.new.prefill import PrefilledForm, own_template, reopened
from batchtui.tui.new.preview import TablePeek
from batchtui.tui.new.problem_list import ProblemGathering, ProblemList
from batchtui.tui.new.problem_pane import ProblemPane
from batchtui.tui.new.request_view import RequestView
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor, starter
from batchtui.tui.new.title_line import TitleLine
from batchtui.tui.progress import progress_line
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.model_input import ModelInput
from batchtui.tui.widgets.status_line import StatusLine
from batchtui.tui.widgets.tab_line import Tab, TabLine
from batchtui.tui.widgets.toggle import Toggle

DEFAULT_MODEL = "claude-haiku-5-5"
CHECKED_SOON = "checked again when you pause typing"
LOOK_AGAIN = "Review the new plan, then submit again."
UNWRITTEN = "Write the user's message; the plan appears automatically."


def _choose_source() -> str:
    return f"Choose a source: type a path and press Enter, or browse with {key_of('new.browse')}."


class NewScreen(BaseScreen[None]):
    """The screen; the source at ``path``, or a form that is ``prefilled`` with a run, is checked at once."""

    CSS_PATH = "screen.tcss"
    KEY_LINE: ClassVar[tuple[str, ...]] = (
        "new.submit",
        "new.try",
        "new.browse",
        "new.pane",
        "new.skip",
        "new.close",
        "new.count",
        "new.again",
        "new.editor",
        "new.drafts",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "back", "back", "back", "stop the check, or leave; what you composed is saved as a draft"),
        bind("ctrl+s", "submit", "submit", "new.submit", "submit; shows the price and asks first", priority=True),
        bind("ctrl+t", "try_one", "test one", "new.try", "test one request now at standard price; asks first"),
        bind(
            "ctrl+l", "count", "count tokens", "new.count", "count the tokens of a sample (free) for a better estimate"
        ),
        bind("ctrl+o", "browse", "browse", "new.browse", "browse files"),
        bind(
            "ctrl+f",
            "table",
            "table options",
            "new.table",
            "delimiter, encoding, header, rows to skip and comment lines of a table",
            priority=True,
        ),
        bind("ctrl+n", "next_pane", "next pane", "new.pane", "next pane: requests, problems, rows, template"),
        bind(
            "f3",
            "skip_errors",
            "skip errors",
            "new.skip",
            "skip requests with errors, or check them all again; they are kept with the batch",
        ),
        bind(
            "f4",
            "close_schemas",
            "close schemas",
            "new.close",
            "add additionalProperties: false to the objects of schemas, or leave them as they are",
        ),
        bind("f9", "form", "form", "new.form", "fold the form to one line, or unfold it"),
        bind("ctrl+r", "check", "check", "new.again", "check the source again"),
        bind("ctrl+g", "editor", "$EDITOR", "new.editor", "edit the field or the template in $EDITOR"),
        bind("ctrl+y", "drafts", "drafts", "new.drafts", "list drafts: open or delete one", priority=True),
        bind("left_square_bracket", "sample(-1)", "previous", "new.previous", "previous request", show=False),
        bind("right_square_bracket", "sample(1)", "next", "new.next", "next request", show=False),
    ]

    def __init__(self, *, path: str = "", prefilled: PrefilledForm | None = None) -> None:
        super().__init__()
        self._prefilled = prefilled or PrefilledForm(source=path)
        self.previewer = Previewer()
        self._problem_previewer = Previewer()
        self.checker = SourceCheck(lambda: self.service, self.post_message)
        self.checked = CheckedForm(self.discard_soon)
        self.drafts = DraftKeeper(lambda: self.service.data)
        self._whole = True
        """True while all of the draft was shown, so that an empty form means an empty draft."""
        self._begun: tuple[object, ...] | None = None
        """What stood in the form of a run when it was filled in."""
        self._unsaved = False
        """True once the draft could not be saved, and that was said."""
        self.jumped = False
        """True while the request shown was jumped to from its problem."""
        self._fold_from: Widget | None = None
        """What had the cursor when a check was asked for: the form folds when that is over, unless the cursor moved on."""

    def compose(self) -> ComposeResult:
        """Where from, with what, the panes, the plan."""
        with Horizontal(id="new-top"):
            yield Static("New batch", id="new-title", markup=False)
            yield TabLine([Tab("files", "Import"), Tab("write", "Compose")], id="new-mode")
            yield Static("", id="new-draft", markup=False)
        yield FoldedForm(id="new-folded")
        yield SourceForm(id="new-source")
        yield TitleLine(id="new-name-line")
        yield TabLine(self._panes(), id="new-panes")
        with ContentSwitcher(initial="requests", id="new-body"):
            yield RequestView(id="requests")
            yield ProblemPane(id="problems")
            yield TablePeek(id="rows")
            yield TemplateEditor(id="template")
            yield ComposePane(id="write")
        yield PlanSummary(id="new-plan")
        yield StatusLine()
        yield KeyLine(self.KEY_LINE, last=("help", "back"))

    def on_mount(self) -> None:
        """The path has the cursor, or what is to be chosen for the rows of a run."""
        self.query_one(PlanSummary).say(Content.styled(_choose_source(), "dim"))
        form = self.query_one(SourceForm)
        if self._prefilled.words:
            form.focus_choice(again=bool(self._prefilled.again))
        else:
            form.focus_path()
        if self._prefilled.source:
            self._begin()
        else:
            run_task(self, self._offer_last())
        run_task(self, self._load_models())

    def _begin(self) -> None:
        """Fill the form with what it was opened with, and check it."""
        prefilled, form = self._prefilled, self.query_one(SourceForm)
        form.set_path(prefilled.source)
        self.query_one(TitleLine).give(prefilled.title)
        if prefilled.template:
            self.query_one(TemplateEditor).load(prefilled.template, "")
            form.begin_again()
        if prefilled.words:
            self._begun = self._choices
        self.start_check()

    @property
    def _choices(self) -> tuple[object, ...]:
        """What can be typed or chosen in the form, its title where that was typed."""
        return (*self.query_one(SourceForm).choices, self.query_one(TitleLine).own)

    @property
    def _prefilled_holds(self) -> bool:
        """True while the source is the one that the screen was opened with."""
        return self.query_one(SourceForm).typed == self._prefilled.source

    @property
    def plan(self) -> Plan | None:
        """The plan of what is shown, None while there is none."""
        return self.checked.plan

    @property
    def writing(self) -> bool:
        """True while requests are composed here, False while they come from files."""
        return self.query_one("#new-mode", TabLine).chosen == "write"

    @property
    def pane(self) -> str | None:
        """The pane that is shown."""
        return self.query_one("#new-body", ContentSwitcher).current

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing here are not offered."""
        if action in ("try_one", "count"):
            return self.plan is not None and self.plan.ok
        if action == "close_schemas":
            return self.closing_helps
        if action == "form":
            return self.is_mounted and not self.writing and (self.plan is not None or self.folded)
        if action in ("browse", "table", "skip_errors"):
            return self.is_mounted and not self.writing
        return True

    async def _load_models(self) -> None:
        self._know([self._model, *self.service.prices.models()])
        models = await self.ask(self.service.models())
        usable = (each.id for each in models if each.batch is not False and each.lifecycle != "retired")
        self._know([self._model, *usable])

    def _know(self, models: list[str]) -> None:
        self.query_one(ComposePane).set_models(models)
        self.query_one(ModelInput).know(models)

    @property
    def _model(self) -> str:
        """The model that is offered first."""
        return self.service.profile.default_model or DEFAULT_MODEL

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
        self.fold(False)
        self.query_one(SourceForm).display = not self.writing
        self.show_tabs()
        self.show_pane("write" if self.writing else "requests")
        if self.writing:
            run_task(self, self._begin_writing())
        else:
            self.query_one(SourceForm).focus_path()
            run_task(self, self.check_anew())

    async def _begin_writing(self) -> None:
        await self.query_one(ComposePane).begin(
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
        await actions.render_row(self)

    @on(ProblemPane.Rested)
    def _problem_rested(self, event: ProblemPane.Rested) -> None:
        run_task(self, actions.show_problem(self, self._problem_previewer, event.problem, event.work))

    @on(ProblemList.Jump)
    async def _jumped(self, event: ProblemList.Jump) -> None:
        await self.jump(event.problem)

    async def jump(self, problem: Problem) -> None:
        """Show the request a problem is about."""
        from batchtui.tui.new.preview import text_at

        text = await self.in_thread(text_at, problem.where)
        view = self.query_one(RequestView)
        await view.show_problem(problem, text)
        self.show_pane("requests")
        view.focus()
        self.jumped = True

    async def action_sample(self, by: int) -> None:
        """Another request, or another row in the template's preview."""
        if self.pane == "template":
            await self.query_one(TemplateEditor).step(by)
        else:
            await self.query_one(RequestView).step(by)

    @on(Input.Submitted, "#new-name")
    def _title_typed(self) -> None:
        self.query_one("#new-panes").focus()

    # --- the form in one line ---------------------------------------------------------------------------------------

    @property
    def folded(self) -> bool:
        """True while one line stands in the form's place."""
        return self.is_mounted and bool(self.query_one(FoldedForm).display)

    def fold(self, folded: bool) -> None:
        """Fold the form to one line, or unfold it; the cursor goes along, to the source where it is unfolded."""
        line, form, title = self.query_one(FoldedForm), self.query_one(SourceForm), self.query_one(TitleLine)
        if folded == self.folded:
            return
        if folded:
            line.display = True
            if self.focused is not None and {form, title} & set(self.focused.ancestors):
                self.set_focus(line)
            form.display = title.display = False
        else:
            form.display = title.display = True
            if line.has_focus:
                form.focus_path()
            line.display = False
        self.refresh_bindings()

    def _tell_form(self) -> None:
        form, editor = self.query_one(SourceForm), self.query_one(TemplateEditor)
        columns = self.query_one(TablePeek).columns_found
        facts = form_facts(form, self.plan, columns=columns, template_edited=bool(columns and editor.edited))
        self.query_one(FoldedForm).tell(facts, key_of("new.form"))

    @on(FoldedForm.Opened)
    def action_form(self) -> None:
        """Unfold the form, with the cursor in the field that was typed in last, or fold it."""
        if self.folded:
            self.fold(False)
            self.query_one(SourceForm).focus_last()
        else:
            self.fold(True)

    # --- what stands here becomes a plan ----------------------------------------------------------------------------

    def shown(self) -> FormState:
        """What stands on the screen."""
        account = (self.service.profile, self.service.config.limits)
        if self.writing:
            return FormState(forms=tuple(self.query_one(ComposePane).current), account=account)
        form, editor = self.query_one(SourceForm), self.query_one(TemplateEditor)
        mine = editor.name_of == form.template_path and (form.has_template or bool(editor.text.strip()))
        return FormState(
            typed=form.typed,
            format=form.format,
            table=form.table,
            template_path=form.template_path,
            template_text=editor.planned if mine else None,
            model=form.model,
            skip_bad=form.skip_bad,
            cache_prefix=form.cache_prefix,
            close_schemas=form.close_schemas,
            choice=self._prefilled.choice if self._prefilled_holds else RunChoice(),
            again=self._prefilled.again,
            own_rows=bool(self._prefilled.again) and self._prefilled_holds,
            reread=self._prefilled.files and self._prefilled_holds and form.reread,
            account=account,
        )

    def batch_title(self) -> str:
        """The title that was typed, or the file's name."""
        typed = self.query_one(TitleLine).title.strip()
        if typed or not self.writing:
            return typed or Path(self.query_one(SourceForm).first_path).stem
        draft = self._draft()
        return first_words(draft) if draft is not None else ""

    def take_paths(self, paths: list[str]) -> None:
        """Use these files."""
        self.query_one(SourceForm).set_path(join_paths(paths))
        self.start_check(fold_from=self.focused)

    @on(ComposePane.Changed)
    def _written_anew(self) -> None:
        if self.writing and self.shown() != self.checked.form:
            self.start_check()

    @on(TemplateEditor.Changed)
    def _template_changed(self) -> None:
        if not self.writing and self.shown() != self.checked.form:
            self.start_check()

    @on(SourceForm.Changed)
    async def _source_changed(self, event: SourceForm.Changed) -> None:
        await actions.sync_template(self)
        self._name_by_model()
        if event.asked or self.shown() != self.checked.form:
            self.start_check(fold_from=event.asked)

    def _name_by_model(self) -> None:
        """A run made again is named after its other model, as by the verb, while no other title was typed."""
        if self._prefilled.again:
            self.query_one(TitleLine).give(self._prefilled.title_with(self.query_one(SourceForm).model))

    @on(SourceForm.Edited)
    @on(TemplateEditor.Edited)
    @on(ComposePane.Edited)
    def _edited(self, event: Message) -> None:
        """What was planned is not what stands here any more: it can't be sent."""
        other_mode = isinstance(event, ComposePane.Edited) != self.writing
        if other_mode or self.checked.form is None or self.shown() == self.checked.form:
            return
        self.checker.forget()
        self.checked.forget()
        self.refresh_bindings()
        when = "press Enter to check again" if isinstance(event, SourceForm.Edited) else CHECKED_SOON
        self.query_one(PlanSummary).say(Content.styled(f"changed: {when}", "dim"))

    def start_check(self, *, fold_from: Widget | None = None) -> None:
        """Check what is shown now, in a thread; the form folds once its source was read, if ``fold_from`` has the cursor
        then.
        """
        self._fold_from = fold_from
        run_task(self, self.keep_draft())
        shown = self.shown()
        make = self._written() if self.writing else shown.source if shown.typed else None
        self.checked.begin(shown)
        self.refresh_bindings()
        if make is None:
            self.checker.forget()
            if not self.writing:
                self.query_one(PlanSummary).say(Content.styled(_choose_source(), "dim"))
            return
        self.query_one(StatusLine).dismiss()
        self.query_one(PlanSummary).say(Content.styled("checking…   esc stops", "dim"))
        if not self.writing:
            known, holds = self._prefilled, self._prefilled_holds
            self.query_one(SourceForm).say_rows(
                known.words if holds else known.other_words, files=known.files and holds
            )
        self.checker.start(make)
        if not self.writing:
            run_task(self, self._peek(shown, fold_from))

    async def check_anew(self) -> None:
        """Check what is shown now, the template as its file says unless it was edited here."""
        focused = self.focused
        await actions.sync_template(self)
        self.start_check(fold_from=focused)

    async def current_plan(self) -> Plan | None:
        """The plan, None when it can't be sent or is of something else than what is shown now; that is said then, and
        checked again.  To be asked before anything is sent.
        """
        plan = self.plan
        if plan is None or not plan.ok:
            self._say_missing()
            return None
        await actions.sync_template(self)
        names = await self.in_thread(self.service.changed_sources, plan)
        if self.plan is plan and self.shown() == self.checked.form and not names:
            return plan
        if self.plan is plan:
            self.start_check()
        what = changed_words(names) if names else "The form or its template changed"
        self.say(f"{what} after the check; nothing was sent", advice=LOOK_AGAIN, level="warn")
        return None

    def _say_missing(self) -> None:
        """Why there is nothing to send yet, and what to do."""
        plan = self.plan
        if self.checker.running:
            self.say("Still checking.", advice="Submit when the plan is shown.", level="warn")
        elif plan is not None and plan.errors:
            errors = numbers.plural(plan.errors, "error")
            self.say(f"{errors}: nothing can be sent.", advice=self._fix_or_skip(), level="warn")
        elif plan is not None:
            self.say("No requests: nothing to send.", level="warn")
        elif self.writing:
            untouched = self.query_one(ComposePane).untouched
            self.say(UNWRITTEN if untouched else "The form has errors.", advice="" if untouched else "Fix them first.")
        elif not self.query_one(SourceForm).typed:
            self.say(_choose_source(), level="warn")
        else:
            self.say("No plan yet.", advice=f"{key_of('new.again')} checks the source.", level="warn")

    def _fix_or_skip(self) -> str:
        if self.writing:
            return "Fix them first."
        if self.plan is not None and not self.plan.requests and not self.closing_helps:
            return "Fix them first." if self.plan.errors > 1 else "Fix it first."
        closing = f", {key_of('new.close')} to close the schemas" if self.closing_helps else ""
        return f"Fix them, or press {key_of('new.skip')} to skip requests with errors{closing}."

    def action_skip_errors(self) -> None:
        """Turn the switch that skips requests with errors."""
        self.query_one("#source-skip", Toggle).action_turn()

    @property
    def closing_helps(self) -> bool:
        """Whether open schemas are among the problems, or the switch that closes them is on."""
        return self.is_mounted and not self.writing and bool(self.query_one("#source-close", Toggle).display)

    def action_close_schemas(self) -> None:
        """Turn the switch that closes schemas."""
        self.query_one("#source-close", Toggle).action_turn()

    def _show_problems(self, groups: Iterable[ProblemGroup]) -> None:
        """List the problems, and offer what puts them right."""
        found = tuple(groups)
        self.query_one(ProblemList).show(found)
        helped = self.closing_helps
        self.query_one(SourceForm).offer_closing(any(group.code == "schema_open" for group in found))
        if self.closing_helps != helped:
            self.refresh_bindings()

    def _written(self) -> Callable[[], CheckInput] | None:
        """The composed requests; None while a form holds an error, which is said."""
        if self.query_one(ComposePane).untouched:
            self.query_one(PlanSummary).say(Content.styled(f"{UNWRITTEN}", "dim"))
            return None
        lines, problems = self.query_one(ComposePane).check()
        gathered = ProblemGathering()
        for problem in problems:
            gathered.add(problem)
        self.query_one(ProblemList).show(gathered.groups())
        errors = sum(problem.level == "error" for problem in problems)
        if errors:
            self.query_one(PlanSummary).say(
                Content.styled(f"✗ {numbers.plural(errors, 'error')} to fix first", "bold $text-error")
            )
            return None
        source = CheckInput(lines=b"".join(line + b"\n" for line in lines))
        return lambda: source

    async def _peek(self, shown: FormState, asked_from: Widget | None) -> None:
        """Rows and columns, where the source is a table.  One that needs a template takes the cursor to it, if it is still
        at ``asked_from``, where the source was named.
        """
        from batchtui.tui.new.preview import first_rows

        number = self.checker.number
        plain = shown if shown.again else replace(shown, template_text=None)
        found = await self.in_thread(first_rows, self.service, plain.source)
        if number != self.checker.number or not self.is_attached:
            return
        self.query_one(TablePeek).show(found)
        template = self.query_one(TemplateEditor)
        template.set_table(found)
        self.show_tabs()
        self._tell_form()
        begins = found.rows and not self.query_one(SourceForm).has_template and not template.composed
        if begins and template.begin(starter(found, self._model)):
            self.show_pane("template")
            if asked_from is not None and asked_from is self.focused:
                self.query_one(SourceForm).focus_template()

    @on(CheckMoved)
    def _moved(self, event: CheckMoved) -> None:
        if event.number != self.checker.number or not self.checker.running:
            return
        if event.progress is not None:
            self.query_one(PlanSummary).say(progress_line(event.progress))
            self.show_tabs(event.progress.problems)
        self._show_problems(event.groups)

    @on(CheckEnded)
    def _ended(self, event: CheckEnded) -> None:
        if event.number != self.checker.number:
            if event.plan is not None:
                self.discard_soon(event.plan)
            return
        self.checked.stopped_by, self.checked.difference = event.stopped_by, event.difference
        if event.error is not None:
            self.query_one(PlanSummary).say(Content.styled("no plan", "dim"))
            self.fold(False)
            self.fail(event.error)
        elif event.plan is None:
            self.query_one(PlanSummary).say(Content.styled(f"stopped; {key_of('new.again')} checks again", "dim"))
        else:
            self._planned(event.plan)
        self.refresh_bindings()

    def _planned(self, plan: Plan) -> None:
        self.checked.plan = plan
        self._show_problems(plan.problems)
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
            self.say("Rows need a template. Edit this one, or name a file in Template.", level="warn")
        self._say_since_draft(plan)
        self._tell_form()
        if not plan.format and not self.writing:
            self.fold(False)  # Nothing could be read: what is wrong stands in the form.
        if plan.requests and not self.writing and self._fold_from is not None and self._fold_from is self.focused:
            self.fold(True)
        self._fold_from = None
        pane = self.query_one("#new-panes", TabLine).chosen
        if plan.errors and pane == "requests":
            self.show_pane("problems")
        elif not plan.problems and pane == "problems":
            self.show_pane("requests")

    def _say_since_draft(self, plan: Plan) -> None:
        """Say when a reopened draft makes another number of requests than when it was saved."""
        before = self.drafts.checked_first()
        if before is not None and plan.requests != before:
            then = numbers.plural(before, "request")
            self.say(f"This draft had {then} when it was saved, now {plan.requests:,}.", level="warn")

    def show_plan(self, plan: Plan) -> None:
        """The plan and its cost, or what keeps it from being one."""
        summary = self.query_one(PlanSummary)
        if plan.errors:
            summary.say(*error_lines(plan, self._fix_or_skip()))
        else:
            summary.show_plan(plan, max_cost=self.service.max_cost, stopped_by=self.checked.stopped_by)

    def discard_soon(self, plan: Plan) -> None:
        """Throw a plan's staged copy away without making anyone wait."""
        asyncio.get_running_loop().run_in_executor(None, self.service.discard, plan)

    # --- drafts -----------------------------------------------------------------------------------------------------

    def _draft(self) -> Draft | None:
        """What the screen holds, None when nothing was composed."""
        form, editor, pane = self.query_one(SourceForm), self.query_one(TemplateEditor), self.query_one(ComposePane)
        kept, plan = self.drafts.kept, self.plan
        changed = bool(form.typed) and self._begun not in (None, self._choices)
        composed = not pane.untouched or editor.composed or changed
        # What was taken back is taken back in the draft as well.
        if not composed and (kept is None or not (form.typed or form.template_path)):
            return None
        return Draft(
            name=self.drafts.name,
            title=self.query_one(TitleLine).title,
            sources=(form.typed,) if form.typed else (),
            format=form.format or "",
            table=form.table,
            template_path=form.template_path,
            template_text=editor.edited if editor.composed else "",
            cache_prefix=form.cache_prefix,
            close_schemas=form.close_schemas,
            skip_bad=form.skip_bad,
            reread=form.reread,
            default_model=form.model,
            forms=() if pane.untouched else tuple(pane.current),
            mode="write" if self.writing else "files",
            requests=plan.requests if plan is not None and plan.ok else kept.requests if kept is not None else None,
            begun=self._prefilled.kept(),
        )

    async def keep_draft(self) -> None:
        """Save what the screen holds, when it differs from what was saved."""
        draft = self._draft()
        if draft is not None and await self.drafts.keep(draft):
            self._name_draft(draft)

    def _name_draft(self, draft: Draft) -> None:
        self.query_one("#new-draft", Static).update(Content(f"draft {safetext.line(first_words(draft), 30)}"))

    async def _offer_last(self) -> None:
        """Name the draft that was saved last, while the form is empty."""
        draft = await self.drafts.last()
        if draft is None or self.checked.form is not None or self.writing or self.query_one(SourceForm).typed:
            return
        offer = f"{key_of('new.drafts')} opens drafts; the last: {label(draft)} ({contents(draft)}), {age(draft)}"
        empty = Content.styled(_choose_source(), "dim")
        self.query_one(PlanSummary).say(empty, Content.styled(offer, "$text-accent"))

    async def show_draft(self, draft: Draft) -> None:
        """Put a draft into the fields, and check it."""
        self._whole, self._begun = False, None
        self.drafts.reopened(draft)
        self._name_draft(draft)
        self._prefilled, deleted = reopened(draft.begun), False
        if self._prefilled.again and not self.service.history.of_run(self._prefilled.again):
            # Its template and other rows can be sent all the same.
            self._prefilled, deleted = PrefilledForm(source=self._prefilled.source), True
        self.query_one(TitleLine).title = draft.title
        self.query_one(SourceForm).restore(draft)
        self.query_one(TemplateEditor).restore(draft.template_text, draft.template_path)
        if self._prefilled.again:
            await self._show_own_template()
        if draft.forms:
            await self.query_one(ComposePane).load(draft.forms)
        self._whole = self._draft() is not None
        mode = self.query_one("#new-mode", TabLine)
        wanted = "write" if draft.composing else "files"
        if mode.chosen == wanted:
            await self.check_anew()
        mode.choose(wanted)
        if deleted:
            self.say("The run that this draft makes again was deleted.", advice="Name another source.", level="warn")

    async def _show_own_template(self) -> None:
        """Show the template of the run that is made again, where no other was named or written."""
        form, editor = self.query_one(SourceForm), self.query_one(TemplateEditor)
        form.begin_again()
        if not (form.has_template or editor.text):
            own = await self.in_thread(own_template, self.service, self._prefilled.again)
            if not (form.has_template or editor.text):
                editor.load(own, "")

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_browse(self) -> None:
        run_task(self, actions.browse(self), opens=True)

    def action_table(self) -> None:
        """How a table is to be read."""
        run_task(self, actions.table_options(self), opens=True)

    def action_drafts(self) -> None:
        """Open a draft."""
        run_task(self, actions.open_draft(self), opens=True)

    def action_editor(self) -> None:
        run_task(self, actions.edit(self), opens=True)

    def action_count(self) -> None:
        run_task(self, actions.count(self))

    def action_try_one(self) -> None:
        run_task(self, actions.try_one(self), opens=True)

    def action_submit(self) -> None:
        run_task(self, actions.submit(self), opens=True)

    async def action_check(self) -> None:
        """Check again."""
        await self.check_anew()

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
        self.query_one(ComposePane).settle()
        self._name_by_model()
        emptied = None
        try:
            await self.keep_draft()
            if self._whole and self._draft() is None:
                emptied = await self.drafts.drop()
        except BatchtuiError as error:
            if not self._unsaved:
                self._unsaved = True
                self.say(f"Draft not saved: {error}", advice="Press Esc twice to leave without saving.", level="bad")
                return
        if self.app.screen is self:
            self._say_what_is_kept(emptied)
            self.dismiss(None)

    def _say_what_is_kept(self, emptied: Draft | None) -> None:
        key = key_of("new")
        # Elsewhere the key is another's.
        again = f"Press {key}" if self.app.screen_stack[-2] is self.tui.home else f"On home, press {key}"
        if self.drafts.kept is not None and not self._unsaved:
            drafts = key_of("new.drafts")
            self.say_below(
                f"Draft {label(self.drafts.kept)} saved.",
                advice=f"{again}, then {drafts} to reopen the draft.",
                level="good",
            )
        elif emptied is not None:
            self.say_below(f"Draft {label(emptied)} deleted: the form was empty.", advice=f"{again} to start over.")
        elif self.drafts.kept is not None or self.query_one(SourceForm).typed:
            self.say_below("Form closed; no draft saved.", advice=f"{again} to start over.")

    async def on_unmount(self) -> None:
        """Stop what runs, throw the staged copy away."""
        self.checker.forget()
        self.checked.drop_plan()
        for each in (self.previewer, self._problem_previewer):
            asyncio.get_running_loop().run_in_executor(None, each.close)
