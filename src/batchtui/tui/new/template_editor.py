"""The template that turns a table's rows into requests: its text, the columns at hand, and one row rendered as you type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static, TextArea

from batchtui import safetext
from batchtui.intake.preview import Peek
from batchtui.intake.row import RunRow
from batchtui.results.gold import is_likely
from batchtui.tui.new.compose_pane import editable
from batchtui.tui.widgets.answer_view import AnswerView, Section

PREVIEW_PAUSE = 0.3
"""Seconds after the last key before a row is rendered."""
CHECK_PAUSE = 1.5
"""Seconds after the last key before the whole source is checked again."""
MOST_SHOWN = 1_000_000
"""Characters of a template that the pane shows."""
TOO_LONG = "\n… the rest is not shown; edit the template in its file"
BESIDE = 96
"""From this width on the preview stands beside the text, in cells."""


MOST_ASKED = 12
"""Columns of a run's rows that the starter shows beside the answer."""
MOST_NAMED = 200
"""Columns that are named beside the template."""


_OFFERED = """
# To have answers as fields, checked and counted, take out the # (batchtui help templates):
# [answer]
# label = ["yes", "no", "unclear"]
# score = { type = "integer", minimum = 1, maximum = 5 }
"""


_JUDGE = """
You check the work of someone else. Is this answer right?
{asked}
<answer>
{{{{ answer }}}}
</answer>
\"\"\"

[answer]
verdict = ["right", "wrong", "unclear"]
reason = "string"
"""


def judge(peek: Peek, model: str) -> str:
    """A template to begin with where the rows are a run's: it grades each answer beside the row's columns, those with
    right values left out.
    """
    row = peek.rows[0]
    columns = [name for name in row.parts.own if not is_likely(name)] if isinstance(row, RunRow) else []
    names = [(name, name if name.isidentifier() else f"row[{name!r}]") for name in columns[:MOST_ASKED]]
    lines = "".join(f"\n{safetext.line(name, 60)}: {{{{ {shown} }}}}" for name, shown in names)
    asked = f"\n<row>{lines}\n</row>\n" if names else "\n<request>\n{{ prompt }}\n</request>\n"
    return f'model = "{model}"\nmax_tokens = 1024\nprompt = """' + _JUDGE.format(asked=asked)


def starter(peek: Peek, model: str) -> str:
    """A template to begin with: the id column as the id, the column with the longest texts as the prompt."""
    if peek.rows and isinstance(peek.rows[0], RunRow) and peek.rows[0].parts.scoped:
        return judge(peek, model)
    ids = next((name for name in peek.columns if name.lower() in ("id", "custom_id", "key")), "")
    custom_id = f'custom_id = "{{{{ {ids} }}}}"\n' if ids.isidentifier() else ""

    def length(name: str) -> int:
        return sum(min(2_000, len(str(row.get(name) or ""))) for row in peek.rows)

    prompt = max((name for name in peek.columns if name != ids), key=length, default=ids or "text")
    shown = prompt if prompt.isidentifier() else f"row[{prompt!r}]"
    request = f'model = "{model}"\nmax_tokens = 1024\n{custom_id}prompt = """\n{{{{ {shown} }}}}\n"""\n'
    return request + _OFFERED


class TemplateEditor(Container):
    """Posts Edited with every change, Changed when the text has rested; Rested sooner, for the preview."""

    DEFAULT_CSS: ClassVar[str] = """
    TemplateEditor { layout: vertical; }
    TemplateEditor.beside { layout: horizontal; }
    TemplateEditor #template-left { height: 1fr; min-height: 6; width: 1fr; }
    TemplateEditor #template-columns { height: auto; max-height: 2; padding: 0 1; }
    TemplateEditor TextArea { height: 1fr; background: $surface; padding: 0 1; scrollbar-size-vertical: 1; }
    TemplateEditor #template-preview { height: 1fr; }
    TemplateEditor.beside #template-preview { width: 1fr; margin-left: 1; }
    """

    class Edited(Message):
        """The text changed, and may go on changing."""

    class Changed(Message):
        """The template's text rested for a while after a change."""

    class Rested(Message):
        """The text rested a moment: render a row."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._resting: list[Timer] = []
        self._loaded = self._starter = ""
        self._received = ""
        """What was loaded as its file holds it; the pane shows it with control characters as signs."""
        self._peek = Peek()
        self.name_of = ""
        """The file whose text this is, edited or not; "" for one that was written here."""
        self.number = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="template-left"):
            yield Static("", id="template-columns", markup=False)
            editor = TextArea("", id="template-text", compact=True, highlight_cursor_line=False, tab_behavior="focus")
            editor.cursor_blink = False
            yield editor
        yield AnswerView("preview", id="template-preview")

    def on_resize(self, event: events.Resize) -> None:
        """Beside each other where there is room."""
        self.set_class(event.size.width >= BESIDE, "beside")

    @property
    def text(self) -> str:
        """The template as it stands."""
        return self.query_one(TextArea).text

    @property
    def edited(self) -> str:
        """The text when it differs from what was loaded, "" when it does not or is empty."""
        return self.text if self.text.strip() and self.text != self._loaded else ""

    @property
    def planned(self) -> str:
        """The template that is shown: the file's own text until it is edited."""
        return self._received if self.text == self._loaded else self.text

    @property
    def row(self) -> Mapping[str, Any] | None:
        """The row that is rendered in the preview."""
        return self._peek.rows[self.number % len(self._peek.rows)] if self._peek.rows else None

    def set_table(self, peek: Peek) -> None:
        """Another table: its columns are at hand."""
        self._peek = peek
        self.number = 0
        names = ", ".join(safetext.line(name, 40) for name in peek.columns[:MOST_NAMED])
        names = names or "none: choose a table as the source"
        if len(peek.columns) > MOST_NAMED:
            names += f" and {len(peek.columns) - MOST_NAMED:,} more"
        self.query_one("#template-columns", Static).update(
            Content.assemble(("columns  ", "dim"), (names, "$text-accent"))
        )
        self._rest()

    def load(self, text: str, name: str) -> None:
        """Show a template that lies in a file; it counts as edited once it is changed."""
        area = self.query_one(TextArea)
        self._received = text
        self.name_of = name
        # An over-long text can't be edited here: what the pane leaves out would be lost.
        area.read_only = len(text) > MOST_SHOWN
        shown = editable(text[:MOST_SHOWN]) + (TOO_LONG if area.read_only else "")
        if shown != area.text:
            area.load_text(shown)
        self._loaded = area.text

    def holds(self, text: str, name: str) -> bool:
        """True when this is what was loaded."""
        return name == self.name_of and text == self._received

    def restore(self, text: str, name: str) -> None:
        """Show a draft's template, an edit of the file ``name``; it counts as edited.  Without a text the pane is empty."""
        self._loaded = self._received = ""
        self.name_of = name if text else ""
        area = self.query_one(TextArea)
        area.read_only = False
        area.load_text(editable(text))

    @property
    def composed(self) -> bool:
        """True when the person changed something: a starter alone is not worth keeping."""
        return bool(self.edited) and self.text != self._starter

    def begin(self, text: str) -> bool:
        """Put a starter there, when there is nothing yet, or an untouched one of other columns; True when it was put."""
        untouched = not self.text.strip() or self.text == self._starter
        if not untouched or self.text == editable(text):
            return False
        self._loaded = self._received = ""
        self.query_one(TextArea).load_text(text)
        self._starter = self.text
        return True

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(self.Edited())
        self._rest()

    def _rest(self) -> None:
        for timer in self._resting:
            timer.stop()
        self._resting = [
            self.set_timer(PREVIEW_PAUSE, lambda: self.post_message(self.Rested())),
            self.set_timer(CHECK_PAUSE, lambda: self.post_message(self.Changed())),
        ]

    async def step(self, by: int) -> None:
        """Render another row."""
        if self._peek.rows:
            self.number = (self.number + by) % len(self._peek.rows)
            self.post_message(self.Rested())

    async def show_preview(self, sections: Sequence[Section]) -> None:
        """Show a row as it is rendered, or what is wrong with it."""
        where = f"row {self.number + 1} of the first {len(self._peek.rows)}" if self._peek.rows else ""
        await self.query_one(AnswerView).show(sections, title=where, markdown=False)
