"""Only so many bytes are judged, whatever a text is, and a letter that comes late in a long one still tells."""

from __future__ import annotations

import contextlib

import pytest

from batchtui.intake import encodings
from batchtui.intake.sources import SourceFault


@pytest.mark.parametrize("data", [b"\xe9." * 100_000, b"1;caf\xe9 noir\n" * 20_000], ids=["a line", "lines"])
def test_no_encoding_is_judged_by_more_than_a_bounded_sample(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[int] = []

    def counting(name: str) -> encodings._Candidate:
        return encodings._Candidate(name, lambda text: judged.append(len(text)) or 0.5)

    monkeypatch.setattr(encodings, "_CANDIDATES", (counting("cp1252"), counting("cp1250"), counting("gb18030")))
    with contextlib.suppress(SourceFault):
        encodings.guess(data)
    assert judged and max(judged) <= encodings.SAMPLE


def test_the_only_line_that_tells_is_judged_wherever_it_stands() -> None:
    # ü and ö are the same in both; only the last line has letters that western languages lack.
    common = "".join(f"{n};schön und für\n" for n in range(4_000))
    data = (common + "x;łąka w maju, źdźbło, część\n").encode("cp1250") + b"y;plain\n"
    assert len(data) > 2 * encodings.SAMPLE
    with contextlib.suppress(SourceFault):
        assert data.decode(encodings.guess(data).encoding) == data.decode("cp1250")


LONG = {
    "cp932": "とても良い商品です。",
    "euc_jp": "とても良い商品です。",
    "gb18030": "这个产品非常好，推荐购买，",
    "cp949": "정말좋은제품입니다배송도빨랐어요",
}


@pytest.mark.parametrize("encoding", LONG)
def test_a_long_line_is_read_though_the_sample_cuts_a_sign(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "SAMPLE", 1 << 10)
    for begins in (b"1;", b"12;"):
        data = begins + (LONG[encoding] * 200).encode(encoding)
        assert data.decode(encodings.guess(data).encoding) == data.decode(encoding)
