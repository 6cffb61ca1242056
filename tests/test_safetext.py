"""What is shown can't act on the terminal."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from batchtui import safetext

HOSTILE = "\x1b]0;own\x07 \x9b31m \u202egnp \u2028 \x00 \x7f \ud800 \ufeff"


def _harmless(text: str, allowed: str = "") -> bool:
    return all(
        c in allowed
        or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        or c in "\u200c\u200d\u0600\u06dd\u070f"
        for c in text
    )


def test_known_attacks_are_shown_and_do_nothing() -> None:
    assert _harmless(safetext.line(HOSTILE))
    assert "\u241b" in safetext.line(HOSTILE)


@given(
    st.text(
        alphabet=st.characters(codec=None, categories=("Cc", "Cs", "Zl", "Zp", "L"))
        | st.sampled_from("\u202a\u202e\u2066\u200e\ufeff")
    )
)
def test_no_control_character_is_left(text: str) -> None:
    assert _harmless(safetext.line(text))
    assert _harmless(safetext.block(text), allowed="\n")
    safetext.block(text).encode("utf-8")


@given(st.text(), st.integers(1, 50))
def test_a_line_keeps_to_its_limit(text: str, limit: int) -> None:
    assert "\n" not in safetext.line(text, limit)
    assert len(safetext.line(text)) >= min(len(text), 1)


def test_a_block_says_what_it_leaves_out() -> None:
    assert "more characters are not shown" in safetext.block("a" * 100, limit=10)


@given(st.text())
def test_file_names_stay_in_their_folder(text: str) -> None:
    name = safetext.filename(text)
    assert name and "/" not in name and not name.startswith(".") and len(name) <= 80
