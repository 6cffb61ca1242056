"""What each request of a batch asked its answer to be: a schema for the text, or tools, and which call is the answer."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from batchtui import plainfile
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.answer_parts import ToolCall
from batchtui.results.request_matcher import read_requests
from batchtui.store.records import ANSWER, REQUESTS

if TYPE_CHECKING:
    from batchtui.results.view import View

_MAX_SCHEMAS = 64_000_000
"""Bytes of the file of whole schemas."""
_NONE = msgspec.Raw(b"")
_MAX_WANTED = 10_000
"""Different wishes of one batch; requests beyond them are not checked."""


class AskedFor(msgspec.Struct, frozen=True, kw_only=True):
    """What one request, and those like it, asked for."""

    text: Any = None
    """The schema that the text is checked by: the whole one where what was sent is a part of it; None when there is none."""
    calls: dict[str, Any] = {}
    """Schemas of tools whose calls are checked: strict ones, and the forced one."""
    forced: str = ""
    """The tool that had to be called."""
    tools: tuple[str, ...] = ()

    @property
    def checks(self) -> bool:
        """Whether there is anything to check an answer by."""
        return self.text is not None or bool(self.calls)

    @property
    def main_tool(self) -> str:
        """The tool whose input is the answer; "" when none is more than another."""
        return self.forced or (self.tools[0] if len(self.tools) == 1 else "")

    def main_call(self, calls: Sequence[ToolCall]) -> int:
        """The number of the call whose input is the answer, from 1; 0 when the text is it or no call is."""
        if self.text is not None or not calls:
            return 0
        name = self.main_tool
        if not name:
            return 0 if self.tools else 1
        return next((number for number, call in enumerate(calls, 1) if call.name == name), 0)


NOTHING = AskedFor()
"""Asks for nothing in particular; of an answer with calls the first is taken for it."""


class SchemaPair(msgspec.Struct, frozen=True):
    """A schema as it is sent, and the whole one that answers are checked by."""

    sent: Any
    whole: Any


class Asked:
    """What the requests of a batch asked for, by their place in requests.jsonl."""

    def __init__(self) -> None:
        self.wanted: list[AskedFor] = [NOTHING]
        self._of = array("I")

    def of(self, seq: int) -> AskedFor:
        """What the request at this place asked for; NOTHING for place -1 and for requests that are not known."""
        return self.wanted[self.number_of(seq)]

    def number_of(self, seq: int) -> int:
        """The place in ``wanted`` of what the request at this place asked for."""
        return self._of[seq] if 0 <= seq < len(self._of) else 0

    def numbers(self) -> array[int]:
        """For each request the place in ``wanted`` of what it asked for."""
        return self._of

    @property
    def checks(self) -> bool:
        """Whether any request has something to check its answer by."""
        return any(each.checks for each in self.wanted)


class Kept(msgspec.Struct, frozen=True):
    """What a batch's requests asked for, as its index keeps it."""

    wanted: tuple[AskedFor, ...]
    runs: tuple[tuple[int, int], ...]
    """Places in ``wanted``, each with how many requests in a row have it."""


NOT_KEPT = msgspec.Raw(b"null")
"""Nothing, as an index has it."""
_MOST_KEPT = 4_000_000
"""Bytes of it; more is read from the requests again."""


def keep(asked: Asked) -> msgspec.Raw:
    """What an index keeps of it: null when that is too much, or can't be written as it was read."""
    runs = tuple((number, sum(1 for _ in same)) for number, same in groupby(asked.numbers()))
    try:
        kept = msgspec.json.encode(Kept(tuple(asked.wanted), runs))
    except (msgspec.MsgspecError, OverflowError, RecursionError):
        return NOT_KEPT
    return msgspec.Raw(kept) if len(kept) <= _MOST_KEPT else NOT_KEPT


def taken(kept: msgspec.Raw) -> Asked | None:
    """What an index kept; None when it kept nothing that can be read."""
    try:
        found = msgspec.json.decode(kept, type=Kept | None)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if found is None or any(not 0 <= number < len(found.wanted) for number, _ in found.runs):
        return None
    asked = Asked()
    asked.wanted = list(found.wanted)
    for number, count in found.runs:
        asked.numbers().extend(array("I", [number]) * count)
    return asked


class _Params(msgspec.Struct, gc=False):
    output_config: msgspec.Raw = _NONE
    tools: msgspec.Raw = _NONE
    tool_choice: msgspec.Raw = _NONE


class _Request(msgspec.Struct, gc=False):
    params: _Params


_decoder = msgspec.json.Decoder(_Request)
_UNREAD = _Params()
_SIGNS = (b'"output_config"', b'"tools"', b"\\u00")
"""One of them is in each line that asks for something: its key, or a key written with escapes."""


class AskedReader:
    """Reads what requests asked for, some lines at a time (``take``), into ``asked``; ``folder`` may hold whole schemas."""

    def __init__(self, folder: Path | None) -> None:
        self.asked = Asked()
        self._whole = read_pairs(folder) if folder is not None else []
        self._numbers: dict[tuple[bytes, bytes, bytes], int] = {(b"", b"", b""): 0}

    def take(self, lines: bytes, count: int) -> None:
        """Take whole lines with ``count`` requests."""
        if any(sign in lines for sign in _SIGNS):
            _take(self.asked, _params(lines), self._numbers, self._whole)
        else:
            self.asked.numbers().frombytes(bytes(count * self.asked.numbers().itemsize))


def read_asked(folder: Path, work: Work = UNWATCHED) -> Asked:
    """What the requests in a batch's folder asked for, in one pass over them; raises OSError, Stopped."""
    reader = AskedReader(folder)
    with suppress(FileNotFoundError):
        for _ in read_requests(folder / REQUESTS, reader.take):
            work.check("stopped while reading the requests")
    return reader.asked


def _params(lines: bytes) -> list[_Params]:
    try:
        return [request.params for request in _decoder.decode_lines(lines)]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return [_one(line) for line in lines.split(b"\n") if line.strip()]


def _one(line: bytes) -> _Params:
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        return _decoder.decode(line).params
    return _UNREAD


def _take(
    asked: Asked, found: list[_Params], numbers: dict[tuple[bytes, bytes, bytes], int], whole: Sequence[SchemaPair]
) -> None:
    keys = [(bytes(each.output_config), bytes(each.tools), bytes(each.tool_choice)) for each in found]
    for key in dict.fromkeys(keys):
        if key in numbers:
            continue
        wanted = _wanted(*key, whole)
        known = asked.wanted.index(wanted) if wanted == NOTHING else -1
        if known < 0 and len(asked.wanted) < _MAX_WANTED:
            known = len(asked.wanted)
            asked.wanted.append(wanted)
        numbers[key] = max(known, 0)
    asked.numbers().extend([*map(numbers.__getitem__, keys)])


def _wanted(config: bytes, tools: bytes, choice: bytes, whole: Sequence[SchemaPair]) -> AskedFor:
    schema = _schema_of(config)
    text = next((pair.whole for pair in whole if pair.sent == schema), schema) if schema is not None else None
    given = _json(tools)
    own = [
        each
        for each in (given if isinstance(given, list) else [])
        if isinstance(each, dict) and each.get("type", "custom") == "custom" and isinstance(each.get("name"), str)
    ]
    names = tuple(each["name"] for each in own)
    chosen = _dict(_json(choice))
    forced = str(chosen.get("name")) if chosen.get("type") == "tool" else ""
    if chosen.get("type") == "any" and len(names) == 1:
        forced = names[0]
    calls = {
        each["name"]: each.get("input_schema")
        for each in own
        if (each.get("strict") is True or each["name"] == forced) and isinstance(each.get("input_schema"), dict)
    }
    return AskedFor(text=text, calls=calls, forced=forced if forced in names else "", tools=names)


def _schema_of(config: bytes) -> Any:
    """The schema that an ``output_config`` asks for, None when it asks for none."""
    format_ = _dict(_dict(_json(config)).get("format"))
    return format_.get("schema") if format_.get("type") == "json_schema" else None


def loses_bounds(before: bytes, after: bytes, pairs: Sequence[SchemaPair]) -> bool:
    """Whether a request that is changed asks for another schema than the one whose bounds are kept in ``pairs``."""
    old, new = (_schema_of(bytes(_one(line).output_config)) for line in (before, after))
    kept = any(pair.sent == old and pair.whole != old for pair in pairs)
    return kept and new is not None and not any(pair.sent == new for pair in pairs)


def _json(raw: bytes) -> Any:
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        return msgspec.json.decode(raw) if raw else None
    return None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def read_pairs(folder: Path) -> list[SchemaPair]:
    """The whole schemas that are kept beside a batch's requests; none when there are none or they can't be read."""
    with suppress(OSError, msgspec.MsgspecError, RecursionError):
        return msgspec.json.decode(plainfile.read(folder / ANSWER, _MAX_SCHEMAS), type=list[SchemaPair])
    return []


def carried(folders: Sequence[Path]) -> bytes | None:
    """The whole schemas of several batches as one file's content; None when there are none."""
    found: list[SchemaPair] = []
    for folder in folders:
        found += [pair for pair in read_pairs(folder) if pair not in found]
    return msgspec.json.encode(found) if found else None


_LOOKS = 20
"""Requests that are looked at, spread over all."""


def asks_for_values(view: View) -> bool:
    """True when some request, of a few that are looked at, has an output format or has to call a tool.  Raises StoreError."""
    count = len(view)
    return any(_has_values(view.request_raw(row)) for row in range(0, count, max(1, count // _LOOKS)))


def _has_values(line: bytes | None) -> bool:
    params = _one(line) if line else _UNREAD
    wanted = _wanted(bytes(params.output_config), bytes(params.tools), bytes(params.tool_choice), ())
    return wanted.text is not None or bool(wanted.forced)
