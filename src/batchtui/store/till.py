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
        self._tokens: dict[str, Decimal] = {}
        """Batch price by model, of lines that used tokens alone."""
        self._tools = Decimal(0)
        self._tools_standard = Decimal(0)
        self.unpriced: set[str] = set()

    def ring(self, facts: Facts) -> int:
        """A line's cost in units of the index, which is added to the sums; UNPRICED when it has no price."""
        if facts.outcome != SUCCEEDED:
            return 0 if facts.outcome < UNKNOWN else UNPRICED
        usage = facts.usage
        cost = self._prices.cost(usage)
        if cost is None:
            self.unpriced.add(usage.model)
            return UNPRICED
        if usage.web_searches:
            self._tools += cost
            self._tools_standard += self._prices.cost(usage, batch=False) or cost
        else:
            self._tokens[usage.model] = self._tokens.get(usage.model, _ZERO) + cost
        return min(cost_units(cost), _I64)

    def sums(self, succeeded: int) -> tuple[Decimal, Decimal] | tuple[None, None]:
        """Dollars at batch and at standard price of the priced lines; None when no answer has a price."""
        if succeeded and not self._tokens and not self._tools:
            return None, None
        standard = sum((cost * self._ratio(model) for model, cost in self._tokens.items()), self._tools_standard)
        return sum(self._tokens.values(), self._tools), standard

    def _ratio(self, model: str) -> Decimal:
        """Standard over batch price, which is the same for all of a model's tokens (and not for tool fees)."""
        probe = Usage(model=model, input_tokens=1_000_000, output_tokens=1_000_000)
        half, full = self._prices.cost(probe), self._prices.cost(probe, batch=False)
        return full / half if half and full else Decimal(1)


_ZERO = Decimal(0)
