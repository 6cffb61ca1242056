"""The base of dialogs, and those that several screens open: yes or no, a line of text, one of several, a text to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import ClassVar, NamedTuple, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from batchtui import safetext
from batchtui.domain.batch import BatchRecord
from batchtui.present import batch
from batchtui.tui.base import BaseModal
from batchtui.tui.bindings import bind, key_of, sign_of
from batchtui.tui.widgets.controls import KeyedOptionList, button, line_input

R = TypeVar("R")

DIALOG_CSS = Path(__file__).with_suffix(".tcss")
"""The stylesheet of dialogs, in whatever folder they are."""
BACK = bind("escape", "leave", "back", "back", "close without changes")
SCROLL: tuple[BindingType, ...] = (
    Binding("down,j", "scroll(1)", show=False),
    Binding("up,k", "scroll(-1)", show=False),
)
"""The keys of a dialog with a body that may be longer than the screen."""
_LONGEST_TITLE = 600
"""Characters: four names of batches, how many more there are, and the question mark."""


class Dialog(BaseModal[R]):
    """A box: its title, what ``body`` gives, and a line that names keys; a button does the action it has."""

    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = DIALOG_CSS

    def __init__(self, title: str, *, wide: bool = False, grave: bool = False, hint: str = "") -> None:
        super().__init__()
        self._title = safetext.line(title, _LONGEST_TITLE)
        self._box = " ".join(["box", *(["wide"] if wide else []), *(["grave"] if grave else [])])
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes=self._box):
            yield Static(self._title, classes="title", markup=False)
            yield from self.body()
            if self._hint:
                yield Static(safetext.block(self._hint), classes="hint", markup=False)

    def body(self) -> ComposeResult:
        """What stands between the title and the keys."""
        raise NotImplementedError

    def set_title(self, title: str) -> None:
        """Show another title."""
        self.query_one(".title", Static).update(safetext.line(title, _LONGEST_TITLE))

    def action_scroll(self, by: int) -> None:
        """Lines of the body up or down."""
        self.query_one(".body").scroll_relative(y=by, animate=False)

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        if event.button.name:
            await self.app.run_action(event.button.name, self)


class Confirm(Dialog[bool]):
    """Yes or no, with *No* in focus.  ``lines`` say what it costs or loses; the answer is True only for a plain yes."""

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
        super().__init__(title, grave=grave)
        self._lines = lines
        self._labels = (safetext.line(no, 40), safetext.line(yes, 40))
        self._grave = grave

    def body(self) -> ComposeResult:
        with VerticalScroll(classes="body", can_focus=False):
            for line in self._lines:
                yield Static(line if isinstance(line, Content) else safetext.block(line), markup=False)
        variant = "error" if self._grave else "primary"
        with Horizontal(classes="buttons"):
            yield button(f"{self._labels[0]}  {sign_of('no')}", id="no", action="answer(False)")
            yield button(f"{self._labels[1]}  {sign_of('yes')}", id="yes", action="answer(True)", variant=variant)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def action_answer(self, yes: bool) -> None:
        """Leave with the answer."""
        self.dismiss(yes)


class Ask(Dialog[str | None]):
    """One line of text; None when left with Escape.  With ``replaced`` what is typed first takes the value's place."""

    BINDINGS: ClassVar[list[BindingType]] = [BACK]

    def __init__(
        self, title: str, *, value: str = "", placeholder: str = "", hint: str = "", replaced: bool = False
    ) -> None:
        super().__init__(title, hint=hint)
        self._value = value
        self._placeholder = placeholder
        self._replaced = replaced

    def body(self) -> ComposeResult:
        yield line_input(self._value, placeholder=self._placeholder, id="text")

    def on_mount(self) -> None:
        if self._replaced:
            self.query_one(Input).action_select_all()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class Choose(Dialog[str | None]):
    """One of several, each a name to answer with and a line to show; None when left with Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [BACK]

    def __init__(
        self,
        title: str,
        choices: Sequence[tuple[str, str | Content]],
        *,
        lines: Sequence[str] = (),
        wide: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(title, wide=wide, hint=hint)
        self._choices = list(choices)
        self._lines = lines

    def body(self) -> ComposeResult:
        for line in self._lines:
            yield Static(safetext.block(line), classes="said", markup=False)
        options = (text if isinstance(text, Content) else Content(safetext.line(text)) for _, text in self._choices)
        yield KeyedOptionList(*(Option(text) for text in options), markup=False, id="choices")

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    def take_out(self, index: int) -> None:
        """Take a choice out of the list."""
        del self._choices[index]
        self.query_one(OptionList).remove_option_at_index(index)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index][0])


class Reading(Dialog[None]):
    """Something to read in full, scrolled by the arrows; any of Escape, Enter and q leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape,enter,q", "leave", "back", "back", "leave"),
        *SCROLL,
        Binding("pagedown,space", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("home,g", "scroll(-100000)", show=False),
        Binding("end,G", "scroll(100000)", show=False),
    ]

    def __init__(self, title: str, text: str | Content, *, wide: bool = True, edge: str = "esc back") -> None:
        """``edge`` stands on the lower edge of the box."""
        super().__init__(title, wide=wide)
        self._text = text if isinstance(text, Content) else safetext.block(text)
        self._edge = edge

    def body(self) -> ComposeResult:
        with VerticalScroll(classes="body", can_focus=False):
            yield Static(self._text, markup=False)

    def on_mount(self) -> None:
        self.query_one(".box").border_subtitle = self._edge

    def action_page(self, by: int) -> None:
        """A page up or down, a line of it kept."""
        body = self.query_one(VerticalScroll)
        body.scroll_relative(y=by * max(1, body.size.height - 1), animate=False)


def ask_replace(dest: Path) -> Confirm:
    """Whether a file that is there already may be written over."""
    return Confirm(f"{dest} already exists", ["Replace the file?"], yes="Replace", grave=True)


def ask_delete(records: Sequence[BatchRecord], verdicts: int) -> Choose:
    """A question that is answered ``keep``, ``here``, ``there`` or ``both``; keeping is in focus.  ``verdicts`` are those
    of reviews that go too.
    """
    stored = any(r.results == "stored" or r.partly_here for r in records)
    at_service = [r for r in records if batch.at_api(r)]
    lines = batch.deleted_with(records, verdicts, here=True, there=bool(at_service))
    choices: list[tuple[str, str | Content]] = [("keep", "No, keep them" if len(records) > 1 else "No, keep it")]
    if at_service:
        kept = "downloaded results stay here" if stored else "only the record stays here"
        choices.append(("there", _choice("At the API", kept)))
    what = "record, requests and results" if stored else "record and requests"
    choices.append(("here", _choice("Here", f"{what}, permanently")))
    if at_service:
        choices.append(("both", _choice("Both", "everything, permanently")))
    # One below the other without a gap: all that is lost is to be in view beside the choices.
    return Choose(f"Delete {batch.titles(records, requests=True)}?", choices, lines=["\n".join(lines)] if lines else ())


def _choice(what: str, loses: str) -> Content:
    return Content.assemble(f"{what:<16}", (loses, "$foreground 60%"))


class FormField(NamedTuple):
    """A line of a form: the id of its input, what stands above it, and an example."""

    id: str
    label: str
    placeholder: str


class FormDialog(Dialog[R]):
    """Lines to type in, each with a label: Enter goes to the next one, and saves in the last."""

    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        bind("ctrl+s", "save", "save", "save", "save", priority=True),
    ]
    FIELDS: ClassVar[tuple[FormField, ...]] = ()

    def __init__(self, title: str, values: Sequence[str]) -> None:
        super().__init__(title, hint=f"enter  next, save    {sign_of('save')}  save    esc  back")
        self._values = tuple(values)

    def body(self) -> ComposeResult:
        for field, value in zip(self.FIELDS, self._values, strict=True):
            yield Static(field.label, classes="label", id=f"{field.id}-label", markup=False)
            yield line_input(value, placeholder=field.placeholder, id=field.id)

    def on_mount(self) -> None:
        self.query(Input).first().focus()

    @property
    def written(self) -> tuple[str, ...]:
        """What stands in the lines."""
        return tuple(self.query_one(f"#{field.id}", Input).value for field in self.FIELDS)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.input.id == self.FIELDS[-1].id:
            self.action_save()
        else:
            self.focus_next(Input)

    def action_save(self) -> None:
        """Take what is written."""
        raise NotImplementedError


class EditModal(FormDialog[tuple[str, str] | None]):
    """Answers with (title, note), None when left."""

    FIELDS = (
        FormField("title-text", "Title", "October evaluation"),
        FormField("note-text", "Note", "prompt v3, without examples"),
    )

    def __init__(self, title: str, note: str, *, heading: str = "Title and note", lead: str = "") -> None:
        """``lead`` says above the lines what they are for."""
        super().__init__(heading, (safetext.line(title, 300), safetext.line(note, 2_000)))
        self._lead = lead

    def body(self) -> ComposeResult:
        if self._lead:
            yield Static(self._lead, classes="said label", markup=False)
        yield from super().body()

    def action_save(self) -> None:
        """Keep what was written."""
        title, note = self.written
        self.done()
        self.dismiss((title.strip(), note.strip()))

    def action_leave(self) -> None:
        """Leave it as it was."""
        if self.written != self._values:
            self.say_below("Title and note not saved.", advice=f"Press {key_of('save')} to save instead of Esc.")
        self.dismiss(None)
