"""The dialog that sends a plan: a bar for each batch while it goes, then what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import PurePath
from typing import Any, ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.plan import Plan, PlanPart
from batchtui.domain.work import Progress
from batchtui.present import numbers
from batchtui.present import plan as plan_words
from batchtui.present.symbols import GLYPHS
from batchtui.service import Service, events
from batchtui.tui.base import run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.dialogs import DIALOG_CSS, SCROLL, Choose, Dialog
from batchtui.tui.messages import Happened
from batchtui.tui.widgets.cached_static import CachedStatic
from batchtui.tui.widgets.controls import button


def part_line(
    number: int, parts: int, part: PlanPart, record: BatchRecord | None, progress: Progress | None
) -> Content:
    """How one batch of a plan stands while it is sent, and what became of it."""
    name = f" {number}/{parts}  " if parts > 1 else " "
    what = numbers.plural(part.requests, "request")
    if record is None or record.status == "submitting":
        if progress is None:
            waits = safetext.line(record.error, 300) if record is not None and record.error else "waits"
            return Content.assemble(f"{name}{GLYPHS.dot} {what}, {numbers.size(part.bytes)}", (f"  {waits}", "dim"))
        sent = f"{numbers.size(progress.done)} of {numbers.size(progress.total or part.bytes)}"
        return Content(f"{name}{numbers.bar(progress.done, progress.total or part.bytes, 20)}  {sent}")
    if record.status == "refused":
        return Content.assemble(
            (f"{name}{GLYPHS.refused} refused: ", "bold $text-error"),
            safetext.line(record.error, 400),
            (f"  {GLYPHS.dash} retry with {key_of('retry')} on home", "dim"),
        )
    if record.status == "unconfirmed" and record.resend_at is not None:
        return Content.assemble(
            (f"{name}{GLYPHS.unconfirmed} the API was busy: ", "bold $text-warning"),
            "it may have been created. It is sent again if checks over 15 minutes or more do not find it.",
        )
    if record.status == "unconfirmed":
        return Content.assemble(
            (f"{name}{GLYPHS.unconfirmed} no reply: ", "bold $text-warning"),
            "it may have been created. It is sent again only if checks prove that it was not.",
        )
    return Content.assemble(
        (f"{name}{GLYPHS.good} accepted ", "bold $text-success"),
        f"{what}",
        (f"  {safetext.line(record.id or '', 64)}", "dim"),
    )


async def ask_send_now(app: App[Any], service: Service, plan: Plan) -> bool | None:
    """Whether a plan goes out now, which is asked only where that may pay twice; None when it is not to be sent.

    False: as soon as that is safe.
    """
    unclear = await asyncio.to_thread(service.unclear_before, plan)
    if not unclear:
        return False
    safe = plan_words.safe_at(unclear)
    choices: list[tuple[str, str | Content]] = [
        ("no", "No, don't send"),
        ("later", f"Send at {safe}, if the list does not show it by then"),
        ("now", "Send now: you may pay twice"),
    ]
    chosen = await app.push_screen_wait(
        Choose(f"Send now or at {safe}?", choices, lines=plan_words.unclear_lines(unclear), wide=True)
    )
    return {"later": False, "now": True}.get(chosen or "")


class UploadScreen(Dialog[list[BatchRecord] | None]):
    """Sends at once; dismisses with the records, or None when left before it was over (it goes on all the same)."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [DIALOG_CSS, "upload.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape,enter,q", "leave", "leave", "back", "leave; sending continues"),
        *SCROLL,
    ]

    def __init__(
        self,
        plan: Plan,
        submit: Callable[[], Coroutine[Any, Any, list[BatchRecord]]],
        *,
        recorded: Callable[[], object] | None = None,
    ) -> None:
        """``submit`` sends the plan on the service's loop; ``recorded`` is called once, when what is sent is on record."""
        super().__init__("Sending", wide=True)
        self._plan = plan
        self._submit = submit
        self._recorded = recorded
        self._before: frozenset[str] = frozenset()
        self._records: dict[str, BatchRecord] = {}
        self._progress: dict[str, Progress] = {}
        self._done: list[BatchRecord] | None = None

    @property
    def known(self) -> list[BatchRecord]:
        """The batches that were put on record, in the order of their parts."""
        return sorted(self._records.values(), key=lambda record: record.part)

    def body(self) -> ComposeResult:
        """A line a part, a way out."""
        with VerticalScroll(classes="body", can_focus=False):
            for number in range(len(self._plan.parts)):
                yield CachedStatic(id=f"part-{number}", classes="part")
            yield Static("", id="upload-note", markup=False)
        with Horizontal(classes="buttons"):
            yield button("Continue in background", id="leave", action="leave")

    def on_mount(self) -> None:
        self._draw()
        self.query_one("#leave").focus()
        self._before = frozenset(record.local_id for record in self.service.records())
        run_task(self, self._send())

    async def _send(self) -> None:
        try:
            records = await self.ask(self._submit())
        except BatchtuiError as error:
            self._over([], error)
        else:
            self._over(records, None)

    def _over(self, records: list[BatchRecord], error: BatchtuiError | None) -> None:
        if not self.is_attached:
            return
        self._done = records
        for record in records:
            self._records[record.fingerprint] = record
        self._draw()
        good = sum(record.id is not None for record in records)
        held = sum(record.waiting for record in records)
        title = f"{numbers.plural(held, 'batch', 'batches')} waiting" if held else "Nothing was submitted"
        title = f"{numbers.plural(good, 'batch', 'batches')} submitted" if good else title
        self.set_title(title)
        note = (
            "Sent later while batchtui runs, or with the next command that submits or checks batches." if held else ""
        )
        note = "Results are downloaded automatically; this can take up to 24 hours." if good else note
        if error is not None:
            note = f"{error}" + (f"\n{error.advice}" if error.advice else "")
        self.query_one("#upload-note", Static).update(safetext.block(note))
        leave = self.query_one("#leave", Button)
        leave.label = Content("Done")
        leave.focus()

    @on(Happened)
    def _happened(self, message: Happened) -> None:
        event = message.event
        if isinstance(event, events.Transfer):
            if event.progress is not None:
                self._progress[event.local_id] = event.progress
                self._draw()
        elif isinstance(event, events.RecordChanged) and event.record.fingerprint in {
            p.fingerprint for p in self._plan.parts
        }:
            if event.record.local_id in self._before:
                return  # Another batch with the same requests.
            self._records[event.record.fingerprint] = event.record
            self._draw()
            if self._recorded is not None:
                recorded, self._recorded = self._recorded, None
                recorded()

    def _draw(self) -> None:
        parts = self._plan.parts
        for number, part in enumerate(parts):
            record = self._records.get(part.fingerprint)
            progress = self._progress.get(record.local_id) if record else None
            line = part_line(number + 1, len(parts), part, record, progress)
            self.query_one(f"#part-{number}", CachedStatic).show_text(line)

    def action_leave(self) -> None:
        """Leave; what is being sent goes on."""
        self.dismiss(self._done)
