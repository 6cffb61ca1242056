"""What is drawn as nothing is shown as what it is; emoji and joining scripts keep what they are written with."""

from __future__ import annotations

import unicodedata

import pytest

from batchtui import safetext

IGNORABLE = [
    0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010),
    *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0,
    *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000),
]  # fmt: skip
"""Default_Ignorable_Code_Point, from Unicode's DerivedCoreProperties."""


def test_all_that_unicode_calls_ignorable_is_shown_as_what_it_is() -> None:
    for code in IGNORABLE:
        for text in (chr(code), f"a{chr(code)}b", f"{chr(code)}{chr(code)}"):
            shown = safetext.line(text)
            assert chr(code) not in shown
            assert f"{code:04x}" in shown
            assert safetext.obeyed(text)


def test_no_format_mark_of_unicode_passes_alone() -> None:
    marks = [chr(n) for n in range(0x110000) if unicodedata.category(chr(n)) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [mark for mark in marks if mark in safetext.line(f"a{mark}b")]


@pytest.mark.parametrize(
    "text",
    [
        "\u2764\ufe0f",
        "\U0001f600\ufe0f",
        "1\ufe0f\u20e3",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u2764\ufe0f\u200d\U0001f525",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "naïve Größe 日本語 한국어 e\u0301",
    ],
)
def test_what_writing_needs_stays(text: str) -> None:
    assert safetext.line(text) == safetext.block(text) == safetext.copied(text) == text
    assert not safetext.obeyed(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\U0001f600\ufe0f\ufe0f\ufe0f", "\U0001f600\ufe0f⟨fe0f⟩⟨fe0f⟩"),
        ("a\ufe0f", "a⟨fe0f⟩"),
        ("1\ufe0f", "1⟨fe0f⟩"),
        ("a\u200db\u200cc", "a⟨200d⟩b⟨200c⟩c"),
        ("\u0645\u200c\u200c\u200d", "\u0645\u200c⟨200c⟩⟨200d⟩"),
        ("葛\U000e0100", "葛⟨e0100⟩"),
        ("\U0001f3f4\U000e0067\U000e007f", "\U0001f3f4⟨e0067⟩⟨e007f⟩"),
    ],
)
def test_the_same_characters_hide_nothing_elsewhere(text: str, shown: str) -> None:
    assert safetext.line(text) == shown


def test_what_is_copied_is_whole_and_harmless() -> None:
    text = "one\r\ntwo\tthree\x1b]52;c;AAAA\x07\x9b31m\u202e " + "x" * 50_000
    copied = safetext.copied(text)
    assert copied.startswith("one\ntwo\tthree␛]52;c;AAAA␇⟨009b⟩31m⟨202e⟩ ")
    assert copied.endswith("x" * 50_000)
