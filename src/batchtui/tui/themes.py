"""Colours: Textual's themes, ``ansi`` for the terminal's own, and one of high contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.theme import Theme

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


def choose_theme(app: App[Any], wanted: str) -> list[str]:
    """Put on a theme by name; an unknown one is complained about and the default stays."""
    app.register_theme(HIGH_CONTRAST)
    name = ALIASES.get(wanted, wanted)
    if name not in app.available_themes:
        return [f"[screen] theme {wanted!r} is unknown; there are: ansi, {', '.join(sorted(app.available_themes))}"]
    app.theme = name
    return []
