"""Where requests come from: paths, format, template file, two switches, and how a table is to be read."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Select, Static

from batchtui import safetext
from batchtui.domain.errors import InputError
from batchtui.intake.drafts import Draft
from batchtui.intake.options import FORMATS, TableOptions
from batchtui.tui.bindings import key_of, sign_of
from batchtui.tui.new.check import split_paths
from batchtui.tui.widgets.model_input import ModelInput
from batchtui.tui.widgets.path_input import PathInput
from batchtui.tui.widgets.toggle import Toggle

AUTO = "auto"


class SourceForm(Vertical):
    """Posts Changed when something was chosen that asks for another check."""

    DEFAULT_CSS: ClassVar[str] = """
    SourceForm { height: auto; }
    SourceForm PathInput { width: 1fr; }
    SourceForm Select { width: 1fr; max-width: 44; background: $surface; }
    SourceForm Toggle { margin-left: 3; }
    SourceForm #source-model { width: 22; }
    SourceForm #source-table, SourceForm #source-run { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    SourceForm #source-table { width: 1fr; }
    SourceForm #source-run { width: auto; max-width: 1fr; }
    """

    table = TableOptions()
    """How a table is to be read, as the dialog was left."""
    _last = "source-path"
    """The field that was typed in last, or that the cursor began in."""

    class Edited(Message):
        """A field reads differently, and may go on changing."""

    class Changed(Message):
        """Another source, format, template or switch; ``asked`` is the field that Enter was pressed in, None where a
        field was only left.
        """

        def __init__(self, *, asked: Input | None) -> None:
            super().__init__()
            self.asked = asked

    def compose(self) -> ComposeResult:
        with Horizontal(classes="form-line"):
            yield Static("Source", classes="form-label", markup=False)
            completes, browses = sign_of("path.complete"), key_of("new.browse")
            example = f"~/data/tickets.jsonl   ({completes} completes, {browses} browses)"
            yield PathInput(placeholder=example, id="source-path", last=(".toml",))
        with Horizontal(classes="form-line"):
            yield Static("Format", classes="form-label", markup=False)
            options = [
                (Content("auto-detect"), AUTO),
                *((Content(words), name) for name, words in FORMATS.items()),
            ]
            yield Select(options, value=AUTO, allow_blank=False, compact=True, id="source-format")
            yield Toggle(
                "Skip errors", id="source-skip", tooltip="skip requests with errors; they are kept with the batch"
            )
            yield Toggle("1h cache", id="source-cache", tooltip="put system prompt and tools in a 1-hour prompt cache")
            tip = "add additionalProperties: false to the objects of schemas"
            closing = Toggle("Close schemas", id="source-close", tooltip=tip)
            closing.display = False
            yield closing
        with Horizontal(classes="form-line"):
            yield Static("Template", classes="form-label", markup=False)
            yield PathInput(placeholder="labels.toml (for rows)", id="source-template", endings=(".toml",))
            yield Static("Model", classes="form-label", id="source-model-label", markup=False)
            yield ModelInput(placeholder="claude-haiku-4-5", id="source-model")

        with Horizontal(classes="form-line", id="source-table-line"):
            yield Static("Table", classes="form-label", markup=False)
            yield Static("", id="source-table", markup=False)
        with Horizontal(classes="form-line", id="source-run-line"):
            yield Static("Rows", classes="form-label", markup=False)
            yield Static("", id="source-run", markup=False)
            tip = "read the files that the run was made from as they are now; what differs is shown before anything is sent"
            yield Toggle("Reread files", id="source-reread", tooltip=tip)

    def on_mount(self) -> None:
        """The line of the table's options is there while there are some."""
        self.set_table(self.table)
        self.say_rows("")

    def say_rows(self, words: str, *, files: bool = False) -> None:
        """Say which rows of a run are meant, "" where no run is; ``files`` offers to read those of a run again."""
        self.query_one("#source-run-line").display = bool(words)
        self.query_one("#source-reread", Toggle).display = files
        said = self.query_one("#source-run", Static)
        # Beside a switch the words take what they need; alone they take the line, and are cut where it ends.
        said.styles.width = "auto" if files else "1fr"
        said.update(Content(safetext.line(words, 160)))

    def begin_again(self) -> None:
        """Say that template and model are the run's own while none is typed."""
        self.query_one("#source-template", PathInput).placeholder = "the run's own template"
        self.query_one("#source-model", Input).placeholder = "the run's own model"

    def focus_path(self) -> None:
        """Put the cursor on the path."""
        self.query_one("#source-path").focus()

    def focus_choice(self, *, again: bool) -> None:
        """Put the cursor on what is to be chosen for the rows of a run: the other model, or the template."""
        self._last = "source-model" if again else "source-template"
        self.focus_last()

    def focus_last(self) -> None:
        """Put the cursor where it was typed last, or where it began."""
        self.query_one(f"#{self._last}").focus()

    def focus_template(self) -> None:
        """Put the cursor on the template's path."""
        self.query_one("#source-template").focus()

    @property
    def typed(self) -> str:
        """The paths as they were typed."""
        return self.query_one("#source-path", Input).value.strip()

    @property
    def first_path(self) -> str:
        """The first path, for a title."""
        try:
            return next(iter(split_paths(self.typed)), "")
        except InputError:
            return self.typed

    @property
    def has_template(self) -> bool:
        """True when a template file is named."""
        return bool(self.template_path)

    @property
    def template_path(self) -> str:
        """The template file, "" for none."""
        return self.query_one("#source-template", Input).value.strip()

    def set_path(self, typed: str) -> None:
        """Write the paths into the field."""
        field = self.query_one("#source-path", Input)
        field.value = typed
        field.cursor_position = len(typed)

    def set_template(self, path: str) -> None:
        """Name a template file."""
        self.query_one("#source-template", Input).value = path

    def set_table(self, options: TableOptions) -> None:
        """Read tables like this."""
        self.table = options
        self.query_one("#source-table-line").display = bool(options.words)
        self.query_one("#source-table", Static).update(Content(safetext.line(options.words, 120)))

    @property
    def model(self) -> str:
        """The model for requests that name none, or another maker's; "" for the profile's own."""
        return self.query_one("#source-model", Input).value.strip()

    @property
    def format(self) -> str | None:
        """The chosen format, None when it is told from the content."""
        chosen = self.query_one("#source-format", Select).value
        return None if chosen == AUTO else str(chosen)

    @property
    def skip_bad(self) -> bool:
        """Whether bad requests are left out."""
        return self.query_one("#source-skip", Toggle).on

    @property
    def cache_prefix(self) -> bool:
        """Whether system and tools go under a 1-hour cache."""
        return self.query_one("#source-cache", Toggle).on

    @property
    def close_schemas(self) -> bool:
        """Whether objects of schemas are closed."""
        return self.query_one("#source-close", Toggle).on

    @property
    def choices(self) -> tuple[object, ...]:
        """All that can be typed or chosen here."""
        texts = (self.typed, self.format, self.table, self.template_path, self.model)
        return (*texts, self.skip_bad, self.cache_prefix, self.close_schemas, self.reread)

    @property
    def reread(self) -> bool:
        """Whether the files of the run that is made again are read as they are now."""
        return self.query_one("#source-reread", Toggle).on

    def offer_closing(self, offered: bool) -> None:
        """Show the switch that closes schemas where it would help, and while it is on."""
        self.query_one("#source-close", Toggle).display = offered or self.close_schemas

    def restore(self, draft: Draft) -> None:
        """Put a draft's choices into the fields."""
        self.query_one("#source-model", Input).value = draft.default_model
        self.set_path(draft.sources[0] if draft.sources else "")
        self.set_template(draft.template_path)
        self.set_table(draft.table)
        with self.prevent(Select.Changed):
            self.query_one("#source-format", Select).value = draft.format if draft.format in FORMATS else AUTO
        self.query_one("#source-skip", Toggle).set(draft.skip_bad)
        self.query_one("#source-cache", Toggle).set(draft.cache_prefix)
        self.query_one("#source-close", Toggle).set(draft.close_schemas)
        self.query_one("#source-reread", Toggle).set(draft.reread)
        self.offer_closing(False)

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.has_focus and event.input.id:
            self._last = event.input.id
        self.post_message(self.Edited())

    @on(Input.Submitted)
    @on(Input.Blurred)
    async def _settled(self, event: Input.Submitted | Input.Blurred) -> None:
        event.stop()
        if isinstance(event, Input.Submitted) and isinstance(event.input, PathInput):
            await event.input.complete_only()
        self.post_message(self.Changed(asked=event.input if isinstance(event, Input.Submitted) else None))

    @on(Select.Changed)
    @on(Toggle.Changed)
    def _switched(self, event: Select.Changed | Toggle.Changed) -> None:
        event.stop()
        if self.typed:
            self.post_message(self.Changed(asked=None))
