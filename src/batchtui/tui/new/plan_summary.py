"""The plan and its cost in a few lines that are always in view."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from textual.content import Content

from batchtui import safetext
from batchtui.domain.plan import Plan
from batchtui.present import batch, numbers
from batchtui.present import plan as words
from batchtui.tui.widgets.cached_static import CachedStatic


def plan_lines(plan: Plan, *, max_cost: Decimal | None = None, stopped_by: str = "", width: int = 0) -> list[Content]:
    """What a plan will send and cost in one line, with as many details as have room in ``width`` (0: all); then what
    is doubtful about it.  ``stopped_by`` is the sentence that says what forbids it.
    """
    estimate = plan.estimate
    batches = numbers.plural(len(plan.parts), "batch", "batches")
    line = Content.assemble(
        (f"{batches} · {numbers.plural(plan.requests, 'request')}", "bold"),
        " · ",
        *_cost(plan),
        f" · {words.calibration(plan)}" if estimate.calibrated else "",
    )
    details = (
        f"limit {numbers.usd(max_cost)}" if max_cost is not None else "",
        "" if estimate.calibrated else words.calibration(plan),
        words.models(plan),
        words.tokens(plan),
        numbers.size(plan.bytes),
    )
    for detail in details:
        if detail and (not width or line.cell_length + len(detail) + 3 <= width):
            line = Content.assemble(line, (f" · {detail}", "dim"))
    lines = [line]
    if stopped_by:
        lines.append(_doubt(safetext.line(stopped_by, 300)))
    elif estimate.unpriced:
        lines.append(_doubt(words.unpriced(plan)))
    if plan.skipped:
        lines.append(_doubt(f"{batch.skipped(plan.skipped)} skipped"))
    return lines


def _cost(plan: Plan) -> list[str | tuple[str, str]]:
    """The estimated cost at batch price, and at standard price beside it."""
    if not words.cost_known(plan):
        return [("cost unknown", "bold $text-warning")]
    tone = "$text-warning" if plan.estimate.unpriced else "$text-success"
    likely = words.likely(plan.estimate)
    return [
        (words.estimated(plan.estimate), f"bold {tone}"),
        (f" · {likely}" if likely else "", "bold"),
        f" ({words.standard(plan)})",
    ]


def error_lines(plan: Plan, advice: str) -> list[Content]:
    """Why a plan with errors can't be sent, with ``advice``, and what of it has none; a single error as it is."""
    wrong = f"✗ {numbers.plural(plan.errors, 'error')}: nothing can be sent. {advice}"
    good = f"{numbers.plural(plan.requests, 'request')} without an error" if plan.requests else " "
    only = next((group.first[0] for group in plan.problems if group.level == "error"), None)
    if plan.errors == 1 and not plan.requests and only is not None:
        wrong, good = f"✗ 1 error: {safetext.line(only.message, 200)}", safetext.line(only.where, 120)
    return [Content.styled(wrong, "bold $text-error"), Content.styled(good, "dim")]


def _doubt(text: str) -> Content:
    return Content.styled(f"! {text}", "bold $text-warning")


class PlanSummary(CachedStatic):
    """Says what would be sent and what it would cost; drawn again only when the words change."""

    DEFAULT_CSS = """
    PlanSummary { height: auto; min-height: 2; max-height: 6; padding: 0 0 0 1; border-top: solid $foreground 25%; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._of_width: Callable[[int], list[Content]] | None = None

    def say(self, *lines: Content | str) -> None:
        """Show these lines."""
        self._of_width = None
        self._say(lines)

    def _say(self, lines: Iterable[Content | str]) -> None:
        self.show_text(Content("\n").join([line if isinstance(line, Content) else Content(line) for line in lines]))

    def show_plan(self, plan: Plan, *, max_cost: Decimal | None = None, stopped_by: str = "") -> None:
        """Show a plan."""
        self._of_width = lambda width: plan_lines(plan, max_cost=max_cost, stopped_by=stopped_by, width=width)
        self._say(self._of_width(self.content_size.width))

    def on_resize(self) -> None:
        """As many details as have room."""
        if self._of_width is not None:
            self._say(self._of_width(self.content_size.width))
