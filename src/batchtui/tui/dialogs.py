"""Dialogs: yes or no, one line of text, one of several, a text to read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.present import batch, numbers
from batchtui.tui import bindings
from batchtui.tui.base import BaseModal
from batchtui.tui.bindings import bind

BACK = bind("escape", "leave", "back", "back", "close without changes")


class Confirm(BaseModal[bool]):
    """Yes or no, with *No* in focus.  ``lines`` say what it costs or loses; the answer is True only for a plain yes."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("y", "answer(True)", "yes", "yes", "confirm"),
        bind("n", "answer(False)", "no", "no", "cancel"),
        bind("escape", "answer(False)", "no", "back", "cancel"),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]

    def __init__(
        self,
        title: str,
        lines: Sequence[str | Content] = (),
        *,
        yes: str = "Yes",
        no: str = "No",
        grave: bool = False,
    ) -> None:
        super().__init__()
        self._title = safetext.line(title, 300)
        self._lines = lines
        self._labels = (safetext.line(no, 40), safetext.line(yes, 40))
        self._grave = grave

    def compose(self) -> ComposeResult:
        with Vertical(classes="box grave" if self._grave else "box"):
            yield Static(self._title, classes="title", markup=False)
            with VerticalScroll(classes="body", can_focus=False):
                for line in self._lines:
                    yield Static(line if isinstance(line, Content) else safetext.block(line), markup=False)
            with Horizontal(classes="buttons"):
                yield button(f"{self._labels[0]}  n", id="no")
                yield button(f"{self._labels[1]}  y", id="yes", variant="error" if self._grave else "primary")

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def action_answer(self, yes: bool) -> None:
        """Leave with the answer."""
        self.dismiss(yes)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


class Ask(BaseModal[str | None]):
    """One line of text; None when left with Escape."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [BACK]

    def __init__(self, title: str, *, value: str = "", placeholder: str = "", hint: str = "") -> None:
        super().__init__()
        self._title = safetext.line(title, 300)
        self._value = value
        self._placeholder = placeholder
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(self._title, classes="title", markup=False)
            yield line_input(self._value, placeholder=self._placeholder, id="text")
            if self._hint:
                yield Static(safetext.block(self._hint), classes="hint", markup=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class Choose(BaseModal[str | None]):
    """One of several, each a name to answer with and a line to show; None when left with Escape."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        Binding("j", "move('cursor_down')", show=False),
        Binding("k", "move('cursor_up')", show=False),
    ]

    def __init__(
        self,
        title: str,
        choices: Sequence[tuple[str, str | Content]],
        *,
        lines: Sequence[str] = (),
        wide: bool = False,
    ) -> None:
        super().__init__()
        self._title = safetext.line(title, 300)
        self._choices = list(choices)
        self._lines = lines
        self._wide = wide

    def compose(self) -> ComposeResult:
        with Vertical(classes="box wide" if self._wide else "box"):
            yield Static(self._title, classes="title", markup=False)
            for line in self._lines:
                yield Static(safetext.block(line), classes="said", markup=False)
            options = (text if isinstance(text, Content) else Content(safetext.line(text)) for _, text in self._choices)
            yield OptionList(*(Option(text) for text in options), markup=False, id="choices")

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    def take_out(self, index: int) -> None:
        """Take a choice out of the list."""
        del self._choices[index]
        self.query_one(OptionList).remove_option_at_index(index)

    def action_move(self, how: str) -> None:
        """The cursor with j and k."""
        getattr(self.query_one(OptionList), f"action_{how}")()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index][0])


class Reading(BaseModal[None]):
    """Something to read in full, scrolled by the arrows; any of Escape, Enter and q leaves."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape,enter,q", "leave", "back", "back", "leave"),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("home,g", "scroll(-100000)", show=False),
        Binding("end,G", "scroll(100000)", show=False),
    ]

    def __init__(self, title: str, body: str | Content, *, grave: bool = False) -> None:
        super().__init__()
        self._title = safetext.line(title, 300)
        self._body = body
        self._grave = grave
        self.hint = "esc back"
        """What stands on the lower edge."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box wide grave" if self._grave else "box wide"):
            yield Static(self._title, classes="title", markup=False)
            with VerticalScroll(classes="body", can_focus=False):
                yield Static(
                    self._body if isinstance(self._body, Content) else safetext.block(self._body), markup=False
                )

    def on_mount(self) -> None:
        self.query_one(".box").border_subtitle = self.hint

    def action_scroll(self, by: int) -> None:
        """Lines up or down."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        """A page up or down, a line of it kept."""
        body = self.query_one(VerticalScroll)
        body.scroll_relative(y=by * max(1, body.size.height - 1), animate=False)


def button(label: str, *, id: str, variant: str = "default") -> Button:
    """A flat button, one line high."""
    made = Button(Content(label), id=id, variant=variant, compact=True)  # type: ignore[arg-type]
    made.active_effect_duration = 0
    return made


def line_input(value: str = "", *, placeholder: str = "", id: str | None = None) -> Input:
    """A one-line Input that is quiet on the wire."""
    made = Input(value, placeholder=placeholder, id=id, compact=True, select_on_focus=False)
    made.cursor_blink = False
    return made


def ask_delete(records: Sequence[BatchRecord]) -> Choose:
    """A question that is answered ``keep``, ``here``, ``there`` or ``both``; keeping is in focus."""
    stored = [r for r in records if r.results == "stored"]
    only_there = [r for r in records if r.results_due]
    at_service = [r for r in records if r.id and r.archived_at is None and r.results != "gone"]
    requests = numbers.plural(sum(r.requests for r in records), "request")
    more = f" and {len(records) - 1} more" if len(records) > 1 else ""
    lines = [f"{batch.name(records[0])}{more}, {requests}"]
    if only_there:
        few = numbers.plural(len(only_there), "batch", "batches")
        lines.append(f"The results of {few} are not downloaded: once deleted at the API, they are lost.")
    paid = sum((r.cost_usd for r in records if r.cost_usd is not None), Decimal(0))
    if paid:
        lines.append(f"Once deleted here, their {numbers.usd(paid)} no longer count as spending.")
    choices: list[tuple[str, str | Content]] = [("keep", "No, keep them" if len(records) > 1 else "No, keep it")]
    if at_service:
        kept = "downloaded results stay here" if stored else "only the record stays here"
        choices.append(("there", _choice("At the API", kept)))
    what = "record, requests and results" if stored else "record and requests"
    back = "o lists it again" if at_service else "can't be undone"
    choices.append(("here", _choice("Here", f"{what}; {back}")))
    if at_service:
        choices.append(("both", _choice("Both", "everything, permanently")))
    return Choose(f"Delete {numbers.plural(len(records), 'batch', 'batches')}?", choices, lines=lines)


def _choice(what: str, loses: str) -> Content:
    return Content.assemble(f"{what:<16}", (loses, "$foreground 60%"))


class EditModal(BaseModal[tuple[str, str] | None]):
    """Answers with (title, note), None when left."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        bind("ctrl+s", "save", "save", "save", "save", priority=True),
    ]

    def __init__(self, title: str, note: str, *, heading: str = "Title and note", hint: str = "") -> None:
        super().__init__()
        self._values = (safetext.line(title, 300), safetext.line(note, 2_000))
        self._heading, self._hint = heading, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(self._heading, classes="title", markup=False)
            if self._hint:
                yield Static(self._hint, classes="said label", markup=False)
            yield Static("Title", classes="label", markup=False)
            yield line_input(self._values[0], placeholder="October evaluation", id="title-text")
            yield Static("Note", classes="label next", markup=False)
            yield line_input(self._values[1], placeholder="prompt v3, without examples", id="note-text")
            yield Static("enter  next, save    ^s  save    esc  back", classes="hint", markup=False)

    def on_mount(self) -> None:
        self.query_one("#title-text").focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "title-text":
            self.query_one("#note-text").focus()
        else:
            self.action_save()

    def action_save(self) -> None:
        """Keep what was written."""
        title, note = self._written()
        self.dismiss((title.strip(), note.strip()))

    def action_leave(self) -> None:
        """Leave it as it was."""
        if self._written() != self._values:
            self.say_below("Title and note not saved.", advice=f"Press {self._save_key()} to save instead of Esc.")
        self.dismiss(None)

    def _written(self) -> tuple[str, str]:
        return self.query_one("#title-text", Input).value, self.query_one("#note-text", Input).value

    def _save_key(self) -> str:
        return bindings.true_key(self.service.config.keys, EditModal, "save")
