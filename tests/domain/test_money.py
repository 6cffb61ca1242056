from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtui.domain.errors import ConfigError
from batchtui.domain.money import PriceTable, Usage, load_prices

TABLE = load_prices()
TOKENS = st.integers(min_value=0, max_value=10_000_000)


def test_every_row_has_the_documented_prices() -> None:
    expected = {
        "claude-fable-5-1": ("10", "50", "12.5", "20", "0.25"),
        "claude-fable-5": ("10", "50", "12.5", "20", "1"),
        "claude-opus-5-5": ("4", "20", "5", "8", "0.2"),
        "claude-opus-4-7": ("5", "25", "6.25", "10", "0.5"),
        "claude-opus-4-5": ("5", "25", "6.25", "10", "0.5"),
        "claude-sonnet-5-5": ("2", "10", "2.5", "4", "0.1"),
        "claude-sonnet-5": ("2", "10", "2.5", "4", "0.2"),
        "claude-sonnet-4-6": ("3", "15", "3.75", "6", "0.3"),
        "claude-sonnet-4-5": ("3", "15", "3.75", "6", "0.3"),
        "claude-haiku-5-5": ("0.1", "0.5", "0.125", "0.2", "0.01"),
        "claude-haiku-4-5": ("1", "5", "1.25", "2", "0.1"),
    }
    for model, row in expected.items():
        price = TABLE.get(model)
        assert price is not None, model
        got = (price.input, price.output, price.cache_write_5m, price.cache_write_1h, price.cache_read)
        assert got == tuple(Decimal(each) for each in row), model


def test_a_batch_costs_half_of_every_category_but_searches_count_in_full() -> None:
    usage = Usage(
        model="claude-sonnet-4-6",
        input_tokens=1000,
        output_tokens=2000,
        cache_write_5m=300,
        cache_write_1h=40,
        cache_read=5000,
    )
    standard = TABLE.cost(usage, batch=False)
    assert standard == Decimal("0.035865")
    assert TABLE.cost(usage) == standard / 2
    searched = Usage(model="claude-sonnet-4-6", web_searches=3)
    assert TABLE.cost(searched) == TABLE.cost(searched, batch=False) == Decimal("0.03")


def test_haiku_5_5_charges_the_whole_request_higher_above_its_step() -> None:
    below = Usage(model="claude-haiku-5-5", input_tokens=60_000, cache_read=40_000, output_tokens=100)
    above = Usage(model="claude-haiku-5-5", input_tokens=60_001, cache_read=40_000, output_tokens=100)
    assert TABLE.cost(below, batch=False) == Decimal("0.006") + Decimal("0.0004") + Decimal("0.00005")
    assert TABLE.cost(above, batch=False) == Decimal("0.0300005") + Decimal("0.002") + Decimal("0.00025")


def test_geo_us_multiplies_where_the_model_allows_it() -> None:
    new = Usage(model="claude-opus-5-5", input_tokens=1_000_000, geo="us")
    old = Usage(model="claude-haiku-4-5", input_tokens=1_000_000, geo="us")
    assert TABLE.cost(new, batch=False) == Decimal("4.4")
    assert TABLE.cost(old, batch=False) == Decimal(1)
    elsewhere = Usage(model="claude-opus-5-5", input_tokens=1_000_000, geo="not_available")
    assert TABLE.cost(elsewhere, batch=False) == Decimal(4)


def test_an_unknown_model_is_unpriced_and_never_guessed() -> None:
    assert TABLE.cost(Usage(model="claude-fable-9", input_tokens=1)) is None
    assert TABLE.cost(Usage(model="gpt-4o", output_tokens=1)) is None
    assert TABLE.cost(Usage(model="gpt-4o")) == 0
    assert TABLE.unpriced == ()
    assert TABLE.cost(Usage(model="claude-fable-5-2", input_tokens=1_000_000), batch=False) == 8


def test_dated_names_and_aliases_share_the_row() -> None:
    assert TABLE.get("claude-haiku-4-5") == TABLE.get("claude-haiku-4-5-20251001")
    assert TABLE.get("claude-sonnet-5-20260501") == TABLE.get("claude-sonnet-5")
    assert TABLE.get("claude-sonnet-5-preview") is None


@given(
    model=st.sampled_from([*TABLE.names()]),
    tokens=st.tuples(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS),
    batch=st.booleans(),
    geo=st.sampled_from(["", "us", "global"]),
)
def test_sums_are_exact(model: str, tokens: tuple[int, int, int, int, int], batch: bool, geo: str) -> None:
    usage = Usage(
        model=model,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cache_write_5m=tokens[2],
        cache_write_1h=tokens[3],
        cache_read=tokens[4],
        geo=geo,
    )
    price = TABLE.get(model)
    assert price is not None
    prompt = tokens[0] + tokens[2] + tokens[3] + tokens[4]
    row = price.above if price.above and prompt > price.step_tokens else price
    rates = (row.input, row.output, row.cache_write_5m, row.cache_write_1h, row.cache_read)
    exact = sum((Fraction(rate) * count for rate, count in zip(rates, tokens, strict=True)), Fraction()) / 1_000_000
    exact *= Fraction(1, 2) if batch else 1
    exact *= Fraction(11, 10) if geo == "us" and price.geo else 1
    got = TABLE.cost(usage, batch)
    assert got is not None
    assert Fraction(got) == exact


def test_an_override_changes_fields_and_adds_rows() -> None:
    table = load_prices({"claude-sonnet-4-5": {"input": "4"}, "my-model": {"input": 1, "output": 2.5}})
    changed = table.get("claude-sonnet-4-5-20250929")
    assert changed is not None
    assert (changed.input, changed.output, changed.cache_read) == (4, 15, Decimal("0.4"))
    mine = table.get("my-model")
    assert mine is not None
    assert (mine.output, mine.cache_write_1h) == (Decimal("2.5"), 2)
    assert TABLE.get("my-model") is None


@pytest.mark.parametrize(
    "override",
    [
        {"m": {"input": 1}},
        {"m": {"input": "a", "output": 1}},
        {"m": {"input": -1, "output": 1}},
        {"m": {"input": True, "output": 1}},
        {"m": {"input": "NaN", "output": 1}},
        {"m": {"input": 1, "output": 1, "inptu": 3}},
        {"m": {"input": 1, "output": 1, "above": 3}},
        {"m": {"input": 1, "output": 1, "step_tokens": "many"}},
        {"m": 3},
    ],
)
def test_a_bad_override_is_named(override: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ConfigError, match="price of m"):
        load_prices(override)


def test_a_whole_run_of_tokens_stays_exact() -> None:
    table: PriceTable = TABLE
    usage = Usage(model="claude-fable-5-1", input_tokens=10**15, output_tokens=1, cache_read=1)
    assert table.cost(usage, batch=False) == Decimal("10000000000.00005025")
