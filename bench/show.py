"""The table as Markdown, aligned so that it reads in a terminal too."""

from __future__ import annotations

from collections.abc import Sequence

from bench.rows import Line

HEADER = ("work", "batchtui", "beside", "there", "ratio", "target", "met", "peak MB", "its peak MB", "note")


def amount(value: float | None, unit: str) -> str:
    """A measured value with its unit."""
    if value is None:
        return "–"
    if unit == "s":
        return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"
    return f"{value:,.0f} {unit}"


def _cells(line: Line) -> tuple[str, ...]:
    ratio = line.ratio
    if line.target is None:
        target = ""
    elif line.peer:
        target = f"≤ {line.target:g}"
    else:
        target = f"≤ {amount(line.target, line.unit)}"
    met = {True: "yes", False: "NO", None: ""}[line.met]
    return (
        line.work,
        amount(line.ours, line.unit),
        line.peer or "–",
        amount(line.theirs, line.unit) if line.peer else "",
        f"{ratio:.3f}" if ratio is not None and ratio < 0.1 else f"{ratio:.2f}" if ratio is not None else "",
        target,
        met,
        f"{line.peak:.0f}" if line.peak else "",
        f"{line.peer_peak:.0f}" if line.peer_peak else "",
        line.note,
    )


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of them the header, as a Markdown table."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(drawn)


def table(lines: Sequence[Line]) -> str:
    """All lines."""
    return aligned([HEADER, *map(_cells, lines)])
