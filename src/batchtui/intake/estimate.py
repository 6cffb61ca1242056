"""Estimates of tokens and cost as ranges, cached prefixes apart, with a likely value where earlier runs tell it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from batchtui.domain.money import PriceTable, Usage
from batchtui.domain.plan import Estimate, ModelEstimate, Plan, PlanPart
from batchtui.intake.model_limits import ModelFacts
from batchtui.intake.problems import Found, warning
from batchtui.intake.prompt_size import Prefix, Size
from batchtui.intake.wording import quoted


class BlockTotals(msgspec.Struct, frozen=True):
    """Sums of one model over a block."""

    facts: ModelFacts
    geo: str
    requests: int
    chars: int
    octets: int
    fixed: int
    limits: dict[int, int]
    """How many requests have which max_tokens."""


SPREAD = Decimal("0.25")
"""The rule of thumb is taken to be right within this share."""
CALIBRATED_SPREAD = Decimal("0.08")
"""The same after a sample was counted by the API."""
SMALL_OUTPUT = 4
"""The least an answer is reckoned to take, in tokens: a label or a refusal takes no more."""
_SMALLEST_CACHED = 512
"""Shorter prefixes are cached by no model (prompt caching documentation, October 2026)."""
replace = msgspec.structs.replace
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
        "out_high",
        "out_likely",
        "out_low",
        "out_usual",
        "requests",
        "special",
        "special_likely",
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
        self.out_usual = facts.before.output_tokens if facts.before is not None else 0.0
        self.out_likely = 0.0
        self.special: list[int] = [0, 0, 0, 0]
        self.special_likely = 0.0
        self.dollars: list[Decimal] = [Decimal(0)] * 4

    def add(self, size: Size, max_tokens: int) -> None:
        """Count a request whose price grows evenly with its tokens."""
        self.requests += 1
        self.chars += size.chars
        self.octets += size.octets
        self.fixed += size.fixed[0]
        self.high_fixed += size.fixed[1]
        self.out_low += max_tokens if max_tokens < SMALL_OUTPUT else SMALL_OUTPUT
        self.out_high += max_tokens
        self.out_likely += min(max_tokens, self.out_usual)

    def add_tally(self, tally: BlockTotals) -> None:
        """Count the like requests of a block."""
        self.requests += tally.requests
        self.chars += tally.chars
        self.octets += tally.octets
        self.fixed += tally.fixed // 2
        self.high_fixed += tally.fixed
        for max_tokens, count in tally.limits.items():
            self.out_low += count * min(max_tokens, SMALL_OUTPUT)
            self.out_high += count * max_tokens
            self.out_likely += count * min(max_tokens, self.out_usual)

    def add_special(
        self, tokens: tuple[int, int], max_tokens: int, usages: tuple[Usage, Usage], prices: PriceTable
    ) -> None:
        """Count a request that is priced by itself: near a price step, or with a cached prefix."""
        self.requests += 1
        outputs = (min(max_tokens, SMALL_OUTPUT), max_tokens)
        self.special_likely += min(max_tokens, self.out_usual)
        for end in (0, 1):
            self.special[end] += tokens[end]
            self.special[2 + end] += outputs[end]
            alone = prices.cost(usages[end], batch=False)
            both = prices.cost(replace(usages[end], output_tokens=outputs[end]), batch=False)
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
        input_usd = (dollars(low, rates[0]) + self.dollars[0], dollars(high, rates[0]) + self.dollars[1])
        output_usd = (
            dollars(self.out_low, rates[1]) + self.dollars[2],
            dollars(self.out_high, rates[1]) + self.dollars[3],
        )
        return ModelEstimate(
            model=self.facts.name,
            requests=self.requests,
            input_tokens=(low + self.special[0], high + self.special[1]),
            output_tokens=(self.out_low + self.special[2], self.out_high + self.special[3]),
            input_usd=input_usd,
            output_usd=output_usd,
            priced=price is not None,
            likely_usd=self._likely(input_usd, output_usd),
        )

    def _likely(self, input_usd: tuple[Decimal, Decimal], output_usd: tuple[Decimal, Decimal]) -> Decimal | None:
        """Standard dollars by what earlier runs used, within the range; None where there were none."""
        before = self.facts.before
        if before is None:
            return None
        # All output of a model has one price, the step of long prompts aside: its share of the most is its share of the dollars.
        most = self.out_high + self.special[3]
        output = output_usd[1] * Decimal(self.out_likely + self.special_likely) / most if most else Decimal(0)
        likely = (input_usd[0] + input_usd[1]) / 2 * Decimal(before.input_factor) + output
        return min(max(likely, input_usd[0] + output_usd[0]), input_usd[1] + output_usd[1])


def tokens_of(chars: int, octets: int, fixed: tuple[int, int], facts: ModelFacts) -> tuple[int, int]:
    """Tokens of one prompt, as a range."""
    per = facts.chars_per_token
    return int(chars / per * _LOW) + fixed[0], int(octets / per * _HIGH) + fixed[1]


def usages(
    model: str, geo: str, tokens: tuple[int, int], prefixes: Sequence[Prefix], seen: Sequence[bool], facts: ModelFacts
) -> tuple[Usage, Usage]:
    """The cheapest and the dearest way a prompt may be charged.

    At best what requests before it wrote (``seen``, prefix by prefix) is read and the rest written; at worst every request
    writes all of it, which costs more than no cache at all.
    """
    least = facts.cache_min or _SMALLEST_CACHED
    low, high = tokens
    cheap, dear = dict.fromkeys(_CACHED, 0), dict.fromkeys(_CACHED, 0)
    ends = [0, 0]
    for prefix, known in zip(prefixes, seen, strict=True):
        covered = tokens_of(*prefix.size, facts)
        if covered[1] < least:
            continue
        written = "cache_write_1h" if prefix.hour else "cache_write_5m"
        if known:
            cheap = {**dict.fromkeys(_CACHED, 0), "cache_read": min(covered[0], low)}
            ends[0] = min(covered[0], low)
        elif covered[0] >= least:
            cheap[written] += max(0, min(covered[0], low) - ends[0])
            ends[0] = max(ends[0], min(covered[0], low))
        dear[written] += max(0, min(covered[1], high) - ends[1])
        ends[1] = max(ends[1], min(covered[1], high))
    return (
        replace(Usage(model=model, input_tokens=low - sum(cheap.values()), geo=geo), **cheap),
        replace(Usage(model=model, input_tokens=high - sum(dear.values()), geo=geo), **dear),
    )


_CACHED = ("cache_write_5m", "cache_write_1h", "cache_read")


def cache_shortfall(prefixes: Sequence[Prefix], facts: ModelFacts) -> Found | None:
    """What to say when all that is marked is likely too short for the model to cache."""
    if not prefixes or not facts.cache_min:
        return None
    low, high = tokens_of(*prefixes[-1].size, facts)
    if low >= facts.cache_min:
        return None
    how = "is" if high < facts.cache_min else "may be"
    what = f"the marked prefix {how} shorter than the {facts.cache_min:,} tokens that {quoted(facts.name)} caches"
    return warning("cache_short", f"{what}: shorter ones are not cached", f"about {low:,} to {high:,} tokens")


def total(models: Iterable[ModelEstimate], prices: PriceTable, calibrated: bool = False) -> Estimate:
    """Models' estimates as one, equal models joined."""
    joined: dict[str, ModelEstimate] = {}
    for each in models:
        known = joined.get(each.model)
        joined[each.model] = each if known is None else _sum(known, each)
    found = tuple(joined.values())
    likely = [each.likely_usd for each in found if each.priced]
    told = [each for each in likely if each is not None]
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
        likely_usd=_rounded(sum(told, Decimal(0)) * prices.batch_factor) if told and told == likely else None,
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
        return replace(part, estimate=total(models, prices, calibrated=True))

    parts = tuple(corrected(part) for part in plan.parts)
    whole = total((each for part in parts for each in part.estimate.models), prices, calibrated=True)
    return replace(plan, parts=parts, estimate=whole)


def _scaled(each: ModelEstimate, ratio: Decimal) -> ModelEstimate:
    low, high = each.input_tokens
    middle = Decimal(low + high) / 2 * ratio
    new = (int(middle * (1 - CALIBRATED_SPREAD)), int(middle * (1 + CALIBRATED_SPREAD)) + 1)
    usd = tuple(
        old * changed / was if was else old
        for old, changed, was in zip(each.input_usd, new, each.input_tokens, strict=True)
    )
    usd = (min(usd), max(usd))
    likely = each.likely_usd
    if likely is not None:
        likely = min(max(likely, usd[0] + each.output_usd[0]), usd[1] + each.output_usd[1])
    return replace(each, input_tokens=new, input_usd=usd, likely_usd=likely)


def _sum(one: ModelEstimate, other: ModelEstimate) -> ModelEstimate:
    def both(name: str) -> tuple[object, object]:
        left, right = getattr(one, name), getattr(other, name)
        return left[0] + right[0], left[1] + right[1]

    ranges = {name: both(name) for name in ("input_tokens", "output_tokens", "input_usd", "output_usd")}
    likely = None if one.likely_usd is None or other.likely_usd is None else one.likely_usd + other.likely_usd
    return replace(one, requests=one.requests + other.requests, likely_usd=likely, **ranges)


def _rounded(dollars: Decimal) -> Decimal:
    """To a millionth of a dollar: single small requests cost less than a cent."""
    return dollars.quantize(Decimal("0.000001"))
