"""The request beside its answer, and what either is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Container

from batchtui.domain.errors import BatchtuiError
from batchtui.store.view import ResultRow, View
from batchtui.tui import figures
from batchtui.tui.screens.results_sections import answer_sections, request_sections
from batchtui.tui.widgets.answer_view import AnswerView, Section
from batchtui.tui.widgets.json_text import pretty

Mode = Literal["markdown", "plain", "raw"]
SIDE_BY_SIDE = 100
"""From this width on the request stands beside its answer, in cells; narrower it stands above."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the pane shows: a row of a view, and which of its answers (0 is the one that holds)."""

    view: View
    row: int
    older: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """A row as read from disk."""

    row: ResultRow
    answer: bytes
    request: bytes | None
    note: str


def read(shown: Shown) -> Read:
    """Read a row's request and the chosen answer; for a thread.  Raises StoreError."""
    view = shown.view
    row = view.row(shown.row)
    request = view.request_raw(shown.row)
    if not shown.older:
        many = f" · answer 1 of {row.older + 1}" if row.older else ""
        return Read(row, view.raw(shown.row), request, many)
    member, place = view.older(shown.row)[shown.older - 1]
    older = view.members[member]
    note = f" · answer {shown.older + 1} of {row.older + 1}, from try {view.attempt_of(member) + 1}"
    return Read(older.row(place), older.read(place), older.read_request(place) or request, note)


def title_of(found: Read) -> str:
    """What stands above the answer: how it ended."""
    row = found.row
    how = row.cut_short or row.stop_reason or row.error or row.outcome
    sign = "" if row.good else " (cut short)" if row.cut_short else ""
    return f"· {how}{sign}{found.note}"


def note_of(row: ResultRow) -> str:
    """What stands below the answer: tokens and cost."""
    if row.outcome != "succeeded":
        return figures.size(row.size) if row.size else ""
    cached = f" · cache {figures.tokens(row.cache_read_tokens)} read {figures.tokens(row.cache_write_tokens)} written"
    tokens = f"{figures.tokens(row.input_tokens)} in · {figures.tokens(row.output_tokens)} out"
    extra = cached if row.cache_read_tokens or row.cache_write_tokens else ""
    return f"{tokens}{extra} · {figures.usd(row.cost_usd)}"


class DetailPane(Container):
    """Two panes that scroll apart: what was asked, what came back."""

    DEFAULT_CSS: ClassVar[str] = """
    DetailPane { layout: vertical; height: 1fr; width: 1fr; }
    DetailPane #request { height: auto; max-height: 35%; }
    DetailPane.beside { layout: horizontal; }
    DetailPane.beside #request { width: 2fr; height: 1fr; max-height: 100%; margin-right: 1; }
    DetailPane.beside #answer { width: 3fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.mode: Mode = "markdown"
        self._read: Read | None = None

    def compose(self) -> ComposeResult:
        """Request first, as it came first."""
        yield AnswerView("request", id="request")
        yield AnswerView("answer", id="answer")

    def on_resize(self, event: events.Resize) -> None:
        """Beside each other where there is room."""
        self.set_class(event.size.width >= SIDE_BY_SIDE, "beside")

    @property
    def answer(self) -> AnswerView:
        """The answer's pane."""
        return self.query_one("#answer", AnswerView)

    async def show(self, found: Read, *, mode: Mode) -> None:
        """Show a row."""
        self.mode = mode
        self._read = found
        asked, said = self._sections(found, mode)
        markdown = mode == "markdown"
        await self.query_one("#request", AnswerView).show(asked, title=f"· {_model(found)}", markdown=markdown)
        await self.answer.show(said, title=title_of(found), note=note_of(found.row), markdown=markdown)

    async def show_nothing(self, why: str) -> None:
        """Show why there is nothing."""
        self._read = None
        await self.query_one("#request", AnswerView).show([])
        await self.answer.show([Section("", why, "note")])

    async def show_error(self, error: BatchtuiError) -> None:
        """Show an error in the answer's place."""
        await self.answer.show([Section(str(error), error.advice, "plain", "bad")])

    @staticmethod
    def _sections(found: Read, mode: Mode) -> tuple[list[Section], list[Section]]:
        if mode == "raw":
            asked = [Section("", pretty(found.request), "json")] if found.request else []
            said = [Section("", pretty(found.answer), "json")] if found.answer else []
        else:
            asked = request_sections(found.request) if found.request else []
            said = (
                answer_sections(found.answer, found.row)
                if found.answer or found.row.outcome in ("missing", "waiting")
                else []
            )
        none = "The request is not kept here: the batch was made elsewhere."
        return asked or [Section("", none, "note")], said or [Section("", "No line came for this request.", "note")]

    def text(self) -> str:
        """What is shown, as text to take away: the answer's text, or the raw line in raw mode."""
        if self._read is None:
            return ""
        if self.mode == "raw":
            return pretty(self._read.answer)
        return plain_text(answer_sections(self._read.answer, self._read.row))

    def whole(self) -> str:
        """Request and answer in full, for a pager."""
        if self._read is None:
            return ""
        if self.mode == "raw":
            return f"{pretty(self._read.request or b'')}\n\n{pretty(self._read.answer)}\n"
        asked = plain_text(request_sections(self._read.request), titles=True) if self._read.request else ""
        said = plain_text(answer_sections(self._read.answer, self._read.row), titles=True)
        return f"== request {self._read.row.custom_id} ==\n\n{asked}\n\n== answer {title_of(self._read)[2:]} ==\n\n{said}\n"


def plain_text(sections: list[Section], *, titles: bool = False) -> str:
    """Sections as plain text; without titles only the text that was said, unless there is nothing else."""
    if titles:
        return "\n\n".join(f"[{s.title}]\n{s.body}" if s.title else s.body for s in sections)
    said = [s.body for s in sections if s.form == "prose"]
    return "\n\n".join(said or [f"{s.title}\n{s.body}".strip() for s in sections])


def _model(found: Read) -> str:
    return f"{found.row.custom_id} · {found.row.model}" if found.row.model else found.row.custom_id
