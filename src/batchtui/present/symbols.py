"""Symbols that the screens draw with, and their ASCII set for terminals that can't show them."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

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
    empty: str = "░"
    rule: str = "─"
    dot: str = "·"
    enter: str = "⏎"
    dash: str = "–"
    plain: bool = False
    """True for the ASCII set; the output filter then puts plain signs for all others too."""


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
    empty=".",
    rule="-",
    dot="-",
    enter="ret",
    dash="-",
    plain=True,
)

SPARKS, PLAIN_SPARKS = "▁▂▃▄▅▆▇█", "_.:-=+*#"
"""Heights of a sparkline's columns, the lowest for nothing."""

GLYPHS = Glyphs()
"""The set in use; ``use`` changes it in place, so that importers see the change."""


def spark(values: Sequence[float]) -> str:
    """Values as a line of columns, one cell each; what is not nothing stands above the ground."""
    signs, most = PLAIN_SPARKS if GLYPHS.plain else SPARKS, max(values, default=0)
    top = len(signs) - 1
    return "".join(signs[max(1, round(value / most * top))] if value > 0 else signs[0] for value in values)


def use(ascii_only: bool) -> None:
    """Draw with plain ASCII from now on, or with the usual signs."""
    chosen = ASCII if ascii_only else Glyphs()
    for name in Glyphs.__struct_fields__:
        setattr(GLYPHS, name, getattr(chosen, name))


def terminal_is_ascii() -> bool:
    """True when the locale or the terminal can't show more than ASCII; ``BATCHTUI_ASCII`` 1 or 0 decides it."""
    given = os.environ.get("BATCHTUI_ASCII", "")
    return given != "0" if given else os.environ.get("TERM") in ("linux", "dumb", "vt100") or locale_is_ascii()


def locale_is_ascii() -> bool:
    """True when what is not ASCII would reach the terminal as bytes that it takes for something else."""
    if os.environ.get("BATCHTUI_ASCII") == "0":
        return False
    # Not getpreferredencoding: in Python's UTF-8 mode, which LC_ALL=C turns on, it tells of Python alone.
    return "utf" not in locale.getencoding().lower() or not _asked_for_utf8(_first_environment())


def _asked_for_utf8(environment: Mapping[str, str]) -> bool:
    """Whether the locale variables ask for UTF-8, as POSIX reads them: the first one that is set decides."""
    named = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "C")
    return named.upper() not in ("C", "POSIX")


def _first_environment() -> Mapping[str, str]:
    """The environment as the program was started with: Python writes LC_CTYPE into its own where the locale is C (PEP 538)."""
    try:
        raw = Path("/proc/self/environ").read_bytes()
    except OSError:
        # Elsewhere only the value that Python writes can be told from one of the person's.
        coerced = os.environ.get("LC_CTYPE") in ("C.UTF-8", "C.utf8", "UTF-8") and not os.environ.get("LC_ALL")
        return {**os.environ, "LC_CTYPE": ""} if coerced else os.environ
    pairs = (entry.partition("=") for entry in os.fsdecode(raw).split("\0"))
    return {name: value for name, _, value in pairs if name}
