"""The dialog that sends one request to the plain Messages endpoint before the batch is paid for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path, PurePath
from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Static

from batchtui import safetext
from batchtui.domain.plan import Plan
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS
from batchtui.tui.base import run_task
from batchtui.tui.bindings import bind, sign_of
from batchtui.tui.dialogs import DIALOG_CSS, Dialog
from batchtui.tui.widgets.answer_view import AnswerView, Section
from batchtui.tui.widgets.controls import button
from batchtui.tui.widgets.sections import content_sections


class TryScreen(Dialog[None]):
    """Says the price, asks, sends the longest request (or the one that was shown), and shows the answer and its usage."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [DIALOG_CSS, "try_request.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape,q", "leave", "leave", "back", "leave", key_display="esc"),
        bind("n", "leave", "no", "no", "send nothing", show=False),
        bind("y", "send", "send", "yes", "send the request", show=False),
        bind("l", "longest", "longest", "try.longest", "switch between the request shown and the longest", show=False),
    ]

    def __init__(self, plan: Plan, shown: str) -> None:
        super().__init__("Test one request now?", wide=True)
        self._plan = plan
        self._lines = [line for line in dict.fromkeys([plan.longest, shown]) if line]
        self._at = 0
        self._sent = False

    def body(self) -> ComposeResult:
        """The question, then the answer."""
        yield Static("", id="try-what", markup=False)
        yield AnswerView("answer", id="try-answer")
        with Horizontal(classes="buttons"):
            yield button(f"Other  {sign_of('try.longest')}", id="longest", action="longest")
            yield button(f"No  {sign_of('no')}", id="no", action="leave")
            yield button(f"Send  {sign_of('yes')}", id="yes", action="send", variant="primary")

    def on_mount(self) -> None:
        self.query_one("#no").focus()
        self.query_one("#try-answer").display = False
        self.query_one("#longest").display = len(self._lines) > 1
        self._say_what()

    def _say_what(self) -> None:
        if not self._lines:
            self.query_one("#try-what", Static).update("No request of the plan is short enough to test here.")
            self.query_one("#yes", Button).disabled = True
            return
        line = self._lines[self._at]
        estimate = self._plan.estimate
        share = max(1, self._plan.requests)
        high = estimate.standard_usd[1] / share
        which = "the longest request" if line == self._plan.longest else "the request that was shown"
        more = " or a little more: it is the longest" if line == self._plan.longest and share > 1 else ""
        price = f"standard price: about {numbers.usd_short(high)}{more}"
        if estimate.unpriced:
            price = "standard price: unknown"
        self.query_one("#try-what", Static).update(
            Content.assemble(
                f"Sends {which} ({safetext.line(_id_of(line), 64)}, {numbers.size(len(line))}) ",
                "to the Messages API now, at ",
                (price, "bold"),
                ". The batch is not affected.",
            )
        )

    def action_longest(self) -> None:
        """The other one."""
        if not self._sent and self._lines:
            self._at = (self._at + 1) % len(self._lines)
            self._say_what()

    def action_send(self) -> None:
        """Send it."""
        if not self._sent and self._lines:
            self._sent = True
            run_task(self, self._send(self._lines[self._at]))

    async def _send(self, line: str) -> None:
        self.query_one("#try-what", Static).update("Waiting for the answer…")
        for name in ("yes", "longest"):
            self.query_one(f"#{name}").display = False
        leave = self.query_one("#no", Button)
        leave.label = Content("Leave")
        leave.focus()
        pane = self.query_one("#try-answer", AnswerView)
        try:
            result = await self.ask(self.service.try_one(line.encode("utf-8", "surrogatepass")))
        except Exception as error:
            self.query_one("#try-what", Static).update("The request failed:")
            pane.display = True
            await pane.show([Section(str(error), getattr(error, "advice", ""), "plain", "bad")])
            return
        told = await self.in_thread(_judged, line, result.answer, self._plan.staging)
        message = msgspec.json.decode(result.answer)
        tokens = f"{numbers.tokens(result.input_tokens)} in · {numbers.tokens(result.output_tokens)} out"
        cost = numbers.at_least(numbers.usd_request(result.cost_usd), bool(result.cost_missing))
        self.query_one("#try-what", Static).update(
            Content.assemble(
                (f"{tokens} · {cost}", "bold"), told, self._projection(result.cost_usd, bool(result.cost_missing))
            )
        )
        pane.display = True
        stop = str(message.get("stop_reason", "")) if isinstance(message, dict) else ""
        content = message.get("content") if isinstance(message, dict) else message
        await pane.show(
            content_sections(content) or [Section("", "The answer is empty.", "note")],
            title=f"· {stop}" if stop else "",
        )
        pane.focus()

    def _projection(self, cost: object, missing: bool) -> str:
        if not isinstance(cost, Decimal):
            return ""
        whole = cost / 2 * self._plan.requests
        every = f"all {numbers.plural(self._plan.requests, 'request')}"
        return f"\nIf {every} are like it, the batch costs {'at least' if missing else 'about'} {numbers.usd_short(whole)}."


def _judged(line: str, answer: bytes, staging: Path | None) -> Content:
    """Whether the answer is what was asked for, on a line of its own; nothing where nothing was."""
    from batchtui.results.lone_answer import check_alone

    found = check_alone(line.encode("utf-8", "surrogatepass"), answer, staging)
    if found is None:
        return Content("")
    sign, style = (GLYPHS.good, "$text-success") if found.usable else (GLYPHS.refused, "$text-warning")
    return Content.styled(f"\n{sign} {safetext.line(found.words, 300)}", style)


def _id_of(line: str) -> str:
    try:
        found = msgspec.json.decode(line.encode("utf-8", "surrogatepass"))["custom_id"]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return ""
    return str(found)
