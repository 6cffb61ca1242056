"""Adds up what results cost, exactly."""

from __future__ import annotations

from decimal import Decimal

from batchtui.domain.money import PriceTable, Usage
from batchtui.domain.outcome import SUCCEEDED, UNKNOWN
from batchtui.store.index import UNPRICED, cost_units
from batchtui.store.lines import Facts

_I64 = 0x7FFF_FFFF_FFFF_FFFF


class Till:
    """What the succeeded lines cost at batch and at standard price, and which models have no price."""

    def __init__(self, prices: PriceTable) -> None:
        self._prices = prices
        self._ratios: dict[str, Decimal] = {}
        self._cost = Decimal(0)
        self._standard = Decimal(0)
        self._priced = 0
        self.unpriced: set[str] = set()

    def ring(self, facts: Facts) -> int:
        """A line's cost in units of the index, which is added to the sums; UNPRICED when it has no price."""
        if facts.outcome != SUCCEEDED:
            return 0 if facts.outcome < UNKNOWN else UNPRICED
        usage = usage_of(facts)
        cost = self._prices.cost(usage)
        if cost is None:
            self.unpriced.add(facts.model)
            return UNPRICED
        self._priced += 1
        self._cost += cost
        self._standard += self._at_standard(usage, cost)
        return min(cost_units(cost), _I64)

    def sums(self, succeeded: int) -> tuple[Decimal, Decimal] | tuple[None, None]:
        """Dollars at batch and at standard price of the priced lines; None when no answer has a price."""
        return (self._cost, self._standard) if self._priced or not succeeded else (None, None)

    def _at_standard(self, usage: Usage, cost: Decimal) -> Decimal:
        """The standard price of a usage with a known batch price: tokens keep one ratio a model, tool fees don't."""
        if usage.web_searches:
            return self._prices.cost(usage, batch=False) or cost
        ratio = self._ratios.get(usage.model)
        if ratio is None:
            probe = Usage(model=usage.model, input_tokens=1_000_000, output_tokens=1_000_000)
            half, full = self._prices.cost(probe), self._prices.cost(probe, batch=False)
            ratio = self._ratios[usage.model] = full / half if half and full else Decimal(1)
        return cost * ratio


def usage_of(facts: Facts) -> Usage:
    """A line's usage as it is charged; amounts that can't be are taken as none."""
    return Usage(
        model=facts.model,
        input_tokens=max(0, facts.input_tokens),
        output_tokens=max(0, facts.output_tokens),
        cache_write_5m=max(0, facts.cache_write_5m),
        cache_write_1h=max(0, facts.cache_write_1h),
        cache_read=max(0, facts.cache_read),
        web_searches=max(0, facts.web_searches),
        geo=facts.geo,
    )
