"""A plan in words for both faces: its batches, tokens, cost and problems.  Pure: a plan in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from batchtui import safetext
from batchtui.domain.plan import Estimate, Plan, Problem
from batchtui.present import batch, numbers

if TYPE_CHECKING:
    from batchtui.service.reconcile import Unclear


def batches(plan: Plan) -> str:
    """``300 requests in 1 batch``."""
    return f"{numbers.plural(plan.requests, 'request')} in {numbers.plural(len(plan.parts), 'batch', 'batches')}"


def cost(plan: Plan) -> str:
    """The estimated cost at batch price, with the likely one where earlier runs tell it: ``at least …`` where a model has
    no price, ``an unknown cost`` where none has.
    """
    if not cost_known(plan):
        return "an unknown cost"
    return ", ".join(filter(None, (estimated(plan.estimate), likely(plan.estimate))))


def cost_known(plan: Plan) -> bool:
    """False when no model of the plan has a price."""
    return estimated(plan.estimate) != numbers.UNKNOWN


def estimated(estimate: Estimate) -> str:
    """An estimate's cost at batch price: ``$3.10–4.80``, ``at least $3.10–4.80``, ``unknown``."""
    return numbers.estimated(estimate.batch_usd, bool(estimate.unpriced))


def likely(estimate: Estimate) -> str:
    """What earlier runs say it will cost; "" where there were none, or where a model has no price."""
    return "" if estimate.unpriced else numbers.likely(estimate.likely_usd)


def standard(plan: Plan) -> str:
    """The estimated cost of the same requests at standard price."""
    return f"{numbers.estimated(plan.estimate.standard_usd, bool(plan.estimate.unpriced))} standard"


def tokens(plan: Plan) -> str:
    """Input and output tokens."""
    e = plan.estimate
    return f"{numbers.token_range(e.input_tokens)} in · {numbers.token_range(e.output_tokens)} out"


def calibration(plan: Plan) -> str:
    """How the tokens are known."""
    return "counted on a sample" if plan.estimate.calibrated else "rule of thumb"


def models(plan: Plan) -> str:
    """The models it names, the most used first, with their requests where there are several."""
    seen: dict[str, int] = {}
    for part in plan.parts:
        for model, requests in part.models.items():
            seen[model] = seen.get(model, 0) + requests
    names = sorted(seen, key=lambda name: -seen[name])
    if len(names) == 1:
        return safetext.line(names[0], 60)
    told = ", ".join(f"{safetext.line(name, 40)} {seen[name]:,}" for name in names[:3])
    return told + (" …" if len(names) > 3 else "")


def unpriced(plan: Plan) -> str:
    """That models have no price, "" when all have one."""
    names = [safetext.line(name, 40) for name in plan.estimate.unpriced]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    rest = ": not in the cost" if cost_known(plan) else ""
    return f"no price for {', '.join(names[:4])}{more}{rest}" if names else ""


def title_of(sources: Iterable[str]) -> str:
    """A title for a run from what it was read from."""
    names = [Path(source).stem if source != "-" else "standard input" for source in sources]
    return safetext.line(names[0] + (f" +{len(names) - 1}" if len(names) > 1 else ""), 60)


def unclear_lines(unclear: Iterable[Unclear]) -> list[str]:
    """Why it is safer to wait before requests go out again whose reply was lost a short while ago."""
    return [
        f"{each.local_id} has the same requests and got no clear reply at {each.lost_at:%H:%M} UTC. The list of batches "
        "does not show it, but may lag behind: if it was created, you pay twice."
        for each in unclear
    ]


def safe_at(unclear: Sequence[Unclear]) -> str:
    """When these requests can be sent again without that risk: ``10:17 UTC``."""
    return f"{max(each.safe_at for each in unclear):%H:%M} UTC"


def problem_lines(plan: Plan) -> list[str]:
    """The problems, equal ones as one with a count and the first places."""
    lines = []
    for group in plan.problems:
        head = group.first[0]
        text = safetext.line(group.message, 500)
        if group.count == 1:
            place = " ".join(safetext.line(part, 200) for part in (_where(plan, head), head.custom_id) if part)
            lines.append(f"{group.level}: {place}: {safetext.line(head.message, 500)}")
            continue
        lines.append(f"{group.level} ×{group.count:,}: {text}")
        for problem in group.first[:5]:
            parts = (_where(plan, problem), problem.custom_id, group.own(problem))
            lines.append("    " + "  ".join(safetext.line(part, 200) for part in parts if part))
        if group.count > 5:
            lines.append(f"    … and {group.count - 5:,} more")
    return lines


def _where(plan: Plan, problem: Problem) -> str:
    """A problem's place; "" for a request of a retry, whose file is ours and goes away with the plan."""
    return "" if plan.retry_of and problem.custom_id else problem.where


def plan_lines(plan: Plan) -> list[str]:
    """What would be sent and its cost, or why nothing can be, for the command line."""
    lines = [f"{batches(plan)}, {numbers.size(plan.bytes)}" + (f", read as {plan.format}" if plan.format else "")]
    errors = numbers.plural(plan.errors, "error")
    if plan.errors and not plan.requests:
        return [*lines, f"{errors}: there is nothing to send"]
    if plan.skipped:
        lines.append(
            f"{batch.skipped(plan.skipped)} skipped"
            + (f" (written to {plan.skipped_path})" if plan.skipped_path else "")
            + ("; they are kept with the batch" if plan.skipped_kept and plan.ok else "")
        )
    lines.append(f"tokens: {tokens(plan)} ({calibration(plan)})")
    if not cost_known(plan):
        lines.append(f"cost: unknown: {unpriced(plan)}")
    else:
        lines.append(f"cost: {cost(plan)} at batch price ({standard(plan)})")
        if plan.estimate.unpriced:
            lines.append(unpriced(plan))
    if plan.errors:
        lines.append(f"{errors}: nothing can be sent; fix them, or skip these requests with --skip-bad")
    elif not plan.requests:
        lines.append("there is nothing to send")
    return lines
