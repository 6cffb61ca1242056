"""What a plan will use and cost: tokens by rule of thumb, always as a range, and exact dollars of both its ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from batchtui.domain.money import PriceTable, Usage
from batchtui.domain.plan import Estimate, ModelEstimate, Plan, PlanPart
from batchtui.intake.bulk import Tally
from batchtui.intake.facts import ModelFacts
from batchtui.intake.measure import Prefix, Size

SPREAD = Decimal("0.25")
"""The rule of thumb is taken to be right within this share."""
CALIBRATED_SPREAD = Decimal("0.08")
"""The same after a sample was counted by the service."""
SMALL_OUTPUT = 32
"""The least an answer is reckoned to take, in tokens, when nothing is known about it."""
MIN_CACHED = 1024
"""Shorter prefixes are not cached (prompt caching documentation; some models want more)."""
_MILLION = Decimal(1_000_000)
_LOW, _HIGH = 1 - SPREAD, 1 + SPREAD


class Meter:
    """Sums of one model's requests in one part, cheap to add to."""

    __slots__ = (
        "chars",
        "dollars",
        "facts",
        "fixed",
        "geo",
        "high_fixed",
        "octets",
        "out_cap",
        "out_high",
        "out_low",
        "requests",
        "special",
    )

    def __init__(self, facts: ModelFacts, geo: str) -> None:
        self.facts = facts
        self.geo = geo
        self.requests = 0
        self.chars = 0
        self.octets = 0
        self.fixed = 0
        self.high_fixed = 0
        self.out_low = 0
        self.out_high = 0
        self.out_cap = facts.history or (SMALL_OUTPUT, 1 << 62)
        self.special: list[int] = [0, 0, 0, 0]
        self.dollars: list[Decimal] = [Decimal(0)] * 4

    def add(self, size: Size, max_tokens: int) -> None:
        """Count a request whose price grows evenly with its tokens."""
        self.requests += 1
        self.chars += size.chars
        self.octets += size.octets
        self.fixed += size.fixed[0]
        self.high_fixed += size.fixed[1]
        low, high = self.out_cap
        self.out_low += max_tokens if max_tokens < low else low
        self.out_high += max_tokens if max_tokens < high else high

    def add_tally(self, tally: Tally) -> None:
        """Count the like requests of a block."""
        self.requests += tally.requests
        self.chars += tally.chars
        self.octets += tally.octets
        self.fixed += tally.fixed // 2
        self.high_fixed += tally.fixed
        low, high = self.out_cap
        for max_tokens, count in tally.limits.items():
            self.out_low += count * min(max_tokens, low)
            self.out_high += count * min(max_tokens, high)

    def add_special(
        self, tokens: tuple[int, int], max_tokens: int, usages: tuple[Usage, Usage], prices: PriceTable
    ) -> None:
        """Count a request that is priced by itself: near a price step, or with a cached prefix."""
        self.requests += 1
        low, high = self.out_cap
        outputs = (min(max_tokens, low), min(max_tokens, high))
        for end in (0, 1):
            self.special[end] += tokens[end]
            self.special[2 + end] += outputs[end]
            alone = prices.cost(usages[end], batch=False)
            both = prices.cost(msgspec.structs.replace(usages[end], output_tokens=outputs[end]), batch=False)
            if alone is not None and both is not None:
                self.dollars[end] += alone
                self.dollars[2 + end] += both - alone

    def estimate(self, prices: PriceTable) -> ModelEstimate:
        """The sums as tokens and standard dollars."""
        per = self.facts.chars_per_token
        low = int(self.chars / per * _LOW) + self.fixed
        high = int(self.octets / per * _HIGH) + self.high_fixed
        price = self.facts.price
        factor = prices.geo_factor if price is not None and price.geo and self.geo == "us" else Decimal(1)

        def dollars(tokens: int, rate: Decimal) -> Decimal:
            return tokens * rate * factor / _MILLION

        rates = (price.input, price.output) if price is not None else (Decimal(0), Decimal(0))
        return ModelEstimate(
            model=self.facts.name,
            requests=self.requests,
            input_tokens=(low + self.special[0], high + self.special[1]),
            output_tokens=(self.out_low + self.special[2], self.out_high + self.special[3]),
            input_usd=(dollars(low, rates[0]) + self.dollars[0], dollars(high, rates[0]) + self.dollars[1]),
            output_usd=(
                dollars(self.out_low, rates[1]) + self.dollars[2],
                dollars(self.out_high, rates[1]) + self.dollars[3],
            ),
            priced=price is not None,
        )


def tokens_of(chars: int, octets: int, fixed: tuple[int, int], facts: ModelFacts) -> tuple[int, int]:
    """Tokens of one prompt, as a range."""
    per = facts.chars_per_token
    return int(chars / per * _LOW) + fixed[0], int(octets / per * _HIGH) + fixed[1]


def usages(
    model: str, geo: str, tokens: tuple[int, int], prefix: Prefix | None, seen: bool, facts: ModelFacts
) -> tuple[Usage, Usage]:
    """The cheapest and the dearest way a prompt may be charged: read from the cache if it was written before, or written."""
    low, high = tokens
    plain = (Usage(model=model, input_tokens=low, geo=geo), Usage(model=model, input_tokens=high, geo=geo))
    if prefix is None:
        return plain
    cached = tokens_of(prefix.chars, prefix.chars, (0, 0), facts)
    if cached[1] < MIN_CACHED:
        return plain
    cheap, dear = min(cached[0], low), min(cached[1], high)
    written = "cache_write_1h" if prefix.hour else "cache_write_5m"
    first = msgspec.structs.replace(
        Usage(model=model, input_tokens=low - cheap, geo=geo), **{"cache_read" if seen else written: cheap}
    )
    return first, msgspec.structs.replace(Usage(model=model, input_tokens=high - dear, geo=geo), **{written: dear})


def total(models: Iterable[ModelEstimate], prices: PriceTable, calibrated: bool = False) -> Estimate:
    """Models' estimates as one, equal models joined."""
    joined: dict[str, ModelEstimate] = {}
    for each in models:
        known = joined.get(each.model)
        joined[each.model] = each if known is None else _sum(known, each)
    found = tuple(joined.values())
    standard = (
        sum((each.input_usd[0] + each.output_usd[0] for each in found), Decimal(0)),
        sum((each.input_usd[1] + each.output_usd[1] for each in found), Decimal(0)),
    )
    return Estimate(
        input_tokens=(sum(each.input_tokens[0] for each in found), sum(each.input_tokens[1] for each in found)),
        output_tokens=(sum(each.output_tokens[0] for each in found), sum(each.output_tokens[1] for each in found)),
        batch_usd=(_rounded(standard[0] * prices.batch_factor), _rounded(standard[1] * prices.batch_factor)),
        standard_usd=(_rounded(standard[0]), _rounded(standard[1])),
        unpriced=tuple(each.model for each in found if not each.priced),
        calibrated=calibrated,
        models=found,
    )


def calibrate(plan: Plan, counted: Sequence[tuple[str, tuple[int, int], int]], prices: PriceTable) -> Plan:
    """The plan with its input tokens corrected by a sample: (model, the range estimated, the tokens counted) of each.

    A model without a sample of its own takes the correction of all samples together.
    """
    if not counted:
        return plan
    sums: dict[str, list[Decimal]] = {}
    for model, (low, high), tokens in counted:
        for name in (model, ""):
            pair = sums.setdefault(name, [Decimal(0), Decimal(0)])
            pair[0] += Decimal(low + high) / 2
            pair[1] += tokens
    ratios = {name: got / guessed for name, (guessed, got) in sums.items() if guessed}
    if not ratios:
        return plan

    def corrected(part: PlanPart) -> PlanPart:
        models = [_scaled(each, ratios.get(each.model, ratios[""])) for each in part.estimate.models]
        return msgspec.structs.replace(part, estimate=total(models, prices, calibrated=True))

    parts = tuple(corrected(part) for part in plan.parts)
    whole = total((each for part in parts for each in part.estimate.models), prices, calibrated=True)
    return msgspec.structs.replace(plan, parts=parts, estimate=whole)


def _scaled(each: ModelEstimate, ratio: Decimal) -> ModelEstimate:
    low, high = each.input_tokens
    middle = Decimal(low + high) / 2 * ratio
    new = (int(middle * (1 - CALIBRATED_SPREAD)), int(middle * (1 + CALIBRATED_SPREAD)) + 1)
    usd = tuple(
        old * changed / was if was else old
        for old, changed, was in zip(each.input_usd, new, each.input_tokens, strict=True)
    )
    return msgspec.structs.replace(each, input_tokens=new, input_usd=(min(usd), max(usd)))


def _sum(one: ModelEstimate, other: ModelEstimate) -> ModelEstimate:
    def both(name: str) -> tuple[object, object]:
        left, right = getattr(one, name), getattr(other, name)
        return left[0] + right[0], left[1] + right[1]

    ranges = {name: both(name) for name in ("input_tokens", "output_tokens", "input_usd", "output_usd")}
    return msgspec.structs.replace(one, requests=one.requests + other.requests, **ranges)


def _rounded(dollars: Decimal) -> Decimal:
    """To a millionth of a dollar: single small requests cost less than a cent."""
    return dollars.quantize(Decimal("0.000001"))
