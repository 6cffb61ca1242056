"""A source that is no UTF-8, read as UTF-8: a stream in an encoding that is known, or found on the way, and a whole text."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from functools import lru_cache

from batchtui.intake.encodings import NAME_IT, Guess, guess, is_utf8, marked, mostly_utf8, wide
from batchtui.intake.problems import error
from batchtui.intake.sources import PIECE, ReadableLines, SourceFault


def breaks_rules(encoding: str, bad: UnicodeError) -> SourceFault:
    """What is said where an encoding has rules beyond its signs: UTF-16 by this name begins with a mark."""
    return SourceFault(error("encoding", f"not valid {plain_name(encoding)} ({bad.args[-1]}): {NAME_IT}"))


class Decoded:
    """A stream in some encoding as UTF-8, without a byte order mark; what can't be decoded becomes U+FFFD."""

    def __init__(self, source: ReadableLines, encoding: str) -> None:
        self._source = source
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._begun = False

    def read(self, size: int = -1, /) -> bytes:
        """About ``size`` bytes, empty at the end."""
        while True:
            piece = self._source.read(size if size > 0 else PIECE)
            try:
                text = self._decoder.decode(piece, final=not piece)
            except UnicodeError as bad:
                raise breaks_rules(self._encoding, bad) from bad
            if text and not self._begun:
                self._begun = True
                text = text.removeprefix("\ufeff")
            if text or not piece:
                return text.encode("utf-8", "replace")


class Sniffed:
    """A stream that is UTF-8 as far as was seen; from the first piece on that is not, it is read in what it is found to be."""

    def __init__(self, source: ReadableLines, tell: Callable[[Guess], None]) -> None:
        self._source = source
        self._tell = tell
        self._decided = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._lines = 0

    def read(self, size: int, /) -> bytes:
        """About ``size`` bytes, empty at the end; raises SourceFault when it is no text."""
        piece = self._source.read(size)
        if self._decoder is not None:
            return self._decoded(piece)
        if self._decided or piece.isascii():
            self._lines += 0 if self._decided else piece.count(b"\n")
            return piece
        if is_utf8(piece, cut=True) or mostly_utf8(piece):
            self._decided = True  # Later lines that are no UTF-8 are damaged.
            return piece
        found = guess(piece)
        self._decided = True
        self._tell(Guess(found.encoding, self._lines + found.line))
        self._decoder = codecs.getincrementaldecoder(found.encoding)(errors="replace")
        return self._decoded(piece)

    def _decoded(self, piece: bytes) -> bytes:
        assert self._decoder is not None
        while True:
            text = self._decoder.decode(piece, final=not piece)
            if text or not piece:
                return text.encode("utf-8", "replace")
            piece = self._source.read(len(piece) or 1)


@lru_cache(maxsize=64)
def plain_name(encoding: str) -> str:
    """The name of an encoding as people write it."""
    return {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16"}.get(encoding, encoding)


def decode_text(data: bytes, encoding: str) -> tuple[str, Guess | None]:
    """A whole text, in ``encoding`` or ("") in what it is found to be, and that when it was guessed; raises SourceFault."""
    guessed = None
    name = encoding or marked(data) or wide(data)
    if not name:
        if is_utf8(data, cut=False) or mostly_utf8(data):
            name = "utf-8"
        else:
            guessed = guess(data)
            name = guessed.encoding
    try:
        return data.decode(name).removeprefix("\ufeff"), guessed
    except (UnicodeDecodeError, ValueError) as bad:
        place = f"byte {bad.start + 1:,}" if isinstance(bad, UnicodeDecodeError) else ""
        raise SourceFault(error("encoding", f"not valid {plain_name(name)}: {NAME_IT}", place)) from bad
