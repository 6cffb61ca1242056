"""What the keys of the new screen do: browse, open a draft, try, count, edit outside, submit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import TextArea

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, Stopped
from batchtui.domain.plan import Plan, Problem
from batchtui.domain.work import Work
from batchtui.intake.preview import Previewer
from batchtui.intake.renderer import read_template
from batchtui.paths import NoFolder, expanded
from batchtui.present import batch, numbers
from batchtui.present import plan as plan_words
from batchtui.present.symbols import GLYPHS
from batchtui.service import planning
from batchtui.tui.base import run_task
from batchtui.tui.dialogs import Confirm
from batchtui.tui.new.check import CheckInput
from batchtui.tui.new.compose_pane import ComposePane, editable
from batchtui.tui.new.drafts import DraftList
from batchtui.tui.new.problem_list import ProblemList
from batchtui.tui.new.problem_pane import ProblemPane
from batchtui.tui.new.request_view import RequestView
from batchtui.tui.new.source_form import SourceForm
from batchtui.tui.new.template_editor import TemplateEditor
from batchtui.tui.terminal import edit_text, editor
from batchtui.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from batchtui.tui.new.screen import NewScreen

MOST_DIFFERENCES = 8
"""Lines that are shown of what differs from the run that is made again."""
SAMPLE = 8
"""Requests that are counted for a better estimate."""


# --- source and template ----------------------------------------------------------------------------------------------


async def browse(screen: NewScreen) -> None:
    """Choose files from a list: templates when the cursor is on the template, sources otherwise."""
    from batchtui.tui.new.file_picker import FilePicker

    form = screen.query_one(SourceForm)
    for_template = screen.focused is not None and screen.focused.id == "source-template"
    typed = form.template_path if for_template else form.first_path
    start = expanded(typed).parent if typed else Path.cwd()
    taken = await screen.app.push_screen_wait(FilePicker(start if start.is_dir() else Path.cwd()))
    if not taken:
        return
    if for_template:
        form.set_template(taken[0])
        await screen.check_anew()
    else:
        screen.take_paths(taken)


async def table_options(screen: NewScreen) -> None:
    """Ask how a table is to be read, and check it so."""
    from batchtui.tui.new.table_options import TableDialog

    form = screen.query_one(SourceForm)
    chosen = await screen.app.push_screen_wait(TableDialog(form.table))
    if chosen is not None and chosen != form.table:
        form.set_table(chosen)
        await screen.check_anew()


async def sync_template(screen: NewScreen) -> None:
    """Show the template file that is named as it lies on the disk, unless its text was edited here."""
    path, editor = screen.query_one(SourceForm).template_path, screen.query_one(TemplateEditor)
    if editor.composed and editor.name_of == path:
        return
    if not path:
        if editor.composed:
            editor.name_of = ""
        elif editor.name_of:
            editor.load("", "")
        return
    try:
        text, _, fault = await screen.in_thread(read_template, expanded(path))
    except (BatchtuiError, NoFolder, ValueError):
        return  # The check names what is wrong with it.
    if fault is not None or path != screen.query_one(SourceForm).template_path or editor.holds(text, path):
        return
    if editor.composed:
        if editor.name_of == path:
            return
        await screen.keep_draft()
        screen.say(
            f"Your template is saved as draft {screen.drafts.set_aside()}; {safetext.line(path, 60)} is used now."
        )
    editor.load(text, path)


async def render_row(screen: NewScreen) -> None:
    """Render a row in the template's preview."""
    from batchtui.tui.new import preview

    editor = screen.query_one(TemplateEditor)
    text, row = editor.planned, editor.row
    if row is None or not text.strip():
        return
    options = planning.complete_options(screen.service.context, screen.shown().options())
    prices = screen.service.prices
    sections = await screen.in_thread(preview.render_row, screen.previewer, text, row, editor.number, options, prices)
    if sections is not None and editor.planned == text:
        await editor.show_preview(sections)


async def show_problem(screen: NewScreen, previewer: Previewer, problem: Problem, work: Work) -> None:
    """Show the request that a problem is about beside the problems."""
    from batchtui.tui.new import preview

    form = screen.checked.form
    if form is None:
        return
    if form.forms:
        lines, _ = screen.query_one(ComposePane).check()
        source = CheckInput(lines=b"".join(line + b"\n" for line in lines))
    else:
        source = form.source()
    try:
        sections = (
            await screen.in_thread(preview.request_at, screen.service, previewer, source, problem.where, work)
            if not source.empty
            else []
        )
    except Stopped:
        return
    await screen.query_one(ProblemPane).show_request(problem, sections, work)


async def edit(screen: NewScreen) -> None:
    """Edit the focused field, or the template, in $EDITOR."""
    field = screen.focused
    if not isinstance(field, TextArea):
        if screen.writing:
            screen.say("Move the cursor to a text field first.")
            return
        field = screen.query_one("#template-text", TextArea)
        screen.show_pane("template")
    ending = ".toml" if field.id == "template-text" else ".json" if field.id == "form-extra" else ".md"
    text, trouble = edit_text(screen.app, field.text, editor(), ending)
    if trouble:
        screen.say(trouble, advice="set EDITOR", level="bad")
    elif text != field.text:
        field.text = editable(text)


async def open_draft(screen: NewScreen) -> None:
    """Choose a draft, and go on with it; what stands here is kept first."""
    await screen.keep_draft()
    drafts = await screen.drafts.listed()
    if not drafts:
        screen.say("No drafts yet; what you compose is saved when you leave.")
        return
    name = await screen.app.push_screen_wait(DraftList(drafts, screen.drafts))
    if name is not None:
        await screen.show_draft(await screen.drafts.load(name))


# --- trying and sending -----------------------------------------------------------------------------------------------


async def count(screen: NewScreen) -> None:
    """Count the tokens of a sample."""
    plan = await screen.current_plan()
    if plan is None:
        return
    screen.say(f"Counting the tokens of {numbers.plural(min(SAMPLE, plan.requests), 'request')}…")
    counted = await screen.ask(screen.service.count_sample(plan, SAMPLE))
    stopped_by = await screen.in_thread(screen.service.max_cost_problem, counted) or ""
    if screen.plan is plan:
        screen.checked.plan, screen.checked.stopped_by = counted, stopped_by
        screen.show_plan(counted)
        screen.query_one(ProblemList).show(counted.problems)
        screen.query_one(StatusLine).dismiss()
        if counted.warnings > plan.warnings:
            screen.say(counted.problems[-1].message, level="warn")


async def try_one(screen: NewScreen) -> None:
    """Send one request now."""
    from batchtui.tui.new.try_request import TryScreen

    plan = await screen.current_plan()
    if plan is not None:
        line = screen.query_one(RequestView).line if screen.pane == "requests" else ""
        await screen.app.push_screen_wait(TryScreen(plan, line))


async def submit(screen: NewScreen) -> None:
    """Send the plan, after a yes."""
    from batchtui.tui.new.upload import UploadScreen, ask_send_now

    plan = await screen.current_plan()
    if plan is None:
        return
    twin = await screen.in_thread(screen.service.duplicate_of, plan)
    if screen.app.screen is not screen:
        return
    title, allow_cost, again = screen.batch_title(), bool(screen.checked.stopped_by), twin is not None
    if not await _agreed(screen, plan, title, twin):
        return
    now = await ask_send_now(screen.app, screen.service, plan)
    if now is None or await screen.current_plan() is not plan:
        return
    screen.checked.hand_over()
    upload = UploadScreen(
        plan,
        partial(screen.service.submit, plan, title=title, allow_cost=allow_cost, again=again, send_now=now),
        recorded=lambda: run_task(
            screen, screen.drafts.forget()
        ),  # Of this screen: it goes on when the upload is left.
    )
    if await screen.app.push_screen_wait(upload) == []:
        screen.drafts.resume()
        screen.discard_soon(plan)
        await screen.check_anew()
    elif screen.is_attached:
        await _leave_sent(screen, upload.known, title)


async def _agreed(screen: NewScreen, plan: Plan, title: str, twin: BatchRecord | None) -> bool:
    """The yes to a plan, of which ``twin`` is in progress already."""
    lines = _confirm_lines(screen, plan, title)
    if twin is not None:
        lines.append(_warning(f"The same requests are already in progress as {batch.name(twin)}: you would pay twice."))
    question = f"Submit {numbers.plural(len(plan.parts), 'batch', 'batches')}?"
    grave = twin is not None or bool(screen.checked.stopped_by)
    return await screen.app.push_screen_wait(Confirm(question, lines, yes="Submit", grave=grave))


async def _leave_sent(screen: NewScreen, known: list[BatchRecord], title: str) -> None:
    """Back from the form whose batches are on record, or to be: the draft goes, the template's place is said."""
    if known:
        await screen.drafts.forget()
        screen.done()
    sent = screen.drafts.sent
    if sent is not None and sent.template_text and not sent.composing:
        _say_where_template_is(screen, known[0])
    elif screen.app.screen_stack[-2] is not screen.tui.home and any(record.id for record in known):
        named = safetext.line(title, 60) or "The batch"
        screen.say_below(f"{named} submitted.", advice="On home the cursor is on it.", level="good")
    screen.dismiss(None)
    if known:
        screen.tui.home.go_to(known[0])


def _say_where_template_is(screen: NewScreen, record: BatchRecord) -> None:
    """The draft of what was sent is gone, its template is not."""
    screen.say_below(
        "Draft submitted; its template is kept in the run's recipe.toml.",
        advice=f"batchtui show {record.local_id} --template -o FILE writes it to a file.",
        level="good",
    )


def _confirm_lines(screen: NewScreen, plan: Plan, title: str) -> list[str | Content]:
    """What a person says yes to: what is sent, as whom, at what price, and what is doubtful about it."""
    lines: list[str | Content] = [
        f"{safetext.line(title, 100) or 'untitled'}: {numbers.plural(plan.requests, 'request')}, "
        f"{numbers.size(plan.bytes)}, as profile {screen.service.profile.name}",
        _cost_line(plan),
    ]
    lines += [safetext.line(line, 120) for line in screen.checked.difference[:MOST_DIFFERENCES]]
    if plan.estimate.unpriced and plan_words.cost_known(plan):
        lines.append(_warning(f"{plan_words.unpriced(plan)}."))
    if screen.checked.stopped_by:
        lines.append(_warning(f"{safetext.line(screen.checked.stopped_by, 300)}. Yes sends it anyway."))
    if plan.warnings:
        lines.append(f"{numbers.plural(plan.warnings, 'warning')}: see Problems.")
    if plan.skipped:
        lines.append(f"{batch.skipped(plan.skipped)} skipped; kept with the batch in skipped.jsonl.")
    lines.append(Content.styled("A submitted batch can't be changed, only canceled.", "dim"))
    return lines


def _cost_line(plan: Plan) -> Content:
    """What a plan costs, as far as its models have a price."""
    if not plan_words.cost_known(plan):
        return _warning(f"Cost unknown: {plan_words.unpriced(plan)}.")
    likely = plan_words.likely(plan.estimate)
    return Content.assemble(
        "Cost ",
        (plan_words.estimated(plan.estimate), "bold"),
        f", {likely}," if likely else "",
        f" at batch price ({plan_words.standard(plan)}).",
    )


def _warning(text: str) -> Content:
    return Content.styled(f"{GLYPHS.warning} {text}", "bold $text-warning")
