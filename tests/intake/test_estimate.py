"""Tokens and dollars of a plan, as ranges."""

import base64
import json
import struct
from decimal import Decimal
from pathlib import Path

import pytest

from batchtui.domain.plan import UsedBefore
from batchtui.intake import media
from batchtui.intake.estimate import SMALL_OUTPUT, calibrate
from batchtui.intake.sampling import sample_requests
from tests.intake.helpers import PRICES, plan_for, request

TEXT = "All happy families are alike; each unhappy family is unhappy in its own way. " * 200


def user(text: str) -> list[dict[str, object]]:
    return [{"role": "user", "content": text}]


def test_the_rule_of_thumb_of_each_generation_lies_within_the_range(tmp_path: Path) -> None:
    for model, per_token in (("claude-sonnet-4-6", 3.4), ("claude-opus-5-5", 2.5)):
        plan = plan_for(tmp_path, request(model=model, messages=user(TEXT)))
        low, high = plan.estimate.input_tokens
        assert low < len(TEXT) / per_token < high
        assert high < 2 * low


def test_escapes_and_other_scripts_count_as_the_characters_they_are(tmp_path: Path) -> None:
    text = "快速的棕色狐狸跳过懒狗。" * 300
    raw = plan_for(tmp_path, json.dumps(request(messages=user(text)), ensure_ascii=False).encode())
    escaped = plan_for(tmp_path, json.dumps(request(messages=user(text)), ensure_ascii=True).encode())
    assert raw.estimate.input_tokens[0] == pytest.approx(escaped.estimate.input_tokens[0], rel=0.05)
    low, high = raw.estimate.input_tokens
    assert low < len(text) < high
    assert escaped.estimate.input_tokens[1] == pytest.approx(high, rel=0.05)


def test_a_batch_is_half_of_standard_and_the_sum_of_its_models(tmp_path: Path) -> None:
    plan = plan_for(
        tmp_path,
        request("a", messages=user(TEXT)),
        request("b", model="claude-opus-5-5", messages=user(TEXT)),
        max_requests=1,
    )
    whole = plan.estimate
    assert whole.batch_usd[1] == pytest.approx(whole.standard_usd[1] / 2, abs=Decimal("0.000001"))
    assert len(plan.parts) == 2
    assert whole.standard_usd[0] == pytest.approx(
        sum(part.estimate.standard_usd[0] for part in plan.parts), abs=Decimal("0.000002")
    )
    assert {each.model for each in whole.models} == {"claude-sonnet-4-6", "claude-opus-5-5"}
    rates = zip(whole.models, (3, 4), (15, 20), strict=True)
    by_hand = sum((each.input_tokens[1] * price + 100 * out for each, price, out in rates), Decimal(0))
    assert whole.standard_usd[1] == pytest.approx(by_hand / 1_000_000, abs=Decimal("0.000002"))


def test_output_goes_up_to_max_tokens_and_what_was_seen_before_is_likely(tmp_path: Path) -> None:
    plain = plan_for(tmp_path, request("a", max_tokens=2000), request("b", max_tokens=10))
    assert plain.estimate.output_tokens == (2 * SMALL_OUTPUT, 2010)
    assert plain.estimate.likely_usd is None
    before = UsedBefore(output_tokens=100.0)
    seen = plan_for(tmp_path, request("a", max_tokens=2000), request("b", max_tokens=10), history=lambda model: before)
    assert seen.estimate.output_tokens == plain.estimate.output_tokens
    (each,) = seen.estimate.models
    likely = sum(each.input_usd) / 2 + each.output_usd[1] * Decimal(110) / 2010
    assert seen.estimate.likely_usd == pytest.approx(likely / 2, abs=Decimal("0.000001"))


def test_unpriced_models_are_named_and_cost_nothing_that_is_guessed(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, request("a", model="claude-next"), request("b"))
    assert plan.estimate.unpriced == ("claude-next",)
    alone = plan_for(tmp_path, request("b"))
    assert plan.estimate.standard_usd == alone.estimate.standard_usd


def test_geo_us_costs_a_tenth_more(tmp_path: Path) -> None:
    plain = plan_for(tmp_path, request(messages=user(TEXT)))
    there = plan_for(tmp_path, request(messages=user(TEXT), inference_geo="us"))
    assert there.estimate.standard_usd[1] == pytest.approx(
        plain.estimate.standard_usd[1] * Decimal("1.1"), abs=Decimal("0.000002")
    )


def test_haiku_5_5_over_its_step_is_charged_higher(tmp_path: Path) -> None:
    short = plan_for(tmp_path, request(model="claude-haiku-5-5", messages=user("word " * 20_000), max_tokens=1))
    long = plan_for(tmp_path, request(model="claude-haiku-5-5", messages=user("word " * 80_000), max_tokens=1))
    per_token = [plan.estimate.standard_usd[0] / plan.estimate.input_tokens[0] * 1_000_000 for plan in (short, long)]
    assert per_token[0] == pytest.approx(Decimal("0.1"), rel=Decimal("0.01"))
    assert per_token[1] == pytest.approx(Decimal("0.5"), rel=Decimal("0.01"))


def test_a_shared_cached_prefix_is_cheaper_at_best_and_dearer_at_worst(tmp_path: Path) -> None:
    requests = [request(f"a{n}", system=TEXT * 3, messages=user("hi")) for n in range(20)]
    plain = plan_for(tmp_path, *requests)
    cached = plan_for(tmp_path, *requests, cache_prefix=True)
    assert cached.ok
    assert cached.estimate.standard_usd[0] < plain.estimate.standard_usd[0] * Decimal("0.5")
    assert cached.estimate.standard_usd[1] > plain.estimate.standard_usd[1] * Decimal("1.5")
    assert cached.estimate.input_tokens[0] == pytest.approx(plain.estimate.input_tokens[0], rel=0.1)


def test_a_prefix_too_short_to_be_cached_changes_nothing(tmp_path: Path) -> None:
    plain = plan_for(tmp_path, request(system="Be brief."))
    cached = plan_for(tmp_path, request(system="Be brief."), cache_prefix=True)
    assert cached.estimate.standard_usd[1] <= plain.estimate.standard_usd[1] * 3


def test_images_count_by_their_size_and_not_by_their_bytes(tmp_path: Path) -> None:
    png = (
        b"\x89PNG\r\n\x1a\n"
        + b"\x00\x00\x00\rIHDR"
        + struct.pack(">II", 750, 1000)
        + b"\x08\x02\x00\x00\x00"
        + b"\x00" * 300_000
    )
    gif = b"GIF89a" + struct.pack("<HH", 300, 250) + b"\x00" * 1000
    jpeg = (
        b"\xff\xd8\xff\xe0\x00\x10JFIF"
        + b"\x00" * 10
        + b"\xff\xc0\x00\x11\x08"
        + struct.pack(">HH", 500, 300)
        + b"\x00" * 50
    )
    images = [media.read_image(base64.b64encode(data).decode()) for data in (png, gif, jpeg)]
    assert [each and (each.media_type, each.width, each.height) for each in images] == [
        ("image/png", 750, 1000),
        ("image/gif", 300, 250),
        ("image/jpeg", 300, 500),
    ]
    # 750 x 1000 pixels are 27 x 36 patches of 28; 5,000 x 2,500 are scaled to the model's side, and its cap holds.
    assert [media.image_tokens(each, 1568, 1568)[0] for each in images] == [972, 99, 198]
    large = media.Image("image/png", 5000, 2500)
    assert media.image_tokens(large, 1568, 1568)[0] == 1568
    assert media.image_tokens(large, 2576, 4784)[0] == 92 * 46
    assert media.read_image("not base64!") is None
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png).decode()}
    plan = plan_for(tmp_path, request(messages=[{"role": "user", "content": [{"type": "image", "source": source}]}]))
    low, high = plan.estimate.input_tokens
    assert 970 <= low < high < 1300


def test_a_counted_sample_narrows_the_range_and_keeps_the_output(tmp_path: Path) -> None:
    requests = [request(f"a{n}", messages=user(TEXT)) for n in range(50)]
    plan = plan_for(tmp_path, *requests, staging=tmp_path / "s")
    samples = sample_requests(plan, 5, prices=PRICES)
    assert len(samples) == 5
    body = json.loads(samples[0].body)
    assert set(body) == {"model", "messages"}
    counted = [(each.model, each.estimated, 4000) for each in samples]
    better = calibrate(plan, counted, PRICES)
    low, high = better.estimate.input_tokens
    assert low < 50 * 4000 < high
    assert high - low < plan.estimate.input_tokens[1] - plan.estimate.input_tokens[0]
    assert better.estimate.calibrated
    assert better.estimate.output_tokens == plan.estimate.output_tokens
    assert better.estimate.standard_usd[0] > plan.estimate.standard_usd[0] * Decimal("0.5")
    assert better.parts[0].estimate == better.estimate
    assert calibrate(plan, [], PRICES) is plan


def test_samples_come_from_all_over_the_parts(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, *(request(f"a{n}") for n in range(1000)), max_requests=300, staging=tmp_path / "s")
    numbers = sorted(int(each.custom_id[1:]) for each in sample_requests(plan, 10, prices=PRICES))
    assert len(numbers) == 10
    assert numbers[0] < 100
    assert numbers[-1] > 850
