"""Text that says the same more shortly where there is less room."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from batchtui.present.symbols import GLYPHS


class FittingText(Text):
    """A text with shorter ones that say the same, the longest first; the first that fits is shown."""

    def __init__(self, text: str = "", style: str = "") -> None:
        super().__init__(text, style)
        self.shorter: tuple[Text, ...] = ()

    def within(self, cells: int) -> Text:
        """The text itself, or the first of the shorter ones that fits, or the last, to be cut."""
        return next((each for each in (self, *self.shorter) if each.cell_len <= cells), (self, *self.shorter)[-1])


class MiddleCut(FittingText):
    """A text whose middle goes where there is less room: ids that begin alike differ at their ends."""

    def within(self, cells: int) -> Text:
        """The text, or as much of its beginning and its end as fits."""
        text = self.plain
        if cell_len(text) <= cells or cells < 8:
            return self
        head = set_cell_size(text, cells // 2).rstrip()
        room, tail = cells - cell_len(head) - 1, text
        while cell_len(tail) > room:
            tail = tail[1:]
        return Text(f"{head}{GLYPHS.ellipsis}{tail}", self.style)


def fitting(texts: list[Text]) -> FittingText:
    """The first of some texts, with the others as shorter ones; at least one."""
    made = FittingText()
    made.append_text(texts[0])
    made.style = texts[0].style
    made.shorter = tuple(texts[1:])
    return made
