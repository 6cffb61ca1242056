"""Makes text from files and from the service safe to show in a terminal.

Replaced are C0 and C1 controls, DEL, ESC sequences' introducers, bidi and invisible format marks, line and paragraph
separators, and lone surrogates; what is shown for each can be read and does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_LINE = 20_000
"""Longer lines are cut when shown, in characters."""

# Soft hyphen, Arabic letter mark, zero-width and bidi marks, separators, BOM, tags, interlinear marks.
_INVISIBLE = (
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_BAD_BLOCK = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_INVISIBLE}\ud800-\udfff]")
_BAD_LINE = re.compile(f"[\x00-\x1f\x7f-\x9f{_INVISIBLE}\ud800-\udfff]")


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\u27e8{code:04x}\u27e9"


def line(text: str, limit: int = MAX_LINE) -> str:
    """One line, at most ``limit`` characters: newlines and tabs become spaces, the rest of the controls is made visible."""
    cut = text[: limit + 1]
    clean = _BAD_LINE.sub(_shown, cut.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))
    return clean if len(clean) <= limit else clean[: max(0, limit - 1)] + "\u2026"


def block(text: str, limit: int = 1_000_000, line_limit: int = MAX_LINE) -> str:
    """Several lines: newlines stay, tabs become spaces; over-long lines and what is past ``limit`` characters are cut."""
    cut = text[:limit].replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    clean = _BAD_BLOCK.sub(_shown, cut)
    if any(len(part) > line_limit for part in clean.split("\n")):
        clean = "\n".join(p if len(p) <= line_limit else p[:line_limit] + "\u2026" for p in clean.split("\n"))
    if len(text) > limit:
        clean += f"\n\u2026 {len(text) - limit:,} more characters are not shown"
    return clean


def obeyed(text: str) -> bool:
    """True when a terminal would obey something in one line of text instead of showing it."""
    return _BAD_LINE.search(text) is not None


def widths_kept(text: str, width: Callable[[str], int]) -> str:
    """One line with what a terminal would obey taken out, each blanked by as many spaces as ``width`` counts cells for it."""
    return _BAD_LINE.sub(lambda match: " " * width(match.group()), text)


def _escaped(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n] << 8 | units[n + 1]:04x}" for n in range(0, len(units), 2))


def json_text(text: str) -> str:
    """JSON that means the same with all that a terminal would obey written as ``\\uXXXX``; ``text`` is on one line."""
    return _BAD_LINE.sub(_escaped, text)


def filename(text: str, limit: int = 80) -> str:
    """A name that can't leave its folder: letters, digits, dot, dash and underscore, never empty, never a dot first."""
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:limit].strip("-.")
    return clean or "unnamed"
