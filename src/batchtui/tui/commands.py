"""The command palette: every action that is true here, and every batch by name."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from textual.command import CommandInput, CommandPalette, DiscoveryHit, Hit, Hits, Provider, SearchIcon
from textual.markup import escape

from batchtui import __version__, unexpected
from batchtui.domain.batch import BatchRecord
from batchtui.present import batch
from batchtui.tui import bindings
from batchtui.tui.base import DismissOnce, Guard

if TYPE_CHECKING:
    from batchtui.tui.app import BatchtuiApp

_MOVES = frozenset({"down", "up", "page_down", "page_up", "first", "last"})
"""Keys of lists, which come after what does something."""
HOW_TO_REPORT = (
    "To report it, send this text, what you did before, and the output of batchtui doctor. They contain no key, no "
    "request and no answer. batchtui --log FILE writes every unexpected error to a file."
)
MOST_BATCHES = 40
"""Batches shown for one search."""


class Palette(Guard, DismissOnce, CommandPalette):
    """Textual's palette, left once, with a plain sign and a cursor that doesn't blink, which would write for ever."""

    def on_mount(self) -> None:
        self.query_one(CommandInput).cursor_blink = False
        self.query_one(SearchIcon).icon = "/"


class BatchCommands(Provider):
    """Actions of the screen below the palette, and batches: choosing one goes to its row."""

    @property
    def _tui(self) -> BatchtuiApp:
        return cast("BatchtuiApp", self.app)

    def _actions(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        seen, moves = set(), []
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.id or not active.enabled or binding.id in seen or not binding.tooltip:
                continue
            seen.add(binding.id)
            label, tip = bindings.words_of(self.screen, binding)
            name = f"{label[:1].upper()}{label[1:]}  ({bindings.shown(binding)})"
            found = name, tip, _runner(self._tui, binding.action, active.node)
            if binding.id in _MOVES:
                moves.append(found)
            else:
                yield found
        yield from _app_commands(self._tui)
        yield from moves

    async def discover(self) -> Hits:
        """What there is before anything was typed."""
        for name, tip, run in self._actions():
            yield DiscoveryHit(escape(name), run, text=name, help=escape(tip))

    async def search(self, query: str) -> Hits:
        """Actions and batches that match."""
        matcher = self.matcher(query)
        wanted = query.casefold().strip()
        for name, tip, run in self._actions():
            # Letters scattered over a whole sentence say nothing: a tip must hold what was typed.
            score = max(matcher.match(name), 0.8 if wanted in tip.casefold() else 0.0)
            if score > 0:
                yield Hit(score, escape(name), run, text=name, help=escape(tip))
        found = []
        for record in self._tui.home.model.records.values():
            name = f"{batch.name(record)} {batch.part_name(record)}".strip()
            score = max(matcher.match(name), matcher.match(record.id or ""))
            if score > 0:
                found.append((score * 0.9, record.local_id, name, record))
        for score, _, name, record in sorted(found, reverse=True)[:MOST_BATCHES]:
            state = batch.state(record, self._tui.now())
            tip = f"{state.sign} {state.word}, {record.requests:,} requests, {batch.age(record, self._tui.now())} ago"
            yield Hit(score, escape(name), _goer(self._tui, record), text=name, help=escape(tip))


def _runner(app: BatchtuiApp, action: str, node: Any) -> Callable[[], Any]:
    async def run() -> None:
        await app.run_action(action, node)

    return run


def _goer(app: BatchtuiApp, record: BatchRecord) -> Callable[[], None]:
    def go() -> None:
        while len(app.screen_stack) > 1:
            app.pop_screen()
        app.home.go_to(record)

    return go


def _app_commands(app: BatchtuiApp) -> list[tuple[str, str, Callable[[], Any]]]:
    """Beside the actions: theme, screenshot, the last error."""

    def last_error() -> None:
        from batchtui.tui.dialogs import Reading

        app.push_screen(Reading("Last error", last_error_text()))

    return [
        ("Theme", "change colors until you quit", app.action_change_theme),
        ("Screenshot", "save the screen as an SVG file in this folder", app.action_picture),
        ("Last error", "details of the last unexpected error, for a bug report", last_error),
    ]


def last_error_text() -> str:
    """The last unexpected error: when, what, where, and how to report it."""
    found = unexpected.last()
    if found is None:
        return "No unexpected error since batchtui started."
    facts = [("When", f"{found.when:%Y-%m-%d %H:%M:%S} UTC"), ("While", found.doing)]
    versions = f"batchtui {__version__}, Python {platform.python_version()}, Textual {version('textual')}"
    return "\n".join(
        [
            *(f"{name:<7}{value}" for name, value in [*facts, ("With", f"{versions}, {platform.system()}")]),
            "",
            *found.lines,
            "",
            HOW_TO_REPORT,
        ]
    )
