"""The dialog with what was spent: today, this month, by profile, model and day, with bars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS
from batchtui.service.history_stats import Spending
from batchtui.tui.dialogs import Reading

BAR = 24
AROUND = 46
"""Columns that name, figure and frame take beside a bar."""


class SpendingModal(Reading):
    """Reads the figures once, when it is opened."""

    def __init__(self) -> None:
        super().__init__("Spending", "", wide=False)

    def body(self) -> ComposeResult:
        days = [f"{self.tui.now() - timedelta(days=d):%Y-%m-%d}" for d in range(13, -1, -1)]
        with VerticalScroll(classes="body", can_focus=False):
            yield Static(spending_text(self.service.spending(), days, max(4, min(BAR, self.app.size.width - AROUND))))


def spending_text(spent: Spending, days: list[str], bar: int = BAR) -> Content:
    """The figures with their bars; ``days`` are the days to show, in order."""
    parts: list[Content | str | tuple[str, str]] = []
    *sums, pending = numbers.usd_column([spent.today, spent.month, spent.total, spent.pending])
    for label, value in zip(("Today", "This month", "All time"), sums, strict=True):
        parts += [(f"{label:<16}", "$foreground 60%"), f"{value:>13}\n"]
    if spent.pending:
        parts += [(f"{'In progress':<16}", "$foreground 60%"), f"{'≤' + pending:>13}\n"]
    if spent.unpriced:
        parts += [
            (
                f"{numbers.plural(spent.unpriced, 'batch', 'batches')} without a price not counted\n",
                "$text-warning",
            )
        ]
    if spent.at_least:
        parts += [
            (f"{numbers.plural(spent.at_least, 'batch', 'batches')} with fees that are not known\n", "$text-warning")
        ]
    parts += _bars("By model, this month", {k.removeprefix("claude-"): v for k, v in spent.by_model.items()}, bar)
    if len(spent.by_profile) > 1:
        parts += _bars("By profile, this month", spent.by_profile, bar)
    recent = {day[5:]: spent.by_day.get(day, Decimal(0)) for day in days}
    if any(recent.values()):
        parts += _bars("By day", recent, bar, ordered=False)
    return Content.assemble(*parts)


def _bars(
    title: str, values: Mapping[str, Decimal], width: int, *, ordered: bool = True
) -> list[Content | str | tuple[str, str]]:
    if not values:
        return []
    most = max(values.values())
    names = sorted(values, key=lambda name: -values[name]) if ordered else list(values)
    parts: list[Content | str | tuple[str, str]] = ["\n", (f"{title}\n", "bold")]
    costs = dict(zip(names, numbers.usd_column([values[name] for name in names]), strict=True))
    for name in names:
        length = int(values[name] / most * width) if most else 0
        drawn = GLYPHS.full * max(length, 1 if values[name] else 0)
        label = safetext.line(name, 18)
        parts += [(f"{label:<18} ", "$foreground 80%"), (f"{drawn:<{width}}", "$text-primary")]
        none = GLYPHS.dash + " " * (len(costs[name]) - len(costs[name].rstrip()) + 3)
        parts += [f"{costs[name] if values[name] else none:>13}\n"]
    return parts
