"""Text that says the same more shortly where there is less room."""

from __future__ import annotations

from rich.text import Text

from batchtui.present.cells import cut_middle

_NOTHING = Text()


class FittingText(Text):
    """A text with shorter ones that say the same, the longest first; the first that fits is shown."""

    def __init__(self, text: str = "", style: str = "") -> None:
        super().__init__(text, style)
        self.shorter: tuple[Text, ...] = ()

    def within(self, cells: int) -> Text:
        """The text itself, or the first of the shorter ones that fits, or the last, to be cut."""
        return next((each for each in (self, *self.shorter) if each.cell_len <= cells), (self, *self.shorter)[-1])


class MiddleCut(FittingText):
    """A name or id whose middle goes where there is less room, for those that begin alike differ at their ends; what
    stands ``before`` and ``after`` it stays, as long as the name keeps 8 cells beside that.
    """

    def __init__(self, name: str, style: str = "", *, before: Text | None = None, after: Text | None = None) -> None:
        self._name, self._name_style = name, style
        self._before, self._after = before or _NOTHING, after or _NOTHING
        if not before and not after:
            super().__init__(name, style)
            return
        super().__init__()
        self.append_text(self._before)
        self.append(name, style)
        self.append_text(self._after)

    def followed(self, after: Text) -> MiddleCut:
        """The same with more after it."""
        return MiddleCut(self._name, self._name_style, before=self._before, after=self._after + after)

    def within(self, cells: int) -> Text:
        """The text, or as much of the name's beginning and end as fits."""
        if self.cell_len <= cells:
            return self
        around = self._before.cell_len + self._after.cell_len
        after = self._after if cells - around >= 8 else _NOTHING
        name = cut_middle(self._name, max(1, cells - self._before.cell_len - after.cell_len))
        return MiddleCut(name, self._name_style, before=self._before, after=after)


def fitting(texts: list[Text]) -> FittingText:
    """The first of some texts, with the others as shorter ones; at least one."""
    made = FittingText()
    made.append_text(texts[0])
    made.style = texts[0].style
    made.shorter = tuple(texts[1:])
    return made
