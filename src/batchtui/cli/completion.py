"""Shell completion: batches, profiles, help topics, faults, files.  Nothing here is sent or changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from batchtui import paths, safetext

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_MOST = 200
"""Batches offered, the newest first."""


def ids(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Ids of batches: local ones, the API's once that much was typed, and ``last``."""
    return list(starting(begun, _batches(ctx, begun)))


def _batches(ctx: click.Context, begun: str) -> Iterator[tuple[str, str]]:
    from batchtui.store.records import History

    yield "last", "the newest run"
    before = ctx.parent.params if ctx.parent else {}
    given = {**before, **{name: value for name, value in ctx.params.items() if value}}
    data = paths.data_dir(given.get("data_dir"))
    history = History(paths.demo_dir(data) if given.get("demo") else data)
    for record in history.all()[:_MOST]:
        words = safetext.line(f"{record.title or record.source} {record.status}", 60)
        yield record.local_id, words
        if record.id and begun.startswith("msgbatch"):
            yield record.id, words


def profiles(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Profiles of config.toml, and the SDK's own."""
    return list(starting(begun, _profiles()))


def _profiles() -> Iterator[tuple[str, str]]:
    from batchtui.config.load import load_config, sdk_profiles

    yield "default", ""
    for name, profile in load_config().profiles.items():
        yield name, safetext.line(profile.workspace or profile.base_url, 60)
    for name in sdk_profiles():
        yield name, "one of the SDK's own"


def faults(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """How the demo server can misbehave."""
    from batchtui.demo.faults import KINDS

    return list(starting(begun, ((name, kind.does) for name, kind in KINDS.items())))


def files(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Files and folders, by the shell itself."""
    return [_item(begun, type="file")]


def folders(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Folders, by the shell itself."""
    return [_item(begun, type="dir")]


def _item(value: str, type: str = "plain", help: str | None = None) -> CompletionItem:
    # Every start of the program comes by here, a completion does not.
    from click.shell_completion import CompletionItem

    return CompletionItem(value, type, help)


def starting(begun: str, offers: Iterable[tuple[str, str]]) -> Iterator[CompletionItem]:
    """Those that go on from what was typed; what can't be read now is not offered, and no shell is bothered with why."""
    with contextlib.suppress(Exception):
        for value, words in offers:
            if value.startswith(begun):
                yield _item(value, help=words or None)
