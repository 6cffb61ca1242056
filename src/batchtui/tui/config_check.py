"""Checks the settings that only the screen can judge: keys, colors, columns."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from textual.dom import DOMNode

from batchtui import tui
from batchtui.config.load import Config
from batchtui.domain.errors import ConfigError
from batchtui.tui import bindings, themes
from batchtui.tui.home.rows import COLUMNS

_TOGETHER = {"NewScreen": ("ComposePane",), "ScoreScreen": ("MatrixView",), "FieldCompareScreen": ("MatrixView",)}
"""Screens, with what on them has keys of its own."""
_WITH_LIST = (
    *("HomeScreen", "ResultsScreen", "RemoteBatchesScreen", "CompareScreen", "SettingsScreen"),
    *("GroupsScreen", "FilePicker", "ColumnsScreen", "CountsScreen", "FieldCompareScreen"),
)
"""Screens on which the keys of the row list work as well."""


def of(config: Config) -> list[str]:
    """All of it, each with its place in the file."""
    said: list[str] = []
    try:
        config.profile()
    except ConfigError as error:
        said.append(f"default_profile: {error}; {error.advice}")
    said += [config.at("screen.theme") + text for text in themes.theme_problems(config.screen.theme)]
    known = [column.key for column in COLUMNS]
    for name in config.screen.columns:
        if name not in known:
            text = f"[screen] unknown column {name!r}; known: {', '.join(known)}"
            said.append(config.at("screen.columns") + text)
    return said + of_keys(config)


def of_keys(config: Config) -> list[str]:
    """What is wrong with the person's own keys, over all screens."""
    if not config.keys:
        return []
    classes = list(_classes())
    own = bindings.bindings_of(classes)
    places = {
        each.__name__: {name: key for base in each.__mro__[::-1] for name, key in own.get(base.__name__, {}).items()}
        for each in classes
    }
    places["BatchtuiApp"]["palette"] = bindings.PALETTE
    for screen, parts in _TOGETHER.items():
        for part in parts:
            places[screen] |= places[part]
    for part in {part for parts in _TOGETHER.values() for part in parts}:
        del places[part]
    shared = places["BatchtuiApp"]
    for screen, keys in places.items():
        everywhere = {**shared, **places["RowList"]} if screen in _WITH_LIST else shared
        places[screen] = {**everywhere, **keys}
    return [config.at(f"keys.{name}") + text for name, text in bindings.key_problems(config.keys, places)]


def _classes() -> Iterator[type[DOMNode]]:
    """The app and all screens and widgets of ours that have keys of their own."""
    for module in pkgutil.walk_packages(tui.__path__, f"{tui.__name__}."):
        for found in vars(importlib.import_module(module.name)).values():
            ours = isinstance(found, type) and issubclass(found, DOMNode) and found.__module__ == module.name
            if ours and "BINDINGS" in found.__dict__:
                yield found
