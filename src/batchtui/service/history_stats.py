"""Statistics of our own history: spending, how long batches like one took, how long answers were."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from batchtui.domain.batch import BatchRecord
from batchtui.domain.plan import UsedBefore

ZERO = Decimal(0)


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars at batch price from stored results; ``pending`` is the high estimate of what is still under way."""

    today: Decimal = ZERO
    month: Decimal = ZERO
    total: Decimal = ZERO
    pending: Decimal = ZERO
    by_profile: dict[str, Decimal] = {}
    """This month."""
    by_model: dict[str, Decimal] = {}
    """This month; a batch of several models is shared out by requests."""
    by_day: dict[str, Decimal] = {}
    """The last 30 days that cost something, ``YYYY-MM-DD``."""
    unpriced: int = 0
    """Batches whose cost is unknown because a model has no price."""
    at_least: int = 0
    """Batches whose cost is not known whole (``Tally.cost_missing``)."""


def spending(records: Iterable[BatchRecord], now: datetime) -> Spending:
    """Sum the real costs by day (UTC, of the batch's creation), profile and model."""
    today = month = total = pending = ZERO
    by_profile: dict[str, Decimal] = {}
    by_model: dict[str, Decimal] = {}
    by_day: dict[str, Decimal] = {}
    unpriced = at_least = 0
    for record in records:
        told = record.tally or (record.estimate if record.active else None)
        if told is not None and told.unpriced:
            unpriced += 1
        if record.tally is not None and record.tally.cost_missing:
            at_least += 1
        cost = record.cost_usd
        if cost is None:
            if record.active and record.estimate is not None:
                pending += record.estimate.batch_usd[1]
            continue
        when = record.created_at or now
        total += cost
        if (now - when).days < 30:
            day = f"{when:%Y-%m-%d}"
            by_day[day] = by_day.get(day, ZERO) + cost
        today += cost if when.date() == now.date() else ZERO
        if (when.year, when.month) == (now.year, now.month):
            month += cost
            by_profile[record.profile] = by_profile.get(record.profile, ZERO) + cost
            requests = sum(record.models.values()) or 1
            for model, count in (record.models or {"(adopted)": 1}).items():
                by_model[model] = by_model.get(model, ZERO) + cost * count / requests
    return Spending(
        today=today,
        month=month,
        total=total,
        pending=pending,
        by_profile=by_profile,
        by_model=by_model,
        by_day=by_day,
        unpriced=unpriced,
        at_least=at_least,
    )


def usual_minutes(records: Iterable[BatchRecord], record: BatchRecord) -> tuple[int, int] | None:
    """How many minutes ended batches of like size with the same main model took (low, high), None when fewer than two did."""
    model = main_model(record)
    took = sorted(
        (r.ended_at - r.created_at).total_seconds() / 60
        for r in records
        if r.status == "ended"
        and r.ended_at
        and r.created_at
        and not r.cancel_initiated_at
        and main_model(r) == model
        and r.local_id != record.local_id
        and record.requests / 5 <= r.requests <= record.requests * 5
    )
    if len(took) < 2:
        return None
    low, high = took[len(took) // 10], took[-1 - len(took) // 10]
    return int(low), max(1, int(high + 0.999))


def main_model(record: BatchRecord) -> str:
    """The model of most of a batch's requests, "" when unknown."""
    return max(record.models, key=lambda m: record.models[m]) if record.models else ""


_RUNS_LOOKED_AT = 20
"""The newest batches that tell what the next one will use."""


def used_before(records: Iterable[BatchRecord], model: str, source: str, template: str) -> UsedBefore | None:
    """What batches of this template (without one: of this source) with this model alone used; None when there were none."""
    past = [
        r
        for r in records
        if r.tally is not None
        and r.tally.succeeded
        and r.requests
        and set(r.models) == {model}
        and (r.template == template if template else r.source == source and not r.template)
    ]
    past.sort(key=lambda r: r.created_at.timestamp() if r.created_at else 0.0)
    past = past[-_RUNS_LOOKED_AT:]
    if not past:
        return None
    tallies = [r.tally for r in past if r.tally is not None]
    output = sum(t.output_tokens for t in tallies) / sum(t.succeeded + t.errored for t in tallies)
    paid = [share for r in past if (share := _input_paid(r)) is not None]
    guessed = sum((middle for _, middle in paid), ZERO)
    factor = sum((real for real, _ in paid), ZERO) / guessed if guessed else Decimal(1)
    return UsedBefore(output_tokens=output, input_factor=float(factor))


def _input_paid(record: BatchRecord) -> tuple[Decimal, Decimal] | None:
    """What a batch's input cost at standard price, and the middle of what was estimated; None when that can't be told."""
    tally, estimate = record.tally, record.estimate
    if tally is None or estimate is None or tally.standard_usd is None or len(estimate.models) != 1:
        return None
    each = estimate.models[0]
    most, dollars = each.output_tokens[1], each.output_usd[1]
    # What was canceled or expired is free, and tells nothing of the rest.
    middle = sum(each.input_usd, ZERO) / 2 * (tally.succeeded + tally.errored) / record.requests
    if not most or not dollars or not middle:
        return None
    real = tally.standard_usd - tally.output_tokens * dollars / most
    return (real, middle) if real > 0 else None
