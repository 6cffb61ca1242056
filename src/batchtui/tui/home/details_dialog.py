"""The dialog with the details of a batch or run, what the run was made from and led to; a key goes to those runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.content import Content

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.present import recipe as recipe_words
from batchtui.service import Service
from batchtui.service.lineage import Relative
from batchtui.tui.base import run_task
from batchtui.tui.bindings import bind
from batchtui.tui.dialogs import Choose, Reading

if TYPE_CHECKING:
    from batchtui.domain.batch import BatchRecord
    from batchtui.tui.home.model import Line
    from batchtui.tui.home.screen import HomeScreen


class DetailsDialog(Reading):
    """Everything that is known of a batch or run; dismisses with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("f", "follow", "follow", "details.follow", "go to a run it was made from, or that it led to"),
    ]

    def __init__(self, body: Content, relatives: Sequence[tuple[str, Relative]]) -> None:
        self._relatives = [(label, each) for label, each in relatives if not each.deleted]
        super().__init__("Details", body, edge="f follow   esc back" if self._relatives else "esc back")
        self.followed = ""
        """The run that was chosen to go to, "" for none."""

    def action_follow(self) -> None:
        """Go to a run that this one was made from or led to."""
        if self._relatives:
            run_task(self, self._follow(), opens=True)

    async def _follow(self) -> None:
        chosen: str | None = self._relatives[0][1].run
        if len(self._relatives) > 1:
            choices = [(each.run, f"{label}: {safetext.line(each.title, 60)}") for label, each in self._relatives]
            chosen = await self.app.push_screen_wait(Choose("Go to a run", choices))
        if chosen:
            self.followed = chosen
            self.dismiss(None)


def _made(service: Service, record: BatchRecord) -> tuple[list[tuple[str, str]], list[tuple[str, Relative]]]:
    """What a run was made from, as facts, and the runs before and after it."""
    relatives = [("Made from", each) for each in service.lineage.made_from(record.run)]
    relatives += [("Led to", each) for each in service.lineage.led_to(record.run)]
    try:
        facts = recipe_words.facts(service.again(record).recipe, record)
    except BatchtuiError as error:
        facts = [("Recipe", str(error))]
    return [*facts, *((label, recipe_words.relatives([each])) for label, each in relatives)], relatives


async def show_details(home: HomeScreen, line: Line) -> None:
    """Show a row's details, and go to the run that is chosen there."""
    from batchtui.tui.home import details

    facts, relatives = await home.in_thread(_made, home.service, line.records[0])
    width = min(90, home.size.width * 9 // 10 - 8)
    screen = DetailsDialog(details.of_line(line, home.tui.now(), home.usual, width=width, made=facts), relatives)
    await home.app.push_screen_wait(screen)
    first = home.service.history.get(screen.followed) if screen.followed else None
    if first is not None:
        home.go_to(first)
