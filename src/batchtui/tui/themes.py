"""Colors: Textual's themes, ``ansi`` for the terminal's own, and one of high contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.theme import BUILTIN_THEMES, Theme

if TYPE_CHECKING:
    from textual.app import App

HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary="#00d7ff",
    secondary="#ffffff",
    warning="#ffd700",
    error="#ff6060",
    success="#5fff5f",
    accent="#ffff00",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    dark=True,
)
ALIASES = {"ansi": "ansi-dark", "dark": "textual-dark", "light": "textual-light"}


def theme_names(app: App[Any]) -> list[str]:
    """What can be chosen, the usual ones first."""
    first = ["textual-dark", "textual-light", "ansi", HIGH_CONTRAST.name]
    return [*first, *sorted(set(app.available_themes) - {*first, "ansi-dark"})]


def _known() -> dict[str, Theme]:
    return {**BUILTIN_THEMES, HIGH_CONTRAST.name: HIGH_CONTRAST}


def theme_problems(wanted: str) -> list[str]:
    """What is wrong with the name of a theme."""
    if ALIASES.get(wanted, wanted) in _known():
        return []
    return [f"[screen] theme {wanted!r} is unknown; known: ansi, {', '.join(sorted(_known()))}"]


def choose_theme(app: App[Any], wanted: str) -> None:
    """Put on a theme by name; under an unknown one the colors stay."""
    app.register_theme(HIGH_CONTRAST)
    name = ALIASES.get(wanted, wanted)
    if name in app.available_themes:
        app.theme = name
