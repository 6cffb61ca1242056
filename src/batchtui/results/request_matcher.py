"""Matches results to the requests of requests.jsonl: where each lies, which are missing, repeated or unexpected."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path

import msgspec

from batchtui import plainfile
from batchtui.domain.work import UNWATCHED, Work

_BLOCK = 1 << 18
_HEAD = re.compile(rb'\s*\{\s*"custom_id"\s*:\s*"([a-zA-Z0-9_-]{1,64})"\s*,\s*"params"')


class _Envelope(msgspec.Struct, gc=False):
    custom_id: str = ""


_decode = msgspec.json.Decoder(_Envelope).decode


Found = tuple[list[str], Sequence[int], Sequence[int]]
"""Requests' custom_ids, offsets and lengths in bytes."""


def read_requests(path: Path, also: Callable[[bytes, int], None] | None = None) -> Iterator[Found]:
    """All requests in the order of the file, some hundreds at a time; raises OSError.

    A custom_id that can't be read is ''.  ``also`` is given the same lines, and how many requests they are.
    """
    base, rest = 0, b""
    with os.fdopen(plainfile.open_fd(path)[0], "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            data = rest + block
            found, start = _in_block(data, base)
            if also is not None:
                also(data[:start], len(found[0]))
            yield found
            base += start
            rest = data[start:]
    if rest.strip():
        if also is not None:
            also(rest, 1)
        yield [_read_id(rest.strip())], [base], [len(rest)]


def _in_block(data: bytes, base: int) -> tuple[Found, int]:
    """The requests of whole lines, and where the rest begins."""
    ids: list[str] = []
    starts: list[int] = []
    sizes: list[int] = []
    find, head, start = data.find, _HEAD.match, 0
    while (end := find(b"\n", start)) >= 0:
        found = head(data, start, end)
        if found is not None:
            ids.append(found[1].decode("ascii"))
            starts.append(base + start)
            sizes.append(end - start)
        elif line := data[start:end].strip():
            ids.append(_read_id(line))
            starts.append(base + start)
            sizes.append(end - start)
        start = end + 1
    return (ids, starts, sizes), start


def _read_id(line: bytes) -> str:
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
        return _decode(line).custom_id
    return ""


_U32 = 0xFFFF_FFFF


class RequestMatcher:
    """The requests of a batch by custom_id, and which row of the results each has; ``known`` are the requests, if there are any.

    Raises OSError when they can't be read, and Stopped.
    """

    def __init__(self, known: Iterable[Found] | None, work: Work = UNWATCHED) -> None:
        self.known = known is not None
        self._places: dict[str, int] = {}
        self._others: list[tuple[str, int, int]] = []
        """Requests without an id, and those whose id an earlier one has: id, place, and place of the earlier one or -1."""
        self._strangers: list[tuple[int, str]] = []
        """Rows whose id is in no request, with the id."""
        self._offsets = array("q")
        self._lengths = array("I")
        for ids, offsets, lengths in known or ():
            work.check("stopped while reading the requests")
            self._add(ids)
            self._offsets.extend(offsets)
            self._lengths.extend(lengths if max(lengths, default=0) <= _U32 else [min(each, _U32) for each in lengths])

    def _add(self, ids: list[str]) -> None:
        first, places = len(self._offsets), self._places
        if not places:
            fresh = dict(zip(ids, range(first, first + len(ids)), strict=True))
            if len(fresh) == len(ids) and "" not in fresh:
                self._places = fresh
                return
        for seq, custom_id in enumerate(ids, first):
            earlier = places.setdefault(custom_id, seq) if custom_id else -1
            if earlier != seq:
                self._others.append((custom_id, seq, earlier))

    def find(self, ids: list[str], first: int) -> list[int]:
        """The places of the requests that lines belong to, -1 for those of none; the lines' rows begin with ``first``."""
        try:
            return [*map(self._places.__getitem__, ids)]
        except KeyError:
            found = [self._places.get(custom_id, -1) for custom_id in ids]
            self._strangers += [
                (row, custom_id) for row, (seq, custom_id) in enumerate(zip(found, ids, strict=True), first) if seq < 0
            ]
            return found

    def unexpected(self) -> list[int]:
        """Rows whose id is in no request."""
        return [row for row, _ in self._strangers] if self.known else []

    def compare(self, seqs: array[int]) -> tuple[list[int], list[tuple[str, int]]]:
        """Rows whose id was seen before, and custom_id and place of each request that no row belongs to, in their order.

        ``seqs`` are the places of all rows.
        """
        seen = bytearray(len(self._offsets) + 1)
        for seq in seqs:
            seen[seq] = 1
        seen[-1] = 0
        matched = seen.count(1)
        repeats = self._repeats(seqs) if matched < len(seqs) else []
        if matched == len(self._places) and not self._others:
            return repeats, []
        lost = [(custom_id, seq) for custom_id, seq in self._places.items() if not seen[seq]]
        more = [(custom_id, seq) for custom_id, seq, earlier in self._others if not seen[earlier]]
        return repeats, sorted([*lost, *more], key=itemgetter(1))

    def _repeats(self, seqs: array[int]) -> list[int]:
        """Rows whose id an earlier row has; a row without an id repeats none."""
        strangers, seen = dict(self._strangers), set[int | str]()
        repeats = []
        for row, seq in enumerate(seqs):
            key: int | str = seq if seq >= 0 else strangers[row]
            if key in seen:
                repeats.append(row)
            elif key != "":
                seen.add(key)
        return repeats

    def stretches(self, seqs: array[int]) -> tuple[array[int], array[int]]:
        """Offset and length in bytes of the requests at these places; -1 and 0 for place -1."""
        offsets, lengths = self._offsets + array("q", [-1]), self._lengths + array("I", [0])
        return array("q", map(offsets.__getitem__, seqs)), array("I", map(lengths.__getitem__, seqs))
