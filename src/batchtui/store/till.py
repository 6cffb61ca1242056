"""Adds up what results cost, exactly."""

from __future__ import annotations

from decimal import Decimal

from batchtui.domain.money import PriceTable, Usage, as_dollars
from batchtui.domain.outcome import SUCCEEDED, UNKNOWN
from batchtui.store.index import COST_DIGITS, UNPRICED, cost_units
from batchtui.store.lines import Facts

_I64 = 0x7FFF_FFFF_FFFF_FFFF


class Till:
    """What the succeeded lines cost at batch and at standard price, and which models have no price."""

    def __init__(self, prices: PriceTable) -> None:
        self._prices = prices
        self._tokens: dict[tuple[str, int], int] = {}
        """Batch price of lines that used tokens alone: by model and digits, in units of that many digits."""
        self._tools = Decimal(0)
        self._tools_standard = Decimal(0)
        self.unpriced: set[str] = set()

    def ring(self, facts: Facts) -> int:
        """A line's cost in units of the index, which is added to the sums; UNPRICED when it has no price."""
        if facts.outcome != SUCCEEDED:
            return 0 if facts.outcome < UNKNOWN else UNPRICED
        usage = facts.usage
        if usage.web_searches:
            return self._ring_tools(usage)
        tokens = (
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_write_5m,
            usage.cache_write_1h,
            usage.cache_read,
        )
        return self.ring_tokens(usage.model, usage.geo, tokens)

    def ring_tokens(self, model: str, geo: str, tokens: tuple[int, int, int, int, int]) -> int:
        """The same for a succeeded line that used tokens alone."""
        found = self._prices.exact(model, geo, tokens)
        if found is None:
            if any(tokens):
                self.unpriced.add(model)
                return UNPRICED
            found = 0, COST_DIGITS
        units, digits = found
        key = model, digits
        self._tokens[key] = self._tokens.get(key, 0) + units
        more = COST_DIGITS - digits
        scaled: int = units * 10**more if more >= 0 else units // 10**-more
        return min(scaled, _I64)

    def _ring_tools(self, usage: Usage) -> int:
        cost = self._prices.cost(usage)
        if cost is None:
            self.unpriced.add(usage.model)
            return UNPRICED
        self._tools += cost
        self._tools_standard += self._prices.cost(usage, batch=False) or cost
        return min(cost_units(cost), _I64)

    def sums(self, succeeded: int) -> tuple[Decimal, Decimal] | tuple[None, None]:
        """Dollars at batch and at standard price of the priced lines; None when no answer has a price."""
        if succeeded and not self._tokens and not self._tools:
            return None, None
        costs = [(model, as_dollars(units, digits)) for (model, digits), units in self._tokens.items()]
        standard = sum((cost * self._ratio(model) for model, cost in costs), self._tools_standard)
        return sum((cost for _, cost in costs), self._tools), standard

    def _ratio(self, model: str) -> Decimal:
        """Standard over batch price, which is the same for all of a model's tokens (and not for tool fees)."""
        probe = Usage(model=model, input_tokens=1_000_000, output_tokens=1_000_000)
        half, full = self._prices.cost(probe), self._prices.cost(probe, batch=False)
        return full / half if half and full else Decimal(1)
