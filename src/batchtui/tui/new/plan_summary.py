"""The plan and its cost in a few lines that are always in view."""

from __future__ import annotations

from decimal import Decimal

from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.domain.plan import Plan
from batchtui.domain.work import Progress
from batchtui.present import batch, numbers
from batchtui.present import plan as words

_LABEL = 8


def _line(label: str, *parts: str | Content | tuple[str, str]) -> Content:
    return Content.assemble((f" {label:<{_LABEL}}", "dim"), *parts)


def _models(plan: Plan) -> str:
    seen: dict[str, int] = {}
    for part in plan.parts:
        for model, requests in part.models.items():
            seen[model] = seen.get(model, 0) + requests
    names = sorted(seen, key=lambda name: -seen[name])
    if len(names) == 1:
        return safetext.line(names[0], 60)
    return ", ".join(f"{safetext.line(name, 40)} {seen[name]:,}" for name in names[:3]) + (
        " …" if len(names) > 3 else ""
    )


def plan_lines(plan: Plan, *, max_cost: Decimal | None = None, stopped_by: str = "") -> list[Content]:
    """What a plan will send, use and cost; ``stopped_by`` is the sentence that says what forbids it."""
    estimate = plan.estimate
    what = " · ".join(
        [
            numbers.plural(len(plan.parts), "batch", "batches"),
            numbers.plural(plan.requests, "request"),
            numbers.size(plan.bytes),
        ]
    )
    lines = [_line("Plan", (what, "bold"), f" · {_models(plan)}" if plan.parts else "")]
    lines.append(_line("Tokens", words.tokens(plan), (f"  {words.calibration(plan)}", "dim")))
    limit = f" · limit {numbers.usd(max_cost)}" if max_cost is not None else ""
    price = numbers.usd_range(estimate.batch_usd)
    likely = f" · {numbers.likely(estimate.likely_usd)}" if estimate.likely_usd is not None else ""
    rest = ((likely, "bold"), f" ({words.standard(plan)})", (limit, "dim"))
    lines.append(_line("Cost", (price, "bold $text-success"), *rest))
    if stopped_by:
        lines.append(_line("", ("! " + safetext.line(stopped_by, 300), "bold $text-warning")))
    elif estimate.unpriced:
        lines.append(_line("", (f"! {words.unpriced(plan)}", "bold $text-warning")))
    if plan.skipped:
        lines.append(_line("", (f"! {batch.skipped(plan.skipped)} skipped", "$text-warning")))
    return lines


def progress_line(progress: Progress, key: str = "esc") -> Content:
    """How far the check has come, and the key that stops it."""
    stage = safetext.line(progress.stage, 40)
    if progress.unit == "bytes":
        done = numbers.size(progress.done)
        total = f" of {numbers.size(progress.total)}" if progress.total else ""
    else:
        done = numbers.count(progress.done)
        total = f" of {numbers.count(progress.total)}" if progress.total else ""
        total += f" {safetext.line(progress.unit, 20)}"
    bar = f"{bar_text(progress.done, progress.total)} " if progress.total else ""
    note = f" · {safetext.line(progress.note, 60)}" if progress.note else ""
    return Content.assemble(
        (" " + stage.capitalize() + "  ", "bold"), bar, f"{done}{total}{note}", (f"   {key} stops", "dim")
    )


def bar_text(done: int, total: int, width: int = 20) -> str:
    """A bar that needs no color: ``███████░░░``."""
    full = 0 if total <= 0 else min(width, max(0, round(width * done / total)))
    return "█" * full + "░" * (width - full)


class PlanSummary(Static):
    """Says what would be sent and what it would cost; drawn again only when the words change."""

    DEFAULT_CSS = """
    PlanSummary { height: auto; min-height: 3; max-height: 6; border-top: solid $foreground 25%; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", markup=False, id=id)
        self._shown: Content | None = None

    def say(self, *lines: Content | str) -> None:
        """Show these lines."""
        content = Content("\n").join([line if isinstance(line, Content) else Content(line) for line in lines])
        if self._shown is not None and self._shown.is_same(content):
            return
        self._shown = content
        self.update(content)

    def show_plan(self, plan: Plan, *, max_cost: Decimal | None = None, stopped_by: str = "") -> None:
        """Show a plan."""
        self.say(*plan_lines(plan, max_cost=max_cost, stopped_by=stopped_by))
