"""What the keys of the home screen do: cancel, retry, export, delete, edit and more; each asks where it must.

What they raise is shown by ``run_task``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content

from batchtui import safetext
from batchtui.config.load import sdk_profiles
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError
from batchtui.paths import expanded
from batchtui.present import batch, numbers
from batchtui.present.symbols import GLYPHS
from batchtui.store import files
from batchtui.tui.base import run_task
from batchtui.tui.bindings import key_of
from batchtui.tui.dialogs import Ask, Choose, Confirm, EditModal, ask_delete

if TYPE_CHECKING:
    from batchtui.results.view import View
    from batchtui.service import Service
    from batchtui.tui.home.model import Line
    from batchtui.tui.home.screen import HomeScreen
    from batchtui.tui.results.retry import NotUsable

_NOT_CREATED_SAID, _GONE_SAID = "Marked as not created.", "Marked as gone."
_UNSURE = "this batch is not confirmed yet"
NOT_CREATED = "not created"


def start(home: HomeScreen, name: str) -> None:
    """Start an action by name, about what is chosen, or under the cursor, as its key is pressed."""
    chosen, line = home.chosen(), home.line
    match name:
        case "cancel":
            run_task(home, cancel(home, chosen), opens=True)
        case "retry":
            run_task(home, retry(home, chosen), opens=True)
        case "fetch":
            run_task(home, fetch(home, chosen))
        case "export":
            run_task(home, export(home, chosen, line), opens=True)
        case "delete":
            run_task(home, delete(home, chosen), opens=True)
        case "edit":
            run_task(home, edit(home, line.records if line else ()), opens=True)
        case "profiles":
            run_task(home, profiles(home), opens=True)
        case "again":
            run_task(home, make_again(home, chosen), opens=True)
        case "from_rows":
            run_task(home, from_rows(home, chosen), opens=True)
        case "resolve":
            run_task(home, resolve(home, line.record if line else None), opens=True)
        case _:
            raise ValueError(f"no action of home: {name}")


async def cancel(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Cancel what runs."""
    running = [r for r in chosen if r.status == "in_progress" or r.waiting]
    if not running:
        if any(r.status == "unconfirmed" for r in chosen):
            home.nothing(_UNSURE, f"press {key_of('open')} on it to see what was found and what to do")
        else:
            home.nothing("nothing to cancel here", "only running batches can be canceled" if chosen else "")
        return
    if not home.only_mine(running):
        return
    lines = [batch.titles(running), *batch.canceled_with(running, retry=key_of("retry"))]
    title = f"Cancel {numbers.plural(len(running), 'batch', 'batches')}?"
    if not await home.app.push_screen_wait(Confirm(title, lines, yes="Cancel", no="Keep", grave=True)):
        return
    done = await home.ask(home.service.cancel([r.local_id for r in running]))
    report(home, done, "Canceling")


def report(home: HomeScreen, done: Mapping[str, object], word: str) -> None:
    """Say how many went well, and the first that did not."""
    errors = [error for error in done.values() if isinstance(error, BatchtuiError)]
    well = len(done) - len(errors)
    said = f"{word} {numbers.plural(well, 'batch', 'batches')}." if well else ""
    if errors:
        failed = f"{numbers.plural(len(errors), 'batch', 'batches')} failed: {errors[0]}"
        home.say(f"{said} {failed}" if said else failed, advice=errors[0].advice, level="bad")
    else:
        home.say(said, level="good")


async def retry(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Send again what did not succeed."""
    if not chosen:
        home.nothing("nothing to retry here")
        return
    chosen = [r for r in chosen if r.status in ("ended", "refused")]
    if len({r.run for r in chosen}) > 1:
        home.nothing("these batches are of different runs", "retry one run at a time")
    elif not any(r.needs_retry or r.status == "refused" for r in chosen):
        home.nothing(
            *(("every request has a usable answer",) if chosen else ("nothing to retry: the batch has not ended",))
        )
    elif any(r.foreign for r in chosen):
        home.nothing("submitted elsewhere: its requests are not on this machine", "import its source file instead")
    elif not all(r.results in ("stored", "gone") or r.have or r.status == "refused" for r in chosen):
        home.nothing(
            "the results are not fully downloaded yet",
            f"press {key_of('fetch')} to download them now, then {key_of('retry')}",
        )
    elif home.only_mine(chosen):
        await retry_of(home, chosen)


async def fetch(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Download results again, one batch after the other; what is here stays unless more comes."""
    chosen = [r for r in chosen if r.id and (r.status == "ended" or r.unknown_looks)]
    if not chosen:
        home.nothing("nothing to download", "results are downloaded automatically when a batch has ended")
        return
    if not home.only_mine(chosen):
        return
    done: dict[str, object] = {}
    for record in chosen:
        home.say(f"Downloading the results of {batch.titles([record])}…")
        try:
            done[record.local_id] = await home.ask(home.service.fetch(record.local_id, again=True))
        except BatchtuiError as error:
            done[record.local_id] = error
    report(home, done, "Downloaded")


async def export(home: HomeScreen, chosen: Sequence[BatchRecord], line: Line | None) -> None:
    """Write results to a file."""
    chosen = [r for r in chosen if r.results in ("stored", "partial")]
    if not chosen:
        home.nothing("no results to export", "results are downloaded automatically when a batch has ended")
        return
    whole_run = line is not None and line.record is None and not home.batches.marks
    if whole_run or len(chosen) == 1:
        await export_one(home, chosen[0], run=whole_run)
    elif len({r.profile for r in chosen}) > 1:
        home.nothing("these batches are of different profiles", "export one profile's batches at a time")
    else:
        await export_many(home, chosen)


def _one_run(home: HomeScreen, chosen: Sequence[BatchRecord]) -> BatchRecord | None:
    """The first batch of the one run that is chosen; says why when there isn't one."""
    if len({r.run for r in chosen}) != 1:
        home.nothing("choose one run", "clear the marks with esc" if chosen else "")
        return None
    return chosen[0]


async def make_again(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Open the new screen filled with a run's recipe."""
    from batchtui.tui.new.again import open_again

    record = _one_run(home, chosen)
    if record is not None:
        await open_again(home, record)


async def from_rows(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Open the new screen with a run's usable rows and their answers as its source."""
    from batchtui.tui.new.prefill import from_run
    from batchtui.tui.new.screen import NewScreen

    record = _one_run(home, chosen)
    if record is None:
        return
    run = home.service.run_of(record)
    if not any(r.results in ("stored", "partial") for r in run):
        ended = any(r.status == "ended" and r.results_due for r in run)
        how = (
            f"press {key_of('open')} to download them"
            if ended
            else "results are downloaded automatically when a batch has ended"
        )
        home.nothing("no results are downloaded yet", how)
        return
    await home.app.push_screen(NewScreen(prefilled=from_run(home.service, record)))


async def delete(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Delete here, at the API, or both."""
    if not chosen:
        return
    busy = [r for r in chosen if r.active and not r.waiting]
    if any(r.status == "unconfirmed" for r in busy):
        home.nothing(_UNSURE, f"press {key_of('open')} on it to see what was found and what to do")
        return
    if busy:
        home.nothing(f"{batch.titles(busy)} is still in progress", "cancel it first and wait until it has ended")
        return
    if not home.only_mine(chosen):
        return
    where = await home.app.push_screen_wait(ask_delete(chosen, await home.in_thread(home.service.verdicts, chosen)))
    if where in (None, "keep"):
        return
    here, there = where in ("here", "both"), where in ("there", "both")
    done = await home.ask(home.service.delete([r.local_id for r in chosen], here=here, there=there))
    home.batches.set_marks(())
    report(home, done, "Deleted")


async def edit(home: HomeScreen, chosen: Sequence[BatchRecord]) -> None:
    """Change title and note."""
    if not chosen:
        return
    shown = chosen[0]
    answer = await home.app.push_screen_wait(EditModal(shown.title, shown.note))
    if answer is None:
        return
    title, note = answer
    for record in chosen:
        # A batch of the run that was given words of its own keeps them.
        mine = title if record.title == shown.title else record.title
        await home.ask(
            home.service.edit(record.local_id, title=mine, note=note if record.note == shown.note else record.note)
        )


async def profiles(home: HomeScreen) -> None:
    """Choose the profile."""
    current = home.service.profile.name
    if home.service.is_demo:
        home.nothing("the demo has no other profiles", "run batchtui without demo to use yours")
        return
    name = await home.app.push_screen_wait(Choose("Switch profile", _profile_choices(home.service)))
    if name is None or name == current:
        return
    if home.sending:
        home.nothing("a batch is being sent", "switch profiles once it is sent")
        return
    await home.tui.switch_profile(name)
    home.reload()
    home.say(f"Switched to profile {safetext.line(name, 40)}.", level="good")


def _profile_choices(service: Service) -> list[tuple[str, str | Content]]:
    """Name and line of each profile, the one in use marked."""
    config, current = service.config, service.profile.name
    names = sorted({"default", config.default_profile, current, *config.profiles, *sdk_profiles()})
    choices: list[tuple[str, str | Content]] = []
    for name in names:
        profile = service.profile if name == current else config.profiles.get(name)
        where = (profile.base_url if profile else "") or "api.anthropic.com or ANTHROPIC_BASE_URL"
        workspace = f" {GLYPHS.dot} {profile.workspace}" if profile and profile.workspace else ""
        sign = GLYPHS.running if name == current else " "
        line = Content.assemble((f"{sign} ", "$text-primary"), f"{safetext.line(name, 30):<16} ")
        choices.append((name, line + Content.styled(safetext.line(where + workspace, 80), "$foreground 60%")))
    return choices


async def resolve(home: HomeScreen, record: BatchRecord | None) -> None:
    """Ask about a batch that is not confirmed, or that the API does not know.  Raises BatchtuiError."""
    if record is None:
        return
    if record.unknown:
        await unknown(home, record)
    else:
        await settle(home, record)


async def settle(home: HomeScreen, record: BatchRecord) -> None:
    """Put the question of an unconfirmed batch to the person.  Raises BatchtuiError."""
    sent = numbers.at(record.intent_at)
    lines = [f"{batch.name(record)}: {record.requests:,} requests were sent at {sent}, and no reply came."]
    choices = [("wait", "Keep checking (nothing is sent again meanwhile)")]
    for each in record.candidates:
        when = f"created {each.created_at.astimezone():%H:%M:%S}"
        choices.append((each.id, f"Adopt {safetext.line(each.id, 60)}: {each.requests:,} requests, {when}"))
    if record.asked_at is not None:
        lines.append(safetext.line(f"Checked {numbers.plural(record.unproven, 'time')}: it {record.error}.", 300))
    if record.candidates:
        lines.append("These batches at the API may be this one. Which is it?")
    elif record.asked_at is None:
        lines.append(f"{numbers.plural(record.looks, 'check')} found no batch that may be this one.")
    choices.append((NOT_CREATED, "Mark as not created (if it was created after all, a retry pays twice)"))
    answer = await home.app.push_screen_wait(Choose("Was this batch created?", choices, lines=lines))
    if answer in (None, "wait"):
        return
    if answer == NOT_CREATED:
        await home.ask(home.service.give_up(record.local_id))
        home.say(_NOT_CREATED_SAID, advice=f"Press {key_of('retry')} to retry it.", level="warn")
    else:
        await home.ask(home.service.adopt_candidate(record.local_id, str(answer)))
        adopted = f"Adopted {safetext.line(str(answer), 60)}."
        home.say(adopted, advice="Its custom_ids are verified with its results.", level="good")


async def unknown(home: HomeScreen, record: BatchRecord) -> None:
    """Ask what is to become of a batch that the API does not know any more.  Raises BatchtuiError."""
    since = numbers.at(record.unknown_since)
    lines = [
        f"{batch.name(record)}: the API does not know {safetext.line(record.id or '', 60)} "
        f"({numbers.plural(record.unknown_looks, 'check')} since {since}).",
        "It may have been deleted in the Console, or the key is for another workspace.",
    ]
    choices = [
        ("wait", "Keep checking"),
        (
            "gone",
            "Mark as gone: no more checks; its requests can be retried as a new batch (undone if the API knows it again)",
        ),
    ]
    answer = await home.app.push_screen_wait(Choose("Batch not known by the API", choices, lines=lines))
    if answer == "gone":
        await home.ask(home.service.mark_gone(record.local_id))
        home.say(
            _GONE_SAID,
            advice=f"Press {key_of('retry')} to retry its requests as a new batch.",
            level="warn",
        )


async def retry_of(home: HomeScreen, records: Sequence[BatchRecord]) -> None:
    """Ask what of these batches (of one run) goes out again, then plan, price and send it.  Raises BatchtuiError."""
    from batchtui.tui.results.retry import RetryScreen, stands, which_again

    before = stands(home.service.run_of(records[0]))
    # Of the run merged: what another of its batches answered by now is not to be paid again.
    view = await home.in_thread(home.service.open_results, records[0].local_id, run=True)
    rows = await which_again(home.app, await home.in_thread(_not_usable, view, {r.local_id for r in records}))
    if rows is None:
        return
    if stands(home.service.run_of(records[0])) != before:
        home.say("The results have changed since.", advice=f"Press {key_of('retry')} again.", level="warn")
        return
    if not rows:
        home.say("Every request has a usable answer now.", level="good")
        return
    if await home.app.push_screen_wait(RetryScreen(records[0], view, rows)):
        for said in (_NOT_CREATED_SAID, _GONE_SAID):
            home.unsay(said)


def _not_usable(view: View, batches: set[str]) -> NotUsable:
    """Rows of these batches' requests without a usable answer."""
    from batchtui.tui.results.retry import not_usable

    names: set[str] = set()
    for member in view.members:
        if member.folder.name in batches:
            names.update(member.ids())
    return not_usable(view, [row for row, name in enumerate(view.ids()) if name in names])


async def export_one(home: HomeScreen, record: BatchRecord, *, run: bool) -> None:
    """Write one batch's results, or its whole run's, merged.  Raises BatchtuiError."""
    from batchtui.present.scores import hidden_exported
    from batchtui.tui.results.export import export_rows

    view = await home.in_thread(home.service.open_results, record.local_id, run=run)
    warning = hidden_exported(await home.in_thread(home.service.hidden_answers, [record]))
    await export_rows(home, view, range(len(view)), record, batch.file_stem(record, part=True), warning)


def free_name(folder: Path, name: str, local_id: str) -> Path:
    """A file in a folder that does not exist yet."""
    names = [name, f"{name}-{local_id}", *(f"{name}-{local_id}-{number}" for number in range(2, 1_000))]
    return next((path for each in names if not (path := folder / f"{each}.jsonl").exists()), folder / f"{name}.jsonl")


async def export_many(home: HomeScreen, records: Sequence[BatchRecord]) -> None:
    """Write each batch's results into a folder, as received; what is there already is left alone.  Raises BatchtuiError."""
    from batchtui.present.scores import hidden_exported

    few = numbers.plural(len(records), "batch", "batches")
    hint = f"One file per batch, as received (JSONL): {batch.titles(records)}."
    hidden = hidden_exported(await home.in_thread(home.service.hidden_answers, records))
    hint += f"\n{GLYPHS.warning} {hidden}." if hidden else ""
    answer = await home.app.push_screen_wait(
        Ask(f"Export the results of {few} to a folder", value="results/", hint=hint)
    )
    if not answer:
        return
    folder = expanded(answer)
    await home.in_thread(files.make_private_dir, folder)
    written = 0
    for number, record in enumerate(records, 1):
        dest = await home.in_thread(free_name, folder, batch.file_stem(record, part=True), record.local_id)
        home.say(f"Exporting {number} of {len(records)}: {dest}")
        view = await home.in_thread(home.service.open_results, record.local_id)
        written += await home.in_thread(home.service.export, view, None, "jsonl", dest, replace=False)
    home.say(f"Exported {numbers.plural(written, 'result')} of {few} to {folder}", level="good")
