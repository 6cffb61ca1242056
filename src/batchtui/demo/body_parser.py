"""Finds the requests in the body of a create without holding it: any valid JSON, the usual forms fast.

The body lies in a file that is mapped into memory.  Where one request ends is first guessed by the bytes that stood
between the last two; the guess holds when what lies before it decodes as a whole request.  Otherwise brackets are
counted.
"""

from __future__ import annotations

import mmap
import re
from array import array
from pathlib import Path

import msgspec

from batchtui.domain.batch import CUSTOM_ID

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"(?:[^"\\]++|\\[\s\S])*+"')
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\[\s\S])*+"|[{}\[\]"]')
_SCALAR = re.compile(rb"[^\s,\]}]+")
_FIRST_KEY = re.compile(rb'\{[ \t\r\n]*"(?:custom_id|params)"')
_DROP_EVERY = 32 * 1024 * 1024


class BadBody(Exception):
    """The body is not what a create takes; the message is the API's kind of sentence."""


class _Element(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: str
    params: msgspec.Raw


_DECODER = msgspec.json.Decoder(_Element)


def split(path: Path, max_requests: int) -> array[int]:
    """Where each request starts and ends in the file, as pairs; raises BadBody."""
    if path.stat().st_size == 0:
        raise BadBody("The request body is empty; a JSON object is expected")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        return _Splitter(body, max_requests).run()


class _Splitter:
    def __init__(self, body: mmap.mmap, max_requests: int) -> None:
        self.body = body
        self.max_requests = max_requests
        self.found = array("Q")
        self.ids: set[str] = set()
        self.largest = 0
        self.dropped = 0

    def run(self) -> array[int]:
        pos = self._expect(self._space(0), b"{")
        seen = False
        if self._at(pos) == b"}":
            raise BadBody("requests: Field required")
        while True:
            key, pos = self._key(pos)
            if key == "requests" and not seen:
                seen = True
                pos = self._elements(pos)
            elif key == "requests":
                raise BadBody("requests: the field is given twice")
            else:
                raise BadBody(f"{key[:80]}: Extra inputs are not permitted")
            pos = self._space(pos)
            if self._at(pos) == b"}":
                break
            pos = self._expect(pos, b",")
        if self._space(pos + 1) != len(self.body):
            raise BadBody(f"The request body is not valid JSON: trailing characters at byte {pos + 1}")
        return self.found

    def _key(self, pos: int) -> tuple[str, int]:
        match = _STRING.match(self.body, self._space(pos))
        if match is None:
            raise BadBody(f"The request body is not valid JSON: expected a key at byte {pos}")
        try:
            key = msgspec.json.decode(match.group(), type=str)
        except msgspec.DecodeError as error:
            raise BadBody(f"The request body is not valid JSON: {error}") from error
        return key, self._expect(self._space(match.end()), b":")

    def _elements(self, pos: int) -> int:
        pos = self._space(pos)
        if self._at(pos) != b"[":
            raise BadBody("requests: Input should be a valid list")
        pos = self._space(pos + 1)
        if self._at(pos) == b"]":
            raise BadBody("requests: List should have at least 1 item after validation, not 0")
        between, brace = b"", 0
        while True:
            if between:
                hit = self.body.find(between, pos, pos + 2 * self.largest + 65_536)
                if hit >= 0 and self._take(pos, hit + 1, guess=True):
                    pos = hit + brace
                    continue
            end = self._value_end(pos)
            self._take(pos, end, guess=False)
            after = self._space(end)
            if self._at(after) == b"]":
                return after + 1
            pos = self._space(self._expect(after, b","))
            first = _FIRST_KEY.match(self.body, pos)
            between, brace = (self.body[end - 1 : first.end()], pos - end + 1) if first else (b"", 0)

    def _take(self, start: int, end: int, *, guess: bool) -> bool:
        """Check and keep one request; False when a guessed end was wrong."""
        number = len(self.found) // 2
        piece = self.body[start:end]
        try:
            element = _DECODER.decode(piece)
        except msgspec.ValidationError as error:
            if guess:
                return False
            raise BadBody(_sentence(number, str(error))) from error
        except RecursionError as error:
            raise BadBody(f"requests.{number}: nested too deeply") from error
        except msgspec.DecodeError as error:
            if guess:
                return False
            raise BadBody(f"The request body is not valid JSON: {error} (in requests.{number})") from error
        self._check(number, element, piece)
        self.found.extend((start, end))
        self.largest = max(self.largest, end - start)
        if end - self.dropped > _DROP_EVERY:
            self._drop(end)
        return True

    def _check(self, number: int, element: _Element, piece: bytes) -> None:
        if number >= self.max_requests:
            raise BadBody(f"requests: List should have at most {self.max_requests} items after validation")
        if not CUSTOM_ID.match(element.custom_id):
            raise BadBody(f"requests.{number}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if element.custom_id in self.ids:
            raise BadBody(
                f"requests.{number}.custom_id: duplicate custom_id '{element.custom_id}'; "
                "it must be unique within the batch"
            )
        if bytes(element.params)[:1] != b"{":
            raise BadBody(f"requests.{number}.params: Input should be a valid dictionary")
        if not piece.isascii():
            try:
                piece.decode()
            except UnicodeDecodeError as error:
                raise BadBody(f"The request body is not valid UTF-8 (in requests.{number})") from error
        self.ids.add(element.custom_id)

    def _value_end(self, start: int) -> int:
        """Where the JSON value at ``start`` ends, by counting brackets outside strings."""
        first = self._at(start)
        if first not in (b"{", b"["):
            match = (_STRING if first == b'"' else _SCALAR).match(self.body, start)
            if match is None:
                raise BadBody(f"The request body is not valid JSON: no value at byte {start}")
            return match.end()
        depth = 0
        for token in _TOKEN.finditer(self.body, start):
            text = token.group()
            if text in (b"{", b"["):
                depth += 1
            elif text in (b"}", b"]"):
                depth -= 1
                if depth == 0:
                    return token.end()
            elif text == b'"':
                break
        raise BadBody("The request body is not valid JSON: it ends in the middle of a value")

    def _space(self, pos: int) -> int:
        match = _SPACE.match(self.body, pos)
        return match.end() if match else pos

    def _at(self, pos: int) -> bytes:
        return self.body[pos : pos + 1]

    def _expect(self, pos: int, what: bytes) -> int:
        if self._at(pos) != what:
            raise BadBody(f"The request body is not valid JSON: expected '{what.decode()}' at byte {pos}")
        return pos + 1

    def _drop(self, upto: int) -> None:
        """Give back the pages that were read, so that memory stays flat."""
        start = self.dropped - self.dropped % mmap.PAGESIZE
        if hasattr(self.body, "madvise"):
            self.body.madvise(mmap.MADV_DONTNEED, start, upto - start)
        self.dropped = upto


def _sentence(number: int, error: str) -> str:
    """The API's sentence for a request whose envelope is wrong."""
    place = f"requests.{number}"
    if missing := re.search(r"missing required field `(\w+)`", error):
        return f"{place}.{missing.group(1)}: Field required"
    if unknown := re.search(r"unknown field `(.+?)`", error):
        return f"{place}.{unknown.group(1)[:80]}: Extra inputs are not permitted"
    if "custom_id" in error:
        return f"{place}.custom_id: Input should be a valid string"
    return f"{place}: Input should be a valid dictionary"
