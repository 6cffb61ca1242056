"""Finds the request of each result line while the lines come."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable
from operator import itemgetter

from batchtui.domain.errors import Stopped
from batchtui.store.requests import Found

_U32 = 0xFFFF_FFFF


class Matcher:
    """The requests of a batch by custom_id, and which row of the results each has; ``known`` are the requests, if there are any.

    Raises OSError when they can't be read, Stopped when ``stop`` is set.
    """

    def __init__(self, known: Iterable[Found] | None, stop: threading.Event | None = None) -> None:
        self.known = known is not None
        self._places: dict[str, int] = {}
        self._others: list[tuple[str, int, int]] = []
        """Requests without an id, and those whose id an earlier one has: id, place, and place of the earlier one or -1."""
        self._strangers: list[tuple[int, str]] = []
        """Rows whose id is in no request, with the id."""
        self._offsets = array("q")
        self._lengths = array("I")
        for ids, offsets, lengths in known or ():
            if stop is not None and stop.is_set():
                raise Stopped("stopped while reading the requests")
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
