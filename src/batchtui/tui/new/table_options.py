"""How a table is to be read, where detection should not decide: delimiter, encoding, rows to skip, comment lines, no header."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.intake.options import TableOptions
from batchtui.tui.bindings import bind
from batchtui.tui.dialogs import FormDialog, FormField
from batchtui.tui.widgets.toggle import Toggle


class TableDialog(FormDialog[TableOptions | None]):
    """Answers with the options, None when left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("ctrl+s", "save", "save", "save", "use these options", priority=True),
    ]
    FIELDS = (
        FormField("table-delimiter", "Delimiter", "auto-detect; ; or tab"),
        FormField("table-encoding", "Encoding", "auto-detect; cp1251, shift_jis, utf-16"),
        FormField("table-skip_rows", "Skip rows", "0 lines before the header"),
        FormField("table-comment", "Comment", "none; # skips lines that begin with it"),
    )

    def __init__(self, options: TableOptions) -> None:
        values = options.delimiter, options.encoding, str(options.skip_rows or ""), options.comment
        super().__init__("Table options", [safetext.line(value, 100) for value in values])
        self._no_header = options.no_header

    def body(self) -> ComposeResult:
        """The options, and what is wrong with them."""
        yield from super().body()
        toggle = Toggle("No header: columns are column_1, column_2, …", id="table-no_header")
        toggle.set(self._no_header)
        yield toggle
        yield Static("", id="table-wrong", markup=False)

    def action_save(self) -> None:
        """Use what is written, when it can be used."""
        delimiter, encoding, skip_rows, comment = self.written
        rows = skip_rows.strip() or "0"
        made = TableOptions(
            # A space can be a delimiter.
            delimiter=delimiter.strip() or delimiter[:1],
            encoding=encoding.strip(),
            skip_rows=int(rows) if rows.isascii() and rows.isdigit() and len(rows) < 10 else -1,
            comment=comment.strip(),
            no_header=self.query_one(Toggle).on,
        )
        wrong = made.problem()
        if wrong:
            self.query_one("#table-wrong", Static).update(Content.styled(f"✗ {wrong}", "$text-error"))
        else:
            self.dismiss(made)
