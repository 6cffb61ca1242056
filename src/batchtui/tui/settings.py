"""The settings screen: what config.toml says, by group, changed in place."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from batchtui import safetext
from batchtui.config.edit import SETTINGS, Setting, change, parse_value, value_of
from batchtui.config.first import write_first_config
from batchtui.config.load import Config, Profile, config_path, load_config, sdk_profiles
from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.present import numbers
from batchtui.present.symbols import GLYPHS
from batchtui.tui.base import BaseScreen, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.dialogs import Ask, Choose
from batchtui.tui.terminal import editor, run_outside
from batchtui.tui.themes import theme_names
from batchtui.tui.widgets.cells import Cell
from batchtui.tui.widgets.columns import Column
from batchtui.tui.widgets.key_line import KeyLine
from batchtui.tui.widgets.row_list import ListedRows, RowHighlighted, RowList, RowSelected
from batchtui.tui.widgets.status_line import StatusLine

COLUMNS = (
    Column("name", "Setting", 16, max_width=26, flex=1),
    Column("value", "Value", 20, max_width=44, flex=3),
    Column("meaning", "What it does", 30, flex=4, priority=1),
)
_TITLES = {
    "": "General",
    "limits": "Limits",
    "notify": "Notifications",
    "screen": "Screen",
    "settle": "Unconfirmed batches",
}


def _by_hand() -> Text:
    return Text(f"{key_of('edit')} opens the file", "muted")


@dataclass(frozen=True, slots=True)
class Row:
    """One line; ``setting`` is what Enter changes, None where only the editor can."""

    key: tuple[str, str]
    cells: tuple[Cell, ...]
    setting: Setting | None = None
    words: str = ""
    """What the line below the list says of it, "" where it is changed in the file."""


def rows_of(config: Config, problems: Sequence[str] = ()) -> list[Row]:
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
        rows.append(Row(("hand", "columns"), ("columns", names, _by_hand())))
    rows += _heading("Profiles")
    for name, profile in (config.profiles or {"default": Profile()}).items():
        rows.append(Row(("profile", name), (safetext.line(name, 40), _who(profile), None)))
    rows += _heading("Keys")
    for name, key in config.keys.items():
        rows.append(Row(("key", name), (safetext.line(name, 40), safetext.line(key, 40), _by_hand())))
    if not config.keys:
        rows.append(
            Row(
                ("key", ""),
                (
                    "all default",
                    Text("", "muted"),
                    Text(f"[keys] rebinds any key that {key_of('help')} shows", "muted"),
                ),
            )
        )
    if config.prices:
        rows += _heading("Your prices")
        rows += [Row(("price", name), (safetext.line(name, 60), "", _by_hand())) for name in config.prices]
    if problems:
        rows += _heading("Problems in the file")
        for number, said in enumerate(problems):
            rows.append(Row(("warning", str(number)), (Text(_tail(said), "warn"), None, None), words=_tail(said)))
    return rows


def _heading(title: str, *, first: bool = False) -> list[Row]:
    gap = [] if first else [Row(("gap", title), ("", None, None))]
    return [*gap, Row(("group", title), (Text(title, "title"), None, None))]


def _tail(warning: str) -> str:
    """A problem without the folder of the file."""
    return f"{GLYPHS.warning} {safetext.line(warning.rpartition('/')[2], 300)}"


def shown(setting: Setting, value: Any) -> str:
    """A value as the list shows it."""
    if setting.kind == "switch":
        return "[x] on" if value else "[ ] off"
    if isinstance(value, Decimal):
        return numbers.usd(value)
    if value is None:
        return "no limit"
    if setting.kind == "count":
        return "no limit" if value == 0 and setting.key == "queue" else numbers.count(int(value))
    return safetext.line(str(value), 200) or "none"


def _who(profile: Profile) -> str:
    key = profile.api_key_env or (
        "a command" if profile.api_key_command else profile.sdk_profile or "ANTHROPIC_API_KEY"
    )
    parts = [profile.workspace, profile.base_url.partition("://")[2], f"key: {key}"]
    return safetext.line(f" {GLYPHS.dot} ".join(part for part in parts if part), 200)


class SettingRows(ListedRows[Row]):
    """Rows for a row list; a row's key is its kind and name."""

    def key(self, index: int) -> Hashable:
        return self.rows[index].key

    def cells(self, index: int) -> Sequence[Cell]:
        """Name, value, meaning."""
        return self.rows[index].cells


class SettingsScreen(BaseScreen[None]):
    """Enter changes the setting under the cursor; what can take effect at once does."""

    CSS_PATH = "settings.tcss"
    KEY_LINE: ClassVar[tuple[str, ...]] = ("settings.change", "settings.default", "edit")
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("enter,space", "change", "change", "settings.change", "change this setting", priority=True),
        bind("d", "default", "default", "settings.default", "remove the setting: the default is used"),
        bind("e", "edit", "$EDITOR", "edit", "open config.toml in $EDITOR"),
        bind("escape", "leave", "back", "back", "back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._before = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="settings-title", markup=False)
        yield RowList(COLUMNS, id="settings-list")
        yield StatusLine()
        yield KeyLine(self.KEY_LINE, last=("help", "back"))

    def on_mount(self) -> None:
        """The file as it is now, which may differ from what was read at the start."""
        where = Content.assemble(
            ("Settings", "bold"), (f"  {safetext.line(str(config_path()), 200)}", "$foreground 60%")
        )
        self.query_one("#settings-title", Static).update(where)
        self.query_one(RowList).focus()
        self._show(self.service.config)
        self.query_one(RowList).move_to(1)
        run_task(self, self._reread())

    @property
    def _row(self) -> Row | None:
        rows = self.query_one(RowList).source
        place = self.query_one(RowList).cursor
        return rows.rows[place] if isinstance(rows, SettingRows) and place < len(rows) else None

    def _show(self, config: Config) -> list[str]:
        """Show the file, and what is wrong with it, which is returned."""
        from batchtui.tui import config_check

        said = [*config.warnings, *config_check.of(config)]
        if self.service.is_demo:  # Its profile is in no file.
            config = _with_profiles(config, {name: p for name, p in config.profiles.items() if name != "demo"})
        self.query_one(RowList).set_source(SettingRows(rows_of(config, said)))
        return said

    async def _reread(self) -> None:
        try:
            config = await self.in_thread(load_config)
        except BatchtuiError as error:
            self.fail(error)
            return
        self._take(config)

    def _take(self, config: Config) -> None:
        """Use what the file says now, and say what is wrong with it or waits for the next start."""
        before = self.service.config
        mine = {name: each for name, each in before.profiles.items() if name not in config.profiles}
        if "demo" in mine:
            config = _with_profiles(config, {**config.profiles, "demo": mine["demo"]})
        self.tui.use_config(config)
        said = self._show(config)
        if said:
            more = f"{len(said) - 1} more at the end of the list" if said[1:] else "it stays in the file"
            self.say(said[0], advice=more, level="warn")

    @on(RowHighlighted)
    def _at(self, event: RowHighlighted) -> None:
        """Headings and gaps are stepped over; of a setting all words are shown below the list."""
        row, step = self._row, 1 if event.index >= self._before else -1
        self._before = event.index
        if row is None:
            return
        if row.key[0] in ("group", "gap"):
            first = event.index == 0
            self.query_one(RowList).move_to(1 if first else event.index + step)
            return
        self.query_one(StatusLine).tell(row.words or f"changed in the file: {key_of('edit')} opens it in $EDITOR")
        self.query_one(StatusLine).dismiss()

    @on(RowSelected)
    def action_change(self) -> None:
        """Turn a switch, or ask for the value."""
        row = self._row
        if row is None or row.key[0] in ("group", "gap"):
            return
        if row.setting is None:
            self.say("Changed in the file.", advice=f"Press {key_of('edit')} to open it in $EDITOR.")
        else:
            run_task(self, self._change(row.setting), opens=True)

    async def _change(self, setting: Setting) -> None:
        now = value_of(self.service.config, setting)
        if setting.kind == "switch":
            await self._write(setting, not now)
        elif setting.kind in ("theme", "profile"):
            names = theme_names(self.app) if setting.kind == "theme" else self._profiles()
            marked = [(name, ("* " if name == now else "  ") + safetext.line(name, 60)) for name in names]
            chosen = await self.app.push_screen_wait(Choose(f"{setting.key}: {setting.meaning}", marked))
            if chosen is not None:
                await self._write(setting, chosen)
        else:
            await self._ask(setting, "" if now is None else f"{now}".removesuffix(".0"))

    async def _ask(self, setting: Setting, typed: str) -> None:
        hint = f"{setting.meaning}.  Empty: the default."
        answer = await self.app.push_screen_wait(Ask(setting.place, value=typed, hint=hint))
        if answer is None:
            return
        try:
            value = parse_value(setting, answer)
        except InputError as error:
            self.fail(error)
            return
        await self._write(setting, value)

    def _profiles(self) -> list[str]:
        config = self.service.config
        return sorted({"default", config.default_profile, *config.profiles, *sdk_profiles()} - {"demo"})

    async def _write(self, setting: Setting, value: Any) -> None:
        try:
            config = await self.in_thread(change, setting, value)
        except BatchtuiError as error:
            self.fail(error)
            return
        self._take(config)
        when = "; used from the next start" if setting.restart else ""
        self.say(f"{setting.place}: {shown(setting, value_of(config, setting))}{when}", level="good")

    def action_default(self) -> None:
        """Take the setting out of the file."""
        row = self._row
        if row is not None and row.setting is not None:
            run_task(self, self._write(row.setting, None))

    def action_edit(self) -> None:
        """The whole file in $EDITOR."""
        run_task(self, self._edit(), opens=True)

    async def _edit(self) -> None:
        path = await self.in_thread(write_first_config)
        trouble = run_outside(self.app, editor(), path)
        if trouble:
            self.say(trouble, advice="set EDITOR", level="bad")
            return
        self.say("Reloaded. Prices and the current profile change at the next start.", level="good")
        await self._reread()


def _with_profiles(config: Config, profiles: dict[str, Any]) -> Config:
    import msgspec

    return msgspec.structs.replace(config, profiles=profiles)
