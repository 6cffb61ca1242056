"""Terminals that can't do everything: a locale without UTF-8, dumb ones, GNU screen."""

import os
import subprocess
import sys

import pytest

from batchtui.tui import terminal

ASKED = "from batchtui.present import symbols; print(symbols.terminal_is_ascii())"


def drawn_in_ascii(**environment: str) -> bool:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    env = {**kept, "TERM": "xterm-256color", **environment}
    done = subprocess.run([sys.executable, "-c", ASKED], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("environment", "ascii_only"),
    [
        ({}, True),
        ({"LANG": "C"}, True),
        ({"LANG": "POSIX"}, True),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, True),
        ({"LANG": "C.UTF-8"}, False),
        ({"LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "C.UTF-8", "TERM": "linux"}, True),
        ({"LANG": "C.UTF-8", "BATCHTUI_ASCII": "1"}, True),
        ({"BATCHTUI_ASCII": "0"}, False),
    ],
)
def test_a_locale_without_utf8_draws_ascii_whatever_python_makes_of_it(
    environment: dict[str, str], ascii_only: bool
) -> None:
    assert drawn_in_ascii(**environment) is ascii_only


def test_the_mouse_is_off_in_gnu_screen_where_it_would_hold_back_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("STY", "123.pts-0.host")
    assert terminal.holds_escape()
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    assert not terminal.holds_escape()
    monkeypatch.delenv("STY")
    assert not terminal.holds_escape()


def test_a_dumb_terminal_is_refused_in_words() -> None:
    import pty

    main, side = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "batchtui"],
        stdin=side,
        stdout=side,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "dumb"},
        check=False,
    )
    os.close(main), os.close(side)
    assert done.returncode == 2
    assert b"TERM is dumb" in done.stderr
