"""Rules of content blocks, and what a request's blocks add up to: cache marks, images, pages, citations.

Sources: the Messages reference, vision, PDF support, citations, prompt caching and migration pages (August to November
2026) and the types of the official SDK 2.14.0.  What they leave open is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any

from batchtui.intake import media
from batchtui.intake.model_limits import ModelFacts
from batchtui.intake.options import API_VERSION
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.wording import a_, did_you_mean, kind_of, near, quoted

Json = dict[str, Any]

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MAX_MARKS = 4
"""Cache marks a request may carry (prompt caching documentation)."""
MAX_IMAGE = 10_000_000
"""Base64 letters of an image (vision documentation, August 2026)."""
MAX_SIDE = 8_000
MANY_IMAGES = 20
MAX_SIDE_OF_MANY = 2_000
"""Pixels a side of an image may have, in a request of more than MANY_IMAGES."""
_KNOWN = frozenset(
    {
        *("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result"),
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
    "output_text": "text",
    "file": "document",
    "pdf": "document",
    "function_call": "tool_use",
    "function_call_output": "tool_result",
}
_STR, _DICT, _LIST, _ANY = (str, "a string"), (dict, "an object"), (list, "a list"), (object, "a value")
_REQUIRED: dict[str, tuple[tuple[str, tuple[type, str]], ...]] = {
    "text": (("text", _STR),),
    "tool_use": (("id", _STR), ("name", _STR), ("input", _DICT)),
    "tool_result": (("tool_use_id", _STR),),
    "thinking": (("thinking", _STR), ("signature", _STR)),
    "redacted_thinking": (("data", _STR),),
    "search_result": (("source", _STR), ("title", _STR), ("content", (list, "a list of text blocks"))),
    "container_upload": (("file_id", _STR),),
    "server_tool_use": (("id", _STR), ("name", _STR), ("input", _DICT)),
    "mcp_tool_use": (("id", _STR), ("name", _STR), ("server_name", _STR), ("input", _DICT)),
    "mcp_tool_result": (("tool_use_id", _STR),),
    "tool_reference": (("tool_name", _STR),),
    **dict.fromkeys(
        (
            *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
            *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
        ),
        (("tool_use_id", _STR), ("content", _ANY)),
    ),
}
"""Fields a block must have, with their types (SDK types)."""
_ASSISTANT = frozenset(
    {
        *("tool_use", "thinking", "redacted_thinking", "server_tool_use", "mcp_tool_use", "mcp_tool_result"),
        *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
        *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
    }
)
_USER = frozenset({"tool_result", "container_upload"})
_IN_RESULT = ("text", "image", "document", "search_result", "tool_reference", "browser_state")
_UNMARKED = ("thinking", "redacted_thinking")
"""Blocks that take no cache mark (prompt caching documentation)."""
_CALL = re.compile(r"[a-zA-Z0-9_-]+\Z")
"""Ids of tool calls (OpenAPI description, January 2026)."""
_CALL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}\Z")
_SERVER_CALL = re.compile(r"srvtoolu_[a-zA-Z0-9_]+\Z")
_SERVER_TOOLS = (
    *("web_search", "web_fetch", "code_execution", "bash_code_execution", "text_editor_code_execution", "advisor"),
    *("tool_search_tool_regex", "tool_search_tool_bm25"),
)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*\Z")


class BlockRules:
    """Looks at the content blocks of one request in prompt order (tools, system, messages), and at what they add up to."""

    def __init__(self, api_version: str, model: ModelFacts | None) -> None:
        self._new_version = api_version >= API_VERSION
        self._model = model
        self._marks: list[tuple[str, str]] = []
        self._sides: list[tuple[int, str]] = []
        self._images = 0
        self._pages = 0
        self._cited: set[bool] = set()

    @property
    def citations(self) -> bool:
        """True when a document asks for citations."""
        return True in self._cited

    def mark(self, holder: Json, where: str, *, takes: bool = True) -> Iterator[Found]:
        """The cache mark that something carries, if it does."""
        mark = holder.get("cache_control")
        if mark is None:
            return
        yield from cache_mark(mark, where)
        if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
            return
        if not takes:
            yield error("cache_control", f"{a_(str(holder.get('type')))} block takes no cache_control", where)
        self._marks.append((str(mark.get("ttl") or "5m"), where))

    def block(self, block: object, role: str, where: str) -> Iterator[Found]:
        """One content block; ``role`` is the message's, ``system`` for the system prompt, ``result`` inside a tool result."""
        if not isinstance(block, dict):
            yield error("block_type", f"a content block must be an object with a type, not {kind_of(block)}", where)
            return
        kind = block.get("type")
        if not isinstance(kind, str) or not kind:
            hint = ': write {"type": "text", "text": …}' if "text" in block else ""
            yield error("block_type", f"a content block has no type{hint}", where)
            return
        if kind not in _KNOWN:
            yield _unknown_block(kind, where)
            return
        yield from self._place(block, kind, role, where)
        if kind in _FIELDS:
            yield from _fields(block, kind, where)
        for name, (wanted, words) in _REQUIRED.get(kind, ()):
            yield from _needs(block, name, wanted, words, where)
        empty = kind == "text" and isinstance(block.get("text"), str) and not block["text"].strip()
        if empty and block.get("cache_control") is not None:
            yield error("cache_control", "an empty text block takes no cache_control", where)
        yield from self.mark(block, where, takes=kind not in _UNMARKED)
        check = getattr(self, f"_{kind}", None)
        if check is not None:
            yield from check(block, role, where)

    def totals(self, whole_mark: object) -> Iterator[Found]:
        """What the blocks are together; ``whole_mark`` is the request's own cache_control."""
        marks = len(self._marks) + (whole_mark is not None)
        if marks > MAX_MARKS:
            yield error(
                "cache_marks", f"more than {MAX_MARKS} cache_control marks in one request", f"there are {marks}"
            )
        short = next((where for ttl, where in self._marks if ttl == "5m"), None)
        late = None
        for ttl, where in self._marks:
            if ttl == "5m":
                late = where
            elif late is not None:
                yield error(
                    "cache_order",
                    "a 1h cache_control comes after a 5m one: the 1h marks go first",
                    f"{late}, then {where}",
                )
                break
        if isinstance(whole_mark, dict) and whole_mark.get("ttl") == "1h" and short is not None:
            yield warning("cache_order", "cache_control of the request is 1h and comes after a 5m one", short)
        yield from self._image_totals()
        if self._cited == {True, False}:
            yield error("citations", "citations must be enabled on all documents of a request or on none")

    def _image_totals(self) -> Iterator[Found]:
        rules = self._model.rules if self._model else None
        name = quoted(self._model.name) if self._model else ""
        if rules and rules.images and self._images > rules.images:
            yield error(
                "images_many",
                f"more than {rules.images} images in one request for {name}",
                f"there are {self._images:,}",
            )
        if rules and rules.pdf_pages and self._pages > rules.pdf_pages:
            yield error(
                "pdf_pages",
                f"more than {rules.pdf_pages} PDF pages in one request for {name}",
                f"there are {self._pages:,}",
            )
        most = MAX_SIDE_OF_MANY if self._images > MANY_IMAGES else MAX_SIDE
        of_many = f" in a request of more than {MANY_IMAGES} images" if most < MAX_SIDE else ""
        for side, where in self._sides:
            if side > most:
                yield error(
                    "image_dimensions",
                    f"an image's side may have {most:,} pixels{of_many}",
                    f"{where}: {side:,} pixels",
                )

    def _place(self, block: Json, kind: str, role: str, where: str) -> Iterator[Found]:
        """Whether this kind of block may stand here."""
        if role == "result":
            if kind not in _IN_RESULT:
                yield error("block_role", f"{a_(kind)} block can't be in a tool_result: {', '.join(_IN_RESULT)}", where)
        elif kind in _ASSISTANT and role == "user":
            yield error("block_role", f"{a_(kind)} block belongs in an assistant message", where)
        elif kind in _USER and role == "assistant":
            yield error("block_role", f"{a_(kind)} block belongs in a user message", where)
        elif role == "assistant" and kind == "image":
            yield warning("block_role", "an image in an assistant message may be refused", where)
        elif role == "assistant" and kind == "document" and self._new_version:
            what = f"a document in an assistant message is refused under API version {API_VERSION}"
            yield error("block_role", what, where)
        if self._new_version and role == "user" and kind == "text" and block.get("citations"):
            yield error("citations", f"citations on the user's text are refused under API version {API_VERSION}", where)

    def _text(self, block: Json, role: str, where: str) -> Iterator[Found]:
        text = block.get("text")
        yield from _text_citations(block.get("citations"), where)
        if text == "":
            yield error("content_empty", "a text block is empty", where)
        elif isinstance(text, str) and text.isspace():
            yield error("content_blank", "text must not be only white space", where)

    def _image(self, block: Json, role: str, where: str) -> Iterator[Found]:
        self._images += 1
        rules = self._model.rules if self._model else None
        if rules is not None and rules.image_input == "refused" and self._model is not None:
            yield error("image_input", f"{quoted(self._model.name)} takes no images", where)
        source = yield from _source(block, where, ("base64", "url", "file"))
        if source is None or source.get("type") != "base64":
            return
        media_type, data = source.get("media_type"), source.get("data")
        if media_type not in IMAGE_TYPES:
            hint = ": write image/jpeg" if media_type == "image/jpg" else ""
            what = f"media_type of a base64 image must be one of {', '.join(IMAGE_TYPES)}{hint}"
            yield error("media_type", what, f"{where}: {quoted(str(media_type))}")
        if not (isinstance(data, str) and data and _BASE64.match(data)):
            return
        if len(data) > MAX_IMAGE:
            yield error("image_size", f"an image may have {MAX_IMAGE:,} bytes of base64", f"{where}: {len(data):,}")
        found = media.read_image(data)
        if found is None:
            yield error("image_data", "the data of an image is not JPEG, PNG, GIF or WebP", where)
            return
        if media_type in IMAGE_TYPES and found.media_type != media_type:
            what = f"media_type is {media_type} and the data is {found.media_type}: write {found.media_type}"
            yield error("image_data", what, where)
        self._sides.append((max(found.width, found.height), where))

    def _document(self, block: Json, role: str, where: str) -> Iterator[Found]:
        yield from self._citable(block, where)
        for name in ("title", "context"):
            value = block.get(name)
            if value is not None and not isinstance(value, str):
                yield error("block_value", f"{name} of a document must be a string, not {kind_of(value)}", where)
        source = yield from _source(block, where, ("base64", "text", "url", "content", "file"))
        if source is None:
            return
        kind = source.get("type")
        if kind == "base64":
            yield from self._pdf(source, where)
        elif kind == "text":
            if source.get("media_type") != "text/plain":
                yield error("media_type", "media_type of a text document must be text/plain", where)
            if not isinstance(source.get("data"), str):
                yield error("source_text", "source.data of a text document must be a string", where)
            elif not source["data"].strip():
                yield error("content_blank", "source.data of a text document must not be only white space", where)
        elif kind == "content":
            yield from self._inner(source.get("content"), ("text", "image"), "source.content of a document", where)

    def _pdf(self, source: Json, where: str) -> Iterator[Found]:
        media_type, data = source.get("media_type"), source.get("data")
        if media_type != "application/pdf":
            hint = (
                ': plain text goes into {"type": "text", "media_type": "text/plain"}'
                if media_type == "text/plain"
                else ""
            )
            what = f"media_type of a base64 document must be application/pdf{hint}"
            yield error("media_type", what, f"{where}: {quoted(str(media_type))}")
            return
        if not (isinstance(data, str) and data and _BASE64.match(data)):
            return
        found = media.read_pdf(data)
        if found is None:
            yield error("pdf_data", "the data of a document is not a PDF", where)
            return
        if found.encrypted:
            yield error("pdf_data", "a PDF is encrypted: save it without a password", where)
        self._pages += found.pages
        rules = self._model.rules if self._model else None
        if rules is not None and rules.pdf_input == "refused" and self._model is not None:
            yield error("pdf_input", f"{quoted(self._model.name)} takes no PDFs", where)

    def _tool_result(self, block: Json, role: str, where: str) -> Iterator[Found]:
        content = block.get("content")
        yield from _call_id(block.get("tool_use_id"), "tool_use_id of a tool_result", where)
        if isinstance(content, list):
            for inner in content:
                yield from self.block(inner, "result", where)
        elif content is not None and not isinstance(content, str):
            what = f"content of a tool_result must be a string or blocks, not {kind_of(content)}"
            yield error("block_value", what, where)
        failed = block.get("is_error")
        if failed is not None and not isinstance(failed, bool):
            yield error("block_value", f"is_error of a tool_result must be true or false, not {kind_of(failed)}", where)

    def _search_result(self, block: Json, role: str, where: str) -> Iterator[Found]:
        content = block.get("content")
        if isinstance(content, list):
            yield from self._inner(content, ("text",), "content of a search_result", where)
        yield from self._citable(block, where)

    def _citable(self, block: Json, where: str) -> Iterator[Found]:
        """Whether a document or a search result asks for citations."""
        cited = block.get("citations")
        if cited is not None and not (isinstance(cited, dict) and isinstance(cited.get("enabled", False), bool)):
            what = f'citations of {a_(block["type"])} must be {{"enabled": true}} or false'
            yield error("citations", what, where)
        self._cited.add(isinstance(cited, dict) and cited.get("enabled") is True)

    def _tool_use(self, block: Json, role: str, where: str) -> Iterator[Found]:
        yield from _call_id(block.get("id"), "id of a tool_use", where)
        name = block.get("name")
        if name == "":
            yield error("block_value", "name of a tool_use is empty", where)
        elif isinstance(name, str) and not _CALL_NAME.match(name):
            what = "name of a tool_use should be letters, digits, - or _: others may be refused"
            yield warning("block_value", what, f"{where}: {quoted(name)}")

    def _server_tool_use(self, block: Json, role: str, where: str) -> Iterator[Found]:
        call, name = block.get("id"), block.get("name")
        if isinstance(call, str) and not _SERVER_CALL.match(call):
            what = "id of a server_tool_use should begin with srvtoolu_: others may be refused"
            yield warning("block_value", what, f"{where}: {quoted(call)}")
        if isinstance(name, str) and name not in _SERVER_TOOLS:
            hint = did_you_mean(near(name, _SERVER_TOOLS))
            yield warning("block_value", f"unknown server tool {quoted(name)}{hint}", where)

    def _web_search_tool_result(self, block: Json, role: str, where: str) -> Iterator[Found]:
        content = block.get("content", {})
        if not isinstance(content, list):
            yield from _server_content(block, where)
            return
        for found in content:
            if not isinstance(found, dict) or found.get("type") != "web_search_result":
                yield error("block_value", "content of a web_search_tool_result holds web_search_result blocks", where)
            elif missing := [name for name in ("title", "url", "encrypted_content") if name not in found]:
                yield error("block_missing", f"a web_search_result has no {missing[0]}", where)

    def _other_server_result(self, block: Json, role: str, where: str) -> Iterator[Found]:
        yield from _server_content(block, where)

    _web_fetch_tool_result = _code_execution_tool_result = _tool_search_tool_result = _other_server_result
    _bash_code_execution_tool_result = _text_editor_code_execution_tool_result = _other_server_result

    def _tool_addition(self, block: Json, role: str, where: str) -> Iterator[Found]:
        yield from _needs(block, "tool", dict, "an object", where)
        if role != "system":
            yield warning("block_role", f"{a_(block['type'])} block belongs in a system message", where)

    _tool_removal = _tool_addition

    def _inner(self, content: object, kinds: tuple[str, ...], what: str, where: str) -> Iterator[Found]:
        if isinstance(content, str):
            if "image" not in kinds:
                yield error("source_content", f"{what} must be a list of blocks", where)
            return
        if not isinstance(content, list) or not content:
            yield error("source_content", f"{what} must hold blocks of {' or '.join(kinds)}", where)
            return
        for inner in content:
            if not isinstance(inner, dict) or inner.get("type") not in kinds:
                yield error("source_content", f"{what} may hold blocks of {' and '.join(kinds)} only", where)
            else:
                yield from self.block(inner, "result", where)


def _call_id(call: object, what: str, where: str) -> Iterator[Found]:
    if isinstance(call, str) and not _CALL.match(call):
        yield error("block_value", f"{what} must be letters, digits, - or _", f"{where}: {quoted(call)}")


def _server_content(block: Json, where: str) -> Iterator[Found]:
    content = block.get("content", {})
    if not isinstance(content, dict):
        what = f"content of {a_(block['type'])} must be an object, not {kind_of(content)}"
        yield error("block_value", what, where)


def _text_citations(cited: object, where: str) -> Iterator[Found]:
    if cited is None:
        return
    if not isinstance(cited, list):
        hint = ": documents take it" if isinstance(cited, dict) else ""
        yield error("citations", f"citations of a text block must be a list, not {kind_of(cited)}{hint}", where)
    elif not all(isinstance(each, dict) and isinstance(each.get("type"), str) for each in cited):
        yield error("citations", "citations of a text block must be objects with a type", where)


def cache_mark(mark: object, where: str = "") -> Iterator[Found]:
    """What is wrong with a ``cache_control``; ``where`` it is, nothing for the request's own."""
    if mark is None:
        return
    if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
        yield error("cache_control", 'cache_control must be {"type": "ephemeral"}', where)
        return
    ttl = mark.get("ttl")
    if ttl not in (None, "5m", "1h"):
        place = f"{where}: " if where else ""
        yield error("cache_control", "cache_control.ttl must be 5m or 1h", f"{place}{quoted(str(ttl))}")
    for name in mark:
        if name not in ("type", "ttl"):
            what = f"unknown field {quoted(name)} in cache_control: it takes type and ttl"
            yield warning("cache_control", what, where)


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
                what = f"unknown field {quoted(name)} in {a_(kind)} block, did you mean {guess}?"
                yield error("block_field", what, where)
            else:
                yield warning("block_field", f"unknown field {quoted(name)} in {a_(kind)} block", where)


def _needs(block: Json, name: str, kind: type, words: str, where: str) -> Iterator[Found]:
    if name not in block:
        yield error("block_missing", f"{a_(block['type'])} block has no {name}", where)
    elif not isinstance(block[name], kind):
        what = f"{name} of {a_(block['type'])} block must be {words}, not {kind_of(block[name])}"
        yield error("block_value", what, where)


def _source(block: Json, where: str, kinds: tuple[str, ...]) -> Generator[Found, None, Json | None]:
    """The source of an image or a document, when it has the shape of one."""
    owner = block["type"]
    yield from _needs(block, "source", dict, "an object", where)
    source = block.get("source")
    if not isinstance(source, dict):
        return None
    kind = source.get("type")
    if kind not in kinds:
        what = f"source.type of {a_(owner)} must be one of {', '.join(kinds)}"
        yield error("source_type", what, f"{where}: {quoted(str(kind))}")
        return None
    if kind == "base64":
        data = source.get("data")
        if not isinstance(data, str) or not data:
            yield error("base64", f"source.data of the {owner} must be base64 text", where)
        elif data.startswith("data:"):
            what = f"source.data of the {owner} must be only the base64 text, without data:…;base64,"
            yield error("base64", what, where)
        elif not _BASE64.match(data):
            yield error("base64", f"source.data of the {owner} is not base64", where)
    elif kind == "url":
        url = source.get("url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            yield error("source_url", f"source.url of {a_(owner)} must be an https address", where)
        elif not url.startswith("https://"):
            yield warning("source_url", f"source.url of {a_(owner)} should be https: http may be refused", where)
    elif kind == "file" and not (isinstance(source.get("file_id"), str) and source["file_id"]):
        yield error("source_file", f"source.file_id of {a_(owner)} is missing", where)
    return source


def blocks_of(message: object) -> list[dict[str, Any]]:
    """The blocks in the content of a message or a block; a string is one of text."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return [{"type": "text"}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
