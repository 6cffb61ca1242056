"""What is known about a model when a request names it: limits, price, and whether it still answers."""

from __future__ import annotations

import difflib
from datetime import date
from decimal import Decimal

import msgspec

from batchtui.domain.model_rules import ModelRules, load_rules, with_capabilities
from batchtui.domain.money import Price, PriceTable
from batchtui.domain.plan import ModelInfo, UsedBefore
from batchtui.intake.options import IntakeOptions
from batchtui.intake.problems import Found, error, warning
from batchtui.safetext import line as safe

SOON_DAYS = 60
"""A retirement that is nearer than this, in days, is warned of."""
LONG_OUTPUT_BETA = "output-300k-2026-03-24"
LONG_OUTPUT = 300_000
"""Output tokens the beta allows, in batches only."""
_UNKNOWN_CHARS = Decimal("2.5")


class ModelFacts(msgspec.Struct, frozen=True, gc=False):
    """What checks and estimates need to know about one model."""

    name: str
    max_output: int
    """0 when unknown."""
    context: int
    """In tokens, 0 when unknown."""
    chars_per_token: Decimal
    price: Price | None
    problems: tuple[Found, ...]
    """What every request of this model has to be told."""
    usable: bool
    """False when a problem among them stops."""
    before: UsedBefore | None
    rules: ModelRules | None = None
    """What the model takes and refuses; None for one that nobody described."""

    @property
    def cache_min(self) -> int:
        """The shortest prefix it caches, in tokens; 0 when unknown."""
        return self.rules.cache_min if self.rules is not None else 0

    @property
    def refuses_geo(self) -> bool:
        """True when ``inference_geo`` makes the API refuse a request of this model."""
        return self.rules is not None and self.rules.geo == "refused"


class ModelCatalog:
    """Facts of each model that was asked for; the answer is kept."""

    def __init__(self, options: IntakeOptions, prices: PriceTable) -> None:
        self._options = options
        self._prices = prices
        self._rules = load_rules() if options.rules is None else options.rules
        self._known: dict[str, ModelFacts] = {}

    def of(self, model: str) -> ModelFacts:
        """The facts of a model."""
        facts = self._known.get(model)
        if facts is None:
            facts = self._learn(model)
            if len(self._known) < 10_000:
                self._known[model] = facts
        return facts

    def _learn(self, model: str) -> ModelFacts:
        price = self._prices.get(model)
        told = self._options.models.get(model) if self._options.models else None
        if told is None and self._options.models and price is not None:
            told = self._options.models.get(price.model)
        problems = tuple(self._problems(model, price, told))
        before = self._options.history(model) if self._options.history else None
        return ModelFacts(
            name=model,
            max_output=(told and told.max_tokens) or (price.max_output if price else 0),
            context=(told and told.max_input_tokens) or (price.context if price else 0),
            chars_per_token=price.chars_per_token if price else _UNKNOWN_CHARS,
            price=price,
            problems=problems,
            usable=bool(model.strip()) and all(found.level != "error" for found in problems),
            before=before,
            rules=with_capabilities(self._rules.get(price.model if price else model), told),
        )

    def _problems(self, model: str, price: Price | None, told: ModelInfo | None) -> list[Found]:
        retired = self._prices.retired.get(model)
        if told is not None:
            return self._told(model, told, price)
        if retired is not None and retired <= self._options.today:
            return [error("model_retired", f"model {safe(model, 60)} was retired on {retired}: choose another")]
        leaves = price.retires if price else retired
        if leaves is not None:
            return _leaving(model, leaves, self._options.today)
        if price is not None and model not in self._prices.names():
            # Ids of these models take no date (models overview, October 2026).
            return [self._unlisted(model)]
        if price is not None or model in self._prices.unpriced:
            return [] if self._options.models is None else [self._unlisted(model)]
        return [self._unlisted(model)]

    def _told(self, model: str, told: ModelInfo, price: Price | None) -> list[Found]:
        name = safe(model, 60)
        if told.lifecycle == "retired":
            when = f" on {told.retires_at:%Y-%m-%d}" if told.retires_at else ""
            return [error("model_retired", f"model {name} was retired{when}: choose another")]
        if told.batch is False:
            return [error("model_no_batch", f"model {name} can't be used in a batch: choose another")]
        leaves = told.retires_at.date() if told.retires_at is not None else price.retires if price else None
        if leaves is not None:
            return _leaving(model, leaves, self._options.today)
        if told.lifecycle == "deprecated":
            since = f" since {told.deprecated_at:%Y-%m-%d}" if told.deprecated_at else ""
            return [warning("model_retiring", f"model {name} is deprecated{since}: choose another soon")]
        return []

    def _unlisted(self, model: str) -> Found:
        known = [*self._prices.names(), *(self._options.models or ())]
        near = difflib.get_close_matches(model[:100], known, n=1, cutoff=0.75)
        hint = f", did you mean {near[0]}?" if near and near[0] != model else ""
        who = "the API does not list" if self._options.models is not None else "unknown"
        what = f"{who} model {safe(model, 60)!r}" if who == "unknown" else f"{who} the model {safe(model, 60)!r}"
        return warning("model_unknown", f"{what}{hint}")


def _leaving(model: str, leaves: date, today: date) -> list[Found]:
    name = safe(model, 60)
    days = (leaves - today).days
    if days < 0:
        return [warning("model_retiring", f"model {name} was to be retired on {leaves}: it may not answer")]
    if days <= SOON_DAYS:
        return [warning("model_retiring", f"model {name} will be retired on {leaves}: requests may fail from then on")]
    return []
