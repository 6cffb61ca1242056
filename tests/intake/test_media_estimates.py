"""Images are estimated by their pixels, PDFs by their pages, cached prefixes by what each request may be charged."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchtui.intake import media
from batchtui.intake.estimate import SMALL_OUTPUT
from batchtui.intake.options import IntakeOptions
from batchtui.intake.plan import make_plan
from tests.intake.helpers import PRICES, plan_for, request
from tests.intake.test_rules_agree import EPHEMERAL, base64_of, block


def pdf(pages: int, size: int, packed: bool) -> str:
    """A PDF of so many pages and about so many bytes, its objects compressed as PDF 1.5 does where asked."""
    noise = random.Random(pages).randbytes(size)
    tree = (
        b"1 0 obj<</Type /Pages /Kids[] /Count %d>>endobj\n" % pages
        + b"2 0 obj<</Type/Page/Parent 1 0 R>>endobj\n" * pages
    )
    if packed:
        packing = zlib.compress(tree)
        tree = b"9 0 obj<</Type /ObjStm /Length %d>>\nstream\r\n" % len(packing) + packing + b"\nendstream"
    return base64.b64encode(b"%PDF-1.5\n" + b"8 0 obj<<>>stream\n" + noise + b"\nendstream\n" + tree).decode()


def tokens_of(tmp_path: Path, model: str, content: list[Any]) -> tuple[int, int]:
    plan = plan_for(tmp_path, request("a", model=model, messages=[{"role": "user", "content": content}]))
    assert plan.ok, plan.problems
    return plan.estimate.input_tokens


def test_pages_count_and_not_bytes(tmp_path: Path) -> None:
    for packed in (False, True):
        low, high = tokens_of(
            tmp_path, "claude-opus-4-6", [base64_of("document", "application/pdf", pdf(120, 280_000, packed))]
        )
        assert 120 * 1_500 <= low <= 121 * 1_500 and 120 * 4_500 < high < 121 * 4_600
        low, high = tokens_of(
            tmp_path, "claude-opus-5", [base64_of("document", "application/pdf", pdf(1, 3_000_000, packed))]
        )
        assert 1_500 <= low < 1_600 and 7_000 < high < 8_000


def test_pixels_count_and_not_bytes(tmp_path: Path) -> None:
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 280, 560)
    low, high = tokens_of(
        tmp_path, "claude-opus-5", [base64_of("image", "image/png", base64.b64encode(head + bytes(10**6)).decode())]
    )
    assert 200 <= low < 210 and 200 <= high < 230
    low, _ = tokens_of(
        tmp_path, "claude-opus-5", [block("image", source={"type": "url", "url": "https://a.example/a.png"})]
    )
    assert low < 10


def test_the_size_of_a_jpeg_is_found_behind_large_profiles() -> None:
    profile = b"\xff\xe2" + struct.pack(">H", 65_535) + bytes(65_533)
    raw = b"\xff\xd8" + profile * 6 + b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", 700, 900) + bytes(20)
    found = media.read_image(base64.b64encode(raw).decode())
    assert found is not None and (found.width, found.height) == (900, 700)


def test_a_marked_prefix_is_written_once_or_by_every_request(tmp_path: Path) -> None:
    shared = [{"type": "text", "text": "word " * 20_000, "cache_control": EPHEMERAL}]
    requests = [request(f"r{n}", model="claude-opus-5", system=shared, max_tokens=1) for n in range(50)]
    low, high = plan_for(tmp_path, *requests).estimate.standard_usd
    plain = [request(f"r{n}", model="claude-opus-5", system="word " * 20_000, max_tokens=1) for n in range(50)]
    plain_low, plain_high = plan_for(tmp_path, *plain).estimate.standard_usd
    # One write at 1.25 and 49 reads at 0.1, to 50 writes at 1.25.
    assert low == _about(plain_low * (Decimal("1.25") + 49 * Decimal("0.1")) / 50)
    assert high == _about(plain_high * Decimal("1.25"))


def _about(value: Decimal) -> Any:
    return pytest.approx(value, rel=Decimal("0.03"))


def test_marks_of_several_prefixes_read_what_was_written_before(tmp_path: Path) -> None:
    def one(number: int) -> dict[str, Any]:
        system = [{"type": "text", "text": "word " * 20_000, "cache_control": {**EPHEMERAL, "ttl": "1h"}}]
        own = [{"type": "text", "text": f"{number} " * 10_000, "cache_control": EPHEMERAL}]
        return request(
            f"r{number}",
            model="claude-opus-5",
            system=system,
            messages=[{"role": "user", "content": own}],
            max_tokens=1,
        )

    alone = plan_for(tmp_path, one(0)).estimate.standard_usd
    both = plan_for(tmp_path, one(0), one(1)).estimate.standard_usd
    assert alone[0] < both[0] < 2 * alone[0] and both[1] == _about(2 * alone[1])


def test_a_prefix_under_the_models_minimum_is_said_and_changes_nothing(tmp_path: Path) -> None:
    def asked(model: str, words: int) -> Any:
        system = [{"type": "text", "text": "word " * words, "cache_control": EPHEMERAL}]
        return plan_for(tmp_path, *(request(f"r{n}", model=model, system=system) for n in range(3)))

    short = asked("claude-haiku-4-5", 1_500)
    (group,) = short.problems
    assert (group.code, group.level, group.count) == ("cache_short", "warning", 3) and "4,096" in group.message
    assert not asked("claude-opus-5", 1_500).problems
    assert "may be" in asked("claude-haiku-4-5", 2_700).problems[0].message
    plain = plan_for(tmp_path, *(request(f"r{n}", model="claude-haiku-4-5", system="word " * 1_500) for n in range(3)))
    assert short.estimate.standard_usd[1] == _about(plain.estimate.standard_usd[1])


def test_the_models_name_in_a_template_or_as_an_option_is_one_estimate(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("id,text\n" + "".join(f"r{n},kettle {n}\n" for n in range(50)))
    body = 'max_tokens = 50\nprompt = "Label: {{ text }}"\n'

    def plan(model: str, **options: Any) -> Any:
        text = f'model = "{model}"\n{body}' if model else body
        return make_plan([str(table)], IntakeOptions(template_text=text, **options), prices=PRICES, staging=None)

    named, asked = plan("claude-opus-5"), plan("", default_model="claude-opus-5")
    assert named.estimate == asked.estimate == plan("", fallback_model="claude-opus-5").estimate
    assert named.estimate.output_tokens == (50 * SMALL_OUTPUT, 2_500)
    wins = plan("claude-opus-5", default_model="claude-haiku-5-5", fallback_model="claude-sonnet-5")
    assert [each.model for each in wins.estimate.models] == ["claude-haiku-5-5"]
    assert "replaces the template's 'claude-opus-5'" in wins.problems[0].message
    kept = plan("claude-opus-5", fallback_model="claude-sonnet-5")
    assert [each.model for each in kept.estimate.models] == ["claude-opus-5"] and not kept.problems


def test_what_every_request_gets_wrong_is_said_once_with_its_count(tmp_path: Path) -> None:
    thinking = {"type": "enabled", "budget_tokens": 2_000}
    many = [
        request(f"r{n}", model="claude-opus-5", temperature=n / 300, thinking=thinking, max_tokens=n + 3_000)
        for n in range(300)
    ]
    plan = plan_for(tmp_path, *many)
    assert [(group.code, group.count) for group in plan.problems] == [("thinking_mode", 300), ("sampling", 300)]
