"""doctor: what a bug report needs, without a key or a name in it."""

from __future__ import annotations

import importlib.metadata
import locale
import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime

from batchtui import paths, safetext
from batchtui.cli.output import print_json
from batchtui.cli.session import Session, verb
from batchtui.config.load import config_path
from batchtui.domain.errors import BatchtuiError
from batchtui.paths import expanded
from batchtui.present import numbers
from batchtui.service import Service

Check = tuple[str, str, str]
"""ok, warning or error; what was looked at; what was found."""


@verb("doctor")
def doctor_(session: Session) -> int:
    """Check key, network, clock, terminal, tmux, data folder and versions. Safe to paste in a bug report."""
    checks: list[Check] = [*_versions(), *_terminal(), *_tmux()]
    try:
        service = session.service()
    except BatchtuiError as error:
        checks.append(("error", "settings", f"{error}; {error.advice}"))
        checks += _store(Service(session.data))
        # Without the settings it isn't sure which key is for which address, so none is sent anywhere.
        checks.append(("warning", "API", "not checked: the settings can't be read"))
    else:
        checks += [*_config(service), *_store(service), *session.run(lambda: _network(service), service)]
    if session.json:
        print_json([{"level": level, "what": what, "found": _plain(found)} for level, what, found in checks])
    else:
        signs = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}
        for level, what, found in checks:
            print(f"{signs[level]}  {what:<12} {safetext.line(_plain(found), 400)}")
    return 3 if any(level == "error" for level, _, _ in checks) else 0


def _plain(text: str) -> str:
    """Text without the person's home folder."""
    home = str(expanded("~"))
    return text.replace(home, "~") if len(home) > 1 else text


def _versions() -> list[Check]:
    found = [f"python {platform.python_version()}"]
    for name in ("batchtui", "textual", "anthropic", "msgspec", "httpx2"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    return [("ok", "versions", ", ".join(found)), ("ok", "system", f"{platform.system()} {platform.machine()}")]


def _terminal() -> list[Check]:
    size = shutil.get_terminal_size()
    term = os.environ.get("TERM", "")
    checks: list[Check] = [
        ("ok", "terminal", f"TERM={term} COLORTERM={os.environ.get('COLORTERM', '')} {size.columns}×{size.lines}"),
    ]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        checks.append(("warning", "terminal", "not a terminal: the screen can't open here; the verbs work"))
    if size.columns < 60 or size.lines < 20:
        checks.append(("warning", "terminal", "smaller than 60×20: the screen will be cramped"))
    encoding = locale.getpreferredencoding(False)
    if encoding.lower().replace("-", "") != "utf8":
        advice = "set LANG to a UTF-8 locale, or ascii = true under [screen]"
        checks.append(("warning", "locale", f"{encoding}: boxes and bars need UTF-8; {advice}"))
    else:
        checks.append(("ok", "locale", encoding))
    if os.environ.get("NO_COLOR"):
        checks.append(("ok", "color", "NO_COLOR is set: the screen uses no colors"))
    return checks


def _tmux() -> list[Check]:
    if not os.environ.get("TMUX"):
        return []
    checks: list[Check] = []
    for option, wanted, why in (
        ("set-clipboard", ("on", "external"), "copying (OSC 52) does not reach the clipboard"),
        ("allow-passthrough", ("on", "all"), "notifications do not reach the outer terminal"),
    ):
        try:
            done = subprocess.run(
                ["tmux", "show", "-gv", option], capture_output=True, text=True, timeout=5, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return [("warning", "tmux", "can't be read")]
        value = done.stdout.strip()
        ok = value in wanted
        checks.append(
            (
                "ok" if ok else "warning",
                "tmux",
                f"{option} {value or 'unset'}" + ("" if ok else f": {why}; set -g {option} on"),
            )
        )
    return checks


def _config(service: Service) -> list[Check]:
    path = config_path()
    checks: list[Check] = [
        ("ok", "config", f"{path} ({'found' if path.exists() else 'no file: the defaults are used'})")
    ]
    from batchtui.tui import config_check

    said = [*service.config.warnings, *config_check.of(service.config)]
    checks += [("warning", "config", warning) for warning in said]
    profile = service.profile
    source = (
        profile.api_key_env
        or ("api_key_command" if profile.api_key_command else "")
        or profile.sdk_profile
        or "the SDK's own order"
    )
    checks.append(("ok", "profile", f"{profile.name}: key from {source}, base URL {service.gateway.base_url}"))
    return checks


def _store(service: Service) -> list[Check]:
    data = service.data
    records = service.records()
    checks: list[Check] = [("ok", "data folder", f"{data}: {numbers.plural(len(records), 'batch', 'batches')}")]
    try:
        free = shutil.disk_usage(data if data.exists() else data.parent).free
        checks.append(("ok" if free > 1e9 else "warning", "disk", f"{free / 1e9:,.1f} GB free"))
    except OSError as error:
        checks.append(("warning", "disk", str(error.strerror)))
    if data.exists():
        mode = data.stat().st_mode & 0o777
        if mode & 0o077:
            checks.append(
                ("warning", "data folder", f"mode {mode:o}: others on this machine can read it; chmod 700 it")
            )
        if not os.access(data, os.W_OK):
            checks.append(("error", "data folder", "can't be written"))
    checks += [("warning", "record", f"{path}: {why}") for path, why in service.unreadable()]
    due = sum(1 for r in records if r.results_due)
    if due:
        checks.append(
            (
                "warning",
                "results",
                f"{numbers.plural(due, 'ended batch', 'ended batches')} not downloaded: batchtui sync",
            )
        )
    open_ones = sum(1 for r in records if r.status == "unconfirmed")
    if open_ones:
        checks.append(
            ("warning", "unconfirmed", f"{numbers.plural(open_ones, 'batch', 'batches')}: batchtui sync checks again")
        )
    checks.append(("ok", "cache", str(paths.cache_dir())))
    return checks


async def _models(service: Service) -> list[Check]:
    """Ask for the models, whose limits and capabilities go over the built-in tables, and say how old those are."""
    table = f"built-in prices of {service.prices.updated}"
    try:
        kept = await service.refresh_models()
    except BatchtuiError as error:
        return [("warning", "models", f"{error}; {table}")]
    told = sum(1 for each in kept.models if each.thinking or each.efforts is not None)
    return [("ok", "models", f"{len(kept.models)} listed by the API, {told} with capabilities; {table}")]


async def _network(service: Service) -> list[Check]:
    try:
        started = datetime.now(UTC)
        await service.gateway.page(1)
        took = (datetime.now(UTC) - started).total_seconds()
    except BatchtuiError as error:
        return [("error", "API", f"{error}; {error.advice}")]
    checks: list[Check] = [("ok", "key", "accepted"), ("ok", "API", f"answered in {took * 1000:,.0f} ms")]
    checks += await _models(service)
    off = service.gateway.clock_offset
    if off is not None and abs(off) > 60:
        checks.append(
            (
                "warning",
                "clock",
                f"this machine's clock is {abs(off):,.0f} s {'behind' if off > 0 else 'ahead of'} the API's",
            )
        )
    elif off is not None:
        checks.append(("ok", "clock", "agrees with the API's"))
    return checks
