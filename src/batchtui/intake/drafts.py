"""Drafts: what was composed in the forms and not sent; saved as TOML."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import tomli_w

from batchtui import plainfile, safetext, tomltext
from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.intake.compose import Form
from batchtui.intake.options import RunChoice, TableOptions
from batchtui.store.files import atomic, explain, make_private_dir

FOLDER = "drafts"
MAX_DRAFT = 16_000_000
"""Bytes of a draft's file."""


class BegunDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Of a form that was opened with a run: which of its rows are meant."""

    source: str = ""
    """The source as it was filled in; the rest holds while it stands there."""
    choice: RunChoice = RunChoice()
    again: str = ""
    """Local id of the run that is made again, "" for none."""
    files: bool = False
    """True when the files it was made from can be read again."""
    words: str = ""
    other_words: str = ""
    """Which rows are meant, in words, while the source stands and once it was changed."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the new screen holds."""

    name: str
    """Of its file, without the ending."""
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
    reread: bool = False
    """True when the run that is made again is read from its files."""
    default_model: str = ""
    forms: tuple[Form, ...] = ()
    mode: Literal["", "files", "write"] = ""
    """Which side of the screen was shown; "" in drafts of batchtui 0.1.0."""
    requests: int | None = None
    """Requests of the last check without an error; None when there was none."""
    begun: BegunDraft = BegunDraft()

    @property
    def composing(self) -> bool:
        """True when composed requests were shown, and not a source."""
        return self.mode == "write" if self.mode else bool(self.forms and not self.sources)

    def same_as(self, other: Draft | None) -> bool:
        """True when both hold the same, whenever they were saved."""
        return other is not None and msgspec.structs.replace(self, saved_at=other.saved_at) == other


class UnreadableDraft(msgspec.Struct, frozen=True):
    """A draft's file that can't be read."""

    name: str
    problem: str


WORDS = 6
"""Words that name a draft."""
MOST_LISTED = 200
"""Drafts that a list reads, the latest ones."""


def first_words(draft: Draft) -> str:
    """The first words of a draft: of its title, the composed text, its template's prompt, or its source's name."""
    composed = (turn.text for form in draft.forms for turn in form.turns)
    source = Path(draft.sources[0]).stem if draft.sources else ""
    texts = (draft.title, *(composed if draft.composing else ()), _prompt(draft.template_text), *composed, source)
    text = next((text for text in texts if text.strip()), "")
    return " ".join(text.split(maxsplit=WORDS)[:WORDS])[:60]


def models_of(draft: Draft) -> tuple[str, ...]:
    """The models a draft names, each once."""
    if draft.composing:
        return tuple(dict.fromkeys(form.model for form in draft.forms if form.model))
    model = draft.default_model or _decoded(draft.template_text).get("model")
    return (model,) if isinstance(model, str) and model else ()


def name_for(draft: Draft, today: date, taken: Sequence[str]) -> str:
    """A free name for a draft's file: the date and the draft's first words."""
    stem = safetext.filename(f"{today:%Y-%m-%d}-{first_words(draft)}", 50)
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return name


def _prompt(template: str) -> str:
    found = _decoded(template)
    messages = found.get("messages")
    turns = [turn.get("content") for turn in messages if isinstance(turn, dict)] if isinstance(messages, list) else []
    texts = [each for each in (found.get("prompt"), *turns, found.get("system")) if isinstance(each, str)]
    return next((text for text in texts if text.strip()), "")


def _decoded(template: str) -> dict[str, Any]:
    try:
        return msgspec.toml.decode(template, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}


def _told(value: Any) -> Any:
    """A value without what is None, which TOML can't say."""
    if isinstance(value, dict):
        return {key: _told(each) for key, each in value.items() if each is not None}
    return value


def _path(data: Path, name: str) -> Path:
    """A draft's file; a name that was given by hand holds what ours never do."""
    given = data / FOLDER / f"{name}.toml"
    listed = "/" not in name and not name.startswith(".") and os.path.lexists(given)
    return given if listed else data / FOLDER / f"{safetext.filename(name)}.toml"


def save_draft(data: Path, draft: Draft, *, replace: bool = True) -> Path:
    """Write a draft whole, in place of the one of the same name; raises StoreError.

    Without ``replace`` the name has to be free: raises FileExistsError when another program took it.
    """
    make_private_dir(data / FOLDER)
    path = _path(data, draft.name)
    kept = msgspec.structs.replace(draft, name=path.stem, saved_at=datetime.now(UTC).replace(microsecond=0))
    text = tomli_w.dumps(_told(msgspec.to_builtins(kept, builtin_types=(datetime,))))
    with atomic(path, replace=replace) as file:
        file.write(text.encode("utf-8", "replace"))
    return path


Stamp: TypeAlias = tuple[int, int, int]
"""Of a draft's file as it was written: another after every save."""


def stamp_of(data: Path, name: str) -> Stamp | None:
    """The stamp of a draft's file, None when there is none."""
    try:
        found = _path(data, name).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def keep_draft(data: Path, draft: Draft, stamp: Stamp | None) -> tuple[Draft, Stamp | None]:
    """Save a draft: under its name while its file has this stamp or is gone, else under a free one.

    Two programs may have opened the same draft: neither writes over what the other saved.  Returns it as it is named, and
    its new stamp; raises StoreError.
    """
    now = stamp_of(data, draft.name) if draft.name else None
    if draft.name and now in (None, stamp):
        save_draft(data, draft)
        return draft, stamp_of(data, draft.name)
    taken = [*list_drafts(data)]
    while True:
        draft = msgspec.structs.replace(draft, name=name_for(draft, datetime.now(UTC).date(), taken))
        try:
            save_draft(data, draft, replace=False)
            return draft, stamp_of(data, draft.name)
        except FileExistsError:
            # Another program's of just now, or a link to nothing, which is no draft.
            taken.append(draft.name)


def load_draft(data: Path, name: str) -> Draft:
    """A draft by its name; raises InputError when there is none or it can't be read."""
    path = _path(data, name)
    try:
        found = tomltext.decode(plainfile.read_text(path, MAX_DRAFT), Draft)
        saved_at = found.saved_at or datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        # The file's name is the draft's, also of one that was copied or renamed by hand.
        return msgspec.structs.replace(found, name=path.stem, saved_at=saved_at)
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
    files: list[tuple[int, str]] = []
    with contextlib.suppress(OSError):
        for file in (data / FOLDER).glob("*.toml"):
            if not file.name.startswith("."):
                # A link to nothing, or one that another program has just deleted, hides no other.
                with contextlib.suppress(OSError):
                    files.append((file.stat().st_mtime_ns, file.stem))
    return tuple(name for _, name in sorted(files, reverse=True))


def read_drafts(data: Path, most: int = MOST_LISTED) -> tuple[Draft | UnreadableDraft, ...]:
    """The ``most`` latest drafts, latest first."""
    found: list[Draft | UnreadableDraft] = []
    for name in list_drafts(data)[:most]:
        try:
            found.append(load_draft(data, name))
        except BatchtuiError as bad:
            found.append(UnreadableDraft(name, str(bad)))
    return tuple(found)


def delete_draft(data: Path, name: str) -> None:
    """Remove a draft, if it is there; raises StoreError."""
    path = _path(data, name)
    try:
        path.unlink(missing_ok=True)
    except OSError as bad:
        raise explain(bad, f"can't remove {path}") from bad
