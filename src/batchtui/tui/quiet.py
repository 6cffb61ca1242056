"""Fewer bytes to the terminal: of a changed line only the changed cells are sent.

Textual 8.2 crops a partial update on its right only, and so sends every line from its left edge; this crops both sides.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor


class CroppedUpdate(ChopsUpdate):
    """A partial update that begins where the change does."""

    def render_segments(self, console: Console) -> str:
        """The sequences that draw the spans and nothing beside them."""
        sequences: list[str] = []
        for y, left, right in self.spans:
            for end, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or start >= right or end <= left:
                    continue
                first, last = max(start, left), min(end, right)
                sequences.append(Control.move_to(first, y).segment.text)
                sequences.append(strip.crop(first - start, last - start).render(console))
        return "".join(sequences)


class QuietCompositor(Compositor):
    """A screen's compositor whose partial updates are cropped."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """What changed since the last update, None when nothing did."""
        update = super().render_partial_update()
        return update and CroppedUpdate(update.chops, update.spans, update.chop_ends)
