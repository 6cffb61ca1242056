"""The objects of one large JSON text, cut out one by one without reading it whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from batchtui.intake.problems import error
from batchtui.intake.sources import PIECE, ReadableLines, SourceFault

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]|"', re.DOTALL)
_BETWEEN = re.compile(rb'\s*(,|"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\w.+-]+)', re.DOTALL)
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

    def __init__(self, stream: ReadableLines, limit: int, *, nested: bool, outer: int = 0, line: int = 1) -> None:
        """``outer``: how many brackets are open around the array."""
        self._outer = outer
        self.others: list[str] = []
        """Keys of the body that stand behind the array."""
        self._any = False
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
            self._see_end(self._outer)
            return
        if self._start is not None or self._nested:
            raise self._cut_off()
        if self._buffer[self._last_end :].strip():
            raise self._bad_gap(len(self._buffer))

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
            raise SourceFault(error("request_size", what), self._line)
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
                    yield from self._gap(token.start(), more=True)
                    if sign == b"[" and not self._nested:
                        raise self._bad_gap(token.start())
                    self._start = token.start()
                self._depth += 1
            elif sign in b"}]":
                self._depth -= 1
                if self._depth == 0 and self._start is not None:
                    yield buffer[self._start : token.end()], self._line
                    self._start, self._last_end = None, token.end()
                elif self._depth < 0:
                    if not self._nested or sign != b"]":
                        raise self._bad_gap(token.start())
                    yield from self._gap(token.start(), more=False)
                    self._last_end, self._closed = token.end(), True
                    return

    def _gap(self, end: int, *, more: bool) -> Iterator[tuple[bytes, int]]:
        """What stands between two objects of an array beside commas: numbers and the like, each on its line."""
        place, comma = self._last_end, not self._any
        while found := _BETWEEN.match(self._buffer, place, end):
            place = found.end()
            if found[1] == b",":
                if comma:
                    raise self._bad_gap(found.start(1))
                comma = True
            else:
                if not comma or not self._nested:
                    raise self._bad_gap(found.start(1))
                self._count_lines(found.start(1))
                yield found[1], self._line
                self._any, comma = True, False
        self._count_lines(end)
        # Objects that only follow each other need no comma.
        wrong = (more and self._nested and not comma) or (not more and self._any and comma)
        if wrong or self._buffer[place:end].strip():
            raise self._bad_gap(end)
        self._any = True

    def _see_end(self, depth: int) -> None:
        """Read what follows an array: nothing, or the rest of the body it is in."""
        while True:
            for token in _TOKEN.finditer(self._buffer, self._at):
                sign = token.group()
                if sign == b'"' or (depth == 1 and sign[:1] == b'"' and not self._seen_key(token)):
                    break
                depth += (sign in b"{[") - (sign in b"}]") if depth else -1
                if depth < 0:
                    raise self._after_end(token.start())
                self._at = self._last_end = token.end()
            rest = self._buffer[self._last_end :]
            if not depth and rest.strip():
                raise self._after_end(len(self._buffer) - len(rest.lstrip()))
            if not self._more():
                break
        if depth:
            raise self._cut_off()

    def _seen_key(self, token: re.Match[bytes]) -> bool:
        """Note a string of the body if it is a key; False when more must be read to tell."""
        if not _COLON.match(self._buffer, token.end()):
            return bool(self._buffer[token.end() :].strip())
        name = token.group()[1:-1][:60].decode("utf-8", "replace")
        if name == "requests":
            self._count_lines(token.start())
            what = "a second 'requests' in one body: put all requests into one list"
            raise SourceFault(error("json", what), self._line)
        self.others.append(name)
        return True

    def _after_end(self, start: int) -> SourceFault:
        self._count_lines(start)
        what = "text after the end of the JSON: a file holds one array, or one object per line"
        return SourceFault(error("json", what), self._line)

    def _cut_off(self) -> SourceFault:
        self._count_lines(len(self._buffer))
        return SourceFault(error("json", "the JSON ends early: the file seems to be cut off"), self._line)

    def _bad_gap(self, start: int) -> SourceFault:
        self._count_lines(start)
        return SourceFault(error("json", "not valid JSON between two requests"), self._line)

    def _count_lines(self, upto: int) -> None:
        if upto > self._counted:
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
