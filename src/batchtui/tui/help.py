"""The help screen: keyboard shortcuts of the screen beneath, and what the symbols mean."""

from __future__ import annotations

import re
from typing import Any

from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from batchtui import safetext
from batchtui.present.cells import hanging
from batchtui.present.symbols import GLYPHS
from batchtui.tui import bindings
from batchtui.tui.bindings import sign_of
from batchtui.tui.dialogs import Reading

Piece = Content | str | tuple[str, str]
BOX, AROUND = 100, 8
"""Cells of the widest box, and those of it that frame, padding and scrollbar take."""
_TAB = re.compile(r"(.+\.tab)\d")


class HelpScreen(Reading):
    """Reads the bindings of the screen it was called from."""

    def __init__(self, screen: Screen[Any]) -> None:
        self._of = screen
        super().__init__("Keyboard shortcuts", self._lines(screen.size.width))

    def _lines(self, width: int) -> Content:
        room = min(BOX, width * 9 // 10) - AROUND
        return Content.assemble(*_keys(self._of, room), "\n", *_signs(room))

    def on_resize(self, event: events.Resize) -> None:
        """Further lines stand below their first at any width."""
        self.query_one(".body Static", Static).update(self._lines(event.size.width))


def _keys(screen: Screen[Any], room: int) -> list[Piece]:
    """Each action once with all its keys, the screen's own first, then the list's, then those of everywhere."""
    found: dict[tuple[int, str], tuple[list[str], str]] = {}
    order = {"screen": 0, "widget": 1, "app": 2}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.tooltip or not active.enabled:
            continue
        kind = "app" if active.node is screen.app else "screen" if active.node is screen else "widget"
        name, (_, tip) = binding.id or binding.action, bindings.words_of(screen, binding)
        if numbered := _TAB.fullmatch(name):
            name, tip = numbered[1], "the tab with that number"
        shown, _ = found.setdefault((order[kind], name), ([], tip))
        key = bindings.shown(binding)
        if key not in shown:
            shown.append(key)
    parts: list[Piece] = []
    last = 0
    for (kind_number, name), (shown, tip) in sorted(found.items(), key=lambda item: item[0][0]):
        parts += ["\n"] if kind_number != last else []
        last = kind_number
        keys = f"{shown[0]} … {shown[-1]}" if name.endswith(".tab") and len(shown) > 1 else " ".join(shown)
        parts += [(f"{keys:<12}", "bold $text-primary"), f" {hanging(safetext.line(tip, 100), 13, room)}\n"]
    return parts


def _signs(room: int) -> list[Piece]:
    g, on_marked = GLYPHS, [*map(sign_of, ("cancel", "retry", "export", "delete"))]
    acting = f"{', '.join(on_marked[:-1])} and {on_marked[-1]}"
    signs = [
        (g.running, "$text-primary", "running"),
        (g.sending, "$text-primary", "sending"),
        (g.canceling, "$text-warning", "canceling"),
        (g.good, "$text-success", "ended, every request has a usable answer"),
        (
            g.partial,
            "$text-warning",
            f"ended, some requests have no usable answer: {sign_of('retry')} retries them",
        ),
        (g.ready, "$text-primary", "ended, results are being downloaded"),
        (g.unconfirmed, "$text-warning", "unconfirmed: sent, no reply; may have been created"),
        (g.refused, "$text-error", "refused: was not created"),
        (g.warning, "$text-error", "results expire soon and are not downloaded"),
        (g.gone, "$foreground 60%", "results gone: deleted by the API after 29 days"),
        (g.mark, "$text-primary", f"marked: {acting} act on all marked batches"),
    ]
    parts: list[Piece] = [("Signs\n", "bold")]
    for sign, color, meaning in signs:
        parts += [(f"{sign}  ", color), f"{hanging(meaning, 3, room)}\n"]
    parts.append(
        (
            "~ before a price: an estimate.  Left: until the batch expires, or until the API deletes its results.",
            "$foreground 60%",
        )
    )
    return parts
