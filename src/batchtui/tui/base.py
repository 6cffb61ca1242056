"""Base classes of screens and dialogs: tasks whose errors are shown, calls to the service, messages to the person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.await_complete import AwaitComplete
from textual.css.query import NoMatches
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.worker import Worker

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.tui.typed_ahead import is_line, is_list
from batchtui.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from batchtui.service import Service
    from batchtui.tui.app import BatchtuiApp


def run_task(
    screen: BaseScreen[Any],
    coro: Coroutine[Any, Any, None],
    *,
    opens: bool = False,
    stoppable: bool = True,
) -> Worker[None]:
    """Run a coroutine beside the screen's messages; whatever it raises is shown where the person looks.

    ``opens``: it will open or leave something before it does anything else, so that what is typed meanwhile waits for
    that; Escape calls it off where it is ``stoppable``.
    """
    opening = screen.tui.typed.opening() if opens else None

    async def guarded() -> None:
        try:
            await coro
        except NoMatches as error:  # What it wanted to write on went away with the screen.
            if screen.app.is_running and screen.is_attached and screen in screen.app.screen_stack:
                screen.fail(error)
        except Exception as error:
            screen.fail(error)
        finally:
            if opening is not None:
                screen.tui.typed.over(opening)

    worker = screen.run_worker(guarded(), exclusive=False, exit_on_error=False)
    if opening is not None and stoppable:
        opening.cancel = worker.cancel
    return worker


T = TypeVar("T")
R = TypeVar("R")


class Guard:
    """Mixed into pumps (screens, the app): an error in a handler is shown, and the pump goes on."""

    dispatching = 0
    """Messages that are being handled."""

    async def _dispatch_message(self, message: Message) -> None:
        self.dispatching += 1
        try:
            await super()._dispatch_message(message)  # type: ignore[misc]
        except Exception as error:
            app = cast("BatchtuiApp", getattr(self, "app", self))
            if not app.tolerates(error):
                raise
            app.report_bug(error)
        finally:
            self.dispatching -= 1


class DismissOnce:
    """Mixed into screens: one that is not the top one (any more) takes nothing away when it is left."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Leave with a result; without effect once it was left, or while another screen is over it."""
        app = self.app  # type: ignore[attr-defined]
        if not app.screen_stack or app.screen is not self:
            return AwaitComplete.nothing()  # type: ignore[no-untyped-call,no-any-return]
        return cast("AwaitComplete", super().dismiss(result))  # type: ignore[misc]


class BaseScreen(Guard, DismissOnce, Screen[R]):
    """A whole screen, with the ways to the service and to the person."""

    KEY_LINE: ClassVar[tuple[str, ...]] = ()
    """Binding ids shown in the key line, the most important first; ``help`` and ``quit`` or ``back`` last."""

    @property
    def words_here(self) -> Mapping[str, tuple[str, str]]:
        """Label and tip, by their ids, of bindings that mean something else now than they say."""
        return {}

    @property
    def tui(self) -> BatchtuiApp:
        """The app, by its own type."""
        return cast("BatchtuiApp", self.app)

    @property
    def service(self) -> Service:
        """The service of the profile in use."""
        return self.tui.service

    def action_leave(self) -> None:
        """Leave without a result."""
        self.dismiss(None)

    async def ask(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run one of the service's coroutines on its own loop; it goes on when this screen stops waiting."""
        return await asyncio.shield(asyncio.wrap_future(self.tui.service_thread.call(coro)))

    async def in_thread(self, fn: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run slow sync work in a thread and wait for it here."""
        return await asyncio.to_thread(fn, *args, **named)

    def say(self, message: str, *, advice: str = "", level: str = "info") -> None:
        """Show a sentence where the person looks until another replaces it; ``level``: info, good, warn, bad."""
        for line in self.query(StatusLine):
            line.say(message, advice=advice, level=level)
            return
        self.app.notify(
            safetext.line(f"{message}. {advice}" if advice else message, 500),
            severity="error" if level == "bad" else "warning" if level == "warn" else "information",
            markup=False,
        )

    def say_below(self, message: str, *, advice: str = "", level: str = "info") -> None:
        """Show a sentence on the screen beneath, before this one is left."""
        if beneath := self._beneath:
            beneath[-1].heard[type(self)] = message
            beneath[-1].say(message, advice=advice, level=level)

    def done(self) -> None:
        """What a screen of this kind said beneath when it was left is over: done now, it is true no more."""
        for each in self._beneath:
            each.unsay(each.heard.pop(type(self), ""))

    def unsay(self, message: str) -> None:
        """Take this sentence away if it still stands there."""
        for line in self.query(StatusLine):
            line.unsay(message)

    @cached_property
    def heard(self) -> dict[type, str]:
        """What screens above said here last when they were left, by their kind."""
        return {}

    @property
    def _beneath(self) -> list[BaseScreen[Any]]:
        screens = [each for each in self.app.screen_stack if isinstance(each, BaseScreen)]
        return screens[: screens.index(self)] if self in screens else screens

    def fail(self, error: BaseException) -> None:
        """Show an error where the person looks."""
        if isinstance(error, BatchtuiError):
            self.say(str(error), advice=error.advice, level="bad")
        else:
            self.tui.report_bug(error)

    def set_focus(self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False) -> None:
        """Give a widget the keys; a line to type in that opens or is left, or a picker's list, holds typed keys back."""
        before = is_line(self.focused), is_list(self.focused)
        super().set_focus(widget, scroll_visible, from_app_focus)
        now = is_line(self.focused), is_list(self.focused)
        if before == now or from_app_focus or not (self.tui.app_focus and self.is_current):
            return
        if any(now):
            self.tui.typed.opened()
        else:
            self.tui.typed.closed()


class BaseModal(ModalScreen[R], BaseScreen[R]):
    """A screen over another."""
