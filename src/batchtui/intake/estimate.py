"""Estimates of tokens and cost: text by its length, images and documents by rule, cached prefixes apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from batchtui.domain.model_rules import ModelRules
from batchtui.domain.money import PriceTable, Usage
from batchtui.domain.plan import Estimate, ModelEstimate, Plan, PlanPart
from batchtui.intake import media
from batchtui.intake.model_limits import ModelFacts

Json = Mapping[str, Any]

PER_MESSAGE = 6
"""Tokens a turn costs beside its text, roughly."""
TOOLS_TOKENS = 350
"""Tokens of the hidden prompt that tools bring along (tool use documentation: 290 to 700, by model and choice)."""
_OLD_IMAGE = (1568, 1568)
"""Pixels a side is scaled to, and the most tokens, for a model without rules of its own: the newest models' are larger."""
_PAGE_TOKENS = (1_500, 3_000)
"""Tokens of a PDF page's text (PDF support documentation, August 2026); the page as an image comes on top."""
_UNREAD_PAGES = (1, 100)
"""Pages reckoned for a PDF that can't be read here."""
_UNKNOWN_DOCUMENT = (1_500, 100_000)


class Size(NamedTuple):
    """The prompt of one request: text in characters (low) and bytes (high), and tokens known by rule (low, high)."""

    chars: int
    octets: int
    fixed: tuple[int, int]


class Prefix(NamedTuple):
    """What stands under the request's last cache mark."""

    chars: int
    key: int
    hour: bool
    """True for a 1-hour mark, False for a 5-minute one."""


def size_of(params: Json, line: bytes, rules: ModelRules | None = None) -> Size:
    """The size of a request from its decoded params and its line; ``rules`` are its model's."""
    low = high = 0
    binary = 0
    turns = 0
    for message in _dicts(params.get("messages")):
        turns += 1
        for block in _nested(message.get("content")):
            (one, other), weight = _special(block, rules)
            low, high, binary = low + one, high + other, binary + weight
    fixed = PER_MESSAGE * turns + (TOOLS_TOKENS if params.get("tools") else 0)
    chars, octets = text_size(line)
    syntax = 60 + 33 * turns + binary
    return Size(max(1, chars - syntax), max(1, octets - syntax), (low + fixed // 2, high + fixed))


def text_size(line: bytes) -> tuple[int, int]:
    """Characters and UTF-8 bytes of a line of JSON, with ``\\uXXXX`` counted as the character it is."""
    chars = octets = len(line)
    if not line.isascii():
        chars = len(line.decode("utf-8", "replace"))
    if b"\\u" in line:
        escapes = line.count(b"\\u")
        chars -= 5 * escapes
        octets -= 3 * escapes
    return chars, octets


def prefix_of(params: Json) -> Prefix | None:
    """What the request's cache marks cover, in prompt order (tools, system, messages); None without a mark."""
    pieces: list[tuple[Any, Any]] = [(tool, tool.get("cache_control")) for tool in _dicts(params.get("tools"))]
    system = params.get("system")
    pieces += [(system, None)] if isinstance(system, str) else _marked(system)
    for message in _dicts(params.get("messages")):
        content = message.get("content")
        pieces += [(content, None)] if isinstance(content, str) else _marked(content)
    last, hour = _last_mark(pieces, params.get("cache_control"))
    if last < 0:
        return None
    covered = [repr(piece) for piece, _ in pieces[: last + 1]]
    return Prefix(sum(map(len, covered)), hash(tuple(covered)), hour)


def _last_mark(pieces: list[tuple[Any, Any]], whole: object) -> tuple[int, bool]:
    last, hour = -1, False
    for place, (_, mark) in enumerate(pieces):
        if isinstance(mark, Mapping):
            last, hour = place, hour or mark.get("ttl") == "1h"
    if isinstance(whole, Mapping) and pieces:
        last, hour = len(pieces) - 1, hour or whole.get("ttl") == "1h"
    return last, hour


def _marked(value: object) -> list[tuple[Any, Any]]:
    return [(block, block.get("cache_control")) for block in _dicts(value)]


def _dicts(value: object) -> Iterable[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _nested(content: object) -> Iterable[dict[str, Any]]:
    """Blocks of a content, those inside tool results included."""
    for block in _dicts(content):
        yield block
        if block.get("type") == "tool_result":
            yield from _dicts(block.get("content"))


def _special(block: dict[str, Any], rules: ModelRules | None) -> tuple[tuple[int, int], int]:
    """Tokens by rule of an image or a document, and the bytes of its data, which are no text."""
    kind = block.get("type")
    source = block.get("source")
    if kind not in ("image", "document") or not isinstance(source, dict):
        return (0, 0), 0
    side, most = (rules.image_side, rules.image_tokens) if rules is not None else _OLD_IMAGE
    data = source.get("data")
    if source.get("type") == "base64" and isinstance(data, str):
        if kind == "image":
            return media.image_tokens(media.read_image(data), side, most), len(data)
        return _pdf_tokens(data, most), len(data)
    if kind == "image":
        return (1, most), 0
    return ((0, 0) if source.get("type") in ("text", "content") else _UNKNOWN_DOCUMENT), 0


def _pdf_tokens(data: str, page_image: int) -> tuple[int, int]:
    found = media.read_pdf(data)
    low, high = (found.pages, found.pages) if found is not None and found.pages else _UNREAD_PAGES
    return low * _PAGE_TOKENS[0], high * (_PAGE_TOKENS[1] + page_image)


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

    def add_tally(self, tally: BlockTotals) -> None:
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
