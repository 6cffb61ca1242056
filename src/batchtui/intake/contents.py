"""Rules of content blocks: text, images, documents, tool use and its results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from batchtui.intake.problems import Found, error, warning
from batchtui.intake.words import a_, kind_of, near, quoted

Json = dict[str, Any]

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_CHECKED = ("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result")
_KNOWN = frozenset(
    {
        *_CHECKED,
        *("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
        *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
        *("container_upload", "mcp_tool_use", "mcp_tool_result", "compaction", "tool_reference", "browser_state"),
        *("advisor_tool_result", "mcp_tool_listing", "fallback", "tool_addition", "tool_removal"),
    }
)
_FIELDS = {
    "text": {"text", "citations"},
    "image": {"source", "transformations"},
    "document": {"source", "title", "context", "citations"},
    "tool_use": {"id", "name", "input", "caller", "toolset_name"},
    "tool_result": {"tool_use_id", "content", "is_error", "toolset_name"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "search_result": {"source", "title", "content", "citations"},
}
_OTHER_BLOCKS = {
    "image_url": "image",
    "input_image": "image",
    "input_text": "text",
    "file": "document",
    "pdf": "document",
}
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*\Z")
_OWNERS = {"tool_use": "assistant", "tool_result": "user", "thinking": "assistant", "redacted_thinking": "assistant"}


def check_block(block: object, role: str, where: str) -> Iterator[Found]:
    """One content block of a message, of the system prompt or of a tool result."""
    if not isinstance(block, dict):
        yield error("block_type", f"a content block must be an object with a type, not {kind_of(block)}", where)
        return
    kind = block.get("type")
    if not isinstance(kind, str):
        hint = ': write {"type": "text", "text": …}' if "text" in block else ""
        yield error("block_type", f"a content block has no type{hint}", where)
        return
    if kind not in _KNOWN:
        yield _unknown_block(kind, where)
        return
    owner = _OWNERS.get(kind)
    if owner is not None and role in ("user", "assistant") and role != owner:
        yield error("block_role", f"{a_(kind)} block belongs in a message of the {owner}", where)
    if kind in _FIELDS:
        yield from _fields(block, kind, where)
    yield from _cache_mark(block.get("cache_control"), where)
    check = _CHECKS.get(kind)
    if check is not None:
        yield from check(block, where)


def _unknown_block(kind: str, where: str) -> Found:
    guess = _OTHER_BLOCKS.get(kind) or near(kind, _KNOWN)
    if guess:
        return error("block_unknown", f"unknown content block {quoted(kind)}, did you mean {guess}?", where)
    return warning("block_unknown", f"unknown content block {quoted(kind)}", where)


def _fields(block: Json, kind: str, where: str) -> Iterator[Found]:
    known = _FIELDS[kind] | {"type", "cache_control"}
    for name in block:
        if name not in known:
            guess = near(name, known)
            if guess and guess not in block:
                yield error(
                    "block_field", f"unknown field {quoted(name)} in {a_(kind)} block, did you mean {guess}?", where
                )
            else:
                yield warning("block_field", f"unknown field {quoted(name)} in {a_(kind)} block", where)


def _cache_mark(mark: object, where: str) -> Iterator[Found]:
    if mark is None:
        return
    if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
        yield error("cache_control", 'cache_control must be {"type": "ephemeral"}', where)
    elif mark.get("ttl") not in (None, "5m", "1h"):
        yield error("cache_control", "cache_control.ttl must be 5m or 1h", f"{where}: {quoted(str(mark['ttl']))}")


def _needs(block: Json, name: str, kind: type, words: str, where: str) -> Iterator[Found]:
    if name not in block:
        yield error("block_missing", f"{a_(block['type'])} block has no {name}", where)
    elif not isinstance(block[name], kind):
        yield error(
            "block_value", f"{name} of {a_(block['type'])} block must be {words}, not {kind_of(block[name])}", where
        )


def _text(block: Json, where: str) -> Iterator[Found]:
    yield from _needs(block, "text", str, "a string", where)
    text = block.get("text")
    if text == "":
        yield error("content_empty", "a text block is empty", where)
    elif isinstance(text, str) and text.isspace():
        yield error("content_blank", "text must hold more than white space", where)


def _source(block: Json, where: str, kinds: tuple[str, ...]) -> Iterator[Found]:
    yield from _needs(block, "source", dict, "an object", where)
    source = block.get("source")
    if not isinstance(source, dict):
        return
    kind = source.get("type")
    if kind not in kinds:
        yield error(
            "source_type",
            f"source.type of {a_(block['type'])} must be one of {', '.join(kinds)}",
            f"{where}: {quoted(str(kind))}",
        )
    elif kind == "base64":
        yield from _base64(block["type"], source, where)
    elif kind == "url":
        url = source.get("url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            yield error("source_url", f"source.url of {a_(block['type'])} must be an http address", where)
    elif kind == "file" and not isinstance(source.get("file_id"), str):
        yield error("source_file", f"source.file_id of {a_(block['type'])} is missing", where)
    elif kind == "text" and not isinstance(source.get("data"), str):
        yield error("source_text", "source.data of a text document must be a string", where)
    elif kind == "content" and not isinstance(source.get("content"), str | list):
        yield error("source_content", "source.content of a document must be a string or blocks", where)


def _base64(owner: str, source: Json, where: str) -> Iterator[Found]:
    allowed = IMAGE_TYPES if owner == "image" else ("application/pdf",)
    media = source.get("media_type")
    if media not in allowed:
        yield error(
            "media_type",
            f"media_type of a base64 {owner} must be one of {', '.join(allowed)}",
            f"{where}: {quoted(str(media))}",
        )
    data = source.get("data")
    if not isinstance(data, str) or not data:
        yield error("base64", f"source.data of the {owner} must be base64 text", where)
    elif data.startswith("data:"):
        yield error(
            "base64", f"source.data of the {owner} must be the base64 text alone, without data:…;base64,", where
        )
    elif not _BASE64.match(data):
        yield error("base64", f"source.data of the {owner} is not base64", where)


def _image(block: Json, where: str) -> Iterator[Found]:
    yield from _source(block, where, ("base64", "url", "file"))


def _document(block: Json, where: str) -> Iterator[Found]:
    yield from _source(block, where, ("base64", "text", "url", "content", "file"))


def _tool_use(block: Json, where: str) -> Iterator[Found]:
    yield from _needs(block, "id", str, "a string", where)
    yield from _needs(block, "name", str, "a string", where)
    yield from _needs(block, "input", dict, "an object", where)


def _tool_result(block: Json, where: str) -> Iterator[Found]:
    yield from _needs(block, "tool_use_id", str, "a string", where)
    content = block.get("content")
    if isinstance(content, list):
        for inner in content:
            yield from check_block(inner, "result", where)
    elif content is not None and not isinstance(content, str):
        yield error(
            "block_value", f"content of a tool_result must be a string or blocks, not {kind_of(content)}", where
        )


def _thinking(block: Json, where: str) -> Iterator[Found]:
    yield from _needs(block, "thinking", str, "a string", where)
    yield from _needs(block, "signature", str, "a string", where)


def _search_result(block: Json, where: str) -> Iterator[Found]:
    yield from _needs(block, "source", str, "a string", where)
    yield from _needs(block, "title", str, "a string", where)
    yield from _needs(block, "content", list, "a list of text blocks", where)


_CHECKS = {
    "text": _text,
    "image": _image,
    "document": _document,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "search_result": _search_result,
}
