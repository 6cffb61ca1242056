"""The retry dialog: which requests, what changes, what it costs, and whether it helps."""

from __future__ import annotations

import asyncio
import functools
import shlex
import threading
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any, ClassVar, NamedTuple

from textual import on
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.domain.outcome import INVALID, ErrorGroup, cut_advice, cut_reasons
from batchtui.domain.plan import Plan
from batchtui.domain.work import Work
from batchtui.present import batch, numbers
from batchtui.present import plan as plan_words
from batchtui.present.symbols import GLYPHS
from batchtui.results.view import View
from batchtui.service.retry import Notes, Retry, useless
from batchtui.tui.base import run_task
from batchtui.tui.bindings import bind, sign_of
from batchtui.tui.dialogs import DIALOG_CSS, SCROLL, Choose, Confirm, Dialog
from batchtui.tui.new.plan_summary import plan_lines
from batchtui.tui.new.upload import UploadScreen, ask_send_now
from batchtui.tui.results.error_groups import AGAIN
from batchtui.tui.widgets.cells import COLORS
from batchtui.tui.widgets.controls import button, line_input

PAUSE = 0.4
"""Seconds after the last key before the changes are checked and priced."""
GROUPS_SHOWN = 6


def parse_changes(text: str) -> dict[str, str]:
    """``max_tokens=4096 model=claude-x`` as a mapping; quotes hold spaces together.  Raises InputError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(
            f"the changes can't be read: {error}", advice='close the quotes: system="Be brief."'
        ) from error
    changes: dict[str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise InputError(
                f"{safetext.line(word, 60)} is not a change", advice="write KEY=VALUE, for example max_tokens=4096"
            )
        changes[key] = value
    return changes


def warnings(groups: Sequence[ErrorGroup], *, changed: bool) -> list[str]:
    """Why sending these again may not help."""
    return [
        f"{numbers.count(group.count)} × {group.kind}: {group.advice}" for group in useless(groups, changed=changed)
    ]


class NotUsable(NamedTuple):
    """Rows by why they have no usable answer."""

    failed: list[int]
    short: list[int]
    invalid: list[int]
    reasons: list[int]
    """Why each of ``short`` is cut short, as numbers in CUT_SHORT."""

    @property
    def rows(self) -> list[int]:
        """All of the rows."""
        return [*self.failed, *self.short, *self.invalid]


def not_usable(view: View, rows: Iterable[int]) -> NotUsable:
    """Which of the rows have no answer, which one cut short, and which an invalid one."""
    outcome, flaw = view.column("outcome"), view.column("cut")
    found = NotUsable([], [], [], [])
    for row in rows:
        if outcome[row]:
            found.failed.append(row)
        elif flaw[row] == INVALID:
            found.invalid.append(row)
        elif flaw[row]:
            found.short.append(row)
            found.reasons.append(flaw[row])
    return found


def stands(run: Sequence[BatchRecord]) -> list[tuple[str, str, str]]:
    """How the batches of a run stand: another one, or one that stands otherwise, may have answers that were not there."""
    return [(record.local_id, record.status, record.results) for record in run]


async def which_again(app: App[Any], rows: NotUsable) -> list[int] | None:
    """Which rows to send again: where there are several kinds the person says; None when they leave it."""
    failed, short, invalid, reasons = rows
    every = sorted(rows.rows)
    if len(every) in map(len, (failed, short, invalid)):
        return every
    why = f"{numbers.plural(len(short), 'answer')} cut short ({cut_reasons(reasons)})" if short else ""
    choices = [
        ("failed", f"{numbers.plural(len(failed), 'request')} without an answer"),
        ("short", f"{why}: {cut_advice(reasons).words}" if short else ""),
        ("invalid", f"{numbers.plural(len(invalid), 'invalid answer')}: retry as is, or change the request"),
        ("all", f"all {len(every):,}"),
    ]
    kinds = {"failed": failed, "short": short, "invalid": invalid, "all": every}
    answer = await app.push_screen_wait(Choose("Retry which requests?", [each for each in choices if kinds[each[0]]]))
    return kinds.get(str(answer)) if answer is not None else None


class RetryScreen(Dialog[bool]):
    """Plans ``rows`` of a view again, with changes typed here, and sends them after a yes; dismisses with whether it did."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [DIALOG_CSS, "retry.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "leave", "no", "back", "send nothing"),
        bind("n", "leave", "no", "no", "send nothing", show=False),
        *SCROLL,
        bind("y", "send", "send", "yes", "retry them", show=False),
        bind("c", "change", "change", "retry.change", "change a param of all requests first", show=False),
    ]

    def __init__(self, record: BatchRecord, view: View, rows: Sequence[int]) -> None:
        super().__init__(f"Retry {numbers.plural(len(rows), 'request')} of {batch.name(record)}?", wide=True)
        self._record = record
        self._view = view
        self._rows = rows
        self._groups: list[ErrorGroup] = []
        self._plan: Plan | None = None
        self._retry: Retry | None = None
        self._planning = threading.Lock()
        self._work = Work()
        self._rest: Timer | None = None

    def body(self) -> ComposeResult:
        """What, how changed, what it costs, no or yes."""
        with VerticalScroll(classes="body", can_focus=False):
            yield Static("", id="retry-groups", markup=False)
            yield Static("", id="retry-warnings", markup=False)
            yield Static("", id="retry-difference", markup=False)
        with Horizontal(id="retry-changes-line"):
            yield Static("Changes", id="retry-changes-label", markup=False)
            yield line_input(placeholder='max_tokens=4096 system="…" (top_p= removes it)', id="retry-changes")
        yield Static(Content.styled("planning…", "dim"), id="retry-plan", markup=False)
        with Horizontal(classes="buttons"):
            yield button(f"Change  {sign_of('retry.change')}", id="change", action="change")
            yield button(f"No  {sign_of('no')}", id="no", action="leave")
            yield button(f"Send  {sign_of('yes')}", id="yes", action="send", variant="primary")

    def on_mount(self) -> None:
        """No has the focus; the plan is made meanwhile."""
        self.query_one("#no").focus()
        self.query_one("#yes", Button).disabled = True
        self._groups = self._view.groups(self._rows)
        self._say_groups()
        self._plan_soon(0.01)

    def _changes(self) -> dict[str, str]:
        return parse_changes(self.query_one("#retry-changes", Input).value)

    def _say_groups(self) -> None:
        lines: list[Content] = []
        for group in self._groups[:GROUPS_SHOWN]:
            words, tone = AGAIN[group.retry]
            title = group.title
            if group.kind == "waiting":
                # Of a batch that was refused: what is still on its way is not among them.
                words, tone, title = "not sent", "good", "of batches that were not created"
            lines.append(
                Content.assemble(
                    (f"{group.count:>7,}  ", "bold"), (f"{words:<15}", COLORS[tone]), safetext.line(title, 200)
                )
            )
        rest = sum(group.count for group in self._groups[GROUPS_SHOWN:])
        good = len(self._rows) - sum(group.count for group in self._groups)
        lines += [Content(f"{rest:>7,}  of {len(self._groups) - GROUPS_SHOWN} more kinds")] if rest else []
        lines += (
            [Content.assemble((f"{good:>7,}  ", "bold"), "already have a usable answer: you would pay for them again")]
            if good
            else []
        )
        try:
            changed = bool(self._changes())
        except InputError:
            changed = True
        self.query_one("#retry-groups", Static).update(Content("\n").join(lines))
        said = [
            Content.styled(f"{GLYPHS.warning} {safetext.line(warning, 300)}", "$text-warning")
            for warning in warnings(self._groups, changed=changed)[:4]
        ]
        self.query_one("#retry-warnings", Static).update(Content("\n").join(said))

    @on(Input.Changed)
    def _typed(self) -> None:
        self._plan_soon(PAUSE)

    def _plan_soon(self, seconds: float) -> None:
        self.query_one("#yes", Button).disabled = True
        self._work.stop()
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(seconds, self._begin)

    def _begin(self) -> None:
        self._say_groups()
        self._work = Work()
        run_task(self, self._make_plan(self._work))

    async def _make_plan(self, work: Work) -> None:
        await self._drop()
        try:
            changes = self._changes()
            plan, notes = await self.in_thread(self._planned, changes, work)
            stopped_by = await self.in_thread(self.service.max_cost_problem, plan)
            unclear = plan_words.unclear_lines(await self.in_thread(self.service.unclear_before, plan))
        except BatchtuiError as error:
            if not work.stopped:
                self._say_plan(Content.assemble((f"{GLYPHS.refused} {error}", "$text-error"), f"  {error.advice}"))
            return
        if work.stopped or not self.is_attached:
            await self.in_thread(self.service.discard, plan)
            return
        self._plan = plan
        self._say_plan(Content("\n").join(self._words(plan, stopped_by, unclear)))
        difference = _difference(notes)
        self.query_one("#retry-difference", Static).update(difference)
        self.query_one("#retry-difference").set_class(bool(difference), "shown")
        if difference:
            self.query_one(VerticalScroll).scroll_end(animate=False)
        self.query_one("#yes", Button).disabled = not plan.ok

    def _planned(self, changes: dict[str, str], work: Work) -> tuple[Plan, Notes]:
        """Plan the rows of the view with these changes; the run is opened once for all that are typed."""
        with self._planning:
            if self._retry is None:
                self._retry = self.service.retry([member.folder.name for member in self._view.members], work)
            rows = self._retry.rows(custom_ids=frozenset(self._view.id(row) for row in self._rows))
            return self._retry.plan(rows, changes, work), self._retry.notes(rows, changes)

    def _words(self, plan: Plan, stopped_by: str | None, unclear: Sequence[str]) -> list[Content]:
        lines = [*plan_lines(plan, stopped_by=stopped_by or "")]
        lines += [Content.styled(f"{GLYPHS.warning} {line}", "$text-warning") for line in unclear]
        for group in plan.problems[:4]:
            style = "$text-error" if group.level == "error" else "$text-warning"
            sign = GLYPHS.refused if group.level == "error" else GLYPHS.warning
            lines.append(Content.styled(f"{sign} {group.count:,} × {safetext.line(group.message, 300)}", style))
        return lines

    def _say_plan(self, text: Content) -> None:
        self.query_one("#retry-plan", Static).update(text)

    async def _drop(self) -> None:
        plan, self._plan = self._plan, None
        if plan is not None:
            await asyncio.to_thread(self.service.discard, plan)

    def action_change(self) -> None:
        """Type what changes in all of them."""
        self.query_one("#retry-changes").focus()

    @on(Input.Submitted)
    def _typed_enter(self) -> None:
        try:
            self._changes()
        except InputError:
            return  # It is named below, and what is typed next must not be taken for keys.
        self.query_one("#no").focus()

    def action_leave(self) -> None:
        """Send nothing."""
        if self.query_one("#retry-changes").has_focus:
            self.query_one("#no").focus()
        else:
            changes = self.query_one("#retry-changes", Input).value.strip()
            if changes:
                self.say_below("Retry not sent; its changes were not saved", advice=safetext.line(changes, 200))
            self.dismiss(False)

    def action_send(self) -> None:
        """Send what is planned."""
        if self._plan is not None and self._plan.ok and not self.query_one("#yes", Button).disabled:
            plan, self._plan = self._plan, None
            run_task(self, self._send(plan), opens=True, stoppable=False)

    async def _send(self, plan: Plan) -> None:
        stopped_by = await self.in_thread(self.service.max_cost_problem, plan)
        if stopped_by and not await self.app.push_screen_wait(
            Confirm(stopped_by, ["Send anyway?"], yes="Send", grave=True)
        ):
            self._plan = plan
            return
        now = await ask_send_now(self.app, self.service, plan)
        if now is None:
            self._plan = plan
            return
        submit = functools.partial(self.service.submit, plan, retry_of=self._record, allow_cost=True, send_now=now)
        if await self.app.push_screen_wait(UploadScreen(plan, submit)) != []:
            self.done()
        self.dismiss(True)

    async def on_unmount(self) -> None:
        """Throw away what was planned and not sent."""
        self._work.stop()
        await self._drop()


def _difference(notes: Notes) -> Content:
    """The first request before and after."""
    if not notes.difference:
        return Content("")
    lines = [Content.styled(f"in {safetext.line(notes.example, 64)} for example:", "dim")]
    for line in notes.difference[:8]:
        style = "$text-success" if line.startswith("+") else "$text-error" if line.startswith("-") else "dim"
        lines.append(Content.styled(safetext.line(line, 200), style))
    return Content("\n").join(lines)
