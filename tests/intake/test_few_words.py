"""A table with one word beyond ASCII: its encoding is told where the word tells it, and hardly ever told wrong."""

from __future__ import annotations

import pytest

from batchtui.intake.encodings import guess
from batchtui.intake.sources import SourceFault

TEXT = (
    "привет отлично хорошо плохо ужасно спасибо нормально быстро дорого качество доставка товар цена магазин супер "
    "отзыв вкусно москва человек время рука дело жизнь слово место дверь вода город работа ребенок книга школа улица"
)
WORDS = TEXT.split()


def read(word: str, encoding: str) -> str:
    """The word as it is read, "" when that is refused."""
    data = word.encode(encoding)
    try:
        return data.decode(guess(b"id,text\n1," + data + b"\n").encoding)
    except SourceFault:
        return ""


@pytest.mark.parametrize("encoding", ["koi8_r", "cp1251", "cp866", "iso8859_5"])
def test_one_russian_word_is_read_right_or_refused(encoding: str) -> None:
    for form in (str.lower, str.title):
        found = [(form(word), read(form(word), encoding)) for word in WORDS]
        assert [each for each in found if each[1] not in ("", each[0])] == []
        assert sum(bool(read) for _, read in found) >= len(found) // 3
    # In capitals a word may be another one in small letters of another encoding: of most that is said.
    loud = [(word.upper(), read(word.upper(), encoding)) for word in WORDS]
    assert sum(read not in ("", word) for word, read in loud) <= 8
