"""Requests to send again: which, changed how, and what that changes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from batchtui.domain.errors import InputError
from batchtui.domain.work import UNWATCHED, Work
from batchtui.results.filter import Filter, Term, apply
from batchtui.results.view import Rows, View
from batchtui.store import files

NOT_SUCCEEDED = ("errored", "expired", "canceled", "missing")
"""What is sent again when nothing else is asked for."""
ONLY = (*NOT_SUCCEEDED, "unknown", "unreadable", "cut_short")
"""What can be asked for."""


class Written(msgspec.Struct, frozen=True):
    """What ``write_requests`` did."""

    requests: int
    custom_ids: tuple[str, ...]
    without: tuple[str, ...]
    """Ids whose request is not here (made elsewhere), so that it can't be sent again."""


def choose(view: View, only: Iterable[str] = NOT_SUCCEEDED, *, custom_ids: Iterable[str] | None = None) -> Rows:
    """The rows to send again: those in one of the states ``only``, or exactly these custom_ids.  Raises InputError."""
    if custom_ids is not None:
        wanted = set(custom_ids)
        return array("I", (row for row, custom_id in enumerate(view.ids()) if custom_id in wanted))
    passed: set[int] = set()
    for state in only:
        name = state.replace("-", "_")
        if name not in ONLY:
            raise InputError(f"{state} can't be retried", advice=f"one of {', '.join(ONLY)}")
        passed.update(apply(view, Filter(terms=(Term("is", ":", name),))))
    return array("I", sorted(passed))


def write_requests(
    view: View,
    rows: Sequence[int],
    dest: Path,
    changes: Mapping[str, str] | None = None,
    work: Work = UNWATCHED,
) -> Written:
    """Write the rows' requests to a file, one a line, changed by ``changes``; each custom_id once.

    Unchanged ones are byte for byte as they were sent.  Raises InputError for a change that can't be made, StoreError,
    and Stopped.
    """
    prepared = prepare(changes or {})
    written: dict[str, None] = {}
    without: dict[str, None] = {}
    with files.atomic(dest) as out:
        for number, row in enumerate(rows):
            work.check("the retry was stopped; nothing was sent")
            work.tell("collecting requests", number, len(rows), "requests")
            custom_id = view.id(row)
            if custom_id in written or custom_id in without:
                continue
            raw = view.request_raw(row)
            if raw is None:
                without[custom_id] = None
                continue
            out.write(changed(raw, prepared) if prepared else raw)
            out.write(b"\n")
            written[custom_id] = None
    return Written(len(written), tuple(written), tuple(without))


class Change(msgspec.Struct, frozen=True):
    """One change, ready to be made."""

    path: tuple[str, ...]
    value: Any
    remove: bool = False

    @property
    def name(self) -> str:
        """The path as it is written."""
        return ".".join(self.path)


def prepare(changes: Mapping[str, str]) -> tuple[Change, ...]:
    """Read KEY=VALUE changes: a dotted path into params (list items by number), and JSON, else the text itself.

    An empty value takes the parameter out.  Raises InputError.
    """
    found = []
    for key, text in changes.items():
        path = tuple(key.removeprefix("params.").split("."))
        if not all(path) or path == ("custom_id",):
            raise InputError(
                f"{key or 'nothing'} is not a parameter that can be set",
                advice="write --set max_tokens=2048, or --set thinking.type=disabled",
            )
        value: Any = text
        try:
            value = msgspec.json.decode(text) if text else None
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            value = text
        found.append(Change(path, value, remove=not text))
    return tuple(found)


class _Request(msgspec.Struct):
    custom_id: str
    params: dict[str, msgspec.Raw]


_decode = msgspec.json.Decoder(_Request).decode


def changed(raw: bytes, changes: Sequence[Change]) -> bytes:
    """A request line with the changes made; parameters that are not named keep their bytes.  Raises InputError."""
    request = _read(raw)
    for change in changes:
        head, rest = change.path[0], change.path[1:]
        if not rest:
            if change.remove:
                request.params.pop(head, None)
            else:
                request.params[head] = msgspec.Raw(msgspec.json.encode(change.value))
            continue
        held = request.params.get(head)
        if held is None and change.remove:
            continue
        value = _value(held) if held is not None else {}
        _put(value, rest, change)
        request.params[head] = msgspec.Raw(msgspec.json.encode(value))
    return msgspec.json.encode(request)


def difference(raw: bytes, changes: Mapping[str, str]) -> list[str]:
    """What the changes do to one request, as lines that begin with ``-`` (before) or ``+`` (after).

    Text in them is not yet safe to show.  Raises InputError.
    """
    prepared = prepare(changes)
    before, after = _read(raw).params, _read(changed(raw, prepared)).params
    lines = []
    for change in prepared:
        old, new = _at(before, change.path), _at(after, change.path)
        if old == new:
            lines.append(f"  {change.name}: {old if old is not None else '(not set)'} (no change)")
            continue
        if old is not None:
            lines.append(f"- {change.name}: {old}")
        if new is not None:
            lines.append(f"+ {change.name}: {new}")
    return lines


def _read(raw: bytes) -> _Request:
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InputError("a request can't be read to be changed", advice="retry it as is") from error


def _value(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InputError("a parameter can't be read to be changed", advice="set the whole parameter") from error


def _put(value: Any, path: Sequence[str], change: Change) -> None:
    here = value
    for step in path[:-1]:
        here = _step(here, step, change, make=not change.remove)
        if here is None:
            return
    last = path[-1]
    if isinstance(here, dict):
        if change.remove:
            here.pop(last, None)
        else:
            here[last] = change.value
    elif isinstance(here, list) and last.isdecimal() and int(last) < len(here):
        if change.remove:
            del here[int(last)]
        else:
            here[int(last)] = change.value
    else:
        raise _no_place(change)


def _step(here: Any, step: str, change: Change, *, make: bool) -> Any:
    if isinstance(here, dict):
        return here.setdefault(step, {}) if make else here.get(step)
    if isinstance(here, list) and step.isdecimal() and int(step) < len(here):
        return here[int(step)]
    raise _no_place(change)


def _no_place(change: Change) -> InputError:
    return InputError(
        f"{change.name} can't be set: its parent is not an object and has no such item",
        advice="look at a request's JSON for the right path",
    )


def _at(params: Mapping[str, msgspec.Raw], path: Sequence[str]) -> str | None:
    """The value at a path as compact JSON; None when nothing is there."""
    held = params.get(path[0])
    if held is None:
        return None
    value = _value(held)
    for step in path[1:]:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return msgspec.json.encode(value).decode()
