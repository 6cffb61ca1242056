"""Adds up what results cost, exactly."""

from __future__ import annotations

from decimal import Decimal

from batchtui.domain.money import PriceTable, Tokens, Usage, as_dollars
from batchtui.domain.outcome import SUCCEEDED, UNKNOWN
from batchtui.results.index import COST_DIGITS, UNPRICED, cost_units
from batchtui.results.line import Plain
from batchtui.results.line_lenient import LineFacts

_I64 = 0x7FFF_FFFF_FFFF_FFFF
_MOST_REASONS = 50


class CostSum:
    """What the succeeded lines cost at batch and at standard price, and which models have no price."""

    def __init__(self, prices: PriceTable) -> None:
        self._prices = prices
        self._tokens: dict[tuple[str, int], int] = {}
        """Batch price of lines that used tokens alone: by model and digits, in units of that many digits."""
        self._tools = Decimal(0)
        self._tools_standard = Decimal(0)
        self.unpriced: set[str] = set()
        self.missing: set[str] = set()
        """What is not known of the costs."""

    def add(self, facts: LineFacts) -> int:
        """A line's cost in units of the index, which is added to the sums; UNPRICED when it has no price."""
        if facts.outcome != SUCCEEDED:
            return 0 if facts.outcome < UNKNOWN else UNPRICED
        usage = facts.usage
        if facts.missing and len(self.missing) < _MOST_REASONS:
            self.missing.update(facts.missing)
        if usage.web_searches or usage.extra:
            return self._ring_tools(usage)
        return self.add_tokens(usage.model, usage.geo, usage.tokens)

    def add_tokens(self, model: str, geo: str, tokens: Tokens) -> int:
        """The same for a succeeded line that used tokens alone."""
        return self._ring_one_model(model, geo, [tokens])[0]

    def add_all(self, lines: Plain) -> list[int]:
        """The same for many succeeded lines that used tokens alone."""
        models, geos = lines.models, lines.geos
        one = models.count(models[0]) == geos.count(geos[0]) == len(models)
        if one and lines.cached is None:
            found = self._prices.exact_uncached(models[0], geos[0], lines.read, lines.written)
            if found is not None:
                return self._rung(models[0], *found)
        tokens = lines.cached
        if tokens is None:
            tokens = [(read, written, 0, 0, 0) for read, written in zip(lines.read, lines.written, strict=True)]
        if one:
            return self._ring_one_model(models[0], geos[0], tokens)
        return [self.add_tokens(*each) for each in zip(models, geos, tokens, strict=True)]

    def _ring_one_model(self, model: str, geo: str, tokens: list[Tokens]) -> list[int]:
        found = self._prices.exact_all(model, geo, tokens)
        if found is None:
            used = [any(each) for each in tokens]
            if any(used):
                self.unpriced.add(model)
            if not all(used):
                self._add(model, 0, COST_DIGITS)
            return [UNPRICED if any_used else 0 for any_used in used]
        return self._rung(model, *found)

    def _rung(self, model: str, units: list[int], digits: int) -> list[int]:
        self._add(model, sum(units), digits)
        more = COST_DIGITS - digits
        if more >= 0:
            scale = 10**more
            if max(units) <= _I64 // scale:
                return [unit * scale for unit in units] if more else units
            return [min(unit * scale, _I64) for unit in units]
        scale = 10**-more
        return [min(unit // scale, _I64) for unit in units]

    def _add(self, model: str, units: int, digits: int) -> None:
        key = model, digits
        self._tokens[key] = self._tokens.get(key, 0) + units

    def _ring_tools(self, usage: Usage) -> int:
        cost = self._prices.cost(usage)
        if cost is None:
            self.unpriced.add(usage.model)
            return UNPRICED
        self.missing.update(f"no price for {model[:60]}" for model in self._prices.unknown_extra(usage))
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
