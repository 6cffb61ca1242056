"""Counts of a column as text for both faces: shares, bars, quartiles, a table, CSV and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len

from batchtui import safetext
from batchtui.present.cells import cut, dot, pad, pad_left
from batchtui.present.symbols import GLYPHS
from batchtui.results.column_counts import ColumnCounts, Counted, ValueGroup
from batchtui.results.number_summary import NumberSummary

_PARTS = "▏▎▍▌▋▊▉"
_LABEL = 40
"""Cells of a value's label, at most."""
_GAP = "  "


def share(value: float) -> str:
    """A share of 1 as ``53.7%``."""
    return f"{value:.1%}"


def number(value: float) -> str:
    """A number with at most four digits after those of thousands: ``2.857``, ``12,345``."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.2f}" if 100 <= abs(value) < 1e15 else f"{value:.4g}"


def bar(part: float, width: int) -> str:
    """A bar of ``width`` cells at most for a share of the longest; what is there at all has one sign."""
    if part <= 0 or width <= 0:
        return ""
    if GLYPHS.plain:
        return GLYPHS.full * max(1, round(part * width))
    eighths = max(1, round(part * width * 8))
    return GLYPHS.full * (eighths // 8) + (_PARTS[eighths % 8 - 1] if eighths % 8 else "")


def label(group: ValueGroup, width: int = _LABEL) -> str:
    """A group's label, safe to show; ``*`` marks values that were answered in other capitalization too."""
    text = safetext.line(group.label, 200)
    mark = " *" if group.also else ""
    return cut(text, width - len(mark)) + mark


def title(counts: ColumnCounts) -> str:
    """What is counted over how many rows: ``sentiment by stars · 300 rows · 3 different values``."""
    by = f" by {safetext.line(counts.by, 60)}" if counts.by else ""
    what = f"{safetext.line(counts.name, 60)}{by} {GLYPHS.dot} {counts.rows:,} {'row' if counts.rows == 1 else 'rows'}"
    if counts.form == "values" and counts.distinct > 1:
        return f"{what} {GLYPHS.dot} {counts.distinct:,} different values"
    return f"{what} {GLYPHS.dot} length in characters" if counts.form == "lengths" else what


def quartiles(summary: NumberSummary) -> str:
    """``min 1 · 25% 2 · median 3 · 75% 4 · max 5 · mean 2.9``."""
    parts = [
        ("min", summary.minimum),
        ("25%", summary.q1),
        ("median", summary.median),
        ("75%", summary.q3),
        ("max", summary.maximum),
        ("mean", summary.mean),
    ]
    return dot(*(f"{name} {number(value)}" for name, value in parts))


def respelled(counts: ColumnCounts) -> str:
    """What ``*`` means, where there is one: the other spellings that were answered."""
    found = [also for each in counts.groups for also in each.group.also]
    return f"* includes other capitalization: {safetext.line(', '.join(found), 200)}" if found else ""


def longest(counts: ColumnCounts) -> float:
    """The largest share, which has the longest bar."""
    return max((each.share for each in counts.groups), default=0.0) or 1.0


def beside(counted: Counted, place: int, *, shares: bool = False) -> str:
    """The rows that also have a value of the other column, or their share of the row."""
    rows = counted.by[place]
    if shares:
        return f"{rows / counted.rows:.0%}" if counted.rows else GLYPHS.dash
    return f"{rows:,}"


def table(counts: ColumnCounts, width: int, *, most: int = 0) -> list[str]:
    """Lines for a terminal of ``width`` cells, or for a file where it is 0: a title, the values with a bar each.

    ``most`` values are shown, all where it is 0; crossed, as many columns as there is room for.
    """
    shown = _first(counts.groups, most)
    left = max(5, *(cell_len(label(each.group)) for each in shown)) if shown else 5
    rows = max(4, *(len(f"{each.rows:,}") for each in shown)) if shown else 4
    head = pad("value", left) + _GAP + "rows".rjust(rows) + _GAP + " share"
    lines = [title(counts)]
    lines += [quartiles(counts.summary)] if counts.summary is not None else []
    room = (width or 10_000) - cell_len(head) - len(_GAP)
    columns = _columns(counts, room)
    lines.append((head + "".join(_GAP + name.rjust(size) for name, size in columns)).rstrip())
    top = longest(counts)
    for each in shown:
        line = pad(label(each.group), left) + _GAP + f"{each.rows:,}".rjust(rows) + _GAP + share(each.share).rjust(6)
        if columns:
            line += "".join(_GAP + beside(each, place).rjust(size) for place, (_, size) in enumerate(columns))
        else:
            line += _GAP + bar(each.share / top, min(40, room if width else 40))
        lines.append(line.rstrip())
    if len(shown) < len(counts.groups):
        lines.append(f"{GLYPHS.ellipsis} {len(counts.groups) - len(shown):,} more values: --top 0 shows all")
    if len(columns) < len(counts.across):
        lines.append(f"{GLYPHS.ellipsis} {len(counts.across) - len(columns):,} more columns: --format csv has all")
    return [*lines, *filter(None, [respelled(counts)])]


def _first(groups: Sequence[Counted], most: int) -> list[Counted]:
    """The first values, and all that is counted apart."""
    values = [each for each in groups if each.group.kind == "value"]
    hidden = values[most:] if most else []
    skip = {id(each) for each in hidden}
    return [each for each in groups if id(each) not in skip]


def _columns(counts: ColumnCounts, room: int) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for place, group in enumerate(counts.across):
        name = label(group, 14)
        size = max(cell_len(name), *(len(beside(each, place)) for each in counts.groups), 1)
        room -= size + len(_GAP)
        if room < 0 and found:
            break
        found.append((pad_left(name, size), size))
    return found


def to_csv(counts: ColumnCounts) -> Iterator[list[str]]:
    """A row a value: value, what kind of row it is, rows, share, and crossed a column a value of the other."""
    yield ["value", "kind", "rows", "share", *(group.label for group in counts.across)]
    for each in counts.groups:
        yield [each.group.label, each.group.kind, str(each.rows), repr(round(each.share, 6)), *map(str, each.by)]


def to_json(counts: ColumnCounts) -> dict[str, Any]:
    """The value of ``count --json``."""
    return {
        "field": counts.name,
        "by": counts.by or None,
        "form": counts.form,
        "rows": counts.rows,
        "distinct": counts.distinct,
        "values": [
            {
                "value": each.group.label,
                "kind": each.group.kind,
                "rows": each.rows,
                "share": each.share,
                "also": each.group.also,
                "filter": each.group.filter,
                **({"by": dict(zip((g.label for g in counts.across), each.by, strict=True))} if counts.by else {}),
            }
            for each in counts.groups
        ],
        "summary": counts.summary,
    }
