"""The detail pane: a request line and a result line as sections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Literal

import msgspec
from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.timer import Timer

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.domain.outcome import meaning_of
from batchtui.present import numbers
from batchtui.results.answer_markdown import markdown
from batchtui.results.field_columns import path_name
from batchtui.results.json_in_text import find_json
from batchtui.results.text import load, read_answer
from batchtui.results.view import ResultRow, View
from batchtui.tui.results.rows import ResultRows
from batchtui.tui.widgets.answer_view import AnswerView, Section, pretty
from batchtui.tui.widgets.row_list import RowList

MOST_FIELDS = 60
"""Lines of the table of fields."""
_SHOWN_APART = frozenset({"model", "max_tokens", "system", "messages", "tools"})


def answer_sections(line: bytes, row: ResultRow, why: str = "") -> list[Section]:
    """A result as sections, with ``why`` it is invalid; a line that can't be taken apart is shown as it came."""
    if not line:
        return _meaning(row.outcome)
    parsed = load(line)
    result = parsed.get("result") if isinstance(parsed, dict) else None
    if not isinstance(result, dict):
        note = "This line can't be read as a result; it is shown as received."
        return [Section(note, line.decode("utf-8", "replace"), "plain", "warn")]
    message = result.get("message")
    if isinstance(message, dict):
        return (
            _flaw_note(row, why)
            + _fields(line)
            + (_json_apart(content_sections(message.get("content"))) or [Section("", "The answer is empty.", "note")])
            + _stop_details(message)
        )
    if "error" in result:
        return _error_sections(result["error"])
    if row.outcome == "unknown":
        return [*_meaning("unknown"), Section("the result", _json(result), "json")]
    return _meaning(str(result.get("type", row.outcome)))


def _flaw_note(row: ResultRow, why: str) -> list[Section]:
    if row.invalid:
        return [Section(f"invalid: {why}", meaning_of("invalid").advice, "note", "warn")]
    if not row.cut_short:
        return []
    found = meaning_of(row.cut_short)
    return [Section(f"cut short: {row.cut_short.replace('_', ' ')}", f"{found.meaning} {found.advice}", "note", "warn")]


def _fields(line: bytes) -> list[Section]:
    """The fields of a JSON answer as a small table."""
    text = read_answer(line).text
    found = find_json(text) if text else None
    if not isinstance(found, dict):
        return []
    pairs = list(islice(_pairs(found, ()), MOST_FIELDS))
    width = min(24, max((cell_len(name) for name, _ in pairs), default=0))
    lines = [f"{name}{' ' * max(0, width - cell_len(name))}  {value}" for name, value in pairs]
    return [Section("", "\n".join(lines), "plain")] if lines else []


def _pairs(found: dict[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key, value in found.items():
        if isinstance(value, dict) and value and len(keys) < 4:
            yield from _pairs(value, (*keys, key))
        else:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            yield safetext.line(path_name(0, (*keys, key)), 60), safetext.line(text, 300)


def _json_apart(sections: list[Section]) -> list[Section]:
    """Text that is JSON from end to end as JSON, indented."""
    return [
        Section("JSON", pretty(each.body.encode("utf-8", "replace")), "json", "muted")
        if each.form == "prose" and each.body.lstrip().startswith("{") and each.body.rstrip().endswith("}")
        else each
        for each in sections
    ]


def _stop_details(message: dict[str, Any]) -> list[Section]:
    details = message.get("stop_details")
    return [Section("stop reason", _json(details), "json", "muted")] if details else []


def _meaning(kind: str, message: str = "", code: str = "") -> list[Section]:
    found = meaning_of(kind, message, code)
    return [Section(kind, f"{found.meaning}\n{found.advice}", "plain", "warn")]


def _error_sections(error: object) -> list[Section]:
    body = error.get("error", error) if isinstance(error, dict) else error
    if not isinstance(body, dict):
        return [Section("error", _json(error), "json", "bad")]
    kind, message = str(body.get("type") or "error"), str(body.get("message") or "")
    details = body.get("details")
    code = str(details.get("error_code") or "") if isinstance(details, dict) else ""
    found = meaning_of(kind, message, code)
    sections = [
        Section(kind, message, "prose", "bad"),
        Section("what it means", f"{found.meaning}\n{found.advice}", "plain", "warn"),
    ]
    if details:
        sections.append(Section("details", _json(details), "json", "muted"))
    request_id = error.get("request_id") if isinstance(error, dict) else None
    if request_id:
        sections.append(Section("", f"request id {request_id}", "note"))
    return sections


def content_sections(content: object) -> list[Section]:
    """The blocks of a message's content."""
    if isinstance(content, str):
        return [Section("", content, "prose")] if content else []
    if not isinstance(content, list):
        return [Section("content", _json(content), "json", "warn")] if content is not None else []
    sections: list[Section] = []
    for block in content:
        sections += _block(block) if isinstance(block, dict) else [Section("block", _json(block), "json", "warn")]
    return sections


def _block(block: dict[str, Any]) -> list[Section]:
    kind = str(block.get("type", ""))
    if kind == "text":
        return [
            *([Section("", str(block.get("text", "")), "prose")] if block.get("text") else []),
            *_citations(block.get("citations")),
        ]
    if kind == "thinking":
        return [Section("thinking", str(block.get("thinking", "")), "note", "muted")]
    if kind == "redacted_thinking":
        return [
            Section(
                "thinking, hidden by the API",
                f"{numbers.size(len(str(block.get('data', ''))))} encrypted",
                "note",
                "muted",
            )
        ]
    if kind == "compaction" and isinstance(block.get("content"), str):
        return [Section("summary of the conversation so far", block["content"], "prose")]
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        return [Section(f"{kind.replace('_', ' ')} · {block.get('name', '')}", _json(block.get("input")), "json")]
    if kind.endswith("tool_result"):
        return _tool_result(kind, block)
    if kind in ("image", "document"):
        return [Section(f"{kind} · {_source(block)}", str(block.get("title") or ""), "note", "muted")]
    return [Section(f"{kind or 'block'} (unknown to this version)", _json(block), "json", "warn")]


def _tool_result(kind: str, block: dict[str, Any]) -> list[Section]:
    title = kind.replace("_", " ") + (" · error" if block.get("is_error") else "")
    content = block.get("content")
    if isinstance(content, str):
        return [Section(title, content, "plain")]
    if isinstance(content, list) and content and all(isinstance(b, dict) and b.get("type") == "text" for b in content):
        return [Section(title, "\n".join(str(b.get("text", "")) for b in content), "plain")]
    return [Section(title, _json(content), "json")]


def _citations(citations: object) -> list[Section]:
    if not isinstance(citations, list) or not citations:
        return []
    lines = []
    for number, each in enumerate(citations, 1):
        if isinstance(each, dict):
            where = (
                each.get("document_title")
                or each.get("title")
                or each.get("url")
                or each.get("source")
                or each.get("type", "")
            )
            lines.append(f"[{number}] {where}" + (f": “{each['cited_text']}”" if each.get("cited_text") else ""))
    return [Section("citations", "\n".join(lines), "note", "muted")]


def _source(block: dict[str, Any]) -> str:
    source = block.get("source")
    if not isinstance(source, dict):
        return ""
    data = source.get("data")
    if isinstance(data, str):
        size = len(data) * 3 // 4 if source.get("type") == "base64" else len(data)
        return f"{source.get('media_type', '')} {numbers.size(size)}"
    return str(source.get("url") or source.get("file_id") or source.get("type", ""))


def request_sections(line: bytes, *, shared_system: bool = False) -> list[Section]:
    """A request as sections: turns, system (one line where all requests share it), tools, other params."""
    parsed = load(line)
    params = parsed.get("params") if isinstance(parsed, dict) else None
    if not isinstance(params, dict):
        return [
            Section(
                "This line can't be read as a request; it is shown as received.",
                line.decode("utf-8", "replace"),
                "plain",
                "warn",
            )
        ]
    sections = _turns(params)
    system = content_sections(params.get("system"))
    if shared_system and system:
        sections.append(Section("system, the same in all requests", _folded(system), "note", "muted"))
    else:
        sections += [said_by(each, "system") for each in system]
    tools = params.get("tools")
    if isinstance(tools, list) and tools:
        names = ", ".join(str(tool.get("name", tool.get("type", ""))) for tool in tools if isinstance(tool, dict))
        sections.append(Section("tools", names, "note", "muted"))
    rest = {key: value for key, value in params.items() if key not in _SHOWN_APART}
    sections.append(
        Section(
            "", " · ".join([str(params.get("model", "")), f"max_tokens {params.get('max_tokens', 'not set')}"]), "note"
        )
    )
    return [*sections, *([Section("params", _json(rest), "json", "muted")] if rest else [])]


def turn_sections(line: bytes | None) -> list[Section]:
    """The turns of a request alone; none where it can't be read."""
    parsed = load(line or b"null")
    params = parsed.get("params") if isinstance(parsed, dict) else None
    return _turns(params) if isinstance(params, dict) else []


def _turns(params: dict[str, Any]) -> list[Section]:
    sections: list[Section] = []
    messages = params.get("messages")
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict):
            blocks = content_sections(message.get("content"))
            sections += [
                said_by(each, str(message.get("role", ""))) if not number else each
                for number, each in enumerate(blocks)
            ]
    return sections


def _folded(system: Sequence[Section]) -> str:
    text = " ".join(each.body for each in system)
    return f"{safetext.line(text, 70)}  ({len(text):,} characters; o opens the full request)"


def system_is_shared(view: View) -> bool:
    """Whether the first, the last and some requests between have one system prompt; for a thread.  Raises StoreError."""
    found = view.kept.get("shared_system")
    if isinstance(found, bool):
        return found
    systems = set()
    for row in dict.fromkeys(len(view) * part // 8 for part in range(8)):
        parsed = load(view.request_raw(row) or b"null") if row < len(view) else None
        params = parsed.get("params") if isinstance(parsed, dict) else None
        systems.add(msgspec.json.encode(params.get("system")) if isinstance(params, dict) else b"")
    shared = len(view) > 1 and len(systems) == 1
    view.kept["shared_system"] = shared
    return shared


def said_by(section: Section, role: str) -> Section:
    """The section with who says it in front of its title."""
    return Section(f"{role} · {section.title}" if section.title else role, section.body, section.form, section.tone)


def _json(value: object) -> str:
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8", "replace")
    except (msgspec.MsgspecError, RecursionError, TypeError, UnicodeError):
        return str(value)[:100_000]


Mode = Literal["markdown", "plain", "raw"]
SIDE_BY_SIDE = 100
"""From this width on the request stands beside its answer, in cells; narrower it stands above."""
PAUSE = 0.06
"""Seconds the cursor rests before an answer is read, so that a held-down key reads none on its way."""


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
    return f"{tokens}{extra} · {numbers.at_least(numbers.usd(row.cost_usd), row.at_least)}"


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
        hidden = wanted is not None and self._hides(wanted.row)
        self.set_class(hidden, "hiding")
        if hidden:
            said = [Section("", "Hidden until your verdict: + or - asks for the right value.", "note")]
        markdown = self.mode == "markdown"
        await self.query_one("#request", AnswerView).show(asked, title=f"· {_model(found)}", markdown=markdown)
        await self.answer.show(said, title=title_of(found), note=note_of(found.row), markdown=markdown)

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


def whole_text(found: Read, mode: Mode) -> str:
    """A row's request and answer in full, for a pager."""
    if mode == "raw":
        return f"{pretty(found.request or b'')}\n\n{pretty(found.answer)}\n"
    asked = plain_text(request_sections(found.request), titles=True) if found.request else ""
    said = plain_text(answer_sections(found.answer, found.row, found.why), titles=True)
    return f"== request {found.row.custom_id} ==\n\n{asked}\n\n== answer {title_of(found)[2:]} ==\n\n{said}\n"


def plain_text(sections: list[Section], *, titles: bool = False) -> str:
    """Sections as plain text; without titles only the text that was said, unless there is nothing else."""
    if titles:
        return "\n\n".join(f"[{s.title}]\n{s.body}" if s.title else s.body for s in sections)
    said = [s.body for s in sections if s.form == "prose"]
    return "\n\n".join(said or [f"{s.title}\n{s.body}".strip() for s in sections])


def _model(found: Read) -> str:
    return f"{found.row.custom_id} · {found.row.model}" if found.row.model else found.row.custom_id
