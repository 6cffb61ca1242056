"""The last line: the keys of this screen, as many as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.binding import ActiveBinding
from textual.content import Content

from batchtui.tui import bindings
from batchtui.tui.widgets.cached_static import CachedStatic


class KeyLine(CachedStatic):
    """Shows bindings of the screen by their ids, in the order given; a click does what the key does."""

    DEFAULT_CSS = """
    KeyLine { height: 1; padding: 0 1; background: $panel; color: $foreground 80%; text-wrap: nowrap; }
    KeyLine:ansi { background: ansi_default; color: ansi_default; }
    """

    def __init__(self, ids: Sequence[str], *, last: Sequence[str] = ("help", "quit"), id: str | None = None) -> None:
        super().__init__(id=id)
        self._ids = tuple(ids)
        self._last = tuple(last)
        self._spots: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.redraw())
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def show(self, ids: Sequence[str]) -> None:
        """Show other keys from now on."""
        self._ids = tuple(ids)
        self.redraw()

    def redraw(self) -> None:
        """Write the line again if it would read differently."""
        if not self.is_attached or not self.screen.is_active:
            return
        here: dict[str, ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.id and active.enabled:
                here.setdefault(active.binding.id, active)
        chosen = self._fitting([i for i in self._ids if i in here], [i for i in self._last if i in here], here)
        parts: list[tuple[str, str] | str] = []
        self._spots = []
        x = 0
        for name in chosen:
            key, label = self._words(here[name])
            width = cell_len(key) + 1 + cell_len(label)
            self._spots.append((x, x + width, name))
            parts += ["  "] if parts else []
            parts += [(key, "bold $text-primary"), f" {label}"]
            x += width + 2
        self.show_text(Content.assemble(*parts), layout=False)

    def _fitting(self, ids: list[str], last: list[str], here: dict[str, ActiveBinding]) -> list[str]:
        chosen = [*ids, *last]
        widths = [cell_len(" ".join(self._words(here[name]))) + 2 for name in chosen]
        most, number = (self.size.width or 78) + 2, len(ids)
        while number and sum(widths) > most:
            number -= 1
            del chosen[number], widths[number]
        return chosen

    def _words(self, active: ActiveBinding) -> tuple[str, str]:
        """A key and its label."""
        return bindings.shown(active.binding), bindings.words_of(self.screen, active.binding)[0]

    async def on_click(self, event: events.Click) -> None:
        for start, end, name in self._spots:
            if start <= event.x - 1 < end:
                for active in self.screen.active_bindings.values():
                    if active.binding.id == name and active.enabled:
                        await self.app.run_action(active.binding.action, active.node)
                        return
