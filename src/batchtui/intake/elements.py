"""The objects of one large JSON text, cut out one by one without reading it whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from batchtui.intake.lines import PIECE, Readable
from batchtui.intake.problems import error
from batchtui.intake.sources import SourceFault

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]|"', re.DOTALL)
_COLON = re.compile(rb"\s*:")
_ARRAY = re.compile(rb"\s*:\s*\[")


def array_start(head: bytes) -> tuple[int, list[str]] | None:
    """Where the first element of an array, or of the ``requests`` of a body, may begin, and the body's keys before it.

    None when the text is neither.
    """
    blank = len(head) - len(head.lstrip())
    if head[blank : blank + 1] == b"[":
        return blank + 1, []
    depth = 0
    others: list[str] = []
    for token in _TOKEN.finditer(head):
        sign = token.group()
        if sign in b"{[":
            depth += 1
        elif sign in b"}]":
            depth -= 1
            if depth < 1:
                return None
        elif depth == 1 and _COLON.match(head, token.end()):
            array = _ARRAY.match(head, token.end())
            if sign == b'"requests"' and array:
                return array.end(), others
            others.append(sign[1:-1][:60].decode("utf-8", "replace"))
    return None


class Elements:
    """Cuts objects out of a stream: those of an array (``nested``, the stream stands behind its ``[``) or a plain sequence."""

    def __init__(self, stream: Readable, limit: int, *, nested: bool, line: int = 1) -> None:
        self._stream = stream
        self._limit = limit
        self._nested = nested
        self._buffer = b""
        self._at = 0
        self._last_end = 0
        self._start: int | None = None
        self._depth = 0
        self._closed = False
        self._line = line
        self._counted = 0

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Objects, and the line on which each begins; empty bytes after each piece that was read.

        Raises SourceFault when brackets don't match, the text ends too early, or an object is too long.
        """
        while not self._closed and self._more():
            yield from self._scan()
            yield b"", 0
        if self._closed:
            return
        if self._start is not None or self._nested:
            raise SourceFault(error("json", "the JSON text ends too early: it seems to be cut off"))
        if self._buffer[self._last_end :].strip():
            self._bad_gap(len(self._buffer))

    def _more(self) -> bool:
        """Drop what is done with, and read on."""
        keep = self._last_end if self._start is None else self._start
        self._count_lines(keep)
        self._buffer = self._buffer[keep:]
        self._at -= keep
        self._last_end -= keep
        self._counted = 0
        if self._start is not None:
            self._start = 0
        if len(self._buffer) > self._limit:
            what = "one request is larger than a whole batch may be: the rest is not read"
            raise SourceFault(error("request_size", what, f"line {self._line}"))
        piece = self._stream.read(max(PIECE, len(self._buffer)))
        self._buffer += piece
        return bool(piece)

    def _scan(self) -> Iterator[tuple[bytes, int]]:
        buffer = self._buffer
        for token in _TOKEN.finditer(buffer, self._at):
            sign = token.group()
            if sign == b'"':
                self._at = token.start()
                return
            self._at = token.end()
            if sign in b"{[":
                if self._depth == 0:
                    self._begin(sign, token.start())
                self._depth += 1
            elif sign in b"}]":
                self._depth -= 1
                if self._depth == 0 and self._start is not None:
                    yield buffer[self._start : token.end()], self._line
                    self._start, self._last_end = None, token.end()
                elif self._depth < 0:
                    self._close(sign, token.start())
                    return

    def _begin(self, sign: bytes, start: int) -> None:
        if sign == b"[" or self._buffer[self._last_end : start].strip() not in (b"", b","):
            self._bad_gap(start)
        self._count_lines(start)
        self._start = start

    def _close(self, sign: bytes, start: int) -> None:
        if not self._nested or sign != b"]" or self._buffer[self._last_end : start].strip():
            self._bad_gap(start)
        self._closed = True

    def _bad_gap(self, start: int) -> None:
        self._count_lines(start)
        raise SourceFault(error("json", "not valid JSON between two requests", f"line {self._line}"))

    def _count_lines(self, upto: int) -> None:
        self._line += self._buffer.count(b"\n", self._counted, upto)
        self._counted = upto


def one_line(element: bytes) -> bytes:
    """An object without the newlines between its parts; one that is no JSON stays as it is."""
    if b"\n" not in element and b"\r" not in element:
        return element
    try:
        return msgspec.json.format(element, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return element
