"""Keys by name: how one is shown, which there are, and what a person's own choice of keys gets wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from textual.binding import Binding, BindingType

from batchtui.tui.glyphs import GLYPHS

if TYPE_CHECKING:
    from textual.app import App
    from textual.dom import DOMNode

PALETTE = Binding("ctrl+p", "command_palette", "palette", id="palette", tooltip="every action, and every batch by name")

_NAMES = {
    "escape": "esc",
    "space": "space",
    "slash": "/",
    "question_mark": "?",
    "dollar_sign": "$",
    "equals_sign": "=",
    "asterisk": "*",
    "colon": ":",
    "full_stop": ".",
    "comma": ",",
    "minus": "-",
    "plus": "+",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "backspace": "bksp",
    "delete": "del",
}


def name_of(key: str) -> str:
    """One key as people write it: ``ctrl+p`` is ``^p``, ``question_mark`` is ``?``."""
    if key == "enter":
        return GLYPHS.enter
    if key.startswith("ctrl+"):
        return "^" + name_of(key[5:])
    if key.startswith("shift+"):
        return "shift+" + name_of(key[6:])
    return _NAMES.get(key, key)


def shown(app: App[object], binding: Binding) -> str:
    """The key of a binding as the footer and the help show it."""
    return binding.key_display or name_of(binding.key)


def bindings_of(classes: Iterable[type[DOMNode]]) -> dict[str, dict[str, Binding]]:
    """By class name, the bindings that each class itself declares, by id (those that have one)."""
    found: dict[str, dict[str, Binding]] = {}
    for each in classes:
        here: dict[str, Binding] = {}
        declared: list[BindingType] = list(each.__dict__.get("BINDINGS", []))
        for binding in declared:
            if isinstance(binding, Binding) and binding.id and binding.id not in here:
                here[binding.id] = binding
        found[each.__name__] = here
    return found


def normal(key: str) -> str:
    """A key as Textual names it: ``?`` is ``question_mark``; several are separated by commas."""
    from textual.keys import _character_to_key

    return ",".join(
        _character_to_key(part.strip()) if len(part.strip()) == 1 else part.strip() for part in key.split(",")
    )


def complaints(
    chosen: Mapping[str, str], places: Mapping[str, Mapping[str, Binding]], shared: Iterable[str]
) -> list[str]:
    """What is wrong with a choice of keys: names that don't exist, and keys that two actions would share.

    ``shared`` names the places whose keys work everywhere (the app, the list).
    """
    known = {name for place in places.values() for name in place}
    said = [
        f"[keys] {name!r} is no action; there are: {', '.join(sorted(known))}" for name in chosen if name not in known
    ]
    everywhere = {name: binding for place in shared for name, binding in places.get(place, {}).items()}
    for place, own in places.items():
        taken: dict[str, str] = {}
        for name, binding in {**everywhere, **own}.items():
            for key in normal(chosen.get(name, binding.key)).split(","):
                other = taken.setdefault(key, name)
                if other != name and (name in chosen or other in chosen):
                    text = f"[keys] {name_of(key)} is both {other!r} and {name!r} ({place})"
                    if text not in said:
                        said.append(text)
    return said
