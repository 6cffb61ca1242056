"""config.toml: defaults, unknown keys named, errors with their line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from batchtui.config.load import load_config
from batchtui.domain.errors import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_no_file_is_the_defaults(tmp_path: Path) -> None:
    config = load_config(tmp_path / "none.toml")
    assert config.profile().name == "default"
    assert config.limits.max_requests == 100_000


def test_profiles_and_money(tmp_path: Path) -> None:
    config = load_config(
        written(
            tmp_path, 'max_cost = 12.34\ndefault_profile = "work"\n[profiles.work]\nbase_url = "https://x.example"\n'
        )
    )
    assert config.max_cost == Decimal("12.34")
    assert config.profile().base_url == "https://x.example"
    assert config.profile().name == "work"


def test_unknown_keys_are_named_with_their_line(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, 'max_cost = 1\ntheem = "x"\n\n[screen]\ntheme = "nord"\ncolour = 1\n'))
    assert [w.split("config.toml")[1] for w in config.warnings] == [
        ":2: unknown setting 'theem' is ignored",
        ":6: unknown setting 'screen.colour' is ignored, did you mean 'columns'?",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("max_cost = [\n", ""), ('\n[limits]\nmax_requests = "many"\n', ":3:"), ("[profiles.a]\nallow_http = 7\n", ":2:")],
)
def test_errors_say_their_place(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text))
    assert line in str(caught.value)


def test_an_unknown_profile_names_those_there_are(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "[profiles.work]\n[profiles.home]\n"))
    with pytest.raises(ConfigError) as caught:
        config.profile("wrk")
    assert "default, home, work" in caught.value.advice


def test_a_price_that_cant_be_is_named_with_its_line(tmp_path: Path) -> None:
    text = 'max_cost = 1\n\n[prices."my.model"]\ninput = 1\nouput = 5\n'
    with pytest.raises(ConfigError, match=r"config\.toml:5: price of my\.model: there is no field ouput"):
        load_config(written(tmp_path, text))
    with pytest.raises(ConfigError, match=r"config\.toml:2: price of m: output is missing"):
        load_config(written(tmp_path, "[profiles.p]\n[prices.m]\ninput = 1\n"))


def test_what_only_the_screen_knows_is_named_with_its_line(tmp_path: Path) -> None:
    from batchtui.tui import config_check

    text = """[screen]
theme = "drak"
columns = ["name", "csot"]
[keys]
cancel = "ctlr+k"
retry = ""
exprot = "x"
details = "ctrl+d"
"results.nothing" = "f5"
mark = "space, f6"
"drafts.delete" = "escape"
"""
    said = [each.split("config.toml:")[1] for each in config_check.of(load_config(written(tmp_path, text)))]
    assert said[0].startswith("2: [screen] theme 'drak' is unknown")
    assert said[1].startswith("3: [screen] unknown column 'csot'; known: name, status")
    assert said[2] == "5: [keys] 'cancel': 'ctlr+k' is not a key; write it like k, ctrl+k, f5 or escape"
    assert said[3] == "6: [keys] 'retry': no key given"
    assert said[4] == "7: [keys] 'exprot' is not an action, did you mean 'export'?"
    assert said[5].startswith("9: [keys] 'results.nothing' is not an action")
    assert "8: [keys] ^d is both 'page_down' and 'details' (home)" in said[6:]
    assert "11: [keys] esc is both 'back' and 'drafts.delete' (draft list)" in said[6:]
    assert not any("mark" in each for each in said[6:])


def test_a_key_that_is_none_leaves_the_action_its_own() -> None:
    from batchtui.tui.bindings import usable

    assert usable({"cancel": "ctlr+k", "retry": "", "export": "?, nokey", "filter": ","}) == {
        "export": "question_mark",
        "filter": "comma",
    }


@pytest.mark.parametrize(
    "key", [*"+-/@_,?[]{}|~^=.:;'\"#$%&*()<>!`ué", "\\", "ctrl+underscore", "ctrl+-", "ctrl+,", "f5", "ctrl++"]
)
def test_every_key_that_can_be_pressed_is_one(key: str) -> None:
    from batchtui.tui.bindings import usable

    assert usable({"cancel": key})["cancel"]


def test_unknown_settings_of_any_type_are_only_named(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "path = 5\nlines = 6\nwarnings = 7\n"))
    assert len(config.warnings) == 3


def test_a_model_whose_tokens_have_no_characters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":2: price of claude-haiku-4-5.*: chars_per_token can't be 0"):
        load_config(written(tmp_path, '[prices."claude-haiku-4-5"]\nchars_per_token = 0\n'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[keys]\ncancel = 5\n", ":2: keys.cancel: expected a string in quotes, not a whole number"),
        ('\nmax_cost = "ten"\n', ":2: max_cost: expected a number"),
        ("max_cost = -1\n", ":1: max_cost: expected a number of dollars, not -1"),
        ("[limits]\nmax_requests = -5\n", ":2: limits.max_requests: expected a whole number, at least 1"),
        ("[limits]\nqueue = -1\n", ":2: limits.queue: expected a whole number, at least 0"),
        ("[profiles.a]\nmax_bytes = -1\n", ":2: profiles.a.max_bytes: expected a whole number, at least 0"),
        ('[screen]\nmouse = "perhaps"\n', ":2: screen.mouse: expected true or false"),
        ("[prices]\nm = 5\n", ":2: prices.m: expected a table, not a whole number"),
    ],
)
def test_values_that_cant_be_are_named_in_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, text))
    assert said in str(caught.value)


def test_escape_leads_out_whatever_back_is_bound_to() -> None:
    from batchtui.tui.bindings import usable

    assert usable({"back": "q"}) == {"back": "q,escape"}
