"""The pane to compose requests in: a form for each, with id, model, limit, system, turns, and other params as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button, Input, Select, Static, TextArea

from batchtui import safetext
from batchtui.domain.money import PriceTable
from batchtui.domain.plan import Problem
from batchtui.intake.compose import Form, Turn, request_from_form
from batchtui.intake.options import IntakeOptions
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.widgets.controls import button, line_input

ROLES = ("user", "assistant")


def editable(text: str) -> str:
    """Text that a TextArea may draw: controls made visible, tabs kept, nothing cut."""
    return safetext.copied(text)


def area(text: str, *, id: str, placeholder: str = "") -> TextArea:
    """A TextArea whose cursor does not blink, and that grows with its text."""
    made = TextArea(editable(text), id=id, compact=True, placeholder=Content(placeholder), highlight_cursor_line=False)
    made.cursor_blink = False
    return made


class TurnEditor(Horizontal):
    """One turn: who says it, and what."""

    def __init__(self, number: int, role: str, text: str) -> None:
        super().__init__(classes="turn")
        self.number = number
        self.role = role
        self._text = text

    def compose(self) -> ComposeResult:
        yield button(self.role, id=f"role-{self.number}")
        yield area(
            self._text,
            id=f"turn-{self.number}",
            placeholder="What is the sentiment of this review? …"
            if self.role == "user"
            else "the assistant's earlier answer",
        )

    @on(Button.Pressed)
    def _other_role(self, event: Button.Pressed) -> None:
        event.stop()
        self.role = ROLES[(ROLES.index(self.role) + 1) % 2]
        event.button.label = Content(self.role)
        self.post_message(RequestForm.Edited())

    @property
    def text(self) -> str:
        """What was typed."""
        return self.query_one(TextArea).text


class RequestForm(VerticalScroll):
    """The form; posts Edited with every change, debouncing is the screen's."""

    DEFAULT_CSS = """
    RequestForm { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    RequestForm .row { height: 1; }
    RequestForm .label { width: 10; color: $foreground 60%; }
    RequestForm #form-model-label { width: 6; }
    RequestForm .short { width: 4; color: $foreground 60%; margin-left: 2; }
    RequestForm #form-id { width: 1fr; background: $surface; }
    RequestForm #form-model { width: 2fr; min-width: 22; background: $surface; }
    RequestForm #form-max { width: 9; background: $surface; }
    RequestForm .field, RequestForm .turn { height: auto; margin-top: 1; }
    RequestForm TextArea { height: auto; min-height: 2; max-height: 12; background: $surface; padding: 0; }
    RequestForm TextArea { scrollbar-size-vertical: 1; }
    RequestForm TextArea:focus { background: $primary 15%; }
    RequestForm .turn Button { width: 10; min-width: 10; text-align: left; padding: 0; background: transparent; }
    RequestForm .turn Button:focus { text-style: reverse; }
    RequestForm #turns { height: auto; }
    RequestForm .wrong { color: $text-error; height: auto; padding-left: 10; display: none; }
    RequestForm .wrong.shown { display: block; }
    RequestForm #form-more { height: 1; margin-top: 1; padding-left: 10; }
    RequestForm #form-more Button { min-width: 10; margin-right: 2; background: $surface; }
    RequestForm Input:focus { background: $primary 20%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("ctrl+a", "add_turn", "turn", "form.turn", "add a turn", show=False),
    ]

    class Edited(Message):
        """Something in the form changed."""

    def __init__(self, request: Form, models: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._request = request
        self._models = list(models)
        self._turns = 0

    def compose(self) -> ComposeResult:
        request = self._request
        with Horizontal(classes="row"):
            yield Static("Id", classes="label", markup=False)
            yield line_input(request.custom_id, placeholder="ticket-001", id="form-id")
            yield Static("Model", classes="short", id="form-model-label", markup=False)
            yield self._model_picker()
            yield Static("Max", classes="short", markup=False)
            yield line_input(request.max_tokens, placeholder="tokens", id="form-max")
        yield Static("", classes="wrong", id="wrong-head", markup=False)
        with Horizontal(classes="field"):
            yield Static("System", classes="label", markup=False)
            yield area(request.system, id="form-system", placeholder="You label customer reviews. (optional)")
        with Vertical(id="turns"):
            yield from self._turn_editors()
        with Horizontal(id="form-more"):
            yield button("+ turn", id="add-turn")
            yield button("- turn", id="drop-turn")
        yield Static("", classes="wrong", id="wrong-turns", markup=False)
        with Horizontal(classes="field"):
            yield Static("Params", classes="label", markup=False)
            yield area(
                request.extra_json, id="form-extra", placeholder='other params as JSON: {"tools": […], "thinking": {…}}'
            )
        yield Static("", classes="wrong", id="wrong-extra", markup=False)

    def _model_picker(self) -> Select[str]:
        names = list(dict.fromkeys([*([self._request.model] if self._request.model else []), *self._models]))
        options = [(Content(safetext.line(name, 60)), name) for name in names]
        value = self._request.model or (names[0] if names else Select.NULL)
        return Select(options, value=value, allow_blank=not names, id="form-model", compact=True, prompt="model")

    def _turn_editors(self) -> list[TurnEditor]:
        made = []
        for turn in self._request.turns:
            made.append(TurnEditor(self._turns, turn.role if turn.role in ROLES else "user", turn.text))
            self._turns += 1
        return made

    def value(self) -> Form:
        """What the form holds now."""
        model = self.query_one("#form-model", Select).value
        return msgspec.structs.replace(
            self._request,
            custom_id=self.query_one("#form-id", Input).value.strip(),
            model=model if isinstance(model, str) else "",
            max_tokens=self.query_one("#form-max", Input).value.strip(),
            system=self.query_one("#form-system", TextArea).text,
            turns=tuple(Turn(turn.role, turn.text) for turn in self.query(TurnEditor)),
            extra_json=self.query_one("#form-extra", TextArea).text,
        )

    async def load(self, request: Form) -> None:
        """Show another request."""
        self._request = request
        self.query_one("#form-id", Input).value = request.custom_id
        self.query_one("#form-max", Input).value = request.max_tokens
        picker = self.query_one("#form-model", Select)
        if request.model and request.model not in self._models:
            self.set_models([*self._models, request.model])
        if request.model:
            picker.value = request.model
        self.query_one("#form-system", TextArea).load_text(editable(request.system))
        self.query_one("#form-extra", TextArea).load_text(editable(request.extra_json))
        turns = self.query_one("#turns")
        async with self.batch():
            await turns.remove_children()
            await turns.mount_all(self._turn_editors())

    @property
    def first_turn(self) -> int:
        """The number of the first turn's editor, for its id."""
        return self.query(TurnEditor).first().number

    def set_models(self, models: Sequence[str]) -> None:
        """Offer these models; the chosen one stays."""
        picker = self.query_one("#form-model", Select)
        chosen = picker.value if isinstance(picker.value, str) else self._request.model or next(iter(models), "")
        self._models = list(dict.fromkeys([*([chosen] if chosen else []), *models]))
        with self.prevent(Select.Changed):
            picker.set_options([(Content(safetext.line(name, 60)), name) for name in self._models])
            if chosen:
                picker.value = chosen

    def say_wrong(self, head: str = "", turns: str = "", extra: str = "") -> None:
        """Show what is wrong beneath the field it is in; empty takes it away."""
        for name, text in (("head", head), ("turns", turns), ("extra", extra)):
            line = self.query_one(f"#wrong-{name}", Static)
            line.set_class(bool(text), "shown")
            line.update(safetext.block(text, 600))

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Select.Changed)
    def _changed(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Edited())

    @on(Button.Pressed, "#add-turn")
    async def action_add_turn(self) -> None:
        """One more turn, of the other role."""
        last = list(self.query(TurnEditor))[-1:]
        role = "assistant" if last and last[0].role == "user" else "user"
        editor = TurnEditor(self._turns, role, "")
        self._turns += 1
        await self.query_one("#turns").mount(editor)
        editor.query_one(TextArea).focus()
        self.post_message(self.Edited())

    @on(Button.Pressed, "#drop-turn")
    async def _drop_turn(self) -> None:
        turns = list(self.query(TurnEditor))
        if len(turns) > 1:
            await turns[-1].remove()
            self.post_message(self.Edited())


PAUSE = 0.6
"""Seconds after the last key before the requests are checked and kept."""
_HEAD = ("custom_id", "model", "max_tokens")

replace = msgspec.structs.replace


def _shown(form: Form) -> Form:
    """A request as its form shows it."""
    turns = tuple(Turn(turn.role, editable(turn.text)) for turn in form.turns)
    return replace(form, system=editable(form.system), turns=turns, extra_json=editable(form.extra_json))


class ComposePane(Vertical):
    """The forms; posts Changed when they rested after a change."""

    DEFAULT_CSS: ClassVar[str] = """
    ComposePane #write-which { height: 1; padding: 0 1; margin-bottom: 1; }
    ComposePane #write-count { width: 1fr; color: $foreground 60%; }
    ComposePane #write-which Button { min-width: 5; margin-left: 1; background: $surface; }
    ComposePane #write-which Button:focus { text-style: reverse; }
    ComposePane RequestForm { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("f2", "another", "+ request", "write.another", "add a request like this one"),
        bind("ctrl+up", "go(-1)", "previous", "write.previous", "previous request", show=False),
        bind("ctrl+down", "go(1)", "next", "write.next", "next request", show=False),
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
        return request_from_form(form, self._options, self._prices)

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
        which = (
            f"request {self._at + 1} of {len(self.forms)}"
            if several
            else f"1 request; {key_of('write.another')} adds another"
        )
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
