"""The last gate before the terminal."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from batchtui.present import symbols
from batchtui.tui.output_filter import OutputFilter
from tests.tui.hostile import atoms

BLACK = Color(0, 0, 0)


@pytest.fixture(autouse=True)
def back_to_all_signs() -> object:
    yield
    symbols.use(False)


def through(text: str, *, only_ascii: bool = False) -> str:
    made = OutputFilter(only_ascii=only_ascii).apply([Segment("ok ", Style(bold=True)), Segment(text)], BLACK)
    assert made[0] == Segment("ok ", Style(bold=True))
    return made[1].text


def test_a_line_without_controls_is_the_same_object() -> None:
    segments = [Segment("· plain – 日本 é")]
    assert OutputFilter().apply(segments, BLACK) is segments


@pytest.mark.parametrize("text", atoms())
def test_nothing_that_a_terminal_obeys_passes_and_every_cell_stays_where_it_was(text: str) -> None:
    made = through(text)
    assert made.replace("\u200d", "").isprintable()
    assert cell_len(made) == cell_len(text)
    made.encode()


def test_ascii_mode_puts_plain_signs_and_leaves_letters() -> None:
    symbols.use(True)
    assert through("╭─╮ 3–4 ≤ 2× · … “é”") == '+-+ 3-4 < 2x - ~ "é"'


def test_a_terminal_that_is_not_utf_8_gets_ascii_only_cell_for_cell() -> None:
    assert through("─ Û 日本 é", only_ascii=True) == "- ? ???? ?"
