"""The app: wires the service, its events, signals, colors, keys and screens together; holds no rules."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events, on
from textual.app import App
from textual.binding import BindingType
from textual.color import Color
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen
from textual.worker import WorkerFailed

from batchtui import safetext, unexpected
from batchtui.domain.errors import BatchtuiError
from batchtui.present import batch, symbols
from batchtui.tui import bindings, terminal
from batchtui.tui.base import Guard, run_task
from batchtui.tui.bindings import bind, key_of
from batchtui.tui.home.screen import HomeScreen
from batchtui.tui.messages import Happened
from batchtui.tui.output_filter import Colorless, OutputFilter
from batchtui.tui.screen_diff import TerminalContents, only_changes
from batchtui.tui.terminal import ExitWatcher
from batchtui.tui.themes import choose_theme
from batchtui.tui.typed_ahead import TypedAhead, is_input

if TYPE_CHECKING:
    from textual.driver import Driver

    from batchtui.config.load import Config
    from batchtui.service import Service, ServiceThread
    from batchtui.tui.typing_driver import TypingDriver

MOST_BUGS = 8
"""Errors of our own within a minute that the app lives through."""


def _commands() -> type[Any]:
    from batchtui.tui.commands import BatchCommands

    return BatchCommands


class BatchtuiApp(Guard, App[int]):
    """The screen face of one service."""

    TITLE = "batchtui"
    # Textual loads no stylesheet of a default screen by itself.
    CSS_PATH: ClassVar[list[str | PurePath]] = ["app.tcss", "home/screen.tcss"]
    COMMANDS: ClassVar[set[Any]] = {_commands}
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("question_mark,f1", "help", "help", "help", "keyboard shortcuts, and what the signs mean"),
        bindings.PALETTE,
        bind(
            "f5",
            "redraw",
            "redraw",
            "redraw",
            "redraw the screen, e.g. when another program wrote over it",
            show=False,
            priority=True,
        ),
        bind("q", "leave", "quit", "quit", "quit; batches keep running at the API"),
        bind("ctrl+c", "leave", "quit", "quit_now", "quit", show=False),
    ]

    def __init__(
        self,
        service: Service,
        service_thread: ServiceThread,
        *,
        look_first: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        symbols.use(service.config.screen.ascii or symbols.terminal_is_ascii())
        super().__init__()
        self._shown = TerminalContents()
        self._colorless = Colorless(self._page_color)
        self._output_filter = OutputFilter(only_ascii=symbols.locale_is_ascii())
        self.typed = TypedAhead(self)
        self.service = service
        self.service_thread = service_thread
        self.exit_watcher = ExitWatcher(self._leave_with, self._stop_service)
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
        """Textual's own, its grays for NO_COLOR aside, and the gate that every drawn line passes."""
        own = [each for each in super().get_line_filters() if not isinstance(each, Monochrome | NoColor)]
        return [*own, *([self._colorless] if self.no_color else ()), self._output_filter]

    def _page_color(self) -> Color:
        """What the screens are drawn on."""
        return Color.parse(self.theme_variables.get("background", "#000000"))

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, only_changes(renderable, self._shown))
        if not self._batch_count:
            self.typed.painted(screen)

    def _load_screen_css(self, screen: Screen[Any]) -> None:
        # For a file that is not yet there Textual parses all of them anew and styles every screen once more.
        fresh = [path for path in screen.css_path if not self.stylesheet.has_source(str(path), "")]
        if fresh:
            self.stylesheet.read_all(fresh)
            self.stylesheet.parse()
            self.stylesheet.update(screen)
        super()._load_screen_css(screen)

    def get_driver_class(self) -> type[Driver]:
        """The terminal's, where keys are read together with what was seen by then."""
        found = super().get_driver_class()
        if found.__name__ != "LinuxDriver":
            return found
        from batchtui.tui.typing_driver import TypingDriver

        return TypingDriver

    @property
    def typing_driver(self) -> TypingDriver | None:
        """The terminal's driver, where there is a terminal."""
        return cast("TypingDriver", self._driver) if hasattr(self._driver, "marks_seen") else None

    async def on_event(self, event: events.Event) -> None:
        """Input goes on only when its turn has come."""
        if is_input(event) and not event.is_forwarded and not self.typed.passes(event):
            self.typed.arrive(event)
        else:
            await super().on_event(event)

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
        """Colors, keys and signals; the service starts after the first paint."""
        self.config_problems: list[str] = [*self.service.config.warnings]
        choose_theme(self, self.service.config.screen.theme)
        bindings.use(self, self.service.config.keys)
        self._listen()
        self.typed.begin()
        if not self.is_headless:
            self.exit_watcher.watch()
        self.call_after_refresh(self._begin)

    def on_unmount(self) -> None:
        """No key acts any more."""
        self.typed.end()

    def _begin(self) -> None:
        from batchtui.memory import one_arena

        one_arena()
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        sent_too = self.home.left_waiting()
        self.service_thread.start()
        self._look()
        if not self.is_headless:
            # Whoever opens results need not wait for it; nobody who leaves waits for the thread.
            threading.Thread(target=import_module, args=("batchtui.tui.results.screen",), daemon=True).start()
        from batchtui.tui import config_check

        self.config_problems += config_check.of(self.service.config)
        if self.config_problems:
            self.home.say(
                self.config_problems[0],
                advice=f"{len(self.config_problems) - 1} more: press {key_of('settings')} to show them"
                if self.config_problems[1:]
                else "",
                level="warn",
            )
        self.home.say_sent_too(sent_too)

    @property
    def home(self) -> HomeScreen:
        """The home screen, at the bottom of the stack."""
        screen = self.screen_stack[0]
        if not isinstance(screen, HomeScreen):
            raise RuntimeError("home is not at the bottom of the screens")
        return screen

    def use_config(self, config: Config) -> None:
        """Go on with other settings as far as that is possible while running; with a profile that gave no key, anew."""
        before, self.service.config = self.service.config, config
        self.service.context.config = config
        if config.screen.theme != before.screen.theme:
            choose_theme(self, config.screen.theme)
        if config.keys != before.keys:
            bindings.use(self, config.keys)
        if config.screen.ascii != before.screen.ascii:
            symbols.use(config.screen.ascii or symbols.terminal_is_ascii())
            self.refresh_css(animate=False)
        if config.notify != before.notify:
            self._listen()
        if self.service.look_state().trouble in ("no key", "wrong key") and not self.home.sending:
            run_task(self.home, self._try_profile())

    async def reread_config(self) -> None:
        """Go on with config.toml as it is by now; raises ConfigError when it can't be read."""
        from batchtui.config.load import load_config

        self.use_config(await asyncio.to_thread(load_config))

    async def _try_profile(self) -> None:
        with contextlib.suppress(BatchtuiError):
            await self.switch_profile(self.service.profile.name)
            self.home.reload()

    def action_settings(self) -> None:
        """What config.toml says."""
        from batchtui.tui.settings import SettingsScreen

        if not isinstance(self.screen, SettingsScreen):
            self.push_screen(SettingsScreen())

    async def switch_profile(self, name: str) -> None:
        """Go on as another profile over the same data; raises ConfigError when there is none."""
        from batchtui.service import Service, ServiceThread

        old = self.service_thread
        opened_at = self.service.context.opened_at
        service = Service(self.service.data, self.service.config, profile=name, opened_at=opened_at)
        self.service, self.service_thread = service, ServiceThread(service)
        self._listen()
        self.service_thread.start()
        self._look()
        # It may take its time over the network; what it does is on record at every moment.
        threading.Thread(target=old.stop, name="profile-left", daemon=True).start()

    def _look(self) -> None:
        """Check at once: who opens the screen wants the present, not the poller's next turn."""
        if self._look_first:
            # With nothing tracked yet one call tells whether key and network work, and what else the workspace has.
            self.service_thread.spawn(self.service.refresh(asked=not self.service.records()))

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
        title += f", {batch.needing(wanting)}" if wanting else ""
        if title != self._told_title:
            self._told_title = title
            terminal.write(self, terminal.window_title(title))

    # --- mistakes of our own ----------------------------------------------------------------------------------------

    def tolerates(self, error: BaseException) -> bool:
        """True while errors of our own are rare enough to go on."""
        if not self.is_running or not self.screen_stack:
            return False
        now = time.monotonic()
        self._bug_times = [t for t in self._bug_times if now - t < 60] + [now]
        return len(self._bug_times) <= MOST_BUGS

    def report_bug(self, error: BaseException) -> None:
        """Show an unexpected error where the person looks; no local variables go anywhere."""
        self.bugs.append(error)
        found = unexpected.note(error, "running the screen")
        said = f"Unexpected error in batchtui: {found.title}"
        advice = f"Your batches are safe. Press {key_of('palette')} and choose Last error for details."
        with contextlib.suppress(Exception):
            shown = self.screen if hasattr(self.screen, "say") else self.home
            shown.say(said, advice=advice, level="bad")

    def _handle_exception(self, error: Exception) -> None:
        cause = error.error if isinstance(error, WorkerFailed) else error
        if self.tolerates(cause):
            self.report_bug(cause)
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Textual's crash report prints local variables, a key among them perhaps; this one only types and places."""
        from rich.text import Text

        error = sys.exc_info()[1] or self._exception
        lines = unexpected.describe(error) if error is not None else ()
        self._exit_renderables.append(Text("\n".join(["batchtui stopped: unexpected error; please report it", *lines])))
        self._close_messages_no_wait()

    # --- actions ----------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """The keys that are true here."""
        from batchtui.tui.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_command_palette(self) -> None:
        """Every action, and every batch by name."""
        from batchtui.tui.commands import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    async def action_leave(self) -> None:
        """Quit; asks first while something is being sent."""
        if not self.home.sending:
            self.exit(0)
            return
        from batchtui.tui.dialogs import Confirm

        lines = [
            "A submit is in progress. If you quit now, requests that are not recorded yet are not sent. A batch whose upload",
            "is in progress may have been created: the next start checks, and never sends it twice.",
        ]
        self.push_screen(Confirm("Quit while sending?", lines, yes="Quit"), lambda yes: self.exit(0) if yes else None)

    async def action_quit(self) -> None:
        """The same, by Textual's own key."""
        await self.action_leave()

    def copy_to_clipboard(self, text: str, *, raw: bool = False) -> None:
        """Copy a text as it is shown, without what a terminal obeys; ``raw`` copies it as received."""
        super().copy_to_clipboard(text if raw else safetext.copied(text))

    def action_picture(self) -> None:
        """Write the screen as SVG beside where batchtui was started."""
        name = self.save_screenshot(path=".")
        Path(name).chmod(0o600)
        self.home.say(f"Saved {name}", level="good")

    def _stop_service(self) -> None:
        self.service_thread.stop()

    def _leave_with(self, code: int) -> None:
        """Exit with a code; from any thread, and never waits."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: self.exit(code, return_code=code))


def _note_thread(error: BaseException | None) -> None:
    if error is not None:
        unexpected.note(error, "working in a thread")


def run_app(service: Service) -> int:
    """Run the screen until the person leaves; returns the exit code."""
    from batchtui.service import ServiceThread
    from batchtui.service.service_thread import close_loop

    service_thread = ServiceThread(service)
    loop = asyncio.new_event_loop()
    # Python's own hook prints contents where the screen is.
    threading.excepthook = lambda args: _note_thread(args.exc_value)
    app = BatchtuiApp(service, service_thread, look_first=True)
    try:
        result = app.run(mouse=service.config.screen.mouse and not terminal.holds_escape(), loop=loop)
    finally:
        app.service_thread.stop()
        close_loop(loop)
        app.exit_watcher.over()
        terminal.reset_title()
    return result if result is not None else (app.return_code or 0)
