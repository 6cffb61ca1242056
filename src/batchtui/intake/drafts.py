"""What was composed and not sent yet: one TOML file a draft, under ``<data>/drafts``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import tomli_w

from batchtui import plainfile, safetext
from batchtui.domain.errors import InputError
from batchtui.store.files import explain, make_private_dir, write_atomic

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
    template_path: str = ""
    template_text: str = ""
    cache_prefix: bool = False
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
        return msgspec.toml.decode(plainfile.read(path, MAX_DRAFT), type=Draft)
    except plainfile.TooLarge as bad:
        raise InputError(
            f"{path} is too large for a draft", advice="remove it, or load its template from a file"
        ) from bad
    except FileNotFoundError as bad:
        raise InputError(
            f"there is no draft {safetext.line(name, 60)}", advice="choose one from the list of drafts"
        ) from bad
    except OSError as bad:
        raise explain(bad, f"can't read {path}") from bad
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as bad:
        raise InputError(
            f"{path} can't be read: {safetext.line(str(bad), 200)}", advice="mend it in an editor, or remove it"
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
