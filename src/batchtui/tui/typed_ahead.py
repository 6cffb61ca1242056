"""Keys, mouse and paste on their way to the screen: none acts on a screen that was not drawn yet when it was typed.

Input is handed on one event at a time, each when all that the one before it began is over: its handlers ran, the focus is
where it was asked to be, what it opens is open.  A screen or a line that opens or closes is *seen* once it is drawn and
written to the terminal; what was typed before that is text for the line that opened, or nothing.  Where a key did nothing,
the text behind it does nothing either: it was meant for what the key would have opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ScreenStackError
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

if TYPE_CHECKING:
    from textual.widget import Widget

    from batchtui.tui.app import BatchtuiApp

_EDITING = frozenset({"backspace", "delete", "left", "right", "home", "end"})
_EDITING_LINES = _EDITING | {"enter", "up", "down"}
_OPENS_NOTHING = _EDITING | {"escape", "up", "down"}
FRAME = 1 / 60
"""Seconds after which it is looked again whether a screen has anything left to draw."""
PAUSE = 0.5
"""Seconds without a key after which what is typed no longer belongs to a key that did nothing."""


def is_input(message: Message) -> bool:
    """Whether a message is something that the person's hands did."""
    return isinstance(message, events.InputEvent | events.Paste)


def is_line(widget: object) -> bool:
    """Whether what is typed into a widget is text."""
    return isinstance(widget, Input) or _is_area(widget)


def _is_area(widget: object) -> bool:
    """Whether a widget is a text of several lines."""
    # By name, for the start is not to wait for its import.
    return any(kind.__name__ == "TextArea" for kind in type(widget).__mro__)


def is_list(widget: object) -> bool:
    """Whether a widget is the list that a picker dropped down."""
    return type(widget).__name__ == "SelectOverlay"


def rows_moved(widget: Widget, *, cursor: bool) -> None:
    """Tell the app, where it is ours, that a list shows other rows now; ``cursor`` as in TypedAhead.rows_moved."""
    typed = getattr(widget.app, "typed", None)
    if typed is not None:
        typed.rows_moved(widget.screen, cursor=cursor)


class Opening:
    """Something that was asked for and is not there yet; input waits until it is, and Escape calls it off."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.cancel: Callable[[], object] | None = None


class TypedAhead:
    """The only way of input to the app's screens.

    ``seen`` is the number of the last change of screen or line that was drawn; the driver stamps with it what it reads.
    """

    def __init__(self, app: BatchtuiApp) -> None:
        self.seen = 0
        self._app = app
        self._change = 1
        self._opened = 1
        self._closed = 0
        self._rows = 0
        self._undrawn = True
        self._cut = 0
        self._lost: set[str] = set()
        self._lost_at = 0.0
        self._screens = 0
        self._held: deque[tuple[events.Event, int]] = deque()
        self._passing: deque[events.Event] = deque()
        self._openings: set[Opening] = set()
        self._hovering = False
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._context: contextvars.Context | None = None

    def begin(self) -> None:
        """From now on input is let through; call it in the app's own task, once its first screen is there."""
        self._context = contextvars.copy_context()
        self._screens = len(self._app.screen_stack)
        self._app.screen_change_signal.subscribe(self._app, self._screen_changed, immediate=True)
        self._app.app_resume_signal.subscribe(self._app, lambda _: self.closed(drawn_anew=True), immediate=True)
        self._go()

    def end(self) -> None:
        """Let nothing through any more."""
        self._context = None
        self._held.clear()
        if self._task is not None:
            self._task.cancel()

    @property
    def idle(self) -> bool:
        """True when the next key would be handed on at once, to a screen that is drawn."""
        return (
            self._task is None
            and not (self._held or self._passing or self._openings)
            and self.seen == self._change
            and self._settled(self._pumps())
        )

    # --- what changes what a key would mean -------------------------------------------------------------------------

    def _screen_changed(self, screen: Screen[Any]) -> None:
        before, self._screens = self._screens, len(self._app.screen_stack)
        self._openings.clear()
        if self._screens < before:
            self.closed(drawn_anew=True)
        else:
            self.opened(drawn_anew=True)

    def opened(self, *, drawn_anew: bool = False) -> None:
        """A line opened, or with ``drawn_anew`` a screen."""
        self._change += 1
        self._opened = self._change
        self._changed(drawn_anew)

    def closed(self, *, drawn_anew: bool = False) -> None:
        """A line was left, or with ``drawn_anew`` a screen, or another program that had the terminal."""
        self._change += 1
        self._closed = self._change
        self._changed(drawn_anew)

    def rows_moved(self, screen: Screen[Any], *, cursor: bool) -> None:
        """Rows came, went or moved without a key; with ``cursor`` another one, or the first, is under the cursor now."""
        app = self._app
        if app.screen_stack and app.screen is screen and not is_line(screen.focused):
            self._change += 1
            if cursor:
                self._rows = self._change
            self._changed(False)

    def _changed(self, drawn_anew: bool) -> None:
        self._undrawn = self._undrawn or drawn_anew
        self._moved.set()
        self._go()

    def painted(self, screen: Screen[Any]) -> None:
        """A screen was drawn."""
        if self._undrawn and screen.is_mounted and self._app.screen_stack and screen is self._app.screen:
            self._undrawn = False
        self._moved.set()

    def opening(self) -> Opening:
        """Something will open, or turn out not to, and then ``over`` must be called; any screen that opens ends it too."""
        opening = Opening(self._change)
        self._openings.add(opening)
        return opening

    def over(self, opening: Opening) -> None:
        """What was to open did, or won't: then what was typed for it is meant for nothing else."""
        if opening in self._openings:
            self._openings.remove(opening)
            if opening.number >= max(self._opened, self._closed):
                self.closed()
        self._moved.set()

    # --- input ------------------------------------------------------------------------------------------------------

    def arrive(self, event: events.Event, seen: int | None = None) -> None:
        """Input came; ``seen`` was the last change that was drawn when it was read."""
        if self._openings and isinstance(event, events.Key) and event.key == "escape" and self._call_off():
            return
        if seen is None:
            seen = self.seen
        if self.idle and seen == self._change and not self._lost:
            self._hand_on(event)
        else:
            self._held.append((event, seen))
            self._go()

    def passes(self, event: events.Event) -> bool:
        """Whether an event that reached the app was handed on from here."""
        if self._passing and self._passing[0] is event:
            self._passing.popleft()
            return True
        return False

    def _call_off(self) -> bool:
        called_off = [opening for opening in self._openings if opening.cancel is not None]
        for opening in called_off:
            assert opening.cancel is not None
            opening.cancel()
            self.over(opening)
        if called_off:
            # What was typed before belonged to what was called off; what comes now does not.
            self._held = deque(each for each in self._held if isinstance(each[0], events.MouseUp))
            self._lost.clear()
        return bool(called_off)

    def _hand_on(self, event: events.Event) -> None:
        self._hovering = isinstance(event, events.MouseEvent)
        self._passing.append(event)
        if not self._app.post_message(event):
            self._passing.pop()

    def _next(self) -> None:
        """Hand on what waits longest, and with it the text that follows it into the same line."""
        while self._held:
            event, seen = self._held.popleft()
            if self._acts(event, seen):
                self._hand_on(event)
                following = self._held[0][0] if self._held else None
                if not (_is_sign(event) and _is_sign(following) and is_line(self._app.screen.focused)):
                    return

    def _acts(self, event: events.Event, seen: int) -> bool:
        """Whether an event is handed on: not when it is too old, nor when it is text behind a key that was."""
        means_this = self._means_this(event, seen)
        if not isinstance(event, events.Key):
            return means_this
        if event.time - self._lost_at >= PAUSE:
            self._lost.clear()
        if not means_this:
            if event.key not in _OPENS_NOTHING:
                self._lost.add(event.key)
                self._lost_at = event.time
            return False
        if self._lost == {event.key} or event.key == "escape":  # The same key again, or another start.
            self._lost.clear()
        text = _is_sign(event) or event.key == "enter"
        if self._lost and text and not is_line(self._app.screen.focused):
            self._lost_at = event.time
            return False
        return True

    def _means_this(self, event: events.Event, seen: int) -> bool:
        """Whether an event may act on what is there now."""
        if seen >= self._change or isinstance(event, events.MouseUp):
            return True
        if isinstance(event, events.MouseEvent):
            if isinstance(event, events.MouseDown):
                self._app._mouse_down_widget = None  # The button's way up must not make a click of it.
            return False
        # On the bottom screen there is nothing to go back from: Escape would take a message away that nobody read.
        way = len(self._app.screen_stack) > 1 or is_line(self._app.screen.focused)
        back = way and isinstance(event, events.Key) and event.key == "escape"
        if seen >= max(self._opened, self._closed, self._rows):
            return True
        if seen >= self._opened:
            return back
        if seen < self._closed or not is_line(self._app.screen.focused):
            return False
        if self._cut != self._change and self._ends_line(event):
            # Enter ends the line that was typed; what follows it was not meant for what comes then.
            self._cut = self._change
            return True
        if back or (self._cut != self._change and _edits(event, self._app.screen.focused)):
            return True
        self._cut = self._change
        return False

    def _ends_line(self, event: events.Event) -> bool:
        """Whether Enter ends a line of a screen; in a dialog it would answer what nobody saw."""
        screen = self._app.screen
        enter = isinstance(event, events.Key) and event.key == "enter"
        return enter and isinstance(screen.focused, Input) and not isinstance(screen, ModalScreen)

    # --- waiting ----------------------------------------------------------------------------------------------------

    def _go(self) -> None:
        if self._task is None and self._context is not None:
            self._task = asyncio.get_running_loop().create_task(self._work(), context=self._context)

    async def _work(self) -> None:
        try:
            while (self._held or self.seen != self._change) and not self._app._exit:
                await self._quiet()
                if self.seen != self._change and not await self._see():
                    continue
                self._next()
        except ScreenStackError:  # The app is ending.
            self._held.clear()
        except Exception as error:  # Whatever it is: the keyboard must not be dead for it.
            self._held.clear()
            self.seen = self._change
            self._app.report_bug(error)
        finally:
            self._task = None

    def _pumps(self) -> list[MessagePump]:
        """Those that input, and what follows from it, goes through."""
        app = self._app
        try:
            screen = app.screen
        except ScreenStackError:
            return [app]
        found: dict[MessagePump, None] = dict.fromkeys(_way_up(screen.focused, app))
        if self._hovering:
            found.update(dict.fromkeys(_way_up(app.mouse_over, app)))
        found[screen] = None
        return [*found, app]

    def _settled(self, pumps: Sequence[MessagePump]) -> bool:
        return not any(
            pump._message_queue.qsize()
            or pump._pending_message is not None
            or pump._next_callbacks
            or getattr(pump, "dispatching", 0)
            for pump in pumps
            if not pump._closed and not pump._closing
        )

    async def _quiet(self) -> None:
        """Until nothing that input began is under way any more."""
        calm = 0
        while calm < 2 and not self._app._exit:
            while self._openings:
                self._moved.clear()
                await self._moved.wait()
            pumps = self._pumps()
            await _handled(pumps)
            still = self._pumps() == pumps and self._settled(pumps) and not self._openings
            calm = calm + 1 if still else 0

    async def _see(self) -> bool:
        """Until the last change is drawn and written; False when there was another meanwhile."""
        change = self._change
        while self._undrawn or _has_more_to_draw(self._app.screen):
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), FRAME)
            if change != self._change or self._openings or self._app._exit:
                return False
        driver = self._app.typing_driver
        if driver is not None and not await driver.has_shown():
            return False
        while change == self._change:
            if driver is None or driver.marks_seen(change):
                self.seen = change
                return True
            await asyncio.sleep(0.001)
        return False


def _way_up(node: MessagePump | None, app: MessagePump) -> Iterator[MessagePump]:
    while node is not None and node is not app:
        yield node
        node = node._parent


def _is_sign(event: events.Event | None) -> bool:
    return isinstance(event, events.Key) and event.is_printable


def _edits(event: events.Event, line: object) -> bool:
    if isinstance(event, events.Key):
        return event.is_printable or event.key in (_EDITING_LINES if _is_area(line) else _EDITING)
    return isinstance(event, events.Paste)


def _has_more_to_draw(screen: Screen[Any]) -> bool:
    return bool(
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
    )


async def _handled(pumps: Sequence[MessagePump]) -> None:
    """Until each of these has handled the messages that it has now, or is gone."""
    loop = asyncio.get_running_loop()
    waiting: list[set[asyncio.Future[None]]] = []
    for pump in pumps:
        done: asyncio.Future[None] = loop.create_future()
        task = pump._task
        if pump.call_later(_fulfill, done):
            waiting.append({done} if task is None else {done, task})
    for ends in waiting:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)


def _fulfill(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
