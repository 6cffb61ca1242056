"""A Static that is drawn again only where its text reads or looks different."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class CachedStatic(Static):
    """Text without markup that costs nothing when it is shown once more."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self._shown_text = Content()

    def show_text(self, text: Content, *, layout: bool = True) -> None:
        """Show a text; ``layout``: its height may have changed."""
        if not self._shown_text.is_same(text):
            self._shown_text = text
            self.update(text, layout=layout)
