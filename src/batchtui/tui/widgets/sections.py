"""Requests, answers and errors as the sections that an AnswerView shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from rich.cells import cell_len

from batchtui import safetext
from batchtui.domain.outcome import meaning_of
from batchtui.present import numbers
from batchtui.results.field_columns import path_name
from batchtui.results.json_in_text import find_json
from batchtui.results.text import load, read_answer
from batchtui.results.view import ResultRow, View
from batchtui.tui.bindings import key_of
from batchtui.tui.widgets.answer_view import Section, pretty

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
    return [Section("", "\n".join(lines), "fields")] if lines else []


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


def _meaning(kind: str) -> list[Section]:
    found = meaning_of(kind)
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
    model = str(params.get("model") or "no model")
    sections.append(Section("", f"{model} · max_tokens {params.get('max_tokens', 'not set')}", "note"))
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
            blocks = content_sections(message.get("content")) or [Section("", "(empty)", "note")]
            sections += [
                said_by(each, str(message.get("role", ""))) if not number else each
                for number, each in enumerate(blocks)
            ]
    return sections


def _folded(system: Sequence[Section]) -> str:
    text = " ".join(each.body for each in system)
    return f"{safetext.line(text, 70)}  ({len(text):,} characters; {key_of('results.pager')} opens the full request)"


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


def plain_text(sections: list[Section], *, titles: bool = False) -> str:
    """Sections as plain text; without titles only the text that was said, unless there is nothing else."""
    if titles:
        return "\n\n".join(f"[{s.title}]\n{s.body}" if s.title else s.body for s in sections)
    said = [s.body for s in sections if s.form == "prose"]
    return "\n\n".join(said or [f"{s.title}\n{s.body}".strip() for s in sections])
