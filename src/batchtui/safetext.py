"""Makes text from files and from the API safe to show in a terminal.

Replaced are C0 and C1 controls, DEL, ESC sequences' introducers, bidi and format marks, line and paragraph separators, lone
surrogates, and whatever else is drawn as nothing (Unicode's Default_Ignorable_Code_Point, fillers, noncharacters); what is
shown for each can be read and does nothing.

Three invisible characters stay where writing needs them, and only there: U+FE0F after an emoji (or within a keycap), U+200D
between two emoji, and U+200C or U+200D after a letter of a joining script.  One at a time, they hide nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

MAX_LINE = 20_000
"""Longer lines are cut when shown, in characters."""

# Soft hyphen, grapheme joiner, fillers, zero-width and bidi marks, separators, variation selectors, tags, noncharacters.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u23cf\u23e9-\u23f3\u23f8-\u23fa\u24c2"
    "\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d"
    "\u3297\u3299\U0001f000-\U0001faff"
)
_JOINING = (
    "\u0620-\u06ff\u0710-\u0dff\u0f40-\u109f\u1780-\u17b3\u17b6-\u17dd\u1820-\u18aa\u1900-\u1cff"
    "\ua800-\ua9ff\uaa60-\uabff"
)
"""Arabic, Syriac, N'Ko, the scripts of India and of South-East Asia, Mongolian."""
# One class of characters first, so that the search skips quickly over all text without one.
_UNLESS = (
    f"(?<![{_EMOJI}]\ufe0f)(?<![{_JOINING}][\u200c\u200d])"
    f"(?!(?<=[0-9#*]\ufe0f)\u20e3)(?!(?<=[{_EMOJI}\ufe0f]\u200d)[{_EMOJI}])"
)


# Both are compiled for the first text that asks for them, which takes a millisecond each: most starts see none.
@cache
def _bad_block() -> re.Pattern[str]:
    return re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE}\ud800-\udfff]{_UNLESS}")


@cache
def _bad_line() -> re.Pattern[str]:
    return re.compile(f"[\x00-\x1f\x7f-\x9f{_INVISIBLE}\ud800-\udfff]{_UNLESS}")


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\u27e8{code:04x}\u27e9"


def _plain(text: str) -> bool:
    """True for most text there is, told quickly; False says nothing."""
    return text.isascii() and text.isprintable()


def line(text: str, limit: int = MAX_LINE) -> str:
    """One line, at most ``limit`` characters: newlines and tabs become spaces, the rest of the controls is made visible."""
    if len(text) <= limit and _plain(text):
        return text
    cut = text[: limit + 1]
    clean = _bad_line().sub(_shown, cut.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))
    return clean if len(clean) <= limit else clean[: max(0, limit - 1)] + "\u2026"


def block(text: str, limit: int = 1_000_000, line_limit: int = MAX_LINE) -> str:
    """Several lines: newlines stay, tabs become spaces; over-long lines and what is past ``limit`` characters are cut."""
    cut = text[:limit].replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    clean = _bad_block().sub(_shown, cut)
    if any(len(part) > line_limit for part in clean.split("\n")):
        clean = "\n".join(p if len(p) <= line_limit else p[:line_limit] + "\u2026" for p in clean.split("\n"))
    if len(text) > limit:
        clean += f"\n\u2026 {len(text) - limit:,} more characters are not shown"
    return clean


def copied(text: str) -> str:
    """What goes to the clipboard: newlines and tabs stay, nothing is cut, all else is what ``block`` shows."""
    return _bad_block().sub(_shown, text.replace("\r\n", "\n").replace("\r", "\n"))


def copied_whole(text: str) -> bool:
    """True when ``copied`` changes nothing but line ends."""
    return _bad_block().search(text.replace("\r", "\n")) is None


def obeyed(text: str) -> bool:
    """True when a terminal would obey something in one line of text instead of showing it."""
    return not _plain(text) and _bad_line().search(text) is not None


def widths_kept(text: str, width: Callable[[str], int]) -> str:
    """One line with what a terminal would obey taken out, each blanked by as many spaces as ``width`` counts cells for it."""
    return _bad_line().sub(lambda match: " " * width(match.group()), text)


def _escaped(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n] << 8 | units[n + 1]:04x}" for n in range(0, len(units), 2))


def json_text(text: str) -> str:
    """JSON that means the same with all that a terminal would obey written as ``\\uXXXX``; ``text`` is on one line."""
    return _bad_line().sub(_escaped, text)


def filename(text: str, limit: int = 80) -> str:
    """A name that can't leave its folder: letters, digits, dot, dash and underscore, never empty, never a dot first."""
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:limit].strip("-.")
    return clean or "unnamed"
