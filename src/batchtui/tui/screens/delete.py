"""The question before deleting: where, and what that loses."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from textual.content import Content

from batchtui.domain.batch import BatchRecord
from batchtui.tui import describe, figures
from batchtui.tui.screens.modals import Choose


def ask_delete(records: Sequence[BatchRecord]) -> Choose:
    """A question that is answered ``keep``, ``here``, ``there`` or ``both``; keeping is in focus."""
    stored = [r for r in records if r.results == "stored"]
    only_there = [r for r in records if r.owed]
    at_service = [r for r in records if r.id and r.archived_at is None and r.results != "gone"]
    requests = figures.plural(sum(r.requests for r in records), "request")
    more = f" and {len(records) - 1} more" if len(records) > 1 else ""
    lines = [f"{describe.name(records[0])}{more}, {requests}"]
    if only_there:
        few = figures.plural(len(only_there), "batch", "batches")
        lines.append(f"The results of {few} are not stored here yet: deleted at the service, they are lost for good.")
    paid = sum((r.cost_usd for r in records if r.cost_usd is not None), Decimal(0))
    if paid:
        lines.append(f"Deleted here, the {figures.usd(paid)} paid are no longer counted in what was spent.")
    choices: list[tuple[str, str | Content]] = [("keep", "No, keep them" if len(records) > 1 else "No, keep it")]
    if at_service:
        kept = "the results stored here stay" if stored else "nothing of it stays but our record"
        choices.append(("there", _choice("At the service", kept)))
    what = "record, requests and results" if stored else "record and requests"
    back = "o finds it again" if at_service else "can't be undone"
    choices.append(("here", _choice("Here", f"{what}; {back}")))
    if at_service:
        choices.append(("both", _choice("Both", "everything of it, for good")))
    return Choose(f"Delete {figures.plural(len(records), 'batch', 'batches')}?", choices, lines=lines)


def _choice(what: str, loses: str) -> Content:
    return Content.assemble(f"{what:<16}", (loses, "$foreground 60%"))
