"""list, show, watch, cancel, delete, adopt, sync."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from batchtui import safetext
from batchtui.cli import completion, words
from batchtui.cli.batch_choice import all_meant
from batchtui.cli.options import file_option, force_option, strict_option
from batchtui.cli.output import fail, print_json, say, show, terminal_width
from batchtui.cli.session import Session, verb
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.present import batch, numbers
from batchtui.present import plan as plan_words
from batchtui.present import recipe as recipe_words
from batchtui.service import Service
from batchtui.service.recipe import Recipe
from batchtui.store import files

RECENT = 50
"""Batches that list shows without --all, beside all that are under way or need the person."""


@verb("list")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help=f"All batches, not only the newest {RECENT} and those that need attention.",
)
@click.option("--refresh", is_flag=True, help="Check with the API first.")
@click.option("--watch", "watch", is_flag=True, help="Keep checking and print a line for every change.")
def list_(session: Session, everything: bool, refresh: bool, watch: bool) -> int:
    """List batches, newest first, as they were last seen.

    Exit code 1 when the API does not know one of them any more, until that is marked as gone (batchtui adopt ID --gone).
    """
    service = session.service()
    if refresh:
        state = session.run(service.refresh, service)
        if state.blind_since is not None:
            say(f"can't check: {state.error}", state.advice)
    records = service.records()
    shown = [r for n, r in enumerate(records) if everything or n < RECENT or r.active or r.results_due]
    if session.json:
        print_json(shown)
    else:
        empty = ["no batches yet: batchtui submit FILE, or batchtui demo"]
        show(*(words.table(shown, width=terminal_width()) if shown else empty))
        if len(shown) < len(records):
            say(f"{len(records) - len(shown):,} older batches are not shown (--all)")
    for path, why in service.unreadable():
        say(f"warning: {path}: {why}")
    if watch:
        session.lines_only = True
        session.run(lambda: _watch_all(service, others=not session.profile), service)
    return _say_unknown(shown)


def _say_unknown(records: Sequence[BatchRecord]) -> int:
    """Say which batches the API does not know any more; 1 when there are any, else 0."""
    unknown = [r for r in records if r.unknown]
    for record in unknown:
        say(f"warning: {record.local_id}: {record.error}")
    return 1 if unknown else 0


async def _watch_all(service: Service, *, others: bool) -> None:
    await asyncio.to_thread(service.context.reread)
    service.subscribe(words.Narrator(None, False, show))
    await service.start(others=others)
    await asyncio.Event().wait()


@verb("show")
@click.argument("id_", metavar="ID", shell_complete=completion.ids)
@click.option("--refresh", is_flag=True, help="Check with the API first.")
@click.option("--template", is_flag=True, help="Print the template that its run was made with, or write it with -o.")
@file_option("-o", "--output", help="Write the template to FILE.")
@force_option
def show_(session: Session, id_: str, refresh: bool, template: bool, output: Path | None, force: bool) -> int:
    """Show one batch and what its run was made from.  Exit code 1 when the API does not know it any more."""
    service = session.service()
    record = service.resolve(id_)
    if template or output is not None:
        return _template(service, record, output, force)
    if refresh and record.active:
        state = session.run(service.refresh, service)
        if state.blind_since is not None:
            say(f"can't check: {state.error}")
        record = service.resolve(record.local_id)
    if record.results == "stored":
        # What its results cost is counted anew when prices have changed since.
        with contextlib.suppress(BatchtuiError):
            service.open_results(record.local_id).close()
            record = service.resolve(record.local_id)
    if session.json:
        print_json({**msgspec.structs.asdict(record), **_made_from(service, record)})
        return 1 if record.unknown else 0
    for name, value in facts(service, record):
        show(f"{name:<12} {safetext.line(str(value), 600)}")
    return 1 if record.unknown else 0


def _recipe_facts(service: Service, record: BatchRecord) -> Iterator[tuple[str, object]]:
    """What a record's run was made from, or why nothing says so."""
    try:
        recipe = service.again(record).recipe
    except BatchtuiError as error:
        yield "recipe", error
        return
    for name, value in recipe_words.facts(recipe, record):
        yield name.lower(), value


def _recipe(service: Service, record: BatchRecord) -> Recipe | None:
    """What a record's run was made from, None when nothing says so; says what can't be read."""
    try:
        return service.again(record).recipe
    except BatchtuiError as error:
        say(f"warning: {error}")
        return None


def _made_from(service: Service, record: BatchRecord) -> dict[str, object]:
    """What a record's run was made from and led to, for JSON."""
    return {
        "made_from": service.lineage.made_from(record.run),
        "led_to": service.lineage.led_to(record.run),
        "recipe": _recipe(service, record),
    }


def _template(service: Service, record: BatchRecord, output: Path | None, force: bool) -> int:
    """Print or write the template of a record's run; raises InputError."""
    held = service.again(record).recipe
    if held is None or not held.has_template:
        why = "it is not known, no recipe was kept" if held is None else "its run had none"
        raise InputError(f"no template of {batch.full_name(record)}: {why}")
    if output is None:
        sys.stdout.write(safetext.copied(held.template_text) if sys.stdout.isatty() else held.template_text)
        return 0
    if output.exists() and not force:
        from batchtui.results.export_job import refuse_to_replace

        raise refuse_to_replace(output)
    files.write_atomic(output, held.template_text.encode("utf-8", "replace"))
    say(f"template written to {output}")
    return 0


def facts(service: Service, record: BatchRecord) -> list[tuple[str, object]]:
    """What there is to say of a record, as name and value."""
    rows: list[tuple[str, object]] = [
        ("batch", batch.full_name(record)),
        ("local ID", record.local_id),
        ("ID", record.id or "—"),
        ("run", f"{record.run}, part {record.part} of {record.parts}, attempt {record.attempt}"),
        ("status", batch.status(record)),
        ("requests", f"{record.requests:,}" + (f", {numbers.size(record.bytes)}" if record.bytes else "")),
        ("models", ", ".join(f"{m} ×{n:,}" for m, n in record.models.items()) or "—"),
        ("profile", f"{record.profile} at {record.base_url}"),
        ("results", _results(record)),
        ("cost", batch.cost(record) or "—"),
        *_cost_facts(record),
        *_times(record, datetime.now(UTC)),
        *_doubts(record),
        *((name, value) for name in ("source", "note", "error") if (value := getattr(record, name))),
        *_recipe_facts(service, record),
        *(("made from", recipe_words.relatives([each])) for each in service.lineage.made_from(record.run)),
        *(("led to", recipe_words.relatives([each])) for each in service.lineage.led_to(record.run)),
    ]
    if record.skipped:
        rows.append(("skipped", f"{batch.skipped(record.skipped)}, not sent, kept in {service.skipped_path(record)}"))
    rows.append(("folder", service.history.folder(record.local_id)))
    return rows


def _results(record: BatchRecord) -> str:
    if record.status == "ended":
        return batch.results(record)
    return "none yet" if record.active else "none"


def _cost_facts(record: BatchRecord) -> Iterator[tuple[str, object]]:
    """What was estimated, and what its results came to."""
    if record.estimate is not None:
        yield "estimate", plan_words.estimated(record.estimate)
    tally = record.tally
    if tally is None:
        return
    if tally.cost_missing:
        yield "not in cost", safetext.line("; ".join(tally.cost_missing), 300)
    odd = {"missing": tally.missing, "not sent": tally.unexpected, "received twice": tally.duplicates}
    if any(odd.values()):
        yield "ids", ", ".join(f"{count:,} {what}" for what, count in odd.items() if count)
    yield "standard", f"{numbers.usd(tally.standard_usd)} at standard price"
    yield (
        "tokens",
        f"{tally.input_tokens:,} in, {tally.output_tokens:,} out, "
        f"cache {tally.cache_write_tokens:,} written, {tally.cache_read_tokens:,} read",
    )


def _times(record: BatchRecord, now: datetime) -> Iterator[tuple[str, object]]:
    for name, when in (
        ("created", record.created_at),
        ("ended", record.ended_at),
        ("expires", record.expires_at if record.status in ("in_progress", "canceling") else None),
        ("kept until", record.gone_at),
    ):
        if when is not None:
            ago = f"{numbers.words(now - when)} ago" if when <= now else f"in {numbers.words(when - now)}"
            yield name, f"{when:%Y-%m-%d %H:%M:%S} UTC ({ago})"


def _doubts(record: BatchRecord) -> Iterator[tuple[str, object]]:
    """Which batch an unconfirmed one may be, and what to do about it."""
    for number, each in enumerate(record.candidates, 1):
        yield f"candidate {number}", f"{each.id} created {each.created_at:%H:%M:%S} UTC, {each.requests:,} requests"
    if record.asks:
        mine = record.local_id
        yield "what to do", f"batchtui adopt {mine} MSGBATCH_ID if you know which batch it is,"
        yield "", f"batchtui adopt {mine} --none if it was not created; batchtui sync checks again"


@verb("watch")
@click.argument("ids", nargs=-1, metavar="[ID...]", shell_complete=completion.ids)
@click.option("--notify", is_flag=True, help="When a batch ends, ring the bell, notify the terminal and run on_end.")
@strict_option
def watch_(session: Session, ids: tuple[str, ...], notify: bool, strict: bool) -> int:
    """Follow batches until they have ended and their results are downloaded; without ID, all in progress.

    Without --profile it follows those of other profiles too, each with its own key.  Exit code 1 when some requests did not
    succeed, or the API does not know a batch any more.
    """
    service = session.service()
    wide = not session.profile

    def followed(record: BatchRecord) -> bool:
        return service.context.mine(record) or (wide and service.others.can_reach(record))

    if ids:
        chosen = [r.local_id for r in all_meant(service, ids)]
    else:
        chosen = [r.local_id for r in service.records() if (r.active or r.results_due) and followed(r)]
    if not chosen:
        say("no batch is in progress")
    stuck = [r for i in chosen if (r := service.history.get(i)) is not None and not followed(r)]
    if stuck:
        raise InputError(
            f"{stuck[0].local_id} belongs to profile {stuck[0].profile!r}", advice=f"use --profile {stuck[0].profile}"
        )
    if notify:
        from batchtui.service.notify import Notifier

        service.subscribe(Notifier(service.config.notify, fail=lambda why: say(f"warning: {why}")))
    if chosen:
        session.tells.update(chosen)
        session.run(lambda: _watch(session, service, chosen), service)
    records = [r for i in chosen if (r := service.history.get(i)) is not None]
    if session.json:
        print_json(records)
    return words.exit_code(records, strict=strict)


async def _watch(session: Session, service: Service, chosen: list[str]) -> None:
    narrator = words.Narrator(set(chosen), session.bars)
    for record in service.records():
        if record.local_id in chosen:
            narrator.tell(record)
    await asyncio.to_thread(service.context.reread)
    service.subscribe(narrator)
    service.subscribe(words.BlindSayer())
    await service.start(others=not session.profile)
    await service.wait(chosen)


@verb("cancel")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=completion.ids)
def cancel_(session: Session, ids: tuple[str, ...]) -> int:
    """Cancel batches. Requests that are already processed keep their results and are charged."""
    service = session.service()
    named = all_meant(service, ids)
    # Of a run what is over is not in question, unless all of it is.
    records = [r for r in named if len(named) <= len(ids) or r.active] or named
    running = [r for r in records if r.status == "in_progress" or r.waiting]
    if session.asks and running:
        for line in batch.canceled_with(running, retry="batchtui retry"):
            say(line)
    if not session.confirm(f"Cancel {batch.titles(records, requests=True)}?"):
        return InputError.exit_code
    results = session.run(lambda: service.cancel([r.local_id for r in records]), service)
    code = 0
    for result in results.values():
        if isinstance(result, BatchtuiError):
            fail(result)
            code = max(code, result.exit_code)
        else:
            say(batch.line(result))
    if session.json:
        print_json([r for i in results if (r := service.history.get(i)) is not None])
    return code


@verb("delete")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=completion.ids)
@click.option(
    "--here", is_flag=True, help="Delete only the record, requests and results here; the API keeps the batch."
)
@click.option(
    "--there", is_flag=True, help="Delete only the batch at the API; the record and downloaded results stay here."
)
def delete_(session: Session, ids: tuple[str, ...], here: bool, there: bool) -> int:
    """Delete batches and their results, here and at the API (or one of the two)."""
    if here and there:
        raise InputError(
            "--here and --there each mean one place only", advice="leave both out to delete in both places"
        )
    service = session.service()
    records = all_meant(service, ids)
    both = here == there
    lost = "here and at the API" if both else "here" if here else "at the API"
    if session.asks:
        for line in batch.deleted_with(records, service.verdicts(records), here=both or here, there=both or there):
            say(line)
    if not session.confirm(f"Delete {batch.titles(records, requests=True)} {lost}?  This can't be undone."):
        return InputError.exit_code
    results = session.run(
        lambda: service.delete([r.local_id for r in records], here=both or here, there=both or there), service
    )
    code = 0
    for local_id, error in results.items():
        if error is None:
            sent = any(r.local_id == local_id and r.id for r in records)
            say(f"{local_id} deleted {lost if sent else 'here'}")
        else:
            fail(error)
            code = max(code, error.exit_code)
    if session.json:
        print_json([i for i, error in results.items() if error is None])
    return code


@verb("adopt")
@click.argument("id_", metavar="ID", shell_complete=completion.ids)
@click.argument("remote", required=False, metavar="[MSGBATCH_ID]")
@click.option(
    "--none", "never", is_flag=True, help="Mark the batch as not created (refused); retry sends its requests again."
)
@click.option(
    "--gone",
    is_flag=True,
    help="Mark a batch that the API does not know any more as gone; undone when the API knows it again.",
)
@click.option("--title", default="", help="Title for an adopted batch.")
@click.option("--note", default="", help="Note kept with the batch.")
def adopt_(session: Session, id_: str, remote: str | None, *, never: bool, gone: bool, title: str, note: str) -> int:
    """Confirm an unconfirmed batch, or adopt another batch in this workspace (ID is its msgbatch_ id)."""
    service = session.service()
    if gone:
        record = service.resolve(id_)
        called = batch.titles([record], requests=True)
        what = "It is not checked any more; its requests can be retried as a new batch."
        if not session.confirm(f"Mark {called} as gone?  {what}"):
            return InputError.exit_code
        after = session.run(lambda: service.mark_gone(record.local_id), service)
    elif never or remote:
        record = service.resolve(id_)
        if record.status != "unconfirmed" and not (
            record.status == "refused" and record.posted and not record.given_up
        ):
            raise InputError(f"{record.local_id} is {record.status}, not unconfirmed")
        if never and not session.confirm(
            f"Mark {batch.full_name(record)} as not created?  If it was created, sending it again pays twice."
        ):
            return InputError.exit_code
        after = session.run(
            lambda: (
                service.give_up(record.local_id) if never else service.adopt_candidate(record.local_id, remote or "")
            ),
            service,
        )
    else:
        after = session.run(lambda: _adopt(service, id_, title, note), service)
    say(batch.line(after))
    if session.json:
        print_json(after)
    return 0


async def _adopt(service: Service, remote_id: str, title: str, note: str) -> BatchRecord:
    return await service.adopt(await service.gateway.retrieve(remote_id), title, note)


@verb("sync")
def sync_(session: Session) -> int:
    """Check all batches once: confirm, send what waits, download results, adopt other batches in this workspace.

    Without --profile also for the other profiles that have batches open.

    For cron: prints what it did to standard error, exits 0, 1 when results could not be downloaded or the API does not know a
    batch any more, 3 when the API could not be reached, 4 when a batch is still unconfirmed.
    """
    service = session.service()
    with session.work() as work:
        session.tells.update(r.local_id for r in service.records())
        report = session.run(lambda: service.sync(work, others=not session.profile), service)
    for word, ids in (("sent", report.sent), ("downloaded", report.fetched), ("adopted", report.adopted)):
        for local_id in ids:
            say(f"{word} {local_id}")
    for local_id, why in report.failed.items():
        say(f"not downloaded {local_id}: {why}")
    for local_id, why in report.unknown.items():
        say(f"not known {local_id}: {why}")
    for local_id in report.unconfirmed:
        record = service.history.get(local_id)
        asks = ", needs attention" if record is not None and record.asks else ""
        say(f"unconfirmed {local_id}{asks}: sync checks again; batchtui show {local_id} has details")
    if report.error:
        say(f"error: {report.error}")
    elif not any((report.sent, report.fetched, report.adopted, report.failed, report.unconfirmed, report.unknown)):
        say("nothing to do")
    if session.json:
        print_json(report)
    if report.error:
        return 3
    lost = any((r := service.history.get(local_id)) is not None and r.unknown for local_id in report.unknown)
    return 4 if report.unconfirmed else 1 if report.failed or lost else 0
