"""Drafts: what was composed in the forms and not sent, and how a form becomes a request; saved as TOML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from batchtui import plainfile, safetext, tomltext
from batchtui.domain.errors import InputError
from batchtui.domain.money import PriceTable
from batchtui.domain.plan import Problem
from batchtui.intake.model_limits import ModelCatalog
from batchtui.intake.options import IntakeOptions, TableOptions
from batchtui.intake.problems import Found, error
from batchtui.intake.rules import check_custom_id, check_params
from batchtui.intake.wording import kind_of, quoted
from batchtui.store.files import explain, make_private_dir, write_atomic

_FORM = ("model", "max_tokens", "system", "messages")


def request_from_form(
    *,
    custom_id: str,
    model: str,
    max_tokens: str,
    system: str = "",
    turns: Sequence[tuple[str, str]] = (),
    extra_json: str = "",
    options: IntakeOptions,
    prices: PriceTable,
) -> tuple[bytes | None, tuple[Problem, ...]]:
    """A request as a JSON line (None when the form makes none), and what is wrong, each ``where`` naming its field.

    ``turns`` are (role, text); ``extra_json`` is an object of more params, its faults placed as ``extra:line:column``.
    """
    problems: list[Problem] = []

    def note(found: Found, where: str) -> None:
        problems.append(
            Problem(code=found.code, level=found.level, where=where, custom_id=custom_id, message=found.text)
        )

    extra = _extra(extra_json, note)
    params: dict[str, Any] = {"model": model.strip(), "max_tokens": _whole_number(max_tokens)}
    if system.strip():
        params["system"] = system
    params["messages"] = [{"role": role, "content": text} for role, text in turns]
    params.update(extra)
    for found in check_custom_id(custom_id):
        note(found, "custom_id")
    for found in check_params(params, ModelCatalog(options, prices), options.api_version, options.betas):
        note(found, _field_of(found, extra))
    if any(problem.level == "error" for problem in problems):
        return None, tuple(problems)
    try:
        return msgspec.json.encode({"custom_id": custom_id, "params": params}), tuple(problems)
    except UnicodeEncodeError:
        note(error("utf8", "the text holds half a character (a lone surrogate): type it again"), "turns")
        return None, tuple(problems)


def _extra(text: str, note: Any) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as bad:
        note(error("json", f"not valid JSON: {bad.msg}"), f"extra:{bad.lineno}:{bad.colno}")
        return {}
    except (ValueError, RecursionError):
        note(error("json", "not valid JSON: a number that is too large, or too many brackets"), "extra")
        return {}
    if not isinstance(value, dict):
        note(error("json", f"expected an object, not {kind_of(value)}"), "extra")
        return {}
    for name in _FORM:
        if name in value:
            note(error("form_field", f"{quoted(name)} has a field of its own in the form"), "extra")
            del value[name]
    return value


def _whole_number(text: str) -> object:
    plain = text.strip().replace(",", "").replace("_", "")
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 12 else text


def _field_of(found: Found, extra: dict[str, Any]) -> str:
    """The form's field a problem belongs to, from the problem's code."""
    code = found.code
    if code.startswith("max_tokens"):
        return "max_tokens"
    if code.startswith("model"):
        return "model"
    if code == "system":
        return "system"
    if code.startswith(("message", "content", "role", "first_role", "prefill", "tool_pairing")):
        return "turns"
    return "extra" if extra else "turns"


FOLDER = "drafts"
MAX_DRAFT = 8_000_000
"""Bytes of a draft's file."""


class Turn(msgspec.Struct, frozen=True):
    """One turn of a composed request."""

    role: str = "user"
    text: str = ""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """One composed request."""

    custom_id: str = "request-1"
    model: str = ""
    max_tokens: str = "1024"
    system: str = ""
    turns: tuple[Turn, ...] = (Turn(),)
    extra_json: str = ""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the new screen holds."""

    name: str
    saved_at: datetime | None = None
    title: str = ""
    sources: tuple[str, ...] = ()
    format: str = ""
    table: TableOptions = TableOptions()
    template_path: str = ""
    template_text: str = ""
    cache_prefix: bool = False
    close_schemas: bool = False
    skip_bad: bool = False
    default_model: str = ""
    forms: tuple[Form, ...] = ()


def save_draft(data: Path, draft: Draft) -> Path:
    """Write a draft whole, in place of the one of the same name; raises StoreError."""
    folder = make_private_dir(data / FOLDER)
    name = safetext.filename(draft.name)
    kept = msgspec.structs.replace(draft, name=name, saved_at=datetime.now(UTC).replace(microsecond=0))
    text = tomli_w.dumps(
        {key: value for key, value in msgspec.to_builtins(kept, builtin_types=(datetime,)).items() if value is not None}
    )
    path = folder / f"{name}.toml"
    write_atomic(path, text.encode("utf-8", "replace"))
    return path


def load_draft(data: Path, name: str) -> Draft:
    """A draft by its name; raises InputError when there is none or it can't be read."""
    path = data / FOLDER / f"{safetext.filename(name)}.toml"
    try:
        return tomltext.decode(plainfile.read_text(path, MAX_DRAFT), Draft)
    except plainfile.FileTooLarge as bad:
        raise InputError(
            f"{path} is too large for a draft", advice="remove it, or load its template from a file"
        ) from bad
    except FileNotFoundError as bad:
        raise InputError(
            f"there is no draft {safetext.line(name, 60)}", advice="choose one from the list of drafts"
        ) from bad
    except OSError as bad:
        raise explain(bad, f"can't read {path}") from bad
    except (msgspec.MsgspecError, ValueError, RecursionError) as bad:
        raise InputError(
            f"{path} can't be read: {safetext.line(str(bad), 200)}", advice="fix it in an editor, or remove it"
        ) from bad


def list_drafts(data: Path) -> tuple[str, ...]:
    """Names of the drafts there are, latest first."""
    try:
        files = [
            (file.stat().st_mtime_ns, file.stem)
            for file in (data / FOLDER).glob("*.toml")
            if not file.name.startswith(".")
        ]
    except OSError:
        return ()
    return tuple(name for _, name in sorted(files, reverse=True))


def delete_draft(data: Path, name: str) -> None:
    """Remove a draft, if it is there; raises StoreError."""
    path = data / FOLDER / f"{safetext.filename(name)}.toml"
    try:
        path.unlink(missing_ok=True)
    except OSError as bad:
        raise explain(bad, f"can't remove {path}") from bad
