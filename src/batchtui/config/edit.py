"""Changes one setting of ``config.toml`` in place: comments, order and everything unknown stay as they were.

Not by tomlkit, which can't turn a commented line of the first config.toml into the setting, or a removed one into a comment.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from batchtui import plainfile
from batchtui.config.load import MAX_CONFIG, SETTLE_BOUNDS, Config, config_path, parse_config
from batchtui.domain.errors import ConfigError, InputError
from batchtui.store import files

Kind = Literal["switch", "count", "money", "text", "theme", "profile"]
BY_HAND = "open config.toml in your editor instead"


class Setting(msgspec.Struct, frozen=True):
    """One simple setting; ``place`` is its path in the file."""

    place: str
    kind: Kind
    meaning: str
    restart: bool = False
    """True when it takes effect at the next start only."""

    @property
    def section(self) -> str:
        """The table it stands in, "" for none."""
        return self.place.rpartition(".")[0]

    @property
    def key(self) -> str:
        """Its name in the table."""
        return self.place.rpartition(".")[2]


SETTINGS = (
    Setting("default_profile", "profile", "the profile that batchtui starts with", restart=True),
    Setting("max_cost", "money", "dollars; a plan that may cost more is not sent"),
    Setting("limits.max_requests", "count", "requests per batch; more are split"),
    Setting("limits.max_bytes", "count", "bytes per batch; more are split"),
    Setting("limits.queue", "count", "requests in the processing queue; 0: no limit"),
    Setting("notify.bell", "switch", "ring the bell when a batch ends"),
    Setting("notify.terminal", "switch", "the terminal's own notification (OSC 9, OSC 777)"),
    Setting("notify.on_end", "text", "a command; it gets the record as JSON on standard input"),
    Setting("screen.theme", "theme", "colors; ansi uses the terminal's own"),
    Setting("screen.ascii", "switch", "draw with ASCII only"),
    Setting("screen.copy_raw", "switch", "copy answers as received, with control characters"),
    Setting("screen.mouse", "switch", "off leaves selecting text to the terminal", restart=True),
    Setting("settle.looks", "count", "checks until an unconfirmed batch counts as not created"),
    Setting("settle.seconds", "count", "seconds these checks take at least"),
    Setting("settle.leeway_seconds", "count", "seconds that the API's clock may differ from yours"),
)
"""What can be changed here, in the order of the file."""


def value_of(config: Config, setting: Setting) -> Any:
    """A setting's present value."""
    value: Any = config
    for name in setting.place.split("."):
        value = getattr(value, name)
    return value


def parse_value(setting: Setting, typed: str) -> Any:
    """What was typed, as the setting's kind of value; None (empty) takes the setting away.  Raises InputError."""
    text = typed.strip()
    if not text:
        return None
    if setting.kind == "count":
        digits = text.replace(",", "").replace("_", "")
        if not digits.isdecimal() or len(digits) > 15:
            raise InputError(f"{setting.key} takes a whole number", advice=f"{setting.meaning}")
        return _within(setting, int(digits))
    if setting.kind == "money":
        if not re.fullmatch(r"\$?\d{1,12}(\.\d{1,6})?", text):
            raise InputError(f"{setting.key} takes dollars", advice="for example 25 or 7.50; empty: no limit")
        return Decimal(text.lstrip("$"))
    return text


def _within(setting: Setting, value: int) -> int:
    bounds = SETTLE_BOUNDS.get(setting.key) if setting.section == "settle" else None
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        raise InputError(f"{setting.key} takes {bounds[0]:,} to {bounds[1]:,}", advice=setting.meaning)
    return value


def change(setting: Setting, value: Any, path: Path | None = None) -> Config:
    """Write one value (None: take it away, the default holds) into config.toml and return what the file says now.

    The file is replaced whole, 0600; a link to it stays a link.  Raises ConfigError when the file can't be read, holds an
    error, or writes that setting in a way that one line can't change; nothing is written then.
    """
    where = (path or config_path()).resolve()
    try:
        text = plainfile.read_text(where, MAX_CONFIG)
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ConfigError(f"{where} can't be read: {why}", advice="fix or remove the file") from error
    parse_config(text, where)
    fresh = edited(text, setting.place, value)
    config = parse_config(fresh, where)
    files.make_private_dir(where.parent)
    files.write_atomic(where, fresh.encode())
    return config


def edited(text: str, place: str, value: Any) -> str:
    """The file's text with one setting changed; raises ConfigError when that needs more than a line."""
    before = tomllib.loads(text, parse_float=Decimal)
    wanted = _with(before, place.split("."), value)
    if wanted == before:
        return text
    for attempt in (_replaced, _uncommented, _inserted):
        fresh = attempt(text, place, value)
        if fresh is None:
            continue
        try:
            if tomllib.loads(fresh, parse_float=Decimal) == wanted:
                return fresh
        except tomllib.TOMLDecodeError:
            continue
    raise ConfigError(f"{place} stands in config.toml in a form that can't be changed here", advice=BY_HAND)


def _with(tree: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    name, rest = path[0], path[1:]
    if not rest:
        others = {key: each for key, each in tree.items() if key != name}
        return others if value is None else {**tree, name: value}
    inner = tree.get(name, {})
    if value is None and name not in tree:
        return tree
    return {**tree, name: _with(inner if isinstance(inner, dict) else {}, rest, value)}


def _split(place: str) -> tuple[str, str]:
    section, _, key = place.rpartition(".")
    return section, key


def _line(key: str, value: Any) -> str:
    import tomli_w

    return tomli_w.dumps({key: value}).rstrip("\n")


_HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+")


def _rows(text: str) -> list[str]:
    """The lines as TOML has them: a string may hold other characters that end lines elsewhere."""
    return text.removesuffix("\n").split("\n") if text else []


def _lines(text: str) -> list[tuple[str, str]]:
    """Each line with the table it stands in."""
    found, current = [], ""
    for line in _rows(text):
        header = _HEADER.match(line)
        if header:
            current = header.group(1).replace('"', "").replace("'", "").replace(" ", "")
        found.append((line, current))
    return found


def _replaced(text: str, place: str, value: Any) -> str | None:
    """The setting's own line with another value, its comment kept; without a value it becomes a comment."""
    section, key = _split(place)
    own = re.compile(rf"(\s*)[\"']?{re.escape(key)}[\"']?\s*=\s*(.*?)\s*\Z")
    lines = []
    done = False
    for line, here in _lines(text):
        match = own.match(line) if here == section and not done else None
        if match is None:
            lines.append(line)
            continue
        done = True
        lines.append(f"# {line.strip()}" if value is None else match[1] + _line(key, value) + _comment(match[2]))
    return "\n".join(lines) + "\n" if done else None


def _comment(rest: str) -> str:
    """The comment behind a value, with the space before it."""
    bare = re.sub(r"\"(?:\\.|[^\"\\])*\"|'[^']*'", lambda match: "x" * len(match.group()), rest)
    at = bare.find("#")
    return f"{rest[len(rest[:at].rstrip()) : at]}{rest[at:]}" if at >= 0 else ""


def _uncommented(text: str, place: str, value: Any) -> str | None:
    """The setting's commented line, and its table's commented header, made true."""
    section, key = _split(place)
    if value is None:
        return None
    own = re.compile(rf"#\s*{re.escape(key)}\s*=\s*(.*?)\s*\Z")
    header = re.compile(rf"#\s*\[\s*{re.escape(section)}\s*\](.*)\Z")
    other = re.compile(r"#?\s*\[")
    lines, current, done = _rows(text), "", False
    for number, line in enumerate(lines):
        if section and header.match(line):
            current, lines[number] = section, f"[{section}]{header.match(line)[1]}"  # type: ignore[index]
        elif other.match(line.lstrip()):
            found = _HEADER.match(line)
            current = found.group(1).replace('"', "") if found else "#"
        elif current == section and (match := own.match(line)):
            lines[number] = _line(key, value) + _comment(match[1])
            done = True
            break
    return "\n".join(lines) + "\n" if done else None


def _inserted(text: str, place: str, value: Any) -> str | None:
    """A new line below the table's header, or a new table at the end; a setting of no table goes first."""
    section, key = _split(place)
    new = _line(key, value)
    lines = _rows(text)
    if not section:
        at = next((n for n, line in enumerate(lines) if re.match(r"\s*(#\s*)?\[", line)), len(lines))
        return "\n".join([*lines[:at], new, *([""] if lines[at:] else []), *lines[at:]]) + "\n"
    for number, (line, here) in enumerate(_lines(text)):
        if here == section and _HEADER.match(line) and not line.lstrip().startswith("[["):
            return "\n".join([*lines[: number + 1], new, *lines[number + 1 :]]) + "\n"
    return "\n".join([*lines, *([""] if lines else []), f"[{section}]", new]) + "\n"
