"""The dialog with the details of a batch or run, what the run was made from and led to; a key goes to those runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.content import Content

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.paths import expanded
from batchtui.present import recipe as recipe_words
from batchtui.results.export_job import there_already
from batchtui.service import Service
from batchtui.service.lineage import Relative, title
from batchtui.store import files
from batchtui.tui.base import run_task
from batchtui.tui.bindings import bind, sign_of
from batchtui.tui.dialogs import Ask, Choose, Reading, ask_replace

if TYPE_CHECKING:
    from batchtui.domain.batch import BatchRecord
    from batchtui.service.recipe import Recipe
    from batchtui.tui.home.model import Line
    from batchtui.tui.home.screen import HomeScreen


class DetailsDialog(Reading):
    """Everything that is known of a batch or run; dismisses with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("f", "follow", "follow", "details.follow", "go to a run it was made from, or that it led to"),
        bind("w", "template", "write template", "details.template", "write the run's template to a file"),
    ]

    def __init__(
        self, body: Content, relatives: Sequence[tuple[str, Relative]], *, template: str = "", name: str = ""
    ) -> None:
        """``template`` is the run's, as it was, "" without one; ``name`` is the run's, for its file."""
        self._relatives = [(label, each) for label, each in relatives if not each.deleted]
        self._template, self._run_name = template, name
        keys = (
            f"{sign_of('details.follow')} follow" if self._relatives else "",
            f"{sign_of('details.template')} write template" if template else "",
            "esc back",
        )
        super().__init__("Details", body, edge="   ".join(filter(None, keys)))
        self.followed = ""
        """The run that was chosen to go to, "" for none."""

    def action_template(self) -> None:
        """Write the run's template to a file."""
        if self._template:
            run_task(self, self._write_template(), opens=True)

    async def _write_template(self) -> None:
        ask = Ask("Write the template to", value=f"{safetext.filename(self._run_name)}.toml", placeholder="labels.toml")
        typed = await self.app.push_screen_wait(ask)
        if not typed or not typed.strip():
            return
        dest = expanded(typed.strip())
        there = await self.in_thread(there_already, dest)
        if there and not await self.app.push_screen_wait(ask_replace(dest)):
            return
        await self.in_thread(files.write_atomic, dest, self._template.encode("utf-8", "replace"))
        self.query_one(".box").border_subtitle = safetext.line(f"Template written to {dest}", 70)

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


def _made(
    service: Service, record: BatchRecord
) -> tuple[list[tuple[str, str]], list[tuple[str, Relative]], Recipe | None]:
    """What a run was made from, as facts, the runs before and after it, and its recipe."""
    recipe = None
    relatives = [("Made from", each) for each in service.lineage.made_from(record.run)]
    relatives += [("Led to", each) for each in service.lineage.led_to(record.run)]
    try:
        recipe = service.again(record).recipe
        facts = recipe_words.facts(recipe, record)
    except BatchtuiError as error:
        facts = [("Recipe", str(error))]
    return [*facts, *((label, recipe_words.relatives([each])) for label, each in relatives)], relatives, recipe


async def show_details(home: HomeScreen, line: Line) -> None:
    """Show a row's details, and go to the run that is chosen there."""
    from batchtui.tui.home import details

    record = line.records[0]
    facts, relatives, recipe = await home.in_thread(_made, home.service, record)
    width = min(90, home.size.width * 9 // 10 - 8)
    body = details.of_line(line, home.tui.now(), home.usual, width=width, made=facts)
    template = recipe.template_text if recipe is not None else ""
    screen = DetailsDialog(body, relatives, template=template, name=title(record))
    await home.app.push_screen_wait(screen)
    first = home.service.history.get(screen.followed) if screen.followed else None
    if first is not None:
        home.go_to(first)
