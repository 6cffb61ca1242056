"""Long work of a screen: coroutines whose errors are shown, and progress that comes from threads."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from textual.css.query import NoMatches
from textual.message import Message
from textual.worker import Worker

from batchtui.domain.plan import Progress

if TYPE_CHECKING:
    from batchtui.tui.screens.base import BaseModal, BaseScreen


class Progressed(Message):
    """Work of this screen came further; ``number`` tells which work, where there may be several."""

    def __init__(self, progress: Progress, number: int = 0) -> None:
        super().__init__()
        self.progress = progress
        self.number = number


def teller(screen: BaseScreen[Any] | BaseModal[Any], number: int = 0) -> Callable[[Progress], None]:
    """A progress callback for a thread: it posts Progressed to the screen, which may be gone by then."""

    def tell(progress: Progress) -> None:
        screen.post_message(Progressed(progress, number))

    return tell


def do(
    screen: BaseScreen[Any] | BaseModal[Any],
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
