"""A run as a source: its rows in the order of their source, with their columns, their answers and what we know of them.

Each row keeps its identity (its own id, or the first source's hash and its number there), so that what is made from a run
matches it row by row.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

import msgspec

from batchtui.domain.batch import CUSTOM_ID
from batchtui.domain.outcome import STANDINGS, ended, standing
from batchtui.intake.row import RunParts, read_columns
from batchtui.results.answer_parts import AnswerParts, parts_of, plain_parts
from batchtui.results.field_builder import text_of
from batchtui.results.json_in_text import find_json
from batchtui.results.line import UNDECODED
from batchtui.results.names import RUN, said_beside
from batchtui.results.row_columns import RowColumns
from batchtui.results.row_ids import OwnRow, Place, SourceMark
from batchtui.results.row_match import identities
from batchtui.results.row_places import places_of
from batchtui.results.text import read_answer
from batchtui.results.view import Rows, View

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
_SAID = frozenset((*RUN, *_BESIDE, "verdict")) - {"answer"}
_REVIEWED = frozenset({"verdict", "right_value", "note"})
_NOTHING = msgspec.Raw()
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
        reviewed: Callable[[str], dict[str, Any]] | None = None,
        betas: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """``only`` are states as ``--only`` names them; ``among`` rows, and ``where`` tells by its place whether one is meant.

        ``reviewed`` says the verdict, the right value and the note of a row identity; None where there are none.
        """
        self._view = view
        self.run = run
        """The run's local id."""
        self.name = name
        self.kind = kind
        self._places = places_of(view)
        self._own = RowColumns(view)
        self._reviewed = reviewed
        self._betas = [(betas or {}).get(member.folder.name, ()) for member in view.members]
        meant = self._places.order
        if among is not None:
            chosen = set(among)
            meant = array("I", [row for row in meant if row in chosen])
        if where is not None:
            meant = array("I", [row for row in meant if where(self._places[row])])
        self.total = len(meant)
        """Rows that were meant, those that are left out included."""
        self.rows, self.left_out = self._taken(meant, only)

    def _taken(self, meant: Rows, only: Sequence[str]) -> tuple[Rows, dict[str, int]]:
        if self.kind != "answers" or "all" in only:
            return meant, {}
        outcomes, flaws = self._view.column("outcome"), self._view.column("cut")
        names = {pair: standing(*pair).name for pair in set(zip(outcomes, flaws, strict=True))}
        wanted = {name for each in only for name in (_SUCCEEDED if each == "succeeded" else (each,))}
        if wanted.issuperset(names.values()):
            return meant, {}
        left = Counter(names[outcomes[row], flaws[row]] for row in meant)
        kept = array("I", [row for row in meant if names[outcomes[row], flaws[row]] in wanted])
        return kept, {each.name: left[each.name] for each in STANDINGS if left[each.name] and each.name not in wanted}

    @property
    def columns(self) -> list[str]:
        """The rows' own columns."""
        return self._own.names

    def left_out_words(self) -> str:
        """What is left out, counted, "" for nothing: ``12 of 300 rows left out: 9 errored, 3 invalid``."""
        if not self.left_out:
            return ""
        parts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in self.left_out.items())
        return f"{sum(self.left_out.values()):,} of {self.total:,} rows left out: {parts}"

    def close(self) -> None:
        """Give the files back."""
        self._own.close()
        self._view.close()

    def stretches(self) -> Iterator[tuple[SourceMark, Rows]]:
        """The rows in stretches that are from one source each, with what is known of that source."""
        first = 0
        for last, mark in self._places.stretches(self.rows):
            name = self._places.names.get(mark[0], "") or self.name
            yield SourceMark(mark[0], name, mark[1]), self.rows[first:last]
            first = last

    def numbers(self, rows: Sequence[int]) -> list[int]:
        """The numbers of rows in their sources."""
        numbers = self._places.numbers
        return [numbers[row] or row + 1 for row in rows]

    def row(self, row: int) -> RunParts:
        """A row with all that a template may use of it.  Raises StoreError."""
        return next(self.with_answers([row]))

    def with_answers(self, rows: Sequence[int], names: Collection[str] | None = None) -> Iterator[RunParts]:
        """These rows, each with what a template of these names uses of it (None: all).  Raises StoreError."""
        return (row for _, made in self.blocks(rows, names) for row in made)

    def blocks(
        self, rows: Sequence[int], names: Collection[str] | None = None
    ) -> Iterator[tuple[Sequence[int], Sequence[RunParts]]]:
        """The same in blocks, each with the rows' numbers."""
        needs = _Needs(names)
        for chunk in self._chunks(rows):
            owned = self._own.written(chunk)
            if self.kind != "answers":
                yield chunk, [self._alone(row, own, names) for row, own in zip(chunk, owned, strict=True)]
            elif names is not None and all(own.row for own in owned):
                yield chunk, self._as_written(chunk, owned, needs)
            else:
                yield chunk, self._read(chunk, owned, needs)

    def _alone(self, row: int, own: OwnRow, names: Collection[str] | None) -> RunParts:
        """A row without its answer."""
        found = read_columns(own.row)
        if found is None:
            return RunParts(_NOTHING, own.row_id, read=self._of_request(row, names))
        return RunParts(own.row, own.row_id, read=found)

    def _as_written(self, rows: Sequence[int], owned: Sequence[OwnRow], needs: _Needs) -> Sequence[RunParts]:
        """Rows with answers whose own columns are all there: they pass as they are written."""
        parts = self._parts(rows, [True] * len(rows))
        if needs.no_more and set(map(type, parts)) == {str}:
            texts = cast("Sequence[str]", parts)
            return [
                RunParts(own.row, own.row_id, True, _object(said), {"answer": said} if needs.asks else {})
                for own, said in zip(owned, texts, strict=True)
            ]
        return [
            RunParts(own.row, own.row_id, True, self._fields(row, said), self._say(row, needs, said))
            for row, own, said in zip(rows, owned, parts, strict=True)
        ]

    def _read(self, rows: Sequence[int], owned: Sequence[OwnRow], needs: _Needs) -> Sequence[RunParts]:
        """Rows with answers, whose columns are read."""
        made = [self._alone(row, own, needs.names) for row, own in zip(rows, owned, strict=True)]
        parts = self._parts(rows, [needs.asks or not needs.bare <= each.own.keys() for each in made])
        for row, each, said in zip(rows, made, parts, strict=True):
            each.scoped, each.answer, each.run = True, self._fields(row, said), self._say(row, needs, said)
        return made

    def _parts(self, rows: Sequence[int], looks: Sequence[bool]) -> Sequence[AnswerParts | str | None]:
        """The answers of the rows that are looked at, None for others and those without."""
        if not any(looks):
            return [None] * len(rows)
        block = self._view.block(rows)
        found = plain_parts(block, len(rows)) if block is not None else None
        if found is None:
            found = _parts(self._view.raws(rows))
        return found if all(looks) else [each if look else None for each, look in zip(found, looks, strict=True)]

    def _chunks(self, rows: Sequence[int]) -> Iterator[Sequence[int]]:
        """Rows that are read together, so many that their lines are not large."""
        lengths, sizes = self._view.column("length"), self._places.sizes
        for start in range(0, len(rows), _CHUNK_ROWS):
            chunk = rows[start : start + _CHUNK_ROWS]
            octets = [lengths[row] + sizes[row] for row in chunk]
            if sum(octets) <= _CHUNK:
                yield chunk
                continue
            first = held = 0
            for number, size in enumerate(octets):
                if number > first and held + size > _CHUNK:
                    yield chunk[first:number]
                    first, held = number, 0
                held += size
            yield chunk[first:]

    def _fields(self, row: int, parts: AnswerParts | str | None) -> dict[str, Any]:
        if parts is None:
            return {}
        if isinstance(parts, str):
            return _object(parts)
        return self._fields_of(row, parts)

    def _fields_of(self, row: int, parts: AnswerParts) -> dict[str, Any]:
        wanted = self._view.wanted(row)
        main = wanted.main_call(parts.calls)
        inputs = {number: _object(bytes(call.input)) for number, call in enumerate(parts.calls, 1)}
        found = inputs.pop(main) if main else _object(text_of(parts, wanted))
        return {**found, "tool": inputs} if inputs and "tool" not in found else found

    def _say(self, row: int, needs: _Needs, parts: AnswerParts | str | None) -> dict[str, Any]:
        said: dict[str, Any] = {"custom_id": self._view.id(row)} if needs.custom_id else {}
        line = self._view.raw(row) if needs.beside or (needs.asks and not isinstance(parts, str)) else b""
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
            said |= self._reviewed(self._identities[row]) if self._reviewed else dict.fromkeys(_REVIEWED, "")
        return said

    @cached_property
    def _identities(self) -> list[str]:
        """The row identities, by which reviews are kept; read only where there is one."""
        return identities(self._view)

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
        custom_id, place = self._view.id(row), self._places[row]
        found = msgspec.json.decode(raw, type=_Request)
        kept = place.row_id == custom_id and bool(CUSTOM_ID.match(custom_id))
        own = read_columns(self._own.written([row])[0].row)
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
        of_run = {each.removeprefix("run.") for each in wants if each.startswith("run.")}
        self.bare = {each for each in wants if not each.startswith("run.")} - {*RUN, "run"}
        """Names that are fields where they are no columns."""
        wants |= of_run
        self.asks = every or "answer" in wants
        self.indexed = every or not _INDEXED.isdisjoint(wants)
        self.custom_id = every or "custom_id" in wants
        self.verdict = every or "verdict" in wants or not _REVIEWED.isdisjoint(of_run)
        self.no_more = not every and not self.verdict and _SAID.isdisjoint(wants)
        """Whether of what we say of a row it is the answer's text at most."""
        self.beside_named = [key for key in _BESIDE if key in wants]
        self.beside = [key for key in _BESIDE if key in wants or (every and key != "content")]


def _parts(lines: Sequence[bytes]) -> Sequence[AnswerParts | str | None]:
    """The answers of some lines, None for an empty one."""
    if all(lines):
        found = plain_parts(b"\n".join(lines), len(lines))
        if found is not None:
            return found
    return [parts_of(line) if line else None for line in lines]


def _object(text: str | bytes) -> dict[str, Any]:
    """The object that a text holds, numbers as plain ones; {} when it holds none."""
    try:
        found = _decode(text)
    except (*UNDECODED, ValueError):
        pass
    else:
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
