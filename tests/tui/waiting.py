"""Waiting for what an app does, never for a time: until its loop has nothing to do, or until nothing is under way at all.

Textual's pilot takes a processor idle for 20 ms for the end of a key's work: too long on an idle machine, too short on
a loaded one.  ``install`` gives it ``drawn`` instead.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any

import textual.app
import textual.pilot
import textual.timer
from textual._context import active_app
from textual._wait import wait_for_idle as processor_idle
from textual.app import App
from textual.command import CommandPalette
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.screen import Screen
from textual.timer import Timer

PATIENCE = 120.0
"""Seconds after which what hangs is called so; nothing that works comes near."""
SHORT, LONG = 0.02, 2.0
"""One-shot timers up to SHORT seconds are part of drawing; beyond LONG they are a clock's, and not waited for."""
THREADS = ("batchtui-check", "batchtui-search")

_in_threads: set[asyncio.Future[Any]] = set()
_asleep: dict[asyncio.Task[Any], tuple[float, asyncio.Future[None]]] = {}
"""When each timer that sleeps will wake, by the loop's clock, and what wakes it, by its task."""


def install() -> None:
    """Have every pilot wait for conditions, and have work in threads counted."""
    run = asyncio.BaseEventLoop.run_in_executor
    if getattr(run, "counted", False):
        return

    def counted(loop: asyncio.BaseEventLoop, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = run(loop, executor, func, *args)
        _in_threads.add(future)
        # Called on the loop after the one who waits was woken, so nobody sees "idle" in between.
        future.add_done_callback(_in_threads.discard)
        return future

    counted.counted = True  # type: ignore[attr-defined]
    asyncio.BaseEventLoop.run_in_executor = counted  # type: ignore[method-assign,assignment]
    textual.app.wait_for_idle = textual.pilot.wait_for_idle = _idle  # type: ignore[attr-defined]
    Pilot.wait_for_scheduled_animations = settled  # type: ignore[method-assign,assignment]
    textual.timer.sleep = _sleep
    _parse_css_once()


async def _sleep(seconds: float) -> None:
    """A timer's sleep, which ``hasten`` may end."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    over = loop.create_future()
    alarm = loop.call_later(seconds, _wake, over)
    _asleep[task] = alarm.when(), over
    try:
        await over
    finally:
        alarm.cancel()
        del _asleep[task]


def _wake(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


def _parse_css_once() -> None:
    """Keep parsed CSS for the next app: a fourteenth of all the time that tests of screens take goes into it."""
    RuleSet.__hash__ = object.__hash__  # type: ignore[method-assign]  # The same, without a call for each rule and widget.
    parse, kept = Stylesheet._parse_rules, {}
    last: list[Any] = [None, None]

    def parsed(sheet: Stylesheet, *given: Any, **named: Any) -> list[RuleSet]:
        if last[0] is not sheet._variables:  # It is set anew where it changes, and there are two hundred of them.
            last[:] = sheet._variables, frozenset(sheet._variables.items())
        key = (given, *named.items(), last[1])
        if key not in kept:
            kept[key] = parse(sheet, *given, **named)
        return kept[key]

    Stylesheet._parse_rules = parsed  # type: ignore[method-assign]


async def _idle(min_sleep: float = 0, max_sleep: float = 1) -> None:
    app = active_app.get(None)
    if app is None:
        await processor_idle(min_sleep, max_sleep)
    else:
        await drawn(app)


async def loop_idle() -> bool:
    """Wait until nothing on this loop is ready to run; False when there was something."""
    loop: Any = asyncio.get_running_loop()
    was_idle, calm = True, 0
    # Two rounds, since what comes from sockets and other threads is seen between them.
    while calm < 2:
        await asyncio.sleep(0)
        calm = 0 if loop._ready else calm + 1
        was_idle = was_idle and calm > 0
    return was_idle


async def drawn(app: App[Any]) -> None:
    """Until every message was handled and the screen shows what its widgets hold."""
    end = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < end, f"{app.screen} is never done with drawing"
        await loop_idle()
        screen = app.screen_stack[-1] if app._running and app.screen_stack else None
        if screen is None or app._exit:
            return
        soon = list(short_timers(app, SHORT))
        if soon or app.animator._animations or app.animator._scheduled:
            end_next_of(soon)
            await asyncio.sleep(0 if soon else 0.001)
            continue
        # What shines through a dialog is drawn by the screens beneath, each when it comes round to it.
        behind = [each for each in app._background_screens if undrawn(each, behind=True)]
        for each in [*behind, *([screen] if undrawn(screen) else [])]:
            each._on_timer_update()
        if any(undrawn(each, behind=True) for each in behind) or undrawn(screen):
            await asyncio.sleep(0.001)
        elif not behind:
            return


def undrawn(screen: Screen[Any], *, behind: bool = False) -> bool:
    """True while the screen has something to lay out, draw or call.

    One ``behind`` another keeps the sign that it wants painting after it was painted.
    """
    return bool(
        screen._layout_required
        or screen._scroll_required
        or (screen._repaint_required and not behind)
        or screen._recompose_required
        or screen._dirty_widgets
        or screen._callbacks
    )


def short_timers(app: App[Any], longest: float) -> Iterator[Timer]:
    """One-shot timers that will go off by themselves within ``longest`` seconds."""
    for pump in (app, *app._registry):
        for timer in list(pump._timers):
            task = timer._task
            if timer._repeat == 0 and timer._interval <= longest and task is not None and not task.done():
                yield timer


async def settled(pilot: Pilot[Any]) -> None:
    """Until nothing is under way: no work in threads, no call to the service, no pause before a reaction, all drawn.

    A question that waits for the person is not under way.
    """
    app = pilot.app
    end = time.monotonic() + PATIENCE
    while True:
        await drawn(app)
        if await _at_rest(app):
            pauses = list(short_timers(app, LONG))
            if not pauses:
                return
            end_next_of(pauses)
        assert time.monotonic() < end, f"never settled: {under_way(app)}"
        await asyncio.sleep(0.001)


async def _at_rest(app: App[Any]) -> bool:
    """Whether only time can go on now."""
    return not under_way(app) and await _engine_idle(app) and await loop_idle()


def end_next_of(pauses: Iterable[Timer]) -> None:
    """Let the timer go off that would next: when all else is at rest, nothing could come before it."""
    sleeps = [_asleep[timer._task] for timer in pauses if timer._task in _asleep]
    if sleeps:
        _wake(min(sleeps, key=itemgetter(0))[1])


def under_way(app: App[Any]) -> list[object]:
    """What will change the screen by and by, without anybody's doing, pauses before a reaction aside."""
    calls = getattr(getattr(app, "service_thread", None), "pending", ())
    return [
        *(future for future in _in_threads if not future.get_loop().is_closed()),
        *(thread for thread in threading.enumerate() if thread.name in THREADS),
        *calls,
        *(worker for worker in app.workers if isinstance(worker.node, CommandPalette) and worker.is_running),
    ]


async def _engine_idle(app: App[Any]) -> bool:
    loop = getattr(getattr(app, "service_thread", None), "_loop", None)
    if loop is None or not loop.is_running():
        return True
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(loop_idle(), loop))


async def until(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    """Wait for a condition, and for what made it true to be drawn."""
    app = pilot.app
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"it never came true on {app.screen}"
        await drawn(app)
        if await _at_rest(app) and not true():
            end_next_of(short_timers(app, LONG))
        await asyncio.sleep(0.001)
    await drawn(app)
