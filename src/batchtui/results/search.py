"""Full-text search in results and requests: bytes found block by block, then verified on the decoded line."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import product

from batchtui.domain.errors import StoreError
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results import filter
from batchtui.results.filter import Filter, Word
from batchtui.results.text import answer_text, request_text
from batchtui.results.view import ResultSet, Rows, View
from batchtui.store import files

BLOCK = 1 << 20
FOLDED_BLOCK = 1 << 18
"""Bytes looked through in one call, which holds the interpreter's lock; smaller when they are lower-cased first."""


def scan(
    fd: int, size: int, needles: list[bytes], case: bool, starts: Sequence[int], work: Work
) -> Iterator[list[int]]:
    """Numbers of the lines (by their ``starts``) that hold one of the needles, each once; ends early when stopped.

    Blocks overlap by one byte less than the longest needle, so nothing is missed between two.  Raises StoreError.
    """
    overlap = max(len(needle) for needle in needles) - 1
    buffer = bytearray(BLOCK + overlap)
    ways = probes(needles, case, buffer[: _read(fd, buffer, 0)])
    folding = not all(way.raw for way in ways)
    block = FOLDED_BLOCK if folding else BLOCK
    buffer = bytearray(block + overlap)
    place, last = 0, -1
    while place < size and not work.stopped:
        got = _read(fd, buffer, place)
        if not got:
            raise StoreError("the results became shorter while they were searched", advice="open the batch again")
        folded = buffer[:got].lower() if folding else buffer
        hits: set[int] = set()
        for way in ways:
            area = buffer if way.raw else folded
            at = way.find(area, 0, got)
            while at >= 0:
                line = bisect_right(starts, place + at) - 1
                hits.add(line)
                if line + 1 >= len(starts):
                    break
                at = way.find(area, max(at + 1, starts[line + 1] - place), got)
        fresh = sorted(hit for hit in hits if hit > last)
        if fresh:
            last = fresh[-1]
            yield fresh
        place += block
        work.tell("searching", min(place, size), size)


def _read(fd: int, buffer: bytearray, place: int) -> int:
    try:
        return os.preadv(fd, [buffer], place)
    except OSError as error:
        raise files.explain(error, "can't read the results") from error


_PLAIN = frozenset(" !#$%()*+,-.:;=?@[]^_`{|}~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""Characters that every JSON writer leaves as they are; others may stand escaped."""
_RARE = 600
"""So few occurrences of a byte in a megabyte are looked at one by one faster than the whole needle is looked for."""


def anchors(text: str, case: bool) -> list[bytes]:
    """Byte strings of which every JSON line that says ``text`` holds at least one; lower-cased unless ``case``.

    The longest run of characters that no writer escapes serves when it is long enough; else the beginning of the text
    in each way it may be written (UTF-8, or escaped with small or capital hex digits).
    """
    runs = "".join(c if c in _PLAIN else "\0" for c in text).split("\0")
    run = max(runs, key=len)
    if len(run) >= 3 or run == text:
        return [(run if case else run.lower()).encode()]
    variants = {text}
    if not case:
        variants = {""}
        for char in text:
            grown = {v + c for v in variants for c in {char.lower(), char.upper(), char}}
            if len(grown) > 12:
                break
            variants = grown
    found = {written if case else written.lower() for v in variants for written in _written(v)}
    return sorted(found)


def _written(text: str) -> set[bytes]:
    """The ways in which common JSON writers put a text into a string."""
    found = set()
    present = [{c for c in text if c in kind} for kind in (_MARKUP, _SEPARATORS)]
    choices = (_STYLES, *(_STYLES if some else ("plain",) for some in present), ("/", "\\/"))
    for foreign, markup, separator, slash in product(*choices):
        styles = dict.fromkeys(present[0], markup) | dict.fromkeys(present[1], separator)
        parts = [slash if c == "/" else _escaped(c, styles.get(c, foreign)) for c in text]
        found.add("".join(parts).encode("utf-8", "surrogatepass"))
    return found


_STYLES = ("plain", "small", "capital")
_MARKUP = frozenset("<>&'\x7f")
_SEPARATORS = frozenset("\u2028\u2029")
"""Characters that writers made for web pages escape whatever they do with others."""
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def _escaped(char: str, style: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if char in _PLAIN or (style == "plain" and char >= " "):
        return char
    units = char.encode("utf-16-be", "surrogatepass").hex()
    pieces = (units[i : i + 4] for i in range(0, len(units), 4))
    return "".join("\\u" + (piece.upper() if style == "capital" else piece) for piece in pieces)


class Probe:
    """One needle and how to come upon it: by a byte of it that is rare in the file, or by all of it.

    ``raw`` tells that it looks in the bytes as they are; else in lower-cased ones.
    """

    def __init__(self, needle: bytes, case: bool, byte: int | None = None, at: int = 0) -> None:
        self.raw = case or byte is not None
        self._needle = needle
        self._case = case
        self._byte = None if byte is None else bytes([byte])
        self._at = at

    def find(self, area: bytes | bytearray, start: int, end: int) -> int:
        """Where the needle begins next, -1 when it doesn't."""
        if self._byte is None:
            return area.find(self._needle, start, end)
        byte, at, needle, length = self._byte, self._at, self._needle, len(self._needle)
        place = area.find(byte, start + at, end)
        while place >= 0:
            found = area[place - at : place - at + length]
            if (found if self._case else found.lower()) == needle and place - at + length <= end:
                return place - at
            place = area.find(byte, place + 1, end)
        return -1


def probes(needles: list[bytes], case: bool, sample: bytes | bytearray) -> list[Probe]:
    """The quickest probes for needles (lower-cased unless ``case``), judged by a sample of what is looked through."""
    most = _RARE * len(sample) / (1 << 20)
    found: list[Probe] = []
    for needle in needles:
        ways = {byte: {byte} if case else set(bytes([byte]).upper() + bytes([byte])) for byte in set(needle)}
        counts = {byte: sum(sample.count(bytes([each])) for each in way) for byte, way in ways.items()}
        best = min(counts, key=lambda byte: counts[byte])
        if counts[best] <= most:
            found += [Probe(needle, case, each, needle.index(best)) for each in ways[best]]
        else:
            found.append(Probe(needle, case))
    return found


_FEW = 1_000
"""So few rows are read one by one instead of looking through the file."""


def select(view: View, chosen: Filter, work: Work = UNWATCHED) -> Rows:
    """The rows that a filter lets through, in the view's order; when stopped, those found so far.  Raises as ``find``."""
    found = array("I")
    for some in find(view, chosen, work):
        found.extend(some)
    if any(found[i] > found[i + 1] for i in range(len(found) - 1)):
        found = array("I", sorted(found))
    return found


def find(view: View, chosen: Filter, work: Work = UNWATCHED) -> Iterator[Rows]:
    """The rows that a filter lets through, piece by piece in the order of the files; ends early when stopped.

    Raises StoreError, and InputError when a regular expression takes too long.
    """
    chosen = filter.of_requests(view, chosen, work)
    rows = filter.apply(view, chosen, work)
    if chosen.regex:
        from batchtui.results.regex import find_regex

        asked = _passing(view, rows, [word for word in chosen.words if word.in_request], chosen.case, work)
        yield from find_regex(view, chosen, asked, work)
    elif chosen.words:
        yield from _passing(view, rows, list(chosen.words), chosen.case, work)
    else:
        yield rows


def _passing(view: View, rows: Rows, words: list[Word], case: bool, work: Work) -> Iterator[Rows]:
    wanted = [word for word in words if not word.negated]
    tests = [_Test(word, case) for word in words]
    if not words:
        yield rows
    elif not wanted or len(rows) <= _FEW:
        yield from _one_by_one(view, rows, tests, work)
    else:
        lead = max(wanted, key=lambda word: (len(max(anchors(word.text, case), key=len)), not word.in_request))
        among = set(rows) if len(rows) < len(view) else None
        for some in _candidates(view, lead, case, work):
            passed = [row for row in some if (among is None or row in among) and _passes(view, row, tests)]
            if passed:
                yield array("I", passed)


def _one_by_one(view: View, rows: Rows, tests: list[_Test], work: Work) -> Iterator[Rows]:
    for start in range(0, len(rows), _FEW):
        passed: list[int] = []
        for row in rows[start : start + _FEW]:
            if work.stopped:
                break
            if _passes(view, row, tests):
                passed.append(row)
        if passed:
            yield array("I", passed)
        if work.stopped:
            return


class _Test:
    """A word made ready to be looked for in decoded text."""

    def __init__(self, word: Word, case: bool) -> None:
        self.word = word
        self.case = case
        self.needle = word.text if case else word.text.casefold()

    def holds(self, custom_id: str, text: Callable[[bool], str]) -> bool:
        """True when the row has the word, or for a negated one when it has it not."""
        fold = str if self.case else str.casefold
        found = not self.word.in_request and self.needle in fold(custom_id)
        return (found or self.needle in fold(text(self.word.in_request))) != self.word.negated


def _passes(view: View, row: int, tests: list[_Test]) -> bool:
    read: dict[bool, str] = {}

    def text(of_request: bool) -> str:
        if of_request not in read:
            read[of_request] = request_text(view.request_raw(row) or b"") if of_request else answer_text(view.raw(row))
        return read[of_request]

    custom_id = view.id(row)
    return all(test.holds(custom_id, text) for test in tests)


def _candidates(view: View, word: Word, case: bool, work: Work) -> Iterator[list[int]]:
    """Rows whose bytes may say the word; each row at most once."""
    needles = anchors(word.text, case)
    for number, member in enumerate(view.members):
        if word.in_request:
            offsets = member.columns.request_offset
            order = array("I", sorted((r for r in range(len(member)) if offsets[r] >= 0), key=offsets.__getitem__))
            pieces = _scan_requests(member, needles, case, order, work)
        else:
            absent = range(member.header.lines, len(member))
            if absent:
                yield [row for row in (view.row_of(number, place) for place in absent) if row >= 0]
            pieces = _scan_results(member, needles, case, work)
        for places in pieces:
            rows = [view.row_of(number, place) for place in places]
            yield [row for row in rows if row >= 0]


def _scan_results(member: ResultSet, needles: list[bytes], case: bool, work: Work) -> Iterator[list[int]]:
    if member.stored:
        starts = member.columns.offset[: member.header.lines]
        yield from scan(member.results_fd(), member.header.results[0], needles, case, starts, work)


def _scan_requests(member: ResultSet, needles: list[bytes], case: bool, order: Rows, work: Work) -> Iterator[list[int]]:
    if not order:
        return
    offsets = member.columns.request_offset
    starts = array("q", [offsets[row] for row in order])
    size = member.header.requests[0]
    for hits in scan(member.requests_fd(), size, needles, case, starts, work):
        yield [order[number] for hit in hits for number in range(bisect_left(starts, starts[hit]), hit + 1)]
