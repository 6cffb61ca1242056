"""No text from the API shows the key, whatever form it came in, and none is longer than it may be."""

from __future__ import annotations

import base64
import html
import random
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtui.api import errors, redact

KEY = "sk-ant-api03-" + "".join(random.Random(7).choices(string.ascii_letters + string.digits + "-_", k=93)) + "AA"
SHORT = "demo-key"
FORMS = {
    "as it is": KEY, "in capitals": KEY.upper(), "bearer": f"Bearer {KEY}", "header": f"x-api-key: {KEY}\r\n",
    "url": quote(f"{KEY}/+", safe=""), "hex": KEY.encode().hex(), "a half": KEY[:60],
    "the rest": KEY[50:], "an inner part": KEY[20:60],
    "two lines": KEY[:55] + "\n" + KEY[55:], "basic": base64.b64encode(f"me:{KEY}".encode()).decode(),
    "base64 of json": base64.urlsafe_b64encode(f'{{"k":"{KEY}"}}'.encode()).decode(),
    "escaped": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "masked": f"{KEY[:20]}...{KEY[-4:]}", "starred": f"{KEY[:12]}********", "in a word": f"xx{KEY}yy",
    "html": html.escape(f"<{KEY}>"),
}  # fmt: skip


def shares(text: str, key: str, run: int = 12) -> bool:
    """True when a piece of the key, or of one of its encodings, stands in the text."""
    known = [key, key.encode().hex(), *(base64.b64encode(b"x" * n + key.encode()).decode()[4:-4] for n in range(3))]
    small = text.lower()
    return any(form[i : i + run].lower() in small for form in known for i in range(len(form) - run + 1))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_the_key_is_replaced(form: str) -> None:
    for text in (form, f"denied: {form}.", f"{form}{form}", "é" * 90 + form, "x " * 240 + form):
        told = redact.text(text, (KEY, SHORT))
        assert not shares(told, KEY) and len(told) <= redact.LIMIT
    assert "[key]" in redact.text(form, (KEY,))


def test_a_short_secret_is_replaced_whole_only() -> None:
    assert redact.text("demo-key and demo-kex", (SHORT,)) == "[key] and demo-kex"


@given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 95), st.integers(12, 108))
def test_no_piece_of_the_key_survives_anywhere(before: str, after: str, start: int, length: int) -> None:
    told = redact.text(before + KEY[start : start + length] + after, (KEY,))
    if len(KEY[start : start + length]) >= 12:
        assert KEY[start : start + length].lower() not in told.lower()


@given(st.one_of(st.none(), st.integers(), st.lists(st.text()), st.dictionaries(st.text(), st.text()), st.binary()))
def test_what_is_no_text_is_nothing(value: object) -> None:
    assert redact.text(value, (KEY,)) == ""


def test_a_hostile_text_takes_no_time() -> None:
    for text in ((KEY[:6] + "a" * 199) * 5000, KEY[:11] * 100_000, "." * 1_000_000, (KEY[:8] + "..") * 100_000):
        assert len(redact.text(text, (KEY,))) <= redact.LIMIT


@pytest.mark.parametrize(
    "error", [RuntimeError(KEY), OSError(5, f"x {KEY}"), ConnectionError(KEY), UnicodeError(KEY), TimeoutError(KEY)]
)
def test_exceptions_lose_the_key_too(error: Exception) -> None:
    for sent in (None, True, False):
        ours = errors.translate(error, (KEY,), sent)
        assert not shares(f"{ours} {ours.advice} {vars(ours)}", KEY) and (sent is None or ours.sent == sent)


def test_a_key_that_is_hardly_one_refuses_no_id() -> None:
    for key in ("k", "abc", "", "pass"):
        assert not redact.holds("msgbatch_01kabcpass", (key,))
        assert redact.text("a k abc", (key,)).startswith("a k")
    assert redact.text("the pass", ("pass",)) == "the [key]"
