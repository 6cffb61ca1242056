"""Keys by name: how one is shown, which there are, and what a person's own choice of keys gets wrong."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from textual.binding import Binding, BindingType

from batchtui.present.symbols import GLYPHS

if TYPE_CHECKING:
    from textual.app import App
    from textual.dom import DOMNode

_MODIFIERS = frozenset({"ctrl", "shift", "alt", "meta", "super", "hyper"})
_NAMES = {
    "escape": "esc",
    "space": "space",
    "slash": "/",
    "question_mark": "?",
    "dollar_sign": "$",
    "equals_sign": "=",
    "number_sign": "#",
    "percent_sign": "%",
    "less_than_sign": "<",
    "greater_than_sign": ">",
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


_declared: dict[str, str] = {}
"""Our keys by the names of their actions."""
_chosen: dict[str, str] = {}
"""The person's."""


def bind(
    keys: str,
    action: str,
    label: str,
    name: str,
    tip: str,
    *,
    show: bool = True,
    priority: bool = False,
    key_display: str | None = None,
) -> Binding:
    """A key that people can look up and choose: ``name`` is its id in [keys], ``label`` is in the key line, ``tip`` in the help.

    ``key_display`` is what stands for several keys; one key is shown by its name.
    """
    _declared.setdefault(name, keys)
    return Binding(keys, action, label, show, key_display, priority, tip, name)


def scrolling(name: str) -> list[BindingType]:
    """The keys of a pane that is read by scrolling, beside Textual's own; their ids begin with ``name``."""
    return [
        bind("j", "scroll_down", "down", f"{name}.down", "scroll down", show=False),
        bind("k", "scroll_up", "up", f"{name}.up", "scroll up", show=False),
        bind("g", "scroll_home", "top", f"{name}.top", "top", show=False),
        bind("G", "scroll_end", "end", f"{name}.end", "end", show=False),
        bind("space", "page_down", "page down", f"{name}.page", "one page down", show=False),
    ]


PALETTE = bind("ctrl+p", "command_palette", "palette", "palette", "all actions, and all batches by name")


def name_of(key: str) -> str:
    """One key as people write it: ``ctrl+p`` is ``^p``, ``question_mark`` is ``?``."""
    if key == "enter":
        return GLYPHS.enter
    if key.startswith("ctrl+"):
        return "^" + name_of(key[5:])
    if key.startswith("shift+"):
        return "shift+" + name_of(key[6:])
    return _NAMES.get(key, key)


def shown(binding: Binding) -> str:
    """The key of a binding as the footer and the help show it."""
    return binding.key_display or name_of(binding.key)


def words_of(screen: DOMNode, binding: Binding) -> tuple[str, str]:
    """A binding's label and tip as they are true now: those that the screen's ``words_here`` has for it, else its own."""
    here: Mapping[str, tuple[str, str]] = getattr(screen, "words_here", {})
    return here.get(binding.id or "", (binding.description, binding.tooltip))


def in_sentence(key: str) -> str:
    """One key as a sentence writes it: ``ctrl+p`` stays, ``question_mark`` is ``?``, ``enter`` is Enter."""
    *modifiers, last = key.split("+") if key != "+" else [key]
    name = {"enter": "Enter", "escape": "Esc", "tab": "Tab"}.get(last, _NAMES.get(last, last))
    return "+".join([*modifiers, name])


def use(app: App[Any], chosen: Mapping[str, str]) -> None:
    """Go by these keys of the person's from now on, in what the app does and in what texts say."""
    _chosen.clear()
    _chosen.update(usable(chosen))
    app.set_keymap({**_chosen})


def key_of(name: str) -> str:
    """The first key of an action by its name in [keys], as a sentence writes it: the person's own before ours.

    Every text that names a key that can be chosen takes it from here.  Escape always goes back, and may be named as it is.
    """
    return in_sentence(_first(name))


def sign_of(name: str) -> str:
    """The same as the key line and buttons show it."""
    return name_of(_first(name))


def _first(name: str) -> str:
    return _chosen.get(name, _declared[name]).split(",")[0]


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
    return ",".join(map(_one_normal, _each(key)))


def _each(key: str) -> list[str]:
    return [key] if key == "," else [part.strip() for part in key.replace("+,", "+comma").split(",")]


def _one_normal(key: str) -> str:
    from textual.keys import _character_to_key

    if key == "+" or key.endswith("++"):
        return key[:-1] + _character_to_key("+")
    modifiers, plus, last = ("", "", key) if len(key) == 1 else key.rpartition("+")
    return modifiers + plus + (_character_to_key(last) if len(last) == 1 else last)


def is_key(key: str) -> bool:
    """Whether there is such a key, with or without modifiers."""
    from textual.keys import Keys, _character_to_key

    *modifiers, last = _one_normal(key).split("+")
    known = {each.value for each in Keys} | {_character_to_key(sign) for sign in string.printable.strip()}
    real = last in known or (len(last) == 1 and last.isprintable())
    return real and all(each in _MODIFIERS for each in modifiers)


def _in_words(place: str) -> str:
    """A screen's class as people call it: ``HomeScreen`` is home."""
    if place in ("BatchtuiApp", "RowList"):
        return "everywhere" if place == "BatchtuiApp" else "in every list"
    words = re.findall(r"[A-Z][a-z]+", place)
    return " ".join(word for word in words if word not in ("Screen", "Modal", "Pane")).lower()


def usable(chosen: Mapping[str, str]) -> dict[str, str]:
    """The keys that exist, as Textual names them; where none of an action's does, its own stay."""
    real = {name: [key for key in normal(given).split(",") if is_key(key)] for name, given in chosen.items()}
    kept = {name: ",".join(found) for name, found in real.items() if found}
    # Where q is typed into a field, escape must still lead out.
    return {name: f"{keys},escape" if name == "back" and "escape" not in keys else keys for name, keys in kept.items()}


def key_problems(chosen: Mapping[str, str], places: Mapping[str, Mapping[str, Binding]]) -> list[tuple[str, str]]:
    """What is wrong with a choice of keys, each with the action it is about: names that don't exist, keys that don't, and
    keys that two actions would share.

    ``places`` are the screens, with all bindings that work on them.
    """
    import difflib

    known = {name for place in places.values() for name in place}
    said: dict[tuple[str, str], None] = {}
    for name, key in chosen.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f", did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"
            said[name, f"[keys] {name!r} is not an action{hint}"] = None
        for each in _each(key):
            if not is_key(each):
                text = f"{each!r} is not a key; write it like k, ctrl+k, f5 or escape" if each else "no key given"
                said[name, f"[keys] {name!r}: {text}"] = None
    real = usable(chosen)
    for place, bindings in places.items():
        taken: dict[str, str] = {}
        for name, binding in bindings.items():
            for key in normal(real.get(name, binding.key)).split(","):
                other = taken.setdefault(key, name)
                by_itself = all(key in normal(bindings[each].key).split(",") for each in (name, other))
                if other != name and (name in real or other in real) and not by_itself:
                    about = name if name in real else other
                    said[about, f"[keys] {name_of(key)} is both {other!r} and {name!r} ({_in_words(place)})"] = None
    return list(said)
