"""How large a request's prompt is, and what its cache marks cover: text by its length, images and documents by rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from batchtui.domain.model_rules import ModelRules
from batchtui.intake import media

Json = Mapping[str, Any]

PER_MESSAGE = 6
"""Tokens a turn costs beside its text, roughly."""
TOOLS_TOKENS = 350
"""Tokens of the hidden prompt that tools bring along, as far as they are sure (tool use documentation: 290 to 700)."""
_TOOLS_BYTES = 950
"""What that prompt may have more, as bytes of text."""
_TYPED_BYTES = 2_700
"""What a tool of the API is at most in the prompt, where a request names only its type (text editor 700, computer 735 tokens)."""
_OLD_IMAGE = (1568, 1568)
"""Pixels a side is scaled to, and the most tokens, for a model without rules of its own: the newest models' are larger."""
_PAGE_TOKENS = (1_500, 3_000)
"""Tokens of a PDF page's text (PDF support documentation, August 2026); the page as an image comes on top."""
_UNREAD_PAGES = (1, 100)
"""Pages reckoned for a PDF that can't be read here."""
_UNKNOWN_DOCUMENT = (1_500, 100_000)


class Size(NamedTuple):
    """A prompt or a part of one: text in characters (low) and bytes (high), and tokens known by rule (low, high)."""

    chars: int
    octets: int
    fixed: tuple[int, int]


class Prefix(NamedTuple):
    """What stands under one of a request's cache marks."""

    size: Size
    key: int
    """Equal for requests that begin with the same prefix."""
    hour: bool
    """True for a 1-hour mark, False for a 5-minute one."""


def hidden_bytes(typed: int) -> int:
    """The most that tools, ``typed`` of them the API's own, bring along unseen, as bytes of text beside TOOLS_TOKENS."""
    return _TOOLS_BYTES + _TYPED_BYTES * typed


def size_of(params: Json, rules: ModelRules | None = None) -> Size:
    """The size of a request from its decoded params; ``rules`` are its model's."""
    whole = _Measure(rules)
    whole.tools(params.get("tools"))
    whole.content(params.get("system"))
    for message in _dicts(params.get("messages")):
        whole.turn()
        whole.content(message.get("content"))
    config = params.get("output_config")
    if isinstance(config, dict) and isinstance(config.get("format"), dict):
        # Whether the schema is charged for as text is not documented.
        whole.octets += len(_encoded(config["format"]))
    return whole.size()


def prefixes_of(params: Json, rules: ModelRules | None = None) -> tuple[Prefix, ...]:
    """What each of the request's cache marks covers, in prompt order (tools, system, messages)."""
    whole = _Measure(rules)
    found: list[Prefix] = []
    key = 0
    mark: object = None
    for piece, kind in _pieces(params):
        key = hash((key, repr(piece)))
        whole.piece(piece, kind)
        mark = _mark_of(piece) if isinstance(piece, dict) else None
        if isinstance(mark, Mapping):
            found.append(Prefix(whole.size(), key, mark.get("ttl") == "1h"))
    last = params.get("cache_control")
    if isinstance(last, Mapping) and key and not isinstance(mark, Mapping):
        found.append(Prefix(whole.size(), key, last.get("ttl") == "1h"))
    return tuple(found)


def _pieces(params: Json) -> Iterable[tuple[Any, str]]:
    """Everything a mark may stand on, in prompt order, with what it is."""
    for tool in _dicts(params.get("tools")):
        yield tool, "tool"
    contents = [params.get("system"), *(message.get("content") for message in _dicts(params.get("messages")))]
    for number, content in enumerate(contents):
        if number:
            yield number, "turn"
        yield from [(content, "text")] if isinstance(content, str) else [(block, "block") for block in _dicts(content)]


def _mark_of(block: Json) -> object:
    """A block's cache mark, or the last inside a tool result."""
    own = block.get("cache_control")
    inner = [each.get("cache_control") for each in _dicts(block.get("content"))] if own is None else []
    return next((mark for mark in reversed(inner) if mark is not None), own)


class _Measure:
    """Adds up the parts of a prompt."""

    def __init__(self, rules: ModelRules | None) -> None:
        self.chars = 0
        self.octets = 0
        self._low = 0
        self._high = 0
        self._image = (rules.image_side, rules.image_tokens) if rules is not None else _OLD_IMAGE
        self._tools = False

    def size(self) -> Size:
        """What was added so far."""
        return Size(self.chars, self.octets, (self._low, self._high))

    def piece(self, piece: Any, kind: str) -> None:
        """A tool, a text, a block, or the beginning of a turn."""
        if kind == "tool":
            self.tools([piece])
        elif kind == "turn":
            self.turn()
        elif kind == "text":
            self.text(piece)
        else:
            self._block(piece)

    def turn(self) -> None:
        """What a message costs beside its content."""
        self._fixed(PER_MESSAGE // 2, PER_MESSAGE)

    def tools(self, tools: object) -> None:
        """Definitions of tools, and once the prompt they bring along."""
        if tools and not self._tools:
            self._tools = True
            self._fixed(TOOLS_TOKENS // 2, TOOLS_TOKENS)
            self.octets += hidden_bytes(0)
        for tool in _dicts(tools):
            self._json(tool)
            self.octets += _TYPED_BYTES if tool.get("type") not in (None, "custom") else 0

    def content(self, content: object) -> None:
        """A string or a list of blocks."""
        if isinstance(content, str):
            self.text(content)
        for block in _dicts(content):
            self._block(block)

    def text(self, text: object) -> None:
        """Text of the prompt; what is no string counts as nothing."""
        if isinstance(text, str):
            self.chars += len(text)
            self.octets += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))

    def _fixed(self, low: int, high: int) -> None:
        self._low += low
        self._high += high

    def _json(self, value: object) -> None:
        size = len(_encoded(value))
        self.chars += size
        self.octets += size

    def _block(self, block: Json) -> None:
        kind = block.get("type")
        if kind == "text":
            self.text(block.get("text"))
        elif kind == "image":
            self._image_block(block.get("source"))
        elif kind == "document":
            self._document(block)
        elif kind == "tool_result":
            self.content(block.get("content"))
        elif kind == "search_result":
            for name in ("source", "title"):
                self.text(block.get(name))
            self.content(block.get("content"))
        elif kind in ("thinking", "redacted_thinking"):
            # Thoughts of earlier turns may be left out of the prompt, and so be free.
            self._fixed(0, len(str(block.get("thinking") or block.get("data") or "")) // 2)
        else:
            self._json({name: value for name, value in block.items() if name != "cache_control"})

    def _image_block(self, source: object) -> None:
        side, most = self._image
        data = source.get("data") if isinstance(source, dict) and source.get("type") == "base64" else None
        found = media.read_image(data) if isinstance(data, str) else None
        self._fixed(*media.image_tokens(found, side, most))

    def _document(self, block: Json) -> None:
        for name in ("title", "context"):
            self.text(block.get(name))
        source = block.get("source")
        source = source if isinstance(source, dict) else {}
        kind, data = source.get("type"), source.get("data")
        if kind == "text":
            self.text(data)
        elif kind == "content":
            self.content(source.get("content"))
        elif kind == "base64" and isinstance(data, str):
            found = media.read_pdf(data)
            low, high = (found.pages, found.pages) if found is not None and found.pages else _UNREAD_PAGES
            self._fixed(low * _PAGE_TOKENS[0], high * (_PAGE_TOKENS[1] + self._image[1]))
        else:
            self._fixed(*_UNKNOWN_DOCUMENT)


def _encoded(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (msgspec.MsgspecError, UnicodeError, TypeError, OverflowError, RecursionError):
        return repr(value)[:1_000_000].encode("utf-8", "replace")


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
