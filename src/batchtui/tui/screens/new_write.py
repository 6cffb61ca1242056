"""Composing a few requests by hand: a form for each, checked as it is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button, Static

from batchtui.domain.money import PriceTable
from batchtui.domain.plan import Problem
from batchtui.intake.compose import request_from_form
from batchtui.intake.drafts import Form, Turn
from batchtui.intake.options import IntakeOptions
from batchtui.tui.screens.modals import button
from batchtui.tui.widgets.request_form import RequestForm, quiet

PAUSE = 0.6
"""Seconds after the last key before the requests are checked and kept."""
_HEAD = ("custom_id", "model", "max_tokens")

replace = msgspec.structs.replace


def _shown(form: Form) -> Form:
    """A request as its form shows it."""
    turns = tuple(Turn(turn.role, quiet(turn.text)) for turn in form.turns)
    return replace(form, system=quiet(form.system), turns=turns, extra_json=quiet(form.extra_json))


class WritePane(Vertical):
    """The forms; posts Changed when they rested after a change."""

    DEFAULT_CSS: ClassVar[str] = """
    WritePane #write-which { height: 1; padding: 0 1; margin-bottom: 1; }
    WritePane #write-count { width: 1fr; color: $foreground 60%; }
    WritePane #write-which Button { min-width: 5; margin-left: 1; background: $surface; }
    WritePane #write-which Button:focus { text-style: reverse; }
    WritePane RequestForm { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "another", "+ request", id="write.another", tooltip="one more request, like this one"),
        Binding("ctrl+up", "go(-1)", "previous", show=False, id="write.previous", tooltip="the request before"),
        Binding("ctrl+down", "go(1)", "next", show=False, id="write.next", tooltip="the next request"),
    ]

    class Edited(Message):
        """A request is another than the one that was checked."""

    class Changed(Message):
        """The requests rested after a change."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.forms: list[Form] = [Form()]
        self._at = 0
        self._timer: Timer | None = None
        self._options = IntakeOptions()
        self._prices: PriceTable | None = None
        self._dirty = False

    def compose(self) -> ComposeResult:
        """Which request, and its form."""
        with Horizontal(id="write-which"):
            yield Static("", id="write-count", markup=False)
            yield button("‹", id="write-back")
            yield button("›", id="write-on")
            yield button("+ request", id="write-add")
            yield button("drop", id="write-drop")
        yield RequestForm(self.forms[0], [], id="write-form")

    @property
    def form(self) -> RequestForm:
        """The form."""
        return self.query_one(RequestForm)

    @property
    def untouched(self) -> bool:
        """True while nothing was typed."""
        forms = self.current
        return forms == [replace(Form(), model=forms[0].model)]

    @property
    def current(self) -> list[Form]:
        """All requests, the one that is shown as it stands in its form."""
        if not self.is_mounted or not self.form.is_mounted:
            return self.forms
        return [*self.forms[: self._at], self.form.value(), *self.forms[self._at + 1 :]]

    async def begin(self, options: IntakeOptions, prices: PriceTable) -> None:
        """Composing begins: how requests are to be checked, and the model to offer first."""
        self._options, self._prices = options, prices
        if self.untouched and options.default_model:
            self.forms[0] = replace(self.forms[0], model=options.default_model)
            await self.form.load(self.forms[0])
        self._say_wrong()
        self._say()
        self.form.query(f"#turn-{self.form.first_turn}").focus()

    def set_models(self, models: Sequence[str]) -> None:
        """Offer these models."""
        self.form.set_models(models)

    def check(self) -> tuple[list[bytes], list[Problem]]:
        """All requests as lines, and what is wrong with the forms; there is no line of a form with an error."""
        assert self._prices is not None
        lines: list[bytes] = []
        problems: list[Problem] = []
        for form in self.current:
            line, found = self._made(form)
            lines += [line] if line is not None else []
            problems += found
        return lines, problems

    def _made(self, form: Form) -> tuple[bytes | None, tuple[Problem, ...]]:
        assert self._prices is not None
        return request_from_form(
            custom_id=form.custom_id,
            model=form.model,
            max_tokens=form.max_tokens,
            system=form.system,
            turns=[(turn.role, turn.text) for turn in form.turns],
            extra_json=form.extra_json,
            options=self._options,
            prices=self._prices,
        )

    async def load(self, forms: Sequence[Form]) -> None:
        """Show the requests of a draft."""
        self.forms = [_shown(form) for form in forms] or [Form()]
        await self._show(0)
        self.forms[0] = self.form.value()

    # --- editing ----------------------------------------------------------------------------------------------------

    @on(RequestForm.Edited)
    def _edited(self) -> None:
        if not self._dirty and self.form.value() != self.forms[self._at]:
            self._dirty = True
            self.post_message(self.Edited())
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self.settle)

    def settle(self) -> None:
        """Take over what the form holds, when it differs, and say what is wrong with it."""
        now = self.form.value()
        if now != self.forms[self._at] or self._dirty:
            self.forms[self._at], self._dirty = now, False
            self._say_wrong()
            self._say()
            self.post_message(self.Changed())

    def _say_wrong(self) -> None:
        if self._prices is None:
            return
        said: dict[str, list[str]] = {"head": [], "turns": [], "extra": []}
        for problem in () if self.untouched else self._made(self.forms[self._at])[1]:
            field, _, place = problem.where.partition(":")
            sign = "✗" if problem.level == "error" else "!"
            spot = f" (line {place.replace(':', ', column ')})" if place else ""
            key = "head" if field in _HEAD else "extra" if field == "extra" else "turns"
            said[key].append(f"{sign} {problem.message}{spot}")
        self.form.say_wrong(**{key: "\n".join(lines) for key, lines in said.items()})

    def _say(self) -> None:
        several = len(self.forms) > 1
        which = f"request {self._at + 1} of {len(self.forms)}" if several else "one request; f2 adds another"
        self.query_one("#write-count", Static).update(Content(which))
        for name in ("write-back", "write-on", "write-drop"):
            self.query_one(f"#{name}").display = several

    async def _show(self, at: int) -> None:
        self._at = at % len(self.forms)
        await self.form.load(self.forms[self._at])
        self._say_wrong()
        self._say()

    async def action_go(self, by: int) -> None:
        """Another request."""
        self.settle()
        await self._show(self._at + by)

    async def action_another(self) -> None:
        """One more request, with the same model, limit and system prompt."""
        self.settle()
        taken = {form.custom_id for form in self.forms}
        number = len(self.forms) + 1
        while f"request-{number}" in taken:
            number += 1
        self.forms.append(replace(self.forms[self._at], custom_id=f"request-{number}", turns=(Turn(),)))
        await self._show(len(self.forms) - 1)
        self.form.query_one(f"#turn-{self.form.first_turn}").focus()
        self.post_message(self.Changed())

    async def drop(self) -> None:
        """Drop this request."""
        if len(self.forms) > 1:
            del self.forms[self._at]
            await self._show(min(self._at, len(self.forms) - 1))
            self.post_message(self.Changed())

    @on(Button.Pressed, "#write-which Button")
    async def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        actions: dict[str, Callable[[], object]] = {
            "write-back": lambda: self.action_go(-1),
            "write-on": lambda: self.action_go(1),
            "write-add": self.action_another,
            "write-drop": self.drop,
        }
        await actions[event.button.id or "write-on"]()  # type: ignore[misc]
