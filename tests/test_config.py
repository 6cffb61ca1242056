"""config.toml: defaults, unknown keys named, errors with their line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from batchtui.config import load_config
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
        ":6: unknown setting 'screen.colour' is ignored",
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
