"""Signs the screens draw with, and plain ASCII ones for terminals that know no better."""

from __future__ import annotations

import locale
import os

import msgspec


class Glyphs(msgspec.Struct):
    """One set of signs; each is one cell wide and means the same in every set."""

    cursor: str = "▌"
    mark: str = "•"
    ellipsis: str = "…"
    sort_up: str = "▴"
    sort_down: str = "▾"
    folded: str = "▸"
    unfolded: str = "▾"
    branch: str = "├"
    branch_end: str = "└"
    running: str = "●"
    sending: str = "↑"
    canceling: str = "◐"
    good: str = "✓"
    partial: str = "▲"
    ready: str = "↓"
    refused: str = "✗"
    unconfirmed: str = "?"
    warning: str = "!"
    gone: str = "∅"
    full: str = "█"
    half: str = "▓"
    empty: str = "░"
    rule: str = "─"
    dot: str = "·"
    enter: str = "⏎"
    dash: str = "–"
    plain: bool = False
    """True for the ASCII set; the outlet then puts plain signs for all others too."""


ASCII = Glyphs(
    cursor=">",
    mark="*",
    ellipsis="~",
    sort_up="^",
    sort_down="v",
    folded="+",
    unfolded="-",
    branch="|",
    branch_end="`",
    running="o",
    sending="^",
    canceling="%",
    good="=",
    partial="#",
    ready="v",
    refused="x",
    unconfirmed="?",
    warning="!",
    gone="0",
    full="#",
    half="=",
    empty=".",
    rule="-",
    dot="-",
    enter="ret",
    dash="-",
    plain=True,
)

GLYPHS = Glyphs()
"""The set in use; ``use`` changes it in place, so that importers see the change."""


def use(ascii_only: bool) -> None:
    """Draw with plain ASCII from now on, or with the usual signs."""
    chosen = ASCII if ascii_only else Glyphs()
    for name in Glyphs.__struct_fields__:
        setattr(GLYPHS, name, getattr(chosen, name))


def terminal_is_ascii() -> bool:
    """True when the locale or the terminal can't show more than ASCII, or ``BATCHTUI_ASCII`` is set."""
    if os.environ.get("BATCHTUI_ASCII"):
        return True
    return os.environ.get("TERM") in ("linux", "dumb", "vt100") or locale_is_ascii()


def locale_is_ascii() -> bool:
    """True when what is not ASCII would reach the terminal as bytes that it takes for something else."""
    # Not getpreferredencoding: in Python's UTF-8 mode, which LC_ALL=C turns on, it tells of Python alone.
    return "utf" not in locale.getencoding().lower()
