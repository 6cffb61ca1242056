"""The app: wires the service, its events, signals, colours, keys and screens together; holds no rules."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen
from textual.worker import WorkerFailed

from batchtui import safetext
from batchtui.tui import glyphs, keys, terminal
from batchtui.tui.hangup import Hangup
from batchtui.tui.messages import Happened
from batchtui.tui.outlet import Colorless, Outlet
from batchtui.tui.quiet import Shown, quieter
from batchtui.tui.screens.base import Guard
from batchtui.tui.screens.home import HomeScreen
from batchtui.tui.themes import choose_theme

if TYPE_CHECKING:
    from batchtui.config import Config
    from batchtui.service import Engine, Service

log = logging.getLogger("batchtui")
log.addHandler(logging.NullHandler())
MOST_BUGS = 8
"""Errors of our own within a minute that the app lives through."""


def _commands() -> type[Any]:
    from batchtui.tui.commands import BatchCommands

    return BatchCommands


class BatchtuiApp(Guard, App[int]):
    """The screen face of one service."""

    TITLE = "batchtui"
    # Textual loads no stylesheet of a default screen by itself.
    CSS_PATH: ClassVar[list[str | PurePath]] = ["app.tcss", "screens/home.tcss"]
    COMMANDS: ClassVar[set[Any]] = {_commands}
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "question_mark,f1",
            "help",
            "help",
            id="help",
            tooltip="the keys that are true here, and what the signs mean",
        ),
        keys.PALETTE,
        Binding(
            "f5",
            "redraw",
            "draw again",
            show=False,
            priority=True,
            id="redraw",
            tooltip="draw the whole screen anew, when something else wrote over it",
        ),
        Binding("q", "leave", "quit", id="quit", tooltip="quit; batches go on at the service"),
        Binding("ctrl+c", "leave", "quit", show=False, id="quit_now", tooltip="quit"),
    ]

    def __init__(
        self,
        service: Service,
        engine: Engine,
        *,
        look_first: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        glyphs.use(service.config.screen.ascii or glyphs.terminal_is_ascii())
        super().__init__()
        self._shown = Shown()
        self._colorless = Colorless(self._page_color)
        self._outlet = Outlet(only_ascii=glyphs.locale_is_ascii())
        self.service = service
        self.engine = engine
        self.hangup = Hangup(self._leave_with, self._put_away)
        self.bugs: list[BaseException] = []
        self._bug_times: list[float] = []
        self._clock = clock or (lambda: datetime.now(UTC))
        self._look_first = look_first
        self._told_title = ""
        self._ends: list[Callable[[], None]] = []
        self.animation_level = "none"

    def now(self) -> datetime:
        """The present, aware UTC; tests hand in a clock."""
        return self._clock()

    def get_line_filters(self) -> list[LineFilter]:
        """Textual's own, its greys for NO_COLOR aside, and the gate that every drawn line passes."""
        own = [each for each in super().get_line_filters() if not isinstance(each, Monochrome | NoColor)]
        return [*own, *([self._colorless] if self.no_color else ()), self._outlet]

    def _page_color(self) -> Color:
        """What the screens are drawn on."""
        return Color.parse(self.theme_variables.get("background", "#000000"))

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, quieter(renderable, self._shown))

    def on_resize(self, event: events.Resize) -> None:
        """The terminal has another size, or is ours again after another program had it."""
        if event.size == self.size:
            self.action_redraw()

    def action_redraw(self) -> None:
        """Draw every cell anew: nothing that the terminal shows can be relied on."""
        self._shown.forget()
        if self.screen_stack:
            self.screen.refresh()

    def get_default_screen(self) -> Screen[Any]:
        """Home."""
        return HomeScreen()

    def on_mount(self) -> None:
        """Colours, keys and signals; the service starts after the first paint."""
        self.complaints: list[str] = [*self.service.config.warnings]
        choose_theme(self, self.service.config.screen.theme)
        self.set_keymap(keys.usable(self.service.config.keys))
        self._listen()
        if not self.is_headless:
            self.hangup.watch()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        from batchtui.memory import one_arena

        one_arena()
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        self.engine.start()
        self._look()
        from batchtui.tui import complaints

        self.complaints += complaints.of(self.service.config)
        if self.complaints:
            self.home.say(
                self.complaints[0],
                advice=f"{len(self.complaints) - 1} more: the comma key shows them" if self.complaints[1:] else "",
                level="warn",
            )

    @property
    def home(self) -> HomeScreen:
        """The home screen, at the bottom of the stack."""
        screen = self.screen_stack[0]
        if not isinstance(screen, HomeScreen):
            raise RuntimeError("home is not at the bottom of the screens")
        return screen

    def use_config(self, config: Config) -> None:
        """Go on with other settings as far as that is possible while running."""
        before, self.service.config = self.service.config, config
        self.service.context.config = config
        if config.screen.theme != before.screen.theme:
            choose_theme(self, config.screen.theme)
        if config.keys != before.keys:
            self.set_keymap(keys.usable(config.keys))
        if config.screen.ascii != before.screen.ascii:
            glyphs.use(config.screen.ascii or glyphs.terminal_is_ascii())
            self.refresh_css(animate=False)
        if config.notify != before.notify:
            self._listen()

    def action_command_palette(self) -> None:
        """Every action that is true here, and every batch, by name."""
        from textual.command import CommandPalette

        from batchtui.tui.commands import Palette

        if not isinstance(self.screen, CommandPalette):
            self.push_screen(Palette(id="--command-palette"))

    def action_settings(self) -> None:
        """What config.toml says."""
        from batchtui.tui.screens.settings import SettingsScreen

        if not isinstance(self.screen, SettingsScreen):
            self.push_screen(SettingsScreen())

    async def switch_profile(self, name: str) -> None:
        """Go on as another profile over the same data; raises ConfigError when there is none."""
        from batchtui.service import Engine, Service

        old = self.engine
        opened_at = self.service.context.opened_at
        service = Service(self.service.data, self.service.config, profile=name, opened_at=opened_at)
        self.service, self.engine = service, Engine(service)
        self._listen()
        self.engine.start()
        self._look()
        await asyncio.to_thread(old.stop)

    def _look(self) -> None:
        """Look at once: who opens the screen wants the present, not the poller's next turn."""
        if self._look_first:
            self.engine.call(self.service.refresh(asked=False))

    def _listen(self) -> None:
        for end in self._ends:
            end()
        self._ends = [self.service.subscribe(self._hear), self.service.subscribe(terminal.notifier(self))]

    # --- events of the service --------------------------------------------------------------------------------------

    def _hear(self, event: object) -> None:
        if self.is_running:
            self.post_message(Happened(event))

    @on(Happened)
    def _pass_on(self, message: Happened) -> None:
        for screen in self.screen_stack:
            screen.post_message(Happened(message.event))

    def tell_title(self, running: int, wanting: int) -> None:
        """Say in the window's title what is under way; written only when it changed."""
        title = f"batchtui: {running} running" if running else "batchtui"
        title += f", {wanting} need you" if wanting else ""
        if title != self._told_title:
            self._told_title = title
            terminal.write(self, terminal.window_title(title))

    # --- mistakes of our own ----------------------------------------------------------------------------------------

    def outlives(self, error: BaseException) -> bool:
        """True while errors of our own are rare enough to go on."""
        if not self.is_running or not self.screen_stack:
            return False
        now = time.monotonic()
        self._bug_times = [t for t in self._bug_times if now - t < 60] + [now]
        return len(self._bug_times) <= MOST_BUGS

    def report_bug(self, error: BaseException) -> None:
        """Show an unexpected error where the person looks; no local variables go anywhere."""
        self.bugs.append(error)
        log.error("unexpected error", exc_info=error)
        said = f"something went wrong inside batchtui: {type(error).__name__}: {safetext.line(str(error), 200)}"
        advice = "your batches are safe; the palette's 'Last error' shows where it happened"
        with contextlib.suppress(Exception):
            shown = self.screen if hasattr(self.screen, "say") else self.home
            shown.say(said, advice=advice, level="bad")

    def last_bug(self) -> str:
        """The last unexpected error as text, without local variables."""
        return "".join(traceback.format_exception(self.bugs[-1])) if self.bugs else "there was none"

    def _handle_exception(self, error: Exception) -> None:
        cause = error.error if isinstance(error, WorkerFailed) else error
        if self.outlives(cause):
            self.report_bug(cause)
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Textual's crash report prints local variables, a key among them perhaps; this one prints none."""
        from rich.segment import Segments
        from rich.traceback import Traceback

        report = Traceback(show_locals=False, width=None)
        self._exit_renderables.append(Segments(self.console.render(report, self.console.options)))
        self._close_messages_no_wait()

    # --- hands ------------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """The keys that are true here."""
        from batchtui.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    async def action_leave(self) -> None:
        """Quit; asks first while something is being sent."""
        if not self.home.sending:
            self.exit(0)
            return
        from batchtui.tui.screens.modals import Confirm

        lines = [
            "An upload is under way. If you quit now, its batch may or may not exist at the service;",
            "batchtui finds out at its next start and never sends it twice.",
        ]
        self.push_screen(Confirm("Quit while sending?", lines, yes="Quit"), lambda yes: self.exit(0) if yes else None)

    def action_picture(self) -> None:
        """Write the screen as SVG beside where batchtui was started."""
        name = self.save_screenshot(path=".")
        self.home.say(f"wrote {name}", level="good")

    def _put_away(self) -> None:
        self.engine.stop()

    def _leave_with(self, code: int) -> None:
        """Exit with a code; from any thread, and never waits."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: self.exit(code, return_code=code))

    def get_system_commands(self, screen: Screen[Any]) -> list[SystemCommand]:
        """Textual's own commands that make sense here."""
        from batchtui.tui.commands import system_commands

        return system_commands(self, screen)


def run_app(service: Service) -> int:
    """Run the screen until the person leaves; returns the exit code."""
    from batchtui.service import Engine

    engine = Engine(service)
    app = BatchtuiApp(service, engine, look_first=True)
    try:
        result = app.run(mouse=service.config.screen.mouse and not terminal.holds_escape())
    finally:
        app.engine.stop()
        app.hangup.over()
        terminal.reset_title()
    return result if result is not None else (app.return_code or 0)
