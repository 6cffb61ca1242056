"""The detail pane of the results: the request and the answer of the row under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.timer import Timer

from batchtui.domain.errors import BatchtuiError
from batchtui.present import numbers
from batchtui.results.answer_markdown import markdown
from batchtui.results.text import read_answer
from batchtui.results.view import ResultRow, View
from batchtui.tui.bindings import key_of
from batchtui.tui.results.rows import ResultRows
from batchtui.tui.widgets.answer_view import AnswerView, Section, pretty
from batchtui.tui.widgets.row_list import RowList
from batchtui.tui.widgets.sections import answer_sections, plain_text, request_sections, system_is_shared

Mode = Literal["markdown", "plain", "raw"]
SIDE_BY_SIDE = 100
"""From this width on the request stands beside its answer, in cells; narrower it stands above."""
PAUSE = 0.06
"""Seconds the cursor rests before an answer is read, so that a held-down key reads none on its way."""


def _hidden() -> str:
    right, wrong = key_of("review.right"), key_of("review.wrong")
    return f"Hidden until your verdict: {right} or {wrong} asks for the right value."


@dataclass(frozen=True, slots=True)
class ShownResult:
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
    why: str = ""
    """Why the answer is invalid, in words."""
    shared_system: bool = False
    """Whether all requests have the same system prompt."""


def read(shown: ShownResult) -> Read:
    """Read a row's request and the chosen answer; for a thread.  Raises StoreError."""
    view = shown.view
    row = view.row(shown.row)
    request = view.request_raw(shown.row)
    if not shown.older:
        many = f" · answer 1 of {row.older + 1}" if row.older else ""
        return Read(row, view.raw(shown.row), request, many, view.why_invalid(shown.row), system_is_shared(view))
    member, place = view.older(shown.row)[shown.older - 1]
    older = view.members[member]
    note = f" · answer {shown.older + 1} of {row.older + 1}, from attempt {view.attempt_of(member) + 1}"
    return Read(
        older.row(place), older.read(place), older.read_request(place) or request, note, older.why_invalid(place)
    )


def title_of(found: Read) -> str:
    """What stands above the answer: how it ended."""
    row = found.row
    how = row.cut_short or row.stop_reason or row.error or row.outcome
    sign = "" if row.good else " (cut short)" if row.cut_short else " (invalid)" if row.invalid else ""
    return f"· {how}{sign}{found.note}"


def note_of(row: ResultRow) -> str:
    """What stands below the answer: tokens and cost."""
    if row.outcome != "succeeded":
        return numbers.size(row.size) if row.size else ""
    cached = f" · cache {numbers.tokens(row.cache_read_tokens)} read {numbers.tokens(row.cache_write_tokens)} written"
    tokens = f"{numbers.tokens(row.input_tokens)} in · {numbers.tokens(row.output_tokens)} out"
    extra = cached if row.cache_read_tokens or row.cache_write_tokens else ""
    return f"{tokens}{extra} · {numbers.at_least(numbers.usd_request(row.cost_usd), row.at_least)}"


class DetailPane(Container):
    """The row under a list's cursor in two panes that scroll apart: what was asked, what came back."""

    DEFAULT_CSS: ClassVar[str] = """
    DetailPane { layout: vertical; height: 1fr; width: 1fr; }
    DetailPane #request { height: auto; max-height: 35%; }
    DetailPane.hiding #request { max-height: 75%; }
    DetailPane.beside { layout: horizontal; }
    DetailPane.beside #request { width: 2fr; height: 1fr; max-height: 100%; margin-right: 1; }
    DetailPane.beside #answer { width: 3fr; }
    """

    def __init__(
        self, listed: RowList, hides: Callable[[int], bool] = lambda row: False, *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.mode: Mode = "markdown"
        self._hides = hides
        self._listed = listed
        self._older = 0
        self._rest: Timer | None = None

    def compose(self) -> ComposeResult:
        yield AnswerView("request", id="request")
        yield AnswerView("answer", id="answer")

    def on_resize(self, event: events.Resize) -> None:
        """Beside each other where there is room."""
        self.set_class(event.size.width >= SIDE_BY_SIDE, "beside")

    @property
    def answer(self) -> AnswerView:
        """The answer's pane."""
        return self.query_one("#answer", AnswerView)

    def wanted(self) -> ShownResult | None:
        """What is to be shown: the row under the cursor now, None when there is none."""
        source, key = self._listed.source, self._listed.cursor_key
        if isinstance(source, ResultRows) and isinstance(key, int):
            return ShownResult(source.view, key, self._older)
        return None

    def cursor_moved(self) -> None:
        """Show another row, and of its answers the one that holds."""
        self._older = 0
        self.show_soon()

    def step_older(self, by: int) -> None:
        """Show an older answer to the same request, or a newer one."""
        wanted = self.wanted()
        if wanted is not None:
            self._older = max(0, min(wanted.view.older_count(wanted.row), self._older + by))
            self.show_soon()

    def turn(self, mode: Mode) -> None:
        """Show it in another way; the same way once more goes back to Markdown."""
        self.mode = "markdown" if self.mode == mode else mode
        self.show_soon()

    def show_soon(self) -> None:
        """Read and show the row under the cursor once the cursor rests, where the pane is seen."""
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(PAUSE, self._rested)

    async def _rested(self) -> None:
        if self.display:
            await self.show_now()

    async def show_now(self) -> None:
        """Read the row under the cursor and show it, unless the cursor moved on meanwhile."""
        wanted = self.wanted()
        if wanted is None:
            if isinstance(self._listed.source, ResultRows):
                await self.query_one("#request", AnswerView).show([])
                await self.answer.show([Section("", "No results.", "note")])
            return
        try:
            found = await asyncio.to_thread(read, wanted)
        except BatchtuiError as error:
            if wanted == self.wanted():
                await self.answer.show([Section(str(error), error.advice, "plain", "bad")])
            return
        if wanted == self.wanted():
            await self._show(found)

    async def _show(self, found: Read) -> None:
        asked, said = self._sections(found, self.mode)
        wanted = self.wanted()
        title, note = title_of(found), note_of(found.row)
        hidden = wanted is not None and self._hides(wanted.row)
        self.set_class(hidden, "hiding")
        if hidden:
            title, note, said = "· hidden", "", [Section("", _hidden(), "note")]
        markdown = self.mode == "markdown"
        await self.query_one("#request", AnswerView).show(asked, title=f"· {_model(found)}", markdown=markdown)
        await self.answer.show(said, title=title, note=note, markdown=markdown)

    @staticmethod
    def _sections(found: Read, mode: Mode) -> tuple[list[Section], list[Section]]:
        if mode == "raw":
            asked = [Section("", pretty(found.request), "json")] if found.request else []
            said = [Section("", pretty(found.answer), "json")] if found.answer else []
        else:
            asked = request_sections(found.request, shared_system=found.shared_system) if found.request else []
            said = (
                answer_sections(found.answer, found.row, found.why)
                if found.answer or found.row.outcome in ("missing", "waiting")
                else []
            )
        none = "The request is not on this machine: the batch was submitted elsewhere."
        return asked or [Section("", none, "note")], said or [
            Section("", "The results have no line for this request.", "note")
        ]


def text_of(found: Read, mode: Mode) -> str:
    """A row as text to take away: all that the answer says, as Markdown, or the line as it came in raw mode."""
    if mode == "raw":
        return pretty(found.answer)
    return markdown(read_answer(found.answer)) or plain_text(answer_sections(found.answer, found.row, found.why))


def whole_text(found: Read, mode: Mode, *, hidden: bool = False) -> str:
    """A row's request and answer in full, for a pager; of a hidden answer only that it is."""
    if hidden:
        asked = pretty(found.request or b"") if mode == "raw" else plain_text(_asked(found), titles=True)
        return f"{asked}\n\n{_hidden()}\n"
    if mode == "raw":
        return f"{pretty(found.request or b'')}\n\n{pretty(found.answer)}\n"
    asked = plain_text(_asked(found), titles=True)
    said = plain_text(answer_sections(found.answer, found.row, found.why), titles=True)
    return f"== request {found.row.custom_id} ==\n\n{asked}\n\n== answer {title_of(found)[2:]} ==\n\n{said}\n"


def _asked(found: Read) -> list[Section]:
    return request_sections(found.request) if found.request else []


def _model(found: Read) -> str:
    return f"{found.row.custom_id} · {found.row.model}" if found.row.model else found.row.custom_id
