"""What tokens cost: a dated table of prices as data, and exact sums in Decimal dollars."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from batchtui.domain.errors import ConfigError

_DATED = re.compile(r"-20\d{6}\Z")
_MILLION_DIGITS = 6
_NO_STEP = 1 << 62
Tokens = tuple[int, int, int, int, int]
"""Tokens in the order of the categories: input, output, written to the cache for 5 minutes, for an hour, read from it."""
_CATEGORIES = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
_CACHE_MULTIPLES = {"cache_write_5m": Decimal("1.25"), "cache_write_1h": Decimal(2), "cache_read": Decimal("0.1")}
"""Documented multiples of the input price, for rows that name no cache prices (pricing page, October 2026)."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One model's standard price, in dollars per million tokens; a batch costs half."""

    model: str
    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal
    step_tokens: int = 0
    """Prompts of more tokens than this are charged as ``above``, the whole request; 0 when there is no step."""
    above: Price | None = None
    geo: bool = True
    """Whether ``inference_geo: "us"`` multiplies the price."""
    context: int = 0
    """Context window in tokens, 0 when unknown."""
    max_output: int = 0
    """Largest ``max_tokens``, 0 when unknown."""
    chars_per_token: Decimal = Decimal("2.5")
    """Rule of thumb of the model's generation."""
    retires: date | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one answer (or of many of one model), by what they are charged as.

    ``input_tokens`` are the uncached ones, as the API reports them.
    """

    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    web_searches: int = 0
    geo: str = ""
    """The answer's ``inference_geo``; only ``us`` changes the price."""
    extra: tuple[tuple[str, Tokens], ...] = ()
    """Charged on top (compaction, advisors): models, each with its tokens."""

    @property
    def all(self) -> Tokens:
        """The same with those on top."""
        one, two, three, four, five = map(sum, zip(self.tokens, *(tokens for _, tokens in self.extra), strict=True))
        return one, two, three, four, five

    @property
    def tokens(self) -> Tokens:
        """The tokens by category."""
        return self.input_tokens, self.output_tokens, self.cache_write_5m, self.cache_write_1h, self.cache_read


class _Row(msgspec.Struct, frozen=True):
    """A price as integers of 10**-scale dollars per million tokens, for exact and fast sums."""

    scale: int
    step: int
    base: tuple[int, int, int, int, int]
    above: tuple[int, int, int, int, int]
    geo: bool


class PriceTable:
    """Prices by model name; see ``load_prices``."""

    def __init__(
        self,
        prices: Mapping[str, Price],
        aliases: Mapping[str, str],
        *,
        unpriced: tuple[str, ...] = (),
        retired: Mapping[str, date] | None = None,
        web_search: Decimal = Decimal("0.01"),
        batch_factor: Decimal = Decimal("0.5"),
        geo_factor: Decimal = Decimal("1.1"),
        updated: date | None = None,
    ) -> None:
        self._prices = dict(prices)
        self._aliases = dict(aliases)
        self.unpriced = unpriced
        """Models that are known to exist and have no row."""
        self.retired: Mapping[str, date] = dict(retired or {})
        """Models that no longer answer, with the day they were retired."""
        self.updated = updated
        """The day of the documentation the table was copied from."""
        self.web_search = web_search
        """Dollars a web search; counted in full in a batch."""
        self.batch_factor = batch_factor
        """What a batch costs of the standard price."""
        self.geo_factor = geo_factor
        """What ``inference_geo: "us"`` multiplies the price by."""
        self._factors = _factor_ints(batch_factor, geo_factor)
        self._rows: dict[str, _Row | None] = {}

    def get(self, model: str) -> Price | None:
        """The row of a model, by its name, an alias, or its name with a date; None when there is none."""
        found = self._prices.get(model) or self._prices.get(self._aliases.get(model, ""))
        if found is None and _DATED.search(model):
            bare = model[:-9]
            found = self._prices.get(bare)
        return found

    def models(self) -> tuple[str, ...]:
        """The names of all models with a price, newest generation first as in the table."""
        return tuple(self._prices)

    def names(self) -> tuple[str, ...]:
        """All names a priced model answers to, aliases included."""
        return (*self._prices, *self._aliases)

    def cost(self, usage: Usage, batch: bool = True) -> Decimal | None:
        """Exact dollars of a usage at batch or standard price; None when the model has no price.

        A usage without any tokens costs nothing, whatever the model.  What is charged on top by a model without a price
        (see ``unknown_extra``) is not in it.
        """
        tokens = usage.tokens
        found = self.exact(usage.model, usage.geo, tokens, batch)
        if found is None:
            free = not (any(tokens) or usage.web_searches or usage.extra)
            return Decimal(0) if free else None
        total = as_dollars(*found)
        for model, more in usage.extra:
            priced = self.exact(model, usage.geo, more, batch)
            total += as_dollars(*priced) if priced is not None else 0
        return total + usage.web_searches * self.web_search if usage.web_searches else total

    def unknown_extra(self, usage: Usage) -> tuple[str, ...]:
        """Models without a price among what is charged on top."""
        return tuple(model for model, _ in usage.extra if self._row_of(model) is None)

    def exact(self, model: str, geo: str, tokens: Tokens, batch: bool = True) -> tuple[int, int] | None:
        """What tokens cost as (units, digits): units of 10**-digits dollars; None when the model has no price."""
        found = self.exact_all(model, geo, (tokens,), batch)
        return (found[0][0], found[1]) if found is not None else None

    def exact_all(
        self, model: str, geo: str, all_tokens: Iterable[Tokens], batch: bool = True
    ) -> tuple[list[int], int] | None:
        """The same for many answers of one model: their units, and the digits of all of them."""
        row = self._row_of(model)
        if row is None:
            return None
        base, above = self._rates_of(row, geo, batch)
        step = row.step or _NO_STEP
        units = []
        for read, written, short, long, cached in all_tokens:
            rates = above if read + short + long + cached > step else base
            cost = read * rates[0] + written * rates[1]
            if short or long or cached:
                cost += short * rates[2] + long * rates[3] + cached * rates[4]
            units.append(cost)
        return units, self._digits_of(row)

    def exact_uncached(self, model: str, geo: str, read: list[int], written: list[int]) -> tuple[list[int], int] | None:
        """The same at batch price for answers that made no use of the prompt cache, below the model's step; None elsewhere."""
        row = self._row_of(model)
        if row is None or max(read) > (row.step or _NO_STEP):
            return None
        (one, two, *_), _ = self._rates_of(row, geo, True)
        return [many * one + few * two for many, few in zip(read, written, strict=True)], self._digits_of(row)

    def _row_of(self, model: str) -> _Row | None:
        try:
            return self._rows[model]
        except KeyError:
            row = self._rows[model] = self._row(model)
            return row

    def _rates_of(self, row: _Row, geo: str, batch: bool) -> tuple[list[int], list[int]]:
        half, regional, one, _ = self._factors
        factor = (half if batch else one) * (regional if row.geo and geo == "us" else one)
        return [rate * factor for rate in row.base], [rate * factor for rate in row.above]

    def _digits_of(self, row: _Row) -> int:
        return row.scale + _MILLION_DIGITS + 2 * self._factors[3]

    def _row(self, model: str) -> _Row | None:
        price = self.get(model)
        if price is None:
            return None
        above = price.above or price
        scale = max(_digits(getattr(each, name)) for each in (price, above) for name in _CATEGORIES)
        return _Row(scale, price.step_tokens, _rates(price, scale), _rates(above, scale), price.geo)


def load_prices(overrides: Mapping[str, Mapping[str, object]] | None = None) -> PriceTable:
    """The built-in table, with the user's own rows over it.

    An override changes single fields of a row, or adds a row (``input`` and ``output`` are needed then); numbers may
    be numbers or strings.  Raises ConfigError that names the row and the field.
    """
    data = _builtin()
    models: dict[str, dict[str, Any]] = {name: dict(row) for name, row in data["models"].items()}
    aliases = {alias: name for name, row in models.items() for alias in row.pop("aliases", ())}
    for name, override in (overrides or {}).items():
        if not isinstance(override, Mapping):
            raise ConfigError(f"price of {name}: expected a table of fields", advice="write [prices.MODEL] input = 1.0")
        full = aliases.get(name, name)
        changed = dict(override)
        if full in models and "input" in changed:
            for cached in _CACHE_MULTIPLES:
                models[full].pop(cached, None)
        models[full] = {**models.get(full, {}), **changed}
    prices = {name: _price(name, row) for name, row in models.items()}
    return PriceTable(
        prices,
        aliases,
        unpriced=tuple(name for name in data["unpriced"]["names"] if name not in prices),
        retired=data["retired"],
        web_search=Decimal(data["web_search"]),
        batch_factor=Decimal(data["batch_factor"]),
        geo_factor=Decimal(data["geo_us_factor"]),
        updated=data["updated"],
    )


@lru_cache(maxsize=1)
def _builtin() -> dict[str, Any]:
    import tomllib

    text = Path(__file__).with_name("prices.toml").read_text(encoding="utf-8")
    return tomllib.loads(text, parse_float=Decimal)


def _price(name: str, row: Mapping[str, object]) -> Price:
    known = set(Price.__struct_fields__) - {"model"}
    for field in row:
        if field not in known:
            raise ConfigError(
                f"price of {name}: there is no field {field}", advice=f"known are {', '.join(sorted(known))}"
            )
    fields: dict[str, Any] = dict(row)
    for needed in ("input", "output"):
        if needed not in fields:
            raise ConfigError(f"price of {name}: {needed} is missing", advice="give dollars per million tokens")
    for category in ("input", "output", *_CACHE_MULTIPLES):
        given = fields.get(category)
        if given is None:
            given = fields["input"] * _CACHE_MULTIPLES[category]
        fields[category] = _number(name, category, given)
    if "chars_per_token" in fields:
        fields["chars_per_token"] = _number(name, "chars_per_token", fields["chars_per_token"])
        if not fields["chars_per_token"]:
            raise ConfigError(
                f"price of {name}: chars_per_token can't be 0", advice="give characters a token, such as 3.5"
            )
    above = fields.get("above")
    if isinstance(above, Mapping):
        fields["above"] = _price(f"{name} (above)", above)
    try:
        return msgspec.convert({**fields, "model": name, "above": None}, Price) if not above else _stepped(name, fields)
    except msgspec.ValidationError as error:
        raise ConfigError(f"price of {name}: {error}", advice="copy a built-in row as an example") from error


def _stepped(name: str, fields: dict[str, Any]) -> Price:
    above = fields.pop("above")
    if not isinstance(above, Price):
        raise ConfigError(f"price of {name}: above must be a table", advice="write [prices.MODEL.above] input = 1.0")
    return msgspec.structs.replace(msgspec.convert({**fields, "model": name}, Price), above=above)


def _number(name: str, field: str, value: object) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise InvalidOperation
        number = Decimal(str(value))
        if not number.is_finite() or number < 0 or number > 1_000_000 or _digits(number) > 9:
            raise InvalidOperation
    except InvalidOperation as error:
        raise ConfigError(
            f"price of {name}: {field} is not a number of dollars",
            advice="give dollars per million tokens, such as 2.5",
        ) from error
    return number


def _digits(value: Decimal) -> int:
    """Digits after the point that the value needs."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _rates(price: Price, scale: int) -> tuple[int, int, int, int, int]:
    one, two, three, four, five = (int(getattr(price, name).scaleb(scale)) for name in _CATEGORIES)
    return one, two, three, four, five


def _factor_ints(batch: Decimal, geo: Decimal) -> tuple[int, int, int, int]:
    digits = max(_digits(batch), _digits(geo))
    return int(batch.scaleb(digits)), int(geo.scaleb(digits)), 10**digits, digits


def as_dollars(units: int, scale: int) -> Decimal:
    """Units of 10**-scale dollars as dollars."""
    return Decimal((0, tuple(map(int, str(units))), -scale)) if units > 10**27 else Decimal(units).scaleb(-scale)
