"""How a table is to be read, where detection should not decide: delimiter, encoding, rows to skip, comment lines, no header."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from batchtui import safetext
from batchtui.intake.options import TableOptions
from batchtui.tui.base import BaseModal
from batchtui.tui.bindings import bind
from batchtui.tui.dialogs import BACK, line_input
from batchtui.tui.widgets.toggle import Toggle

_FIELDS = (
    ("delimiter", "Delimiter", "auto-detect; ; or tab"),
    ("encoding", "Encoding", "auto-detect; cp1251, shift_jis, utf-16"),
    ("skip_rows", "Skip rows", "0 lines before the header"),
    ("comment", "Comment", "none; # skips lines that begin with it"),
)


class TableDialog(BaseModal[TableOptions | None]):
    """Answers with the options, None when left."""

    CSS_PATH = "../dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        BACK,
        bind("ctrl+s", "save", "save", "save", "use these options", priority=True),
    ]

    def __init__(self, options: TableOptions) -> None:
        super().__init__()
        self._options = options

    def compose(self) -> ComposeResult:
        """A field each."""
        with Vertical(classes="box"):
            yield Static("Table options", classes="title", markup=False)
            for name, label, placeholder in _FIELDS:
                value = getattr(self._options, name)
                yield Static(label, classes="label", markup=False)
                yield line_input(safetext.line(str(value or ""), 100), placeholder=placeholder, id=f"table-{name}")
            yield Toggle("No header: columns are column_1, column_2, …", id="table-no_header")
            yield Static("", id="table-wrong", markup=False)
            yield Static("enter  next, save    ^s  save    esc  back", classes="hint", markup=False)

    def on_mount(self) -> None:
        """The delimiter has the cursor."""
        self.query_one(Toggle).set(self._options.no_header)
        self.query_one("#table-delimiter").focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        fields = list(self.query(Input))
        at = fields.index(event.input)
        if at + 1 < len(fields):
            fields[at + 1].focus()
        else:
            self.action_save()

    def action_save(self) -> None:
        """Use what is written, when it can be used."""
        text = {name: self.query_one(f"#table-{name}", Input).value for name, _, _ in _FIELDS}
        rows = text["skip_rows"].strip() or "0"
        made = TableOptions(
            # A space can be a delimiter.
            delimiter=text["delimiter"].strip() or text["delimiter"][:1],
            encoding=text["encoding"].strip(),
            skip_rows=int(rows) if rows.isascii() and rows.isdigit() and len(rows) < 10 else -1,
            comment=text["comment"].strip(),
            no_header=self.query_one(Toggle).on,
        )
        wrong = made.problem()
        if wrong:
            self.query_one("#table-wrong", Static).update(Content.styled(f"✗ {wrong}", "$text-error"))
        else:
            self.dismiss(made)
