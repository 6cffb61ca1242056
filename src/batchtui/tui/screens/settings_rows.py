"""The settings as rows: what config.toml says now, by group, with what each means."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.text import Text

from batchtui import safetext
from batchtui.config import Config, Profile
from batchtui.config_edit import SETTINGS, Setting, value_of
from batchtui.tui import figures
from batchtui.tui.glyphs import GLYPHS
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column

COLUMNS = (
    Column("name", "Setting", 16, max_width=26, flex=1),
    Column("value", "Value", 20, max_width=44, flex=3),
    Column("meaning", "What it does", 30, flex=4, priority=1),
)
_TITLES = {
    "": "General",
    "limits": "Limits",
    "notify": "Told when it ends",
    "screen": "Screen",
    "settle": "Unconfirmed",
}
_BY_HAND = "e opens the file"


@dataclass(frozen=True, slots=True)
class Row:
    """One line; ``setting`` is what Enter changes, None where only the editor can."""

    key: tuple[str, str]
    cells: tuple[Cell, ...]
    setting: Setting | None = None
    words: str = "this is changed in the file: e opens it in $EDITOR"
    """What the line below the list says of it."""


def rows_of(config: Config, complaints: Sequence[str] = ()) -> list[Row]:
    """All lines, groups in the order of the file, then profiles, keys, prices and what is wrong with the file."""
    rows: list[Row] = []
    default = Config()
    for section, title in _TITLES.items():
        rows += _heading(title, first=not rows)
        for setting in SETTINGS:
            if setting.section == section:
                value = value_of(config, setting)
                words = Text(shown(setting, value), "" if value != value_of(default, setting) else "muted")
                meaning = setting.meaning + (" (next start)" if setting.restart else "")
                rows.append(Row(("set", setting.place), (setting.key, words, Text(meaning, "muted")), setting, meaning))
    if config.screen.columns:
        names = safetext.line(", ".join(config.screen.columns), 200)
        rows.append(Row(("hand", "columns"), ("columns", names, Text(_BY_HAND, "muted"))))
    rows += _heading("Profiles")
    for name, profile in (config.profiles or {"default": Profile()}).items():
        rows.append(Row(("profile", name), (safetext.line(name, 40), _who(profile), None)))
    rows += _heading("Keys")
    for name, key in config.keys.items():
        rows.append(Row(("key", name), (safetext.line(name, 40), safetext.line(key, 40), Text(_BY_HAND, "muted"))))
    if not config.keys:
        rows.append(
            Row(("key", ""), ("all as they come", Text("", "muted"), Text("[keys] rebinds any that ? shows", "muted")))
        )
    if config.prices:
        rows += _heading("Prices of your own")
        rows += [Row(("price", name), (safetext.line(name, 60), "", Text(_BY_HAND, "muted"))) for name in config.prices]
    if complaints:
        rows += _heading("Wrong in the file")
        for number, said in enumerate(complaints):
            rows.append(Row(("warning", str(number)), (Text(_tail(said), "warn"), None, None), words=_tail(said)))
    return rows


def _heading(title: str, *, first: bool = False) -> list[Row]:
    gap = [] if first else [Row(("gap", title), ("", None, None))]
    return [*gap, Row(("group", title), (Text(title, "title"), None, None))]


def _tail(warning: str) -> str:
    """A complaint without the folder of the file."""
    return f"{GLYPHS.warning} {safetext.line(warning.rpartition('/')[2], 300)}"


def shown(setting: Setting, value: Any) -> str:
    """A value as the list shows it."""
    if setting.kind == "switch":
        return "[x] on" if value else "[ ] off"
    if isinstance(value, Decimal):
        return figures.usd(value)
    if value is None:
        return "no limit"
    if setting.kind == "count":
        return "no limit" if value == 0 and setting.key == "queue" else figures.count(int(value))
    return safetext.line(str(value), 200) or "none"


def _who(profile: Profile) -> str:
    key = profile.api_key_env or (
        "a command" if profile.api_key_command else profile.sdk_profile or "ANTHROPIC_API_KEY"
    )
    parts = [profile.workspace, profile.base_url.partition("://")[2], f"key: {key}"]
    return safetext.line(f" {GLYPHS.dot} ".join(part for part in parts if part), 200)


class SettingRows:
    """Rows for a row list; a row's key is its kind and name."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._places = {row.key: place for place, row in enumerate(rows)}

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, index: int) -> Hashable:
        """Kind and name."""
        return self.rows[index].key

    def find(self, key: Hashable) -> int | None:
        """Where a row is."""
        return self._places.get(key)  # type: ignore[call-overload,no-any-return]

    def cells(self, index: int) -> Sequence[Cell]:
        """Name, value, meaning."""
        return self.rows[index].cells

    def style(self, index: int) -> str:
        """Plain."""
        return ""
