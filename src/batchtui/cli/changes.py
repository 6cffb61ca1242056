"""cancel, delete, adopt, sync."""

from __future__ import annotations

import click

from batchtui.cli import completing, words
from batchtui.cli.ending import fail, print_json, say
from batchtui.cli.session import Bar, Session, verb
from batchtui.domain.batch import BatchRecord
from batchtui.domain.errors import BatchtuiError, InputError
from batchtui.service import Service


@verb("cancel")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=completing.ids)
def cancel_(session: Session, ids: tuple[str, ...]) -> int:
    """Cancel batches; what is done by then stays, and is paid for."""
    service = session.service()
    records = [service.resolve(i) for i in ids]
    if not session.confirm(f"Cancel {_named(records)}?"):
        return InputError.exit_code
    results = session.run(lambda: service.cancel([r.local_id for r in records]), service)
    code = 0
    for result in results.values():
        if isinstance(result, BatchtuiError):
            fail(result)
            code = max(code, result.exit_code)
        else:
            say(words.record_line(result))
    if session.json:
        print_json([r for i in results if (r := service.history.get(i)) is not None])
    return code


def _named(records: list[BatchRecord]) -> str:
    if len(records) == 1:
        return f"{words.name_of(records[0])} ({records[0].requests:,} requests)"
    return f"{len(records)} batches ({sum(r.requests for r in records):,} requests)"


@verb("delete")
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=completing.ids)
@click.option("--here", is_flag=True, help="Only our record, requests and results; the service keeps its batch.")
@click.option("--there", is_flag=True, help="Only the batch at the service; our record and stored results stay.")
def delete_(session: Session, ids: tuple[str, ...], here: bool, there: bool) -> int:
    """Delete batches and their results, at the service and here (or one of the two)."""
    if here and there:
        raise InputError("--here and --there each mean one place only", advice="leave both out to delete at both")
    service = session.service()
    records = [service.resolve(i) for i in ids]
    both = here == there
    lost = "at the service and here" if both else "here" if here else "at the service"
    if not session.confirm(f"Delete {_named(records)} {lost}?  This can't be undone."):
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
@click.argument("id_", metavar="ID", shell_complete=completing.ids)
@click.argument("remote", required=False, metavar="[MSGBATCH_ID]")
@click.option(
    "--none", "never", is_flag=True, help="It was not created: mark it so (refused), and retry sends it again."
)
@click.option(
    "--gone",
    is_flag=True,
    help="The API does not know the batch any more: mark it as gone. Undone when the API knows it again.",
)
@click.option("--title", default="", help="A name for a batch made elsewhere.")
@click.option("--note", default="", help="Anything worth remembering of it.")
def adopt_(session: Session, id_: str, remote: str | None, *, never: bool, gone: bool, title: str, note: str) -> int:
    """Say which batch at the service an unconfirmed one is, or keep a batch made elsewhere (ID its msgbatch_ id)."""
    service = session.service()
    if gone:
        record = service.resolve(id_)
        if not session.confirm(
            f"Mark {_named([record])} as gone?  It is not checked any more; its requests can be retried as a new batch."
        ):
            return InputError.exit_code
        after = session.run(lambda: service.mark_gone(record.local_id), service)
    elif never or remote:
        record = service.resolve(id_)
        if record.status != "unconfirmed" and not (
            record.status == "refused" and record.posted and not record.given_up
        ):
            raise InputError(f"{record.local_id} is {record.status}: there is no question open")
        if never and not session.confirm(
            f"Mark {words.name_of(record)} as not created?  If it was created, sending it again pays twice."
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
    say(words.record_line(after))
    if session.json:
        print_json(after)
    return 0


async def _adopt(service: Service, remote_id: str, title: str, note: str) -> BatchRecord:
    return await service.adopt(await service.gateway.retrieve(remote_id), title, note)


@verb("sync")
def sync_(session: Session) -> int:
    """Look at everything once: settle what is open, send what waits, fetch what is due, adopt what was made elsewhere.

    Without --profile also for the other profiles that have batches open.

    Fit for cron: prints what it did to standard error, exits 0, 1 when results could not be had or the API does not know a
    batch any more, 3 when the service could not be asked, 4 when a batch is still unconfirmed.
    """
    service = session.service()
    bar = Bar(session.bars)
    report = session.run(lambda: service.sync(bar, others=not session.profile), service)
    bar.clear()
    for word, ids in (("sent", report.sent), ("fetched", report.fetched), ("adopted", report.adopted)):
        for local_id in ids:
            say(f"{word} {local_id}")
    for local_id, why in report.failed.items():
        say(f"not fetched {local_id}: {why}")
    for local_id, why in report.unknown.items():
        say(f"not known {local_id}: {why}")
    for local_id in report.unconfirmed:
        record = service.history.get(local_id)
        asks = ", needs attention" if record is not None and record.asks else ""
        say(f"unconfirmed {local_id}{asks}: sync checks again; batchtui show {local_id} tells more")
    if report.error:
        say(f"error: {report.error}")
    elif not any((report.sent, report.fetched, report.adopted, report.failed, report.unconfirmed, report.unknown)):
        say("nothing was due")
    if session.json:
        print_json(report)
    if report.error:
        return 3
    lost = any((r := service.history.get(local_id)) is not None and r.unknown for local_id in report.unknown)
    return 4 if report.unconfirmed else 1 if report.failed or lost else 0
