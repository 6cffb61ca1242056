"""The last filter before the terminal: no control character leaves, and in ASCII mode only ASCII does."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from batchtui import safetext
from batchtui.present.symbols import GLYPHS

_SIGNS = {
    **dict.fromkeys("–—‐‑−─━┄┈╌╴╶╸╺╾╼▔", "-"),
    **dict.fromkeys("│┃┆┊╎▏▎▍▌▐▕▊▉╵╷╹╻", "|"),
    **dict.fromkeys("┌┍┎┏┐┑┒┓└┕┖┗┘┙┚┛├┝┠┣┤┥┨┫┬┯┳┴┷┻┼┿╋╭╮╯╰╔╗╚╝╒╓", "+"),
    **dict.fromkeys("═", "="),
    **dict.fromkeys("║", "|"),
    **dict.fromkeys("█▓▆▇▅", "#"),
    **dict.fromkeys("░▒▁▂▃▄▀", "."),
    **dict.fromkeys("•◦∙", "*"),
    "·": "-",
    "●": "o",
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("‘’‚", "'"),
    **dict.fromkeys("▸▶►→›", ">"),
    **dict.fromkeys("◂◀◄←‹", "<"),
    **dict.fromkeys("▾▼↓", "v"),
    **dict.fromkeys("▴▲↑", "^"),
    "×": "x",
    "✗": "x",
    "✓": "=",
    "≤": "<",
    "≥": ">",
    "≈": "~",
    "…": "~",
    "\u00a0": " ",
    "⏎": " ",
}
"""One ASCII character for each sign that screens, borders, scrollbars and Markdown draw."""
_TABLE = str.maketrans(_SIGNS)
_OTHERS = re.compile(r"[^\x00-\x7f]")


def _blank(match: re.Match[str]) -> str:
    return "?" * cell_len(match.group())


class OutputFilter(LineFilter):
    """Applied to every line of every widget; ``only_ascii``: the terminal can't take anything else at all."""

    def __init__(self, *, only_ascii: bool = False) -> None:
        super().__init__()
        self.only_ascii = only_ascii

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line, cell for cell, without what a terminal would obey."""
        if all(self._passes(segment.text) for segment in segments):
            return segments
        return [
            segment
            if self._passes(segment.text)
            else Segment(self._clean(segment.text), segment.style, segment.control)
            for segment in segments
        ]

    def _passes(self, text: str) -> bool:
        return not safetext.obeyed(text) and (text.isascii() or not (GLYPHS.plain or self.only_ascii))

    def _clean(self, text: str) -> str:
        if safetext.obeyed(text):
            text = safetext.widths_kept(text, cell_len)
        if GLYPHS.plain or self.only_ascii:
            text = text.translate(_TABLE)
        return _OTHERS.sub(_blank, text) if self.only_ascii else text


_REVERSED_FROM = 0.12
"""How far a background's brightness lies from the page's, of 1, where it means something: a cursor, a chosen button."""
_DEFAULT = Style.from_color(RichColor.parse("default"), RichColor.parse("default"))


class Colorless(LineFilter):
    """No colors and no grays (NO_COLOR): what a background alone would tell is shown reversed."""

    def __init__(self, page: Callable[[], Color]) -> None:
        super().__init__()
        self._page = page

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line in the terminal's own two colors."""
        brightness = self._page().brightness
        return [
            Segment(text, style if style is None else _colorless(style, brightness), control)
            for text, style, control in segments
        ]


@lru_cache(maxsize=2048)
def _colorless(style: Style, page: float) -> Style:
    behind = style.bgcolor
    apart = 0.0 if behind is None or behind.is_default else abs(Color.from_rich_color(behind).brightness - page)
    plain = style + _DEFAULT
    return plain + Style(reverse=True) if apart > _REVERSED_FROM else plain
