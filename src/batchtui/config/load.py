"""``config.toml``: settings and profiles, never a key.

Unknown keys are named in ``Config.warnings``; a value of the wrong type is a ConfigError with its place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec

from batchtui import paths, plainfile, tomltext
from batchtui.domain.errors import ConfigError
from batchtui.domain.plan import MAX_BYTES, MAX_REQUESTS

_Some = Annotated[int, msgspec.Meta(ge=1)]
_None = Annotated[int, msgspec.Meta(ge=0)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]
MAX_CONFIG = 1_000_000
"""Bytes of a config.toml."""
SETTLE_BOUNDS: dict[str, tuple[int, int]] = {
    "looks": (2, 1_000),
    "seconds": (180, 86_400),
    "leeway_seconds": (60, 86_400),
}
"""The least and the most of each value under ``[settle]``."""
SDK_PREFIX = "sdk:"
"""Before the name of one of the SDK's own profiles."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """As whom and where: base URL, API version, workspace, which variable or command gives the key."""

    name: str = "default"
    base_url: str = ""
    """Empty: ``ANTHROPIC_BASE_URL`` or the SDK's own."""
    allow_http: bool = False
    """True lets the key go over plain http to another machine."""
    allow_http_proxy: bool = False
    """True lets the key go over plain http through a proxy, which can read it."""
    api_version: str = ""
    """The anthropic-version header; empty means the SDK's own."""
    workspace: str = ""
    """A name to show; the key decides which workspace it really is."""
    api_key_env: str = ""
    """The variable that holds the key; empty: the SDK's own order."""
    api_key_command: str = ""
    """A command whose standard output is the key."""
    sdk_profile: str = ""
    """One of the SDK's own profiles."""
    default_model: str = ""
    max_requests: _None = 0
    max_bytes: _None = 0
    queue_limit: _None = 0
    """Requests in the processing queue at once, all batches together; 0 takes the one of [limits]."""
    max_cost: Decimal | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a batch (requests, bytes), and of the processing queue (requests; 0 means none)."""

    max_requests: _Some = MAX_REQUESTS
    max_bytes: _Some = MAX_BYTES
    queue: _None = 0


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """How to be told that a batch ended."""

    bell: bool = True
    terminal: bool = True
    """OSC 9 / OSC 777 notifications."""
    on_end: str = ""
    """A command; the record comes as JSON on its standard input and in BATCHTUI_RECORD."""


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """What the screen looks like."""

    theme: str = "textual-dark"
    mouse: bool = True
    ascii: bool = False
    copy_raw: bool = False
    """Copy answers as received; otherwise control and invisible characters are copied as they are shown."""
    columns: tuple[str, ...] = ()
    """Columns of the home screen, in order; empty: chosen by width."""


class Settle(msgspec.Struct, frozen=True, kw_only=True):
    """When an unconfirmed batch counts as not created: at least so many looks over so many seconds.

    What a config.toml says is held within ``SETTLE_BOUNDS``: less would let a batch be paid twice.
    """

    looks: _Some = 6
    seconds: _Seconds = 180.0
    leeway_seconds: _Seconds = 300.0
    """How far the API's clock may be from ours."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything config.toml says."""

    default_profile: str = "default"
    profiles: dict[str, Profile] = {}
    max_cost: Decimal | None = None
    """Dollars; a plan whose high estimate is above it is stopped."""
    limits: Limits = Limits()
    notify: Notify = Notify()
    screen: Screen = Screen()
    settle: Settle = Settle()
    keys: dict[str, str] = {}
    """Action name to key, for example ``cancel = "ctrl+k"``."""
    prices: dict[str, dict[str, Any]] = {}
    """Rows that override or add to prices.toml, dollars per million tokens."""
    models: dict[str, dict[str, Any]] = {}
    """Rows that override or add to model_rules.toml: what a model takes and refuses."""
    warnings: tuple[str, ...] = ()
    path: str = ""
    lines: dict[str, int] = {}
    """Where in the file settings stand that the screen may complain of, by their names with the section."""

    def at(self, setting: str) -> str:
        """``path:line: `` of a setting, for a complaint about it; "" when no file said it."""
        return f"{self.path}:{self.lines[setting]}: " if setting in self.lines else ""

    def profile(self, name: str = "") -> Profile:
        """A profile by name ("" is the default one); raises ConfigError when there is none."""
        wanted = name or self.default_profile
        if wanted in self.profiles:
            return msgspec.structs.replace(self.profiles[wanted], name=wanted)
        if wanted == "default":
            return Profile()
        if wanted.startswith(SDK_PREFIX):
            return Profile(name=wanted, sdk_profile=wanted.removeprefix(SDK_PREFIX))
        known = ", ".join(sorted({"default", *self.profiles}))
        raise ConfigError(
            f"there is no profile {wanted!r}",
            advice=f"the profiles are: {known}; add one to config.toml under [profiles.{wanted}]",
        )


def sdk_profiles() -> list[str]:
    """The SDK's own profiles (``configs/NAME.json`` in its folder), as names that ``Config.profile`` takes."""
    given = os.environ.get("ANTHROPIC_CONFIG_DIR")
    folder = (Path(given) if given else paths.expanded("~/.config/anthropic")) / "configs"
    try:
        return sorted(SDK_PREFIX + path.stem for path in folder.glob("*.json"))
    except OSError:
        return []


def config_path() -> Path:
    """Where config.toml lies."""
    return paths.config_dir() / "config.toml"


def load_config(path: Path | None = None) -> Config:
    """Read config.toml; a missing file is the defaults.  Raises ConfigError with the place."""
    where = path or config_path()
    try:
        text = plainfile.read_text(where, MAX_CONFIG)
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(where, error) from error
    return parse_config(text, where)


def _unreadable(where: Path, error: OSError | UnicodeDecodeError) -> ConfigError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else error
    return ConfigError(f"{where} can't be read: {why}", advice="fix or remove the file")


def parse_config(text: str, where: Path) -> Config:
    """What the text of a config.toml says; ``where`` is named in complaints.  Raises ConfigError with the line."""
    if all(not line or line.startswith("#") for line in text.splitlines()):
        return Config()
    import tomllib

    try:
        raw = tomltext.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: {error}", advice="fix that line") from error
    except RecursionError as error:
        raise ConfigError(f"{where}: nested too deeply", advice="fix or remove the file") from error
    except (ValueError, ArithmeticError) as error:
        # A number of thousands of digits is valid TOML, and Python does not read it.
        raise ConfigError(f"{where}: a number in it can't be read", advice="fix or remove the file") from error
    warnings = tuple(
        f"{where}:{_line_of(text, key)}: unknown setting {key!r} is ignored{_hint(key, known)}"
        for key, known in _unknown(raw)
    )
    try:
        for name, values in _tables(raw).items():
            section = f"profiles.{name}."
            msgspec.convert(values, Profile, strict=False)
        section = ""
        known = {name: value for name, value in raw.items() if name in _known_settings()}
        config = msgspec.convert(known, Config, strict=False)
    except msgspec.ValidationError as error:
        place = section + _path_of(str(error), raw)
        what = f"{place}: {_in_words(str(error))}" if place else _in_words(str(error))
        raise ConfigError(f"{where}:{_line_of(text, place)}: {what}", advice="fix that value") from error
    for place, limit in [("max_cost", config.max_cost)] + [
        (f"profiles.{name}.max_cost", profile.max_cost) for name, profile in config.profiles.items()
    ]:
        if limit is not None and (limit.is_nan() or limit < 0):
            what = f"{place}: expected a number of dollars, not {limit}"
            raise ConfigError(f"{where}:{_line_of(text, place)}: {what}", advice="fix that value")
    _check_rows("prices", config.prices, text, where)
    _check_rows("models", config.models, text, where)
    settle, bounded = _bounded(config.settle, text, where)
    warnings = (*warnings, *bounded)
    looked_at = ("screen.theme", "screen.columns", *(f"keys.{name}" for name in config.keys))
    lines = {place: line for place in looked_at if (line := _find(text, place))}
    return msgspec.structs.replace(config, settle=settle, warnings=warnings, path=str(where), lines=lines)


def _bounded(settle: Settle, text: str, where: Path) -> tuple[Settle, list[str]]:
    """The settle values within their bounds, and a warning for each that was not."""
    held: dict[str, Any] = {}
    warnings = []
    for name, (least, most) in SETTLE_BOUNDS.items():
        value = getattr(settle, name)
        if least <= value <= most:
            continue
        held[name] = most if value > most else least
        rule = f"at most {most:,}" if value > most else f"at least {least:,}, or a batch could be paid twice"
        place = f"settle.{name}"
        warnings.append(
            f"{where}:{_line_of(text, place)}: {place} must be {rule}: {held[name]:,} is used instead of {value:g}"
        )
    return msgspec.structs.replace(settle, **held), warnings


def _check_rows(section: str, rows: dict[str, dict[str, Any]], text: str, where: Path) -> None:
    """Raise ConfigError with the line of what [prices] or [models] can't hold."""
    if not rows:
        return
    from batchtui.domain.model_rules import load_rules
    from batchtui.domain.money import load_prices

    for model, row in rows.items():
        try:
            if section == "prices":
                load_prices({model: row})
            else:
                load_rules({model: row})
        except ConfigError as error:
            field = next(
                (name for name in row if re.search(rf"\b{re.escape(name)}\b", str(error).partition(": ")[2])), ""
            )
            line = _find(text, f"{section}.{model}.{field}") or _line_of(text, f"{section}.{model}")
            raise ConfigError(f"{where}:{line}: {error}", advice=error.advice) from error


_SECTIONS: dict[str, type[msgspec.Struct]] = {"limits": Limits, "notify": Notify, "screen": Screen, "settle": Settle}


def _known_settings() -> set[str]:
    return set(Config.__struct_fields__) - {"warnings", "path", "lines"}


def _hint(key: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(key.rpartition(".")[2], list(known), 1)
    return f", did you mean {near[0]!r}?" if near else ""


def _unknown(raw: dict[str, Any]) -> list[tuple[str, Iterable[str]]]:
    """Settings that do not exist, each with those that do in its place."""
    found: list[tuple[str, Iterable[str]]] = [(key, _known_settings()) for key in raw if key not in _known_settings()]
    for section, kind in _SECTIONS.items():
        values = raw.get(section)
        if isinstance(values, dict):
            names = kind.__struct_fields__
            found += [(f"{section}.{key}", names) for key in values if key not in names]
    for name, values in _tables(raw).items():
        names = tuple(field for field in Profile.__struct_fields__ if field != "name")
        found += [(f"profiles.{name}.{key}", names) for key in values if key not in names]
    return found


def _tables(raw: dict[str, Any]) -> dict[str, dict[str, Any]]:
    profiles = raw.get("profiles")
    return (
        {name: values for name, values in profiles.items() if isinstance(values, dict)}
        if isinstance(profiles, dict)
        else {}
    )


def _path_of(message: str, raw: dict[str, Any]) -> str:
    match = re.search(r"at `\$\.?([^`]*)`", message)
    place = match.group(1) if match else ""
    if not place.endswith("[...]"):
        return place
    table = place.removesuffix("[...]")
    kind = str if table == "keys" else dict
    odd = next((name for name, value in raw.get(table, {}).items() if not isinstance(value, kind)), "")
    return f"{table}.{odd}"


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "decimal": "a number",
}


def _in_words(message: str) -> str:
    """What msgspec says of a value, for people."""
    said = message.partition(" - at ")[0]
    got = re.fullmatch(r"Expected `(\w+)(?: \| \w+)*`(?:, got `(\w+)`| (>=|<=) (\S+))", said)
    if got is None:
        return "expected a number" if "decimal" in said else said
    wanted = f"expected {_KINDS.get(got[1], got[1])}"
    if got[2]:
        return f"{wanted}, not {_KINDS.get(got[2], got[2])}"
    return f"{wanted}, {'at least' if got[3] == '>=' else 'at most'} {got[4]}"


def _line_of(text: str, place: str) -> int:
    """The line of a setting such as ``profiles.work.base_url``, 1 when it can't be found."""
    return _find(text, place) or 1


def _find(text: str, place: str) -> int:
    """The line of a setting, 0 when it can't be found; a name may hold dots itself."""
    parts = place.split(".")
    wanted = {".".join(parts[:at]): ".".join(parts[at:]) for at in range(len(parts))}
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            current = header.group(1).replace('"', "").replace("'", "")
            if current == place:
                return number
        elif current in wanted and re.match(rf"\s*[\"']?{re.escape(wanted[current])}[\"']?\s*=", line):
            return number
    return 0
