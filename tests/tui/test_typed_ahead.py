"""What is typed before a screen, a line or a question is drawn never acts on it: on a real pseudo-terminal."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from batchtui.tui.commands import Palette
from tests.tui import typed_home
from tests.tui.typed_home import PLACES
from tests.tui.typed_terminal import TypedTerminal, load, typed
from tests.tui.walk import every_screen

SIGNS = list("ycdrq")
"""Text made of other actions' keys."""
MIXED = [*"y\rcd\rrx", "\t", *"\rq"]
"""The same with keys that answer questions."""
WAYS = [(MIXED, 0.0), (SIGNS, 0.005), (MIXED, 0.005), (MIXED, 0.05)]
FAULTS = [
    *(("home:running", key) for key in ("slash", "c", "i", "x", "ctrl+p")),
    *(("results", key) for key in ("slash", "E", "o")),
    *(("retry", "c"), ("new:planned", "ctrl+s"), ("spending", "escape")),
]
"""Keys that were once seen to let what follows through."""


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypedTerminal]:
    found = TypedTerminal(tmp_path_factory.mktemp("typed"))
    yield found
    found.close()


def deeds(state: dict[str, Any], opening: int) -> list[dict[str, Any]]:
    """What keys after the one numbered ``opening`` did."""
    return [each for each in state["log"] if each["key"] > opening]


class Tried:
    """One key at one place, with text behind it."""

    def __init__(self, terminal: TypedTerminal, place: str, key: str) -> None:
        self.terminal, self.place, self.key = terminal, place, key
        sign = typed(key)
        assert sign is not None
        self.sign = sign

    def alone(self) -> dict[str, Any] | None:
        """The state after the key alone where it opens or closes something, else None."""
        self.terminal.go(self.place)
        before = self.terminal.state()
        self.terminal.type([self.sign], 0)
        after = self.terminal.rested()
        return after if after["change"] != before["change"] else None

    def followed(self, text: list[str], apart: float) -> dict[str, Any]:
        """The state after the key with text behind it; no key may have acted on a screen that was drawn after it."""
        self.terminal.go(self.place)
        opening = len(self.terminal.sent)
        self.terminal.type([self.sign, *(each.encode() for each in text)], apart)
        state = self.terminal.rested()
        what = f"{self.key} at {self.place}, {apart} s apart"
        for each in deeds(state, opening):
            assert apart and each["drawn"] and self.terminal.sent[each["key"]] >= each["drawn"], (what, each)
        assert state["bugs"] == [], (what, state["bugs"])
        return state

    def hold(self, ways: Sequence[tuple[list[str], float]]) -> bool:
        """Try it with texts some seconds apart; False when the key opens and closes nothing."""
        alone = self.alone()
        if alone is None:
            return False
        whole = self.followed(SIGNS, 0)
        assert whole["screen"] == alone["screen"], (self.place, self.key)
        if alone["value"] is not None and alone["opened"]:
            assert whole["value"] == alone["value"] + "".join(SIGNS), (self.place, self.key)
        else:
            assert whole["value"] == alone["value"], (self.place, self.key)
        for text, apart in ways:
            self.followed(text, apart)
        return True


def test_every_screen_has_a_place_in_these_tests() -> None:
    assert every_screen() <= {each for each in vars(typed_home).values() if isinstance(each, type)}


@pytest.mark.timeout(300)
def test_no_key_acts_on_what_was_not_drawn_when_it_was_typed(terminal: TypedTerminal) -> None:
    chance = random.Random(12)
    with load(1):
        for place, key in FAULTS:
            assert Tried(terminal, place, key).hold(chance.sample(WAYS, 1)), (place, key)
        for place in chance.sample(PLACES, 4):
            bound = [key for key, _, _ in terminal.go(place) if typed(key) is not None]
            Tried(terminal, place, chance.choice(bound)).hold(chance.sample(WAYS, 2))


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("place", PLACES)
def test_no_key_acts_unseen_every_key_of_every_screen(terminal: TypedTerminal, place: str) -> None:
    with load(2):
        for key, _, _ in terminal.go(place):
            if typed(key) is not None:
                Tried(terminal, place, key).hold(WAYS)


@pytest.mark.slow
def test_every_screen_is_reached(terminal: TypedTerminal) -> None:
    reached = set()
    for place in PLACES:
        terminal.go(place)
        reached.add(terminal.state()["screen"])
    assert {each.__name__ for each in every_screen()} | {Palette.__name__} <= reached


def test_a_question_that_the_terminal_did_not_take_yet_is_not_answered(terminal: TypedTerminal) -> None:
    terminal.go("home:running")
    f5, question = typed("f5"), b"c"
    assert f5 is not None
    terminal.stall()
    terminal.type([f5, f5, question], 0)
    terminal.until(lambda state: state["screen"] == "Confirm" and state["arrived"] >= len(terminal.sent))
    terminal.type([b"y"], 0)
    terminal.until(lambda state: state["arrived"] >= len(terminal.sent))
    assert not terminal.state()["idle"]
    terminal.go_on()
    state = terminal.rested()
    assert state["screen"] == "Confirm"
    assert [each["action"] for each in state["log"]] == ["redraw", "redraw", "act"]
    terminal.type([b"y"], 0)
    state = terminal.until(lambda state: any(each["what"] == "service" for each in state["log"]))
    assert [each["name"] for each in state["log"] if each["what"] == "service"] == ["cancel"]


def test_a_question_is_not_answered_by_a_click_made_before_it_was_drawn(terminal: TypedTerminal) -> None:
    terminal.go("home:running")
    terminal.type([b"c"], 0)
    x, y = terminal.rested()["yes"]
    click = f"\x1b[<0;{x + 3};{y + 1}M\x1b[<0;{x + 3};{y + 1}m".encode()
    terminal.go("home:running")
    terminal.type([b"c" + click], 0)
    assert terminal.rested()["screen"] == "Confirm"
    terminal.type([click + b"j"], 0)  # Now it is seen; the key tells that the click is over.
    state = terminal.rested()
    assert state["screen"] == "HomeScreen"
    assert [each["name"] for each in state["log"] if each["what"] == "service"] == ["cancel"]


@pytest.mark.parametrize(("place", "key"), [("home:running", b"/"), ("results", b"/"), ("home:lost", b"i")])
def test_text_that_is_pasted_behind_the_key_of_a_line_lands_in_it(
    terminal: TypedTerminal, place: str, key: bytes
) -> None:
    text = "~/data/" + "a long path with y, c, d and r " * 8
    terminal.go(place)
    terminal.type([key, *(sign.encode() for sign in text)], 0)
    assert terminal.rested()["value"] == text
    terminal.go(place)
    terminal.type([key, f"\x1b[200~{text}\x1b[201~".encode()], 0)
    assert terminal.rested()["value"] == text


def test_escape_goes_back_as_often_as_it_is_pressed(terminal: TypedTerminal) -> None:
    escape = typed("escape")
    assert escape is not None
    terminal.go("retry")
    terminal.type([escape, escape], 0)
    assert terminal.rested()["screen"] == "HomeScreen"
    terminal.go("new:")
    terminal.type([escape] * 6, 0)
    state = terminal.rested()
    assert (state["screen"], state["bugs"]) == ("HomeScreen", [])


def test_enter_typed_ahead_ends_a_line_and_sends_and_changes_nothing(terminal: TypedTerminal) -> None:
    table = [
        ("home:stored", "i", "good.jsonl", "NewScreen"),
        ("home:running", "/", "labels", "HomeScreen"),
        ("results", "/", "kettle", "ResultsScreen"),
        ("home:stored", "e", "name", "EditModal"),
        ("new:planned", "\x0f", "x", "FilePicker"),
    ]
    for place, opens, text, screen in table:
        terminal.go(place)
        opening = len(terminal.sent)
        terminal.type([sign.encode() for sign in opens + text + "\rcydrq\x13y\r"], 0)
        state = terminal.rested()
        done = [each for each in state["log"] if each["key"] > opening or each["what"] in ("service", "exit", "copy")]
        assert (state["screen"], done, state["bugs"]) == (screen, [], []), (place, opens)


def test_text_behind_a_key_that_did_nothing_does_nothing(tmp_path: Path) -> None:
    terminal = TypedTerminal(tmp_path, pause=1e9, first=b"/")
    try:
        assert terminal.rested()["log"] == []  # Home is drawn; what was typed before that is lost.
        terminal.type([b"c", b"d", b"\r", b"/", b"c"], 0.01)
        state = terminal.rested()
        assert (state["value"], [each["action"] for each in state["log"]]) == ("c", ["filter"])
        terminal.go("home:stored")
        f5, enter, escape = typed("f5"), b"\r", typed("escape")
        assert f5 is not None and escape is not None
        terminal.stall()
        terminal.type([f5, f5, enter], 0)
        terminal.until(lambda state: state["screen"] == "ResultsScreen" and state["arrived"] >= len(terminal.sent))
        terminal.type([b"/", b"c"], 0)
        terminal.until(lambda state: state["arrived"] >= len(terminal.sent))
        terminal.go_on()
        terminal.rested()
        terminal.type([b"c", b"/", b"r", enter, escape], 0)
        state = terminal.rested()
        assert (state["screen"], [each["action"] for each in state["log"][3:]]) == ("HomeScreen", ["back"])
    finally:
        terminal.close()
