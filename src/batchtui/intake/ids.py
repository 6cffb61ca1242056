"""custom_ids: told apart in little memory, and made from whatever a row offers."""

from __future__ import annotations

import re
import secrets
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

MAX_ID = 64
NOT_SENT = "row"
"""The mark of ids that are made for looking only: nothing is staged, so nothing can be sent under them."""
_LETTERS = "abcdefghijkmnpqrstuvwxyz"
_ALPHABET = _LETTERS + "23456789"
_NOT_ID = re.compile(r"[^a-zA-Z0-9_-]+")


class IdTable:
    """Where each custom_id was first seen, in about 25 to 50 bytes each, whatever its length.

    Ids are told apart by a 64-bit hash that is keyed anew in each process: with a million ids, two different ones are
    taken for equal with a chance of one in thirty million.
    """

    def __init__(self) -> None:
        self._bits = 16
        self._count = 0
        self._hashes = array("q", bytes(8 << self._bits))
        self._places = array("Q", bytes(8 << self._bits))

    def __len__(self) -> int:
        return self._count

    def add(self, custom_id: str, place: int) -> int:
        """Note an id at a place above 0; returns 0, or the place where it was seen before."""
        key = hash(custom_id) or 1
        mask = (1 << self._bits) - 1
        hashes = self._hashes
        slot = key & mask
        while there := hashes[slot]:
            if there == key:
                return self._places[slot]
            slot = (slot + 1) & mask
        hashes[slot] = key
        self._places[slot] = place
        self._count += 1
        if self._count * 2 > mask:
            self._grow()
        return 0

    def add_all(self, custom_ids: Sequence[str], at: Iterable[int]) -> bool:
        """Note ids at these places, of which there may be more; False, with only those before it noted, at one that was
        seen before."""
        while (self._count + len(custom_ids)) * 2 > 1 << self._bits:
            self._grow()
        mask = (1 << self._bits) - 1
        hashes, places = self._hashes, self._places
        noted = 0
        try:
            for hashed, here in zip(map(hash, custom_ids), at, strict=False):
                key = hashed or 1
                slot = key & mask
                while there := hashes[slot]:
                    if there == key:
                        return False
                    slot = (slot + 1) & mask
                hashes[slot] = key
                places[slot] = here
                noted += 1
        finally:
            self._count += noted
        return True

    def __contains__(self, custom_id: str) -> bool:
        key = hash(custom_id) or 1
        mask = (1 << self._bits) - 1
        slot = key & mask
        while there := self._hashes[slot]:
            if there == key:
                return True
            slot = (slot + 1) & mask
        return False

    def _grow(self) -> None:
        old = compress(zip(self._hashes, self._places, strict=True), self._hashes)
        self._bits += 1
        mask = (1 << self._bits) - 1
        hashes = array("q", bytes(8 << self._bits))
        places = array("Q", bytes(8 << self._bits))
        for key, place in old:
            slot = key & mask
            while hashes[slot]:
                slot = (slot + 1) & mask
            hashes[slot] = key
            places[slot] = place
        self._hashes, self._places = hashes, places


def new_mark() -> str:
    """What ids made for one plan begin with: six random characters, so that no two plans, runs or machines share it."""
    return secrets.choice(_LETTERS) + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def made_id(mark: str, number: int) -> str:
    """The id of a plan's row number ``number``, such as ``k3f9x2-000001``; ids sort as their numbers do."""
    # A letter sorts behind the digits, so that row 1,000,000 follows row 999,999.
    return f"{mark}-{number:06}" if number < 1_000_000 else f"{mark}-x{number:09}"


def as_id(text: str) -> str:
    """The nearest valid custom_id, or an empty string when nothing of the text is left."""
    plain = unicodedata.normalize("NFKD", text[: MAX_ID * 8]).encode("ascii", "ignore").decode()
    return _NOT_ID.sub("-", plain).strip("-")[:MAX_ID]


def candidates(base: str, number: int) -> Iterator[str]:
    """Ids to try in turn when ``base`` is taken: with the row's number, then with one more counter, without end."""
    for suffix in (f"-{number}", *(f"-{number}-{count}" for count in range(2, 10))):
        yield base[: MAX_ID - len(suffix)] + suffix
    count = 10
    while True:
        suffix = f"-{number}-{count}"
        yield base[: MAX_ID - len(suffix)] + suffix
        count += 1
