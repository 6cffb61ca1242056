"""What home does to batches: cancel, retry, export, delete, rename; each asks where it must, then asks the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from batchtui import safetext
from batchtui.domain.errors import BatchtuiError
from batchtui.tui import figures
from batchtui.tui.screens.delete import ask_delete
from batchtui.tui.screens.edit import EditModal
from batchtui.tui.screens.home_work import export_many, export_one, names, retry_of
from batchtui.tui.screens.modals import Choose, Confirm
from batchtui.tui.screens.profiles import profile_choices

if TYPE_CHECKING:
    from batchtui.domain.batch import BatchRecord
    from batchtui.tui.desk import Line
    from batchtui.tui.screens.home import HomeScreen

_UNSURE = ("it isn't known yet whether this batch arrived", "press enter on it: what is found, and how to give it up")


async def cancel(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Cancel what runs."""
    running = [r for r in chosen if r.status == "in_progress" or r.waiting]
    if not running:
        if any(r.status == "unconfirmed" for r in chosen):
            home.nothing(*_UNSURE)
        else:
            home.nothing("nothing to cancel here", "only running batches can be canceled" if chosen else "")
        return
    if not home.only_mine(running):
        return
    open_requests = sum(r.counts.processing or r.requests - r.counts.done for r in running)
    lines = [
        f"{names(running)}",
        f"Up to {figures.plural(open_requests, 'request')} will have no answer.",
        "What is answered by then stays, and is paid for.",
        "A canceled batch can't be taken up again; what is missing can be sent anew with r.",
    ]
    title = f"Cancel {figures.plural(len(running), 'batch', 'batches')}?"
    if not await home.app.push_screen_wait(Confirm(title, lines, yes="Cancel it", no="No", grave=True)):
        return
    done = await home.ask(home.service.cancel([r.local_id for r in running]))
    report(home, done, "canceling")


def report(home: HomeScreen, done: Mapping[str, object], word: str) -> None:
    """Say how many went well, and the first that did not."""
    errors = [error for error in done.values() if isinstance(error, BatchtuiError)]
    well = len(done) - len(errors)
    said = f"{word} {figures.plural(well, 'batch', 'batches')}" if well else ""
    if errors:
        failed = f"{figures.plural(len(errors), 'batch', 'batches')} not: {errors[0]}"
        home.say(f"{said}; {failed}" if said else failed, advice=errors[0].advice, level="bad")
    else:
        home.say(said, level="good")


async def retry(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Send again what did not succeed."""
    chosen = [r for r in chosen if r.status in ("ended", "refused")]
    if len({r.run for r in chosen}) > 1:
        home.nothing("these batches are of different runs", "retry one run at a time")
    elif not any(r.needs_retry or r.status == "refused" for r in chosen):
        home.nothing(*(("every request has a usable answer",) if chosen else ("nothing to retry: it has not ended",)))
    elif any(r.foreign for r in chosen):
        home.nothing("made elsewhere: its requests are not here", "import the file it was made from")
    elif not all(r.results in ("stored", "gone") or r.have or r.status == "refused" for r in chosen):
        home.nothing(
            "its results are not all downloaded yet",
            "press f to download them now; what failed is known once they are here",
        )
    elif home.only_mine(chosen):
        try:
            await retry_of(home, chosen)
        except BatchtuiError as error:
            home.fail(error)


async def fetch(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Download results again, one batch after the other; what is here stays unless more comes."""
    chosen = [r for r in chosen if r.id and (r.status == "ended" or r.unknown_looks)]
    if not chosen:
        home.nothing("nothing to download here", "results are downloaded by themselves when a batch has ended")
        return
    if not home.only_mine(chosen):
        return
    done: dict[str, object] = {}
    for record in chosen:
        home.say(f"downloading the results of {names([record])}")
        try:
            done[record.local_id] = await home.ask(home.service.fetch(record.local_id, again=True))
        except BatchtuiError as error:
            done[record.local_id] = error
    report(home, done, "downloaded")


async def export(home: HomeScreen, chosen: Sequence[BatchRecord], line: Line | None) -> None:
    """Write results to a file."""
    chosen = [r for r in chosen if r.results in ("stored", "partial")]
    if not chosen:
        home.nothing("no stored results here", "they are fetched by themselves when the batch has ended")
        return
    whole_run = line is not None and line.record is None and not home.batches.marks
    try:
        if whole_run or len(chosen) == 1:
            await export_one(home, chosen[0], run=whole_run)
        elif len({r.profile for r in chosen}) > 1:
            home.nothing("these batches are of different profiles", "export those of one profile at a time")
        else:
            await export_many(home, chosen)
    except BatchtuiError as error:
        home.fail(error)


async def delete(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Delete here, at the service, or both."""
    if not chosen:
        return
    busy = [r for r in chosen if r.active and not r.waiting]
    if any(r.status == "unconfirmed" for r in busy):
        home.nothing(*_UNSURE)
        return
    if busy:
        home.nothing(f"{names(busy)} is still under way", "cancel it first, and wait until it has ended")
        return
    if not home.only_mine(chosen):
        return
    where = await home.app.push_screen_wait(ask_delete(chosen))
    if where in (None, "keep"):
        return
    here, there = where in ("here", "both"), where in ("there", "both")
    done = await home.ask(home.service.delete([r.local_id for r in chosen], here=here, there=there))
    home.batches.set_marks(())
    report(home, done, "deleted")


async def edit(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Change title and note."""
    if not chosen:
        return
    shown = chosen[0]
    answer = await home.app.push_screen_wait(EditModal(shown.title, shown.note))
    if answer is None:
        return
    title, note = answer
    try:
        for record in chosen:
            # A batch of the run that was given words of its own keeps them.
            mine = title if record.title == shown.title else record.title
            await home.ask(
                home.service.edit(record.local_id, title=mine, note=note if record.note == shown.note else record.note)
            )
    except BatchtuiError as error:
        home.fail(error)


async def profiles(home: HomeScreen) -> None:
    """Choose as whom and where."""
    current = home.service.profile.name
    if home.service.is_demo:
        home.nothing("the demo is by itself, with a desk of its own", "batchtui opens yours, with your profiles")
        return
    name = await home.app.push_screen_wait(Choose("As whom?", profile_choices(home.service)))
    if name is None or name == current:
        return
    if home.sending:
        home.nothing("something is being sent", "switch when it has arrived")
        return
    try:
        await home.tui.switch_profile(name)
    except BatchtuiError as error:
        home.fail(error)
        return
    home.reload()
    home.say(f"now as profile {safetext.line(name, 40)}", level="good")
