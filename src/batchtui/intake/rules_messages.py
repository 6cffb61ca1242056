"""Rules of content blocks, and what a request's blocks add up to: cache marks, images, pages, citations.

Sources: the Messages reference, vision, PDF support, citations, prompt caching and migration pages (August to November
2026) and the types of the official SDK 2.14.0.  What they leave open is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from itertools import groupby
from typing import Any

from batchtui.domain.model_rules import EFFORTS
from batchtui.intake import media
from batchtui.intake.model_limits import ModelFacts
from batchtui.intake.options import API_VERSION
from batchtui.intake.problems import Found, error, warning
from batchtui.intake.shapes import check_shape
from batchtui.intake.wording import a_, beta_missing, did_you_mean, kind_of, near, quoted

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


class ContentRules:
    """Looks at the blocks of one request in prompt order (tools, system, messages), and at what they add up to."""

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


MAX_MESSAGES = 100_000
_ROLES = ("user", "assistant", "system")
_OTHER_ROLES = {
    "human": "user",
    "ai": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "gpt": "assistant",
    "developer": "system",
    "tool": "user, with a tool_result block",
    "function": "user, with a tool_result block",
}
_SYSTEM_BETAS = {
    "clear_at": "mid-conversation-system-clear-at-2026-08-21",
    "output_config": "mid-conversation-output-config-2026-07-01",
}
"""Fields of a system message in the conversation, and the beta each needs."""
_TOOL_CHANGES = "mid-conversation-tool-changes-2026-07-01"
_SERVER_CALLS = ("server_tool_use", "mcp_tool_use")
_SERVER_RESULTS = (
    *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
    *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
    "mcp_tool_result",
)


def check_messages(
    params: dict[str, Any], model: ModelFacts | None, contents: ContentRules, betas: tuple[str, ...]
) -> Iterator[Found]:
    """The list of turns."""
    if "messages" not in params:
        yield error("messages_missing", "messages is missing")
        return
    messages = params["messages"]
    if not isinstance(messages, list):
        yield error("messages_type", f"messages must be a list of turns, not {kind_of(messages)}")
        return
    if not messages:
        yield error("messages_empty", "messages is empty: at least one message is required")
        return
    if len(messages) > MAX_MESSAGES:
        yield error("messages_many", f"more than {MAX_MESSAGES:,} messages in one request")
        return
    for place, message in enumerate(messages):
        yield from _message(message, place, contents, betas, last=place == len(messages) - 1)
    yield from _system_places(messages)
    yield from _ends(messages, model, params)
    yield from _pairs(messages)
    yield from _server_pairs(messages)


def check_system(params: dict[str, Any], contents: ContentRules) -> Iterator[Found]:
    """The system prompt: a string or text blocks."""
    system = params.get("system")
    if system is None or isinstance(system, str):
        if isinstance(system, str) and system and system.isspace():
            yield error("content_blank", "text must not be only white space", "system")
        return
    if not isinstance(system, list):
        yield error("system", f"system must be a string or a list of text blocks, not {kind_of(system)}")
        return
    for block in system:
        if not isinstance(block, dict) or block.get("type") != "text":
            yield error("system", "system may hold text blocks only")
        else:
            yield from contents.block(block, "system", "system")


def _message(
    message: object, place: int, contents: ContentRules, betas: tuple[str, ...], *, last: bool
) -> Iterator[Found]:
    where = f"messages[{place}]"
    if not isinstance(message, dict):
        yield error("message_type", f"a message must be an object with role and content, not {kind_of(message)}")
        return
    role = message.get("role")
    yield from _role(role, "role" in message, place)
    yield from _message_fields(message, str(role), where, betas)
    if "content" not in message:
        if not (role == "system" and "output_config" in message):
            yield error("content_missing", "a message has no content", where)
        return
    content = message["content"]
    if isinstance(content, str):
        yield from _system_text(content, place, last and role == "assistant")
    elif not isinstance(content, list):
        yield error("content_type", f"content must be a string or a list of blocks, not {kind_of(content)}", where)
    elif not content and not (last and role == "assistant"):
        yield error("content_empty", "content is empty", where)
    else:
        for block in content:
            if role == "system":
                yield from _system_block(block, where, betas)
            yield from contents.block(block, str(role), where)
        if last and role == "assistant" and content:
            yield from _trailing_space(content[-1], where)


def _message_fields(message: dict[str, Any], role: str, where: str, betas: tuple[str, ...]) -> Iterator[Found]:
    for name, value in message.items():
        if name in ("role", "content"):
            continue
        if role == "system" and name in _SYSTEM_BETAS:
            yield from beta_missing(f"{name} of a system message", _SYSTEM_BETAS[name], betas)
            if name == "clear_at" and value not in (None, "next_user_message", "never"):
                yield error("message_field", "clear_at must be next_user_message or never", where)
            elif name == "output_config":
                yield from _message_output(value, "content" in message, where)
            continue
        guess = near(name, ("role", "content"))
        hint = f", did you mean {guess}?" if guess and guess not in message else ""
        yield error("message_field", f"unknown field {quoted(name)} in a message{hint}", where)


def _message_output(config: object, content: bool, where: str) -> Iterator[Found]:
    """What a system message changes for the answers after it: effort only."""
    if config is None:
        return
    what = "output_config of a system message"
    if not isinstance(config, dict):
        yield error("message_field", f"{what} must be an object, not {kind_of(config)}", where)
        return
    yield from check_shape(config, {"effort": "string?"}, what, "message_field", where, closed=True)
    effort = config.get("effort")
    if isinstance(effort, str) and effort not in EFFORTS:
        yield error("message_field", f"effort of {what} must be one of {', '.join(EFFORTS)}", where)
    if not config and not content:
        yield error("content_missing", "a system message has neither content nor output_config", where)


def _system_block(block: object, where: str, betas: tuple[str, ...]) -> Iterator[Found]:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind in ("tool_addition", "tool_removal"):
        yield from beta_missing(f"{kind} in a system message", _TOOL_CHANGES, betas)
    elif kind != "text":
        yield error("system", "a system message may hold text blocks only", where)


def _role(role: object, there: bool, place: int) -> Iterator[Found]:
    where = f"messages[{place}]"
    if not there:
        yield error("role", "a message has no role", where)
    elif role == "system":
        if place == 0:
            yield error("role", "the system prompt belongs in the field system, not in messages", where)
    elif role not in _ROLES:
        name = role if isinstance(role, str) else ""
        guess = _OTHER_ROLES.get(name.lower()) or near(name, _ROLES)
        hint = did_you_mean(guess, ": user or assistant")
        yield error("role", f"unknown role {quoted(str(role))}{hint}", where)


def _system_text(content: str, place: int, prefill: bool) -> Iterator[Found]:
    where = f"messages[{place}]"
    if not content:
        if not prefill:
            yield error("content_empty", "content is empty", where)
    elif content.isspace():
        yield error("content_blank", "text must not be only white space", where)
    elif prefill and content != content.rstrip():
        yield error("prefill", "the final assistant message must not end with white space", where)


def _trailing_space(block: object, where: str) -> Iterator[Found]:
    text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
    if isinstance(text, str) and text.strip() and text != text.rstrip():
        yield error("prefill", "the final assistant message must not end with white space", where)


def _system_places(messages: list[Any]) -> Iterator[Found]:
    """A system message stands right after the user's (or a server tool's result), before the assistant's or at the end."""
    for place, message in enumerate(messages):
        if place == 0 or _role_of(message) != "system":
            continue
        where = f"messages[{place}]"
        before = messages[place - 1]
        if _role_of(before) != "user" and not _ends_with_server_result(before):
            yield error("role", "a system message must follow a user message", where)
        if place + 1 < len(messages) and _role_of(messages[place + 1]) != "assistant":
            yield error("role", "a system message must be followed by the assistant's message, or be the last", where)


def _role_of(message: object) -> object:
    return message.get("role") if isinstance(message, dict) else None


def _ends_with_server_result(message: object) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    last = content[-1] if isinstance(content, list) and content else None
    return isinstance(last, dict) and last.get("type") in _SERVER_RESULTS


def _goes_on(message: object) -> bool:
    """Whether the last message holds calls of server tools: a paused turn is sent back as it was."""
    return any(block.get("type") in (*_SERVER_RESULTS, *_SERVER_CALLS) for block in blocks_of(message))


def _server_pairs(messages: list[Any]) -> Iterator[Found]:
    """Results of server tools come after their calls; each call has a result, unless its turn was paused or goes on."""
    calls: dict[object, int] = {}
    for place, message in enumerate(messages):
        for block in blocks_of(message) if _role_of(message) == "assistant" else ():
            if block.get("type") in _SERVER_CALLS:
                calls[_key(block.get("id"))] = place
            elif block.get("type") in (*_SERVER_RESULTS, "advisor_tool_result"):
                call = _key(block.get("tool_use_id"))
                if call not in calls:
                    what = f"{a_(block['type'])} has no server tool call before it: the API may refuse it"
                    yield warning("tool_pairing", what, f"messages[{place}]: {quoted(str(call))}")
                calls[call] = len(messages)
    last = max((place for place, each in enumerate(messages) if _role_of(each) == "assistant"), default=0)
    for call, place in calls.items():
        if place < last:
            what = "a server tool call has no result after it: the API may refuse it"
            yield warning("tool_pairing", what, f"messages[{place}]: {quoted(str(call))}")


def _ends(messages: list[Any], model: ModelFacts | None, params: dict[str, Any]) -> Iterator[Found]:
    if _role_of(messages[0]) == "assistant":
        yield error("first_role", "the first message must be from the user, not the assistant")
    if _role_of(messages[-1]) != "assistant":
        return
    config = params.get("output_config")
    if isinstance(config, dict) and config.get("format") is not None:
        yield error("prefill", "output_config.format can't be used when the last message is the assistant's (prefill)")
    if model is None or _goes_on(messages[-1]):
        return
    thinking = params.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") == "enabled":
        yield error("prefill", "the last message can't be the assistant's (prefill) beside thinking of type enabled")
        return
    rules = model.rules
    if rules is not None and rules.prefill == "refused":
        what = f"{quoted(model.name)} refuses a conversation that ends with the assistant's message (prefill)"
        yield error("prefill", what)
    elif rules is None or rules.prefill != "ok":
        yield warning("prefill", f"the last message is the assistant's (prefill): {quoted(model.name)} may refuse that")


def _pairs(messages: list[Any]) -> Iterator[Found]:
    """Each tool_use is answered in the next turn of the user, before any other block; each tool_result answers one."""
    asked: dict[object, int] = {}
    ever: set[object] = set()
    numbered = [(place, each) for place, each in enumerate(messages) if _role_of(each) != "system"]
    for role, turns in groupby(numbered, key=lambda pair: _role_of(pair[1])):
        blocks = [(place, block) for place, message in turns for block in blocks_of(message)]
        answers = [
            (place, _key(block.get("tool_use_id"))) for place, block in blocks if block.get("type") == "tool_result"
        ]
        for place, answer in answers:
            if answer not in asked:
                what = "a tool_result answers no tool_use of the message before it"
                yield error("tool_pairing", what, f"messages[{place}]: {quoted(str(answer))}")
        given = {answer for _, answer in answers}
        yield from _unanswered({call: place for call, place in asked.items() if call not in given})
        if len(given) != len(answers):
            yield error("tool_pairing", "two tool_result blocks answer the same tool_use", f"messages[{answers[0][0]}]")
        if role == "user" and asked:
            yield from _order(blocks)
        asked = {}
        for place, block in blocks:
            if block.get("type") == "tool_use":
                call = _key(block.get("id"))
                if call in ever:
                    yield error("tool_pairing", "two tool_use blocks have the same id", f"messages[{place}]")
                ever.add(call)
                asked[call] = place
    yield from _unanswered(asked)


def _unanswered(calls: dict[object, int]) -> Iterator[Found]:
    for call in sorted(calls, key=str):
        what = "a tool_use has no tool_result in the message after it"
        yield error("tool_pairing", what, f"messages[{calls[call]}]: {quoted(str(call))}")


def _order(blocks: list[tuple[int, dict[str, Any]]]) -> Iterator[Found]:
    """In the answer to tool calls the results come first."""
    other = False
    for place, block in blocks:
        if block.get("type") != "tool_result":
            other = True
        elif other:
            yield error(
                "tool_order", "tool_result blocks come before any other block of the message", f"messages[{place}]"
            )
            return


def blocks_of(message: object) -> list[dict[str, Any]]:
    """The blocks in the content of a message or a block; a string is one of text."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return [{"type": "text"}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _key(value: object) -> object:
    return value if isinstance(value, str) else str(value)
