"""The spending screen: today, this month, by profile, model and day, with bars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS
from batchtui.service.history_stats import Spending
from batchtui.tui.base import BaseModal
from batchtui.tui.dialogs import Reading

BAR = 24
AROUND = 44
"""Columns that name, figure and frame take beside a bar."""


class SpendingModal(BaseModal[None]):
    """Reads the figures once, when it is opened."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = Reading.BINDINGS

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static("Spending", classes="title", markup=False)
            with VerticalScroll(classes="body", can_focus=False):
                spent = self.service.spending()
                yield Static(
                    spending_text(
                        spent,
                        [f"{self.tui.now() - timedelta(days=d):%Y-%m-%d}" for d in range(13, -1, -1)],
                        max(4, min(BAR, self.app.size.width - AROUND)),
                    )
                )

    def on_mount(self) -> None:
        self.query_one(".box").border_subtitle = "esc back"

    def action_scroll(self, by: int) -> None:
        """A line up or down."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


def spending_text(spent: Spending, days: list[str], bar: int = BAR) -> Content:
    """The figures with their bars; ``days`` are the days to show, in order."""
    parts: list[Content | str | tuple[str, str]] = []
    rows = [("Today", spent.today), ("This month", spent.month), ("All time", spent.total)]
    for label, value in rows:
        parts += [(f"{label:<16}", "$foreground 60%"), f"{numbers.usd(value):>11}\n"]
    if spent.pending:
        parts += [("In progress", "$foreground 60%"), f"{'':3}{'≤' + numbers.usd(spent.pending):>11}\n"]
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
    for name in names:
        length = int(values[name] / most * width) if most else 0
        drawn = GLYPHS.full * max(length, 1 if values[name] else 0)
        label = safetext.line(name, 18)
        parts += [(f"{label:<18} ", "$foreground 80%"), (f"{drawn:<{width}}", "$text-primary")]
        parts += [f"{numbers.usd(values[name]):>11}\n" if values[name] else f"{GLYPHS.dash:>11}\n"]
    return parts
