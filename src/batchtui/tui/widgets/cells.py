"""Paints the cells of one line of a row list into a strip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from batchtui.present.cells import cut_middle, fit
from batchtui.present.fitting import FittingText
from batchtui.present.symbols import GLYPHS
from batchtui.tui.widgets.columns import Align, Placed

if TYPE_CHECKING:
    from textual.widget import Widget

Cell = str | Text | None
COLORS = {"good": "$text-success", "bad": "$text-error", "warn": "$text-warning", "accent": "$text-primary"}
"""The palette's names as colors of Textual's themes, for Content."""


class CellStyles(msgspec.Struct):
    """The list's colors, looked up once a theme: names that rows may use, and the base styles of lines."""

    NAMES: ClassVar[tuple[str, ...]] = ("good", "bad", "warn", "muted", "accent", "title")

    base: Style
    header: Style
    cursor: Style
    marked: Style
    names: dict[str, Style]
    cursor_names: dict[str, Style]

    @classmethod
    def of(cls, widget: Widget, *, focused: bool) -> CellStyles:
        """The palette that a widget's stylesheet and theme give now."""
        names, plain = {}, {}
        for name in cls.NAMES:
            style = widget.get_component_rich_style(f"row-list--{name}")
            own = widget.get_component_rich_style(f"row-list--{name}", partial=True)
            looks = Style(bold=style.bold or None, dim=style.dim or None, italic=style.italic or None)
            colored = own.color is not None and not own.color.is_default
            names[name] = Style(color=style.color) + looks if colored else looks
            plain[name] = Style(bold=style.bold or None)
        cursor = widget.get_component_rich_style("row-list--cursor", partial=False)
        if not focused:
            cursor = Style(color=cursor.color, bgcolor=widget.rich_style.bgcolor, bold=cursor.bold or None)
        return cls(
            base=widget.rich_style,
            header=widget.get_component_rich_style("row-list--header"),
            cursor=cursor,
            marked=widget.get_component_rich_style("row-list--marked"),
            names=names,
            cursor_names=plain if widget.app.native_ansi_color else {**names, "muted": plain["muted"]},
        )

    @property
    def under_cursor(self) -> CellStyles:
        """The palette for the cursor's row: what is muted elsewhere is not; in the terminal's own colors nothing has any."""
        return msgspec.structs.replace(self, names=self.cursor_names)

    def row(self, name: str, *, cursor: bool, marked: bool) -> Style:
        """The base style of a row's line."""
        base = self.cursor if cursor else self.marked if marked else self.base
        return base + self.names[name] if name else base

    def get_style(self, name: str | Style, *, default: Style | None = None) -> Style:
        """Rich's way of asking for a style by name; an unknown one is plain."""
        if isinstance(name, Style):
            return name
        known = self.names.get(name)
        if known is not None:
            return known
        try:
            return Style.parse(name) if name else Style.null()
        except Exception:  # rich raises several kinds for a name that is no style
            return default or Style.null()


def _fit_text(text: Text, width: int) -> Text:
    """A text in at most so many cells."""
    if isinstance(text, FittingText):
        text = text.within(width)
    if text.cell_len <= width:
        return text
    short = text.copy()
    short.truncate(max(0, width - 1))
    short.append(GLYPHS.ellipsis if width else "")
    return short


def segments(text: Text, palette: CellStyles, base: Style) -> Iterator[Segment]:
    """The text's pieces with the palette's names and rich styles resolved over ``base``."""
    whole = base + palette.get_style(text.style) if text.style else base
    for segment in text.render(palette):  # type: ignore[arg-type]  # only get_style is asked of the console
        yield Segment(segment.text, whole + segment.style if segment.style else whole)


def _fitted(text: Text, width: int, align: Align, palette: CellStyles, base: Style) -> list[Segment]:
    """The pieces of a text in exactly so many cells."""
    text = _fit_text(text, width)
    parts = list(segments(text, palette, base)) if text else []
    space = width - text.cell_len
    if space > 0:
        parts.insert(0 if align == "right" else len(parts), Segment(" " * space, base))
    return parts


def paint_cells(
    cells: Sequence[Cell], placed: Sequence[Placed], *, width: int, gutter: Text, palette: CellStyles, base: Style
) -> Strip:
    """One row's line: the gutter, the cells in their columns, blank to the end."""
    parts = list(segments(gutter, palette, base))
    at = gutter.cell_len
    start = at
    for number, place in enumerate(placed):
        cell = cells[place.index]
        if cell is None:
            continue
        end = place.x + place.width
        follower = number + 1
        while follower < len(placed) and cells[placed[follower].index] is None:
            end = placed[follower].x + placed[follower].width
            follower += 1
        if (
            follower == len(placed)
            and len(cells) > place.index + 1
            and all(each is None for each in cells[place.index + 1 :])
        ):
            end = max(end, width - start - 1)  # Columns that there is no room for would have let it run on.
        align: Align = place.column.align if follower == number + 1 else "left"
        if start + place.x > at:
            parts.append(Segment(" " * (start + place.x - at), base))
        room = end - place.x
        if isinstance(cell, str):
            parts.append(Segment(fit(cell, room, right=align == "right"), base))
        else:
            parts.extend(_fitted(cell, room, align, palette, base))
        at = start + end
    if at < width:
        parts.append(Segment(" " * (width - at), base))
    return Strip(parts).adjust_cell_length(width, base).simplify()


def paint_header(
    placed: Sequence[Placed], width: int, gutter: int, palette: CellStyles, sort: tuple[str, bool] | None
) -> Strip:
    """The line of titles; an arrow stands at the sorted column's title."""
    line = " " * gutter
    for place in placed:
        title, at, room, right = place.column.title, gutter + place.x, place.width, place.column.align == "right"
        if sort and sort[0] == place.column.key:
            arrow = GLYPHS.sort_down if sort[1] else GLYPHS.sort_up
            if cell_len(title) >= room and (at > cell_len(line) if right else at + room < width):
                # The arrow stands in the gap beside a title that fills its column.
                at, room = at - right, room + 1
                title = fit(cut_middle(title, place.width), place.width)
            title = f"{arrow}{title}" if right else f"{title}{arrow}"
        line += " " * max(0, at - cell_len(line)) + fit(cut_middle(title, room), room, right=right)
    return Strip([Segment(line, palette.header)]).adjust_cell_length(width, palette.header)


def one_cell_each(strip: Strip) -> bool:
    """True when every sign of a line fills one cell, so that it can be cut anywhere."""
    return all(text.isascii() or all(cell_len(sign) == 1 for sign in text) for text, _, _ in strip)


def difference(before: Strip, after: Strip) -> tuple[int, int]:
    """The cells of a line, from and up to, outside of which two strips of it look the same; none: both are equal.

    All of them where signs are not one cell wide each: a letter and its mark, or the parts of an emoji, belong together.
    """
    if before == after:
        return 0, 0
    if not (one_cell_each(before) and one_cell_each(after)):
        return 0, after.cell_length
    old, new = _cells(before), _cells(after)
    most = min(len(old), len(new))
    start = next((i for i in range(most) if old[i] != new[i]), most)
    end = len(new)
    if len(old) == len(new):
        end = next((i + 1 for i in range(most - 1, start - 1, -1) if old[i] != new[i]), start)
    return start, end


def _cells(strip: Strip) -> list[tuple[str, Style | None]]:
    return [(sign, style) for text, style, _ in strip for sign in text]
