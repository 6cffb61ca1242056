"""config.toml changed one setting at a time: nothing else of the file moves."""

from __future__ import annotations

import difflib
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtui.config import edit
from batchtui.config.edit import SETTINGS, Setting, change, edited, parse_value, value_of
from batchtui.config.first import FIRST_CONFIG
from batchtui.config.load import Config, load_config, parse_config
from batchtui.domain.errors import ConfigError, InputError

BY_PLACE = {setting.place: setting for setting in SETTINGS}
VALUES: dict[str, Any] = {
    "switch": False,
    "count": 77,
    "money": Decimal("12.5"),
    "text": 'say "it" # done',
    "theme": "nord",
    "profile": "work",
}
HAND = """\
# mine
max_cost = 25.0      # not more

[screen]   # looks
theme = "nord"
colour = "mauve"     # unknown, stays
columns = [
  "name",
]

[profiles.work]
api_key_env = "X"

[ notify ]
on_end = 'echo "#1"' # tell me
"""


def moved(before: str, after: str) -> list[str]:
    """The lines that differ."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize("text", [FIRST_CONFIG, HAND, ""], ids=["first", "by hand", "none"])
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.place)
def test_each_setting_is_written_and_taken_away_again(setting: Setting, text: str) -> None:
    value = VALUES[setting.kind]
    after = edited(text, setting.place, value)
    assert value_of(parse_config(after, Path("x")), setting) == value
    assert len(moved(text, after)) <= 4
    gone = edited(after, setting.place, None)
    assert value_of(parse_config(gone, Path("x")), setting) == value_of(Config(), setting)


def test_the_first_config_s_own_lines_are_made_true_where_they_stand() -> None:
    after = edited(FIRST_CONFIG, "screen.ascii", True)
    assert [line for line in moved(FIRST_CONFIG, after) if line[0] == "+"] == ["+ [screen]", "+ ascii = true"]
    again = edited(after, "screen.mouse", False)
    assert "+ mouse = false                         # false leaves selecting text to the terminal" in moved(
        after, again
    )


def test_a_comment_behind_a_value_stays() -> None:
    assert "max_cost = 7.50      # not more\n" in edited(HAND, "max_cost", Decimal("7.50"))
    assert 'on_end = "true" # tell me\n' in edited(HAND, "notify.on_end", "true")
    assert "# on_end = 'echo \"#1\"' # tell me\n" in edited(HAND, "notify.on_end", None)


def test_a_new_setting_goes_into_its_table_and_a_new_table_to_the_end() -> None:
    assert "[screen]   # looks\nmouse = false\n" in edited(HAND, "screen.mouse", False)
    assert edited(HAND, "limits.queue", 5).endswith("\n[limits]\nqueue = 5\n")
    assert edited(HAND, "default_profile", "work").index("default_profile") < edited(
        HAND, "default_profile", "work"
    ).index("[screen]")


@pytest.mark.parametrize("text", ["screen = {theme = 'x'}\n", "[screen]\ntheme = '''x\n'''\n", "screen.theme = 'x'\n"])
def test_what_one_line_can_t_change_is_left_to_the_editor(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        edited(text, "screen.theme", "nord")
    assert "editor" in caught.value.advice


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=40))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    for base in (FIRST_CONFIG, HAND):
        after = edited(base, "notify.on_end", text)
        assert parse_config(after, Path("x")).notify.on_end == text
        assert parse_config(edited(after, "notify.on_end", text + "x"), Path("x")).notify.on_end == text + "x"


def test_the_file_is_private_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "batchtui.toml", tmp_path / "config.toml"
    real.parent.mkdir()
    real.write_text(HAND)
    link.symlink_to(real)
    config = change(BY_PLACE["max_cost"], Decimal(3), link)
    assert config.max_cost == 3 == load_config(link).max_cost
    assert link.is_symlink() and stat.S_IMODE(real.stat().st_mode) == 0o600


def test_a_missing_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    assert change(BY_PLACE["notify.bell"], False, path).notify.bell is False
    assert path.read_text() == "[notify]\nbell = false\n"


def test_a_broken_file_is_left_alone_and_its_line_is_said(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("\n[limits]\nmax_requests = 'many'\n")
    with pytest.raises(ConfigError, match=":3:"):
        change(BY_PLACE["notify.bell"], False, path)
    assert path.read_text() == "\n[limits]\nmax_requests = 'many'\n"


def test_typed_values() -> None:
    assert parse_value(BY_PLACE["limits.queue"], " 200,000 ") == 200_000
    assert parse_value(BY_PLACE["max_cost"], "$7.50") == Decimal("7.50")
    assert parse_value(BY_PLACE["max_cost"], "  ") is None
    for place, typed in [("limits.queue", "-1"), ("limits.queue", "many"), ("max_cost", "nan"), ("max_cost", "1e9")]:
        with pytest.raises(InputError):
            parse_value(BY_PLACE[place], typed)


def test_every_setting_is_one_of_the_config_s() -> None:
    for setting in edit.SETTINGS:
        value_of(Config(), setting)
