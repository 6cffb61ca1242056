"""How a text may stand in JSON lines, and the quickest way to come upon it."""

from __future__ import annotations

from itertools import product

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
