"""The form in one line, once its source was read: what it says, and the key that unfolds it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.plan import Plan
from batchtui.present import numbers, plan
from batchtui.tui.new.source_form import SourceForm


def form_facts(form: SourceForm, made: Plan | None, *, columns: int, template_edited: bool) -> list[str]:
    """What the form says: source, format, template, models, and what is switched on."""
    template = Path(form.template_path).name
    if template_edited:
        template = f"{template}, edited" if template else "written here"
    facts = [
        Path(form.first_path).name or form.typed,
        _content(made, columns) if made is not None else "",
        f"template {template}" if template else "",
        (plan.models(made) if made is not None else form.model).replace("claude-", ""),
        form.table.words,
        "skip errors" if form.skip_bad else "",
        "1h cache" if form.cache_prefix else "",
        "close schemas" if form.close_schemas else "",
        "files read again" if form.reread else "",
    ]
    return [safetext.line(fact, 80) for fact in facts if fact]


def _content(made: Plan, columns: int) -> str:
    if not columns:
        return made.format
    kind = made.format.removeprefix("rows of ")
    # A row that makes no request is counted by its error, which may be one of several.
    rows = "" if made.errors else f"{numbers.plural(made.requests + made.skipped, 'row')}, "
    shape = f"{rows}{numbers.plural(columns, 'column')}"
    return f"{kind}, {shape}" if kind else shape


class FoldedForm(Static, can_focus=True):
    """Stands in the form's place; Enter or a click posts Opened."""

    DEFAULT_CSS = """
    FoldedForm { height: 1; padding: 0 1; display: none; text-wrap: nowrap; text-overflow: ellipsis; }
    FoldedForm:focus { background: $primary 20%; }
    FoldedForm:ansi:focus { background: ansi_default; text-style: reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "edit", show=False)]

    class Opened(Message):
        """The form is asked for."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", markup=False, id=id)

    def tell(self, facts: list[str], key: str) -> None:
        """Show what the form says, and the key that unfolds it, which stays in view."""
        self.update(Content.assemble((f"{key} edit  ", "dim"), " · ".join(facts)))

    def action_open(self) -> None:
        """Unfold the form."""
        self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """The same."""
        event.stop()
        self.action_open()
