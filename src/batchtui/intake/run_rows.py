"""A run as a source: its rows in the order of their source, with their columns, their answers and what we know of them.

Each row keeps its identity (its own id, or the first source's hash and its number there), so that what is made from a run
matches it row by row.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

from batchtui import plainfile
from batchtui.domain.batch import CUSTOM_ID
from batchtui.domain.outcome import STANDINGS, ended, standing
from batchtui.intake.row import RunRow
from batchtui.results.answer_parts import AnswerParts, parts_of, plain_parts
from batchtui.results.json_in_text import find_json
from batchtui.results.names import RUN, said_beside
from batchtui.results.row_ids import Place, SourceMark, columns_of
from batchtui.results.row_match import sourced_with_columns
from batchtui.results.text import read_answer
from batchtui.results.view import Rows, View
from batchtui.store.records import IDS

Kind: TypeAlias = Literal["answers", "rows", "requests"]
"""What is taken of a run: rows with their answers, the rows alone, or the requests as they were sent."""
USABLE = ("usable",)
"""What is taken of a run unless something else is asked for."""
_SUCCEEDED = frozenset({"usable", "cut_short", "invalid"})
_BESIDE = ("error_message", "tool_calls", "compaction", "stop_details", "thinking", "content")
"""What a line says beside its answer's text."""
_INDEXED = frozenset(RUN) - {"answer", "custom_id", *_BESIDE}
_CHUNK = 256 * 1024
_CHUNK_ROWS = 256
"""Bytes and rows that are read at a time."""
_REQUEST = frozenset({"prompt", "system"})
"""What a request that was no row has for columns."""
_decode = msgspec.json.Decoder().decode


class RunRequest(msgspec.Struct, frozen=True):
    """A request of a run, to be sent once more."""

    custom_id: str
    """The one it had, "" when it was made here and is to be made anew."""
    params: bytes
    row_id: str
    own: dict[str, Any] | None
    betas: tuple[str, ...] = ()


class RunSource:
    """What is taken of a run; to be closed.  Raises StoreError."""

    def __init__(
        self,
        view: View,
        *,
        run: str,
        name: str,
        kind: Kind = "answers",
        only: Sequence[str] = USABLE,
        among: Rows | None = None,
        where: Callable[[Place], bool] | None = None,
        reviewed: Mapping[str, dict[str, Any]] | None = None,
        betas: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """``only`` are states as ``--only`` names them; ``among`` rows, and ``where`` tells by its place whether one is meant."""
        self._view = view
        self.run = run
        """The run's local id."""
        self.name = name
        self.kind = kind
        self._where, self._lines = sourced_with_columns(view)
        self._files: dict[int, plainfile.ReadAhead] = {}
        self._fds: list[int] = []
        self._reviewed = reviewed or {}
        self._betas = [(betas or {}).get(member.folder.name, ()) for member in view.members]
        meant: Sequence[int] = self._where.rows
        if among is not None:
            chosen = set(among)
            meant = [row for row in meant if row in chosen]
        if where is not None:
            meant = [row for row in meant if where(self._where.places[row])]
        self.total = len(meant)
        """Rows that were meant, those that are left out included."""
        self.rows, self.left_out = self._taken(meant, only)

    def _taken(self, meant: Sequence[int], only: Sequence[str]) -> tuple[Rows, dict[str, int]]:
        outcomes, flaws = self._view.column("outcome"), self._view.column("cut")
        states = [standing(outcomes[row], flaws[row]).name for row in meant]
        if self.kind != "answers" or "all" in only:
            return array("I", meant), {}
        wanted = {name for each in only for name in (_SUCCEEDED if each == "succeeded" else (each,))}
        left = Counter(state for state in states if state not in wanted)
        kept = array("I", [row for row, state in zip(meant, states, strict=True) if state in wanted])
        return kept, {each.name: left[each.name] for each in STANDINGS if left[each.name]}

    @property
    def columns(self) -> list[str]:
        """The rows' own columns."""
        return self._lines.names

    def left_out_words(self) -> str:
        """What is left out, counted, "" for nothing: ``12 of 300 rows left out: 9 errored, 3 invalid``."""
        if not self.left_out:
            return ""
        parts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in self.left_out.items())
        return f"{sum(self.left_out.values()):,} of {self.total:,} rows left out: {parts}"

    def close(self) -> None:
        """Give the files back."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._files.clear()
        self._view.close()

    def _raws(self, rows: Sequence[int]) -> list[bytes]:
        """The lines that have the rows' own columns; empty where none has."""
        sizes, offsets, members = self._lines.sizes, self._lines.offsets, self._lines.members
        found = [b""] * len(rows)
        for member in {members[row] for row in rows if sizes[row]}:
            mine = [place for place, row in enumerate(rows) if sizes[row] and members[row] == member]
            with suppress(OSError):
                lines = self._file(member).read_all([(offsets[rows[place]], sizes[rows[place]]) for place in mine])
                for place, line in zip(mine, lines, strict=True):
                    found[place] = line
        return found

    def _file(self, member: int) -> plainfile.ReadAhead:
        if member not in self._files:
            self._fds.append(plainfile.open_fd(self._view.members[member].folder / IDS)[0])
            self._files[member] = plainfile.ReadAhead(self._fds[-1])
        return self._files[member]

    def stretches(self) -> Iterator[tuple[SourceMark, Sequence[int]]]:
        """The rows in stretches that are from one source each, with what is known of that source."""
        places, held, at = self._where.places, [], None
        for row in self.rows:
            here = (places[row].source, places[row].sha256)
            if at is not None and here != at:
                yield self._mark(*at), held
                held = []
            at = here
            held.append(row)
        if at is not None:
            yield self._mark(*at), held

    def _mark(self, source: int, sha256: str) -> SourceMark:
        return SourceMark(source, self._where.names.get(source, "") or self.name, sha256)

    def number(self, row: int) -> int:
        """The row's number in its source."""
        place = self._where.places[row]
        return place.number or row + 1

    def row(self, row: int, names: Collection[str] | None = None) -> RunRow:
        """A row with what a template of these names uses of it (None: all).  Raises StoreError."""
        return next(self.with_answers([row], names))

    def with_answers(self, rows: Sequence[int], names: Collection[str] | None = None) -> Iterator[RunRow]:
        """These rows, each with what a template of these names uses of it (None: all).  Raises StoreError."""
        needs, places = _Needs(names), self._where.places
        for chunk in self._chunks(rows):
            owns = [
                self._of_request(row, names) if own is None else own
                for row, own in zip(chunk, _columns(self._raws(chunk)), strict=True)
            ]
            if self.kind != "answers":
                yield from (RunRow(own, places[row].row_id) for row, own in zip(chunk, owns, strict=True))
                continue
            lines = self._view.raws(chunk)
            looks = [needs.asks or not needs.bare <= own.keys() for own in owns]
            parts = _parts(lines) if any(looks) else [None] * len(chunk)
            for row, own, line, held, look in zip(chunk, owns, lines, parts, looks, strict=True):
                said = held if look else None
                run = self._say(row, line, needs, said)
                yield RunRow(own, places[row].row_id, scoped=True, answer=self._fields(row, said), run=run)

    def _chunks(self, rows: Sequence[int]) -> Iterator[Sequence[int]]:
        """Rows that are read together, so many that their lines are not large."""
        lengths, sizes = self._view.column("length"), self._lines.sizes
        first = held = 0
        for number, row in enumerate(rows):
            size = lengths[row] + sizes[row]
            if number > first and (held + size > _CHUNK or number - first == _CHUNK_ROWS):
                yield rows[first:number]
                first, held = number, 0
            held += size
        if rows:
            yield rows[first:]

    def _fields(self, row: int, parts: AnswerParts | str | None) -> dict[str, Any]:
        if parts is None:
            return {}
        if isinstance(parts, str):
            return _object(parts)
        return self._fields_of(row, parts)

    def _fields_of(self, row: int, parts: AnswerParts) -> dict[str, Any]:
        main = self._view.wanted(row).main_call(parts.calls) if parts.calls else 0
        inputs = {number: _object(bytes(call.input)) for number, call in enumerate(parts.calls, 1)}
        found = inputs.pop(main) if main else _object(parts.first_text) or _object(parts.text)
        return {**found, "tool": inputs} if inputs and "tool" not in found else found

    def _say(self, row: int, line: bytes, needs: _Needs, parts: AnswerParts | str | None) -> dict[str, Any]:
        said: dict[str, Any] = {"custom_id": self._view.id(row)} if needs.custom_id else {}
        beside = needs.beside if line else needs.beside_named
        answer = read_answer(line) if beside or (needs.asks and not isinstance(parts, str)) else None
        if needs.asks:
            said["answer"] = parts if isinstance(parts, str) else (answer.text if answer is not None else None) or ""
        if needs.indexed:
            said |= self._indexed(row)
        for key in beside:
            invalid = self._view.why_invalid(row) if key == "error_message" else ""
            said[key] = invalid or (said_beside(line, key, answer) if line else "")
        if needs.verdict:
            said |= self._reviewed.get(self._where.places[row].key, {"verdict": "", "right_value": "", "note": ""})
        return said

    def _indexed(self, row: int) -> dict[str, Any]:
        found, view = self._view.row(row), self._view
        return {
            "outcome": ended(view.column("outcome")[row], view.column("cut")[row]),
            "model": found.model,
            "stop_reason": found.stop_reason,
            "error": found.error,
            "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens,
            "cache_write_tokens": found.cache_write_tokens,
            "cache_read_tokens": found.cache_read_tokens,
            "cost_usd": None if found.cost_usd is None else f"{found.cost_usd.normalize():f}",
            "attempt": found.attempt + 1,
        }

    def _of_request(self, row: int, names: Collection[str] | None) -> dict[str, Any]:
        """The columns of a row that was sent as a request: its prompt and its system prompt, where they are used."""
        if names is not None and not _REQUEST & set(names) and "row" not in names:
            return {}
        raw = self._view.request_raw(row)
        return request_columns(raw) if raw is not None else {}

    def request(self, row: int) -> RunRequest | None:
        """A row's request as it was sent; None when it is not here.  Raises StoreError."""
        raw = self._view.request_raw(row)
        if raw is None:
            return None
        custom_id, place = self._view.id(row), self._where.places[row]
        found = msgspec.json.decode(raw, type=_Request)
        kept = place.row_id == custom_id and bool(CUSTOM_ID.match(custom_id))
        own = _columns(self._raws([row]))[0]
        betas = self._betas[self._view.place(row)[0]]
        return RunRequest(custom_id if kept else "", bytes(found.params), place.row_id, own, betas)


class _Request(msgspec.Struct):
    params: msgspec.Raw


class _Needs:
    """What a template of these names (None: all) needs of a row."""

    def __init__(self, names: Collection[str] | None) -> None:
        self.names = names
        wants = frozenset((*RUN, *_BESIDE, "verdict", "run")) if names is None else frozenset(names)
        every = "run" in wants
        self.asks = every or "answer" in wants
        self.bare = wants - {*RUN, "run"}
        """Names that are fields where they are no columns."""
        self.indexed = every or not _INDEXED.isdisjoint(wants)
        self.custom_id = every or "custom_id" in wants
        self.verdict = every or "verdict" in wants
        self.beside_named = [key for key in _BESIDE if key in wants]
        self.beside = [key for key in _BESIDE if key in wants or (every and key != "content")]


def _columns(lines: Sequence[bytes]) -> list[dict[str, Any] | None]:
    """The own columns that some lines hold, None for an empty line, or one that can't be read."""
    found = iter(columns_of([line for line in lines if line]))
    held = [next(found) if line else None for line in lines]
    return [each.row if each is not None else None for each in held]


def _parts(lines: Sequence[bytes]) -> Sequence[AnswerParts | str | None]:
    """The answers of some lines, None for an empty one."""
    if all(lines):
        found = plain_parts(b"\n".join(lines), len(lines))
        if found is not None:
            return found
    return [parts_of(line) if line else None for line in lines]


def _object(text: str | bytes) -> dict[str, Any]:
    """The object that a text holds, numbers as plain ones; {} when it holds none."""
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        found = _decode(text)
        return found if isinstance(found, dict) else {}
    if isinstance(text, bytes):
        return {}
    with suppress(RecursionError):
        held = find_json(text)
        return _plain(held) if isinstance(held, dict) else {}
    return {}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def request_columns(raw: bytes) -> dict[str, Any]:
    """What a request has for columns where no row is known: ``prompt``, the user's texts, and ``system``, where it has one."""
    try:
        params = msgspec.json.decode(raw)["params"]
        turns = params["messages"]
        said = [_texts(turn["content"]) for turn in turns if turn.get("role") == "user"]
        system = _texts(params.get("system") or "")
    except (msgspec.MsgspecError, UnicodeError, RecursionError, KeyError, TypeError, AttributeError):
        return {}
    return {"prompt": "\n\n".join(filter(None, said)), **({"system": system} if system else {})}


def _texts(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n\n".join(b["text"] for b in blocks if isinstance(b, dict) and isinstance(b.get("text"), str))
